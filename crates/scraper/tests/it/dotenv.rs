//! Which `.env` is read, and what is said of one that cannot be.

use std::fs;

use crate::support::{png, ran, scraper};

#[test]
fn only_the_env_file_of_this_folder_and_of_the_settings_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["work", "settings"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    let work = dir.path().join("work");
    fs::write(work.join("a.png"), png(1)).unwrap();
    fs::write(dir.path().join(".env"), "EMBEDDINGS_MODEL=tiny\n").unwrap();
    let embed = ["embed", "a.png", "--format", "jsonl"];
    let error = ran(scraper(&work).args(embed)).expect(1).stderr;
    assert!(error.contains("openai/clip-vit-base-patch32"), "a parent's is foreign: {error}");

    let settings = dir.path().join("settings");
    fs::write(settings.join("scraper.toml"), "").unwrap();
    fs::write(settings.join(".env"), "\u{feff}# ours\r\nexport EMBEDDINGS_MODEL=\"tiny\"\r\n")
        .unwrap();
    let with = ["--config", "../settings/scraper.toml"];
    ran(scraper(&work).args(embed).args(with)).expect(0);
    // The working folder's has the first word.
    fs::write(work.join(".env"), "EMBEDDINGS_MODEL=no/such-model\n").unwrap();
    let error = ran(scraper(&work).args(embed).args(with)).expect(1).stderr;
    assert!(error.contains("no/such-model"), "{error}");
    ran(scraper(&work).args(embed).env("EMBEDDINGS_MODEL", "tiny")).expect(0);
}

#[test]
fn an_env_file_that_makes_no_sense_is_an_error_that_shows_none_of_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.png"), png(1)).unwrap();
    fs::write(dir.path().join(".env"), "EMBEDDINGS_MODEL=tiny\nHF_TOKEN hf_secret\n").unwrap();
    for args in [&["embed", "a.png"][..], &["search", "a dress"], &["model", "list"]] {
        let ran = ran(scraper(dir.path()).args(args).arg("-vv")).expect(1);
        assert!(ran.stderr.contains(".env, line 2"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    }
    ran(scraper(dir.path()).args(["completions", "bash"])).expect(0);
}
