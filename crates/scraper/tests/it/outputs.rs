//! What a command writes is whole or as it was, and never what it reads.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    shop::Shop,
    support::{png, ran, scraper},
};

fn shop() -> Shop {
    let shop = Shop::new();
    shop.folder(0..12);
    shop.run("shop", 0);
    shop
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let shop = shop();
    let at = |name: &str| shop.path().join(name);
    fs::hard_link(at("s.db"), at("hard")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("s.db", at("soft")).unwrap();
    fs::create_dir(at("sub")).unwrap();
    let store = fs::read(at("s.db")).unwrap();
    for format in ["jsonl", "parquet", "npy"] {
        for output in ["s.db", "./s.db", "hard", "soft", "sub/../s.db", "s.db-wal", "s.db.lock"] {
            let args = ["export", "--store", "s.db", "--format", format, "--output", output];
            let refused = ran(scraper(shop.path()).args(args)).expect(1).stderr;
            assert!(refused.contains("written over"), "{format} {output}: {refused}");
        }
    }
    // Through the shell, too.
    let open = fs::OpenOptions::new().append(true).open(at("s.db")).unwrap();
    let mut command = scraper(shop.path());
    let export = command.args(["export", "--store", "s.db"]).stdout(open).output().unwrap();
    assert_eq!(export.status.code(), Some(1));
    assert_eq!(fs::read(at("s.db")).unwrap(), store);

    let picture = fs::read(at("shop/03.png")).unwrap();
    let refused = |args: &[&str]| {
        let refused = ran(&mut shop.command(args)).expect(1).stderr;
        assert!(refused.contains("written over"), "{args:?}: {refused}");
    };
    refused(&["embed", "shop/03.png", "--output", "shop/03.png"]);
    refused(&["embed", "shop", "--output", "shop/03.png"]);
    refused(&["embed", "shop/04.png", "--output", "tiny/config.json"]);
    refused(&["inspect", "shop/03.png", "--save", "shop/03.png"]);
    refused(&["run", "shop", "--store", "s.db", "--summary-json", "s.db"]);
    refused(&["run", "shop", "--store", "s.db", "--summary-markdown", "hard"]);
    refused(&["run", "shop", "--store", "s.db", "--summary-json", "scraper.toml"]);
    refused(&["retry", "--failed", "--store", "s.db", "--summary-json", "s.db-wal"]);
    refused(&["run", "shop", "--summary-json", "x", "--summary-markdown", "x", "--store", "s.db"]);
    assert_eq!(fs::read(at("shop/03.png")).unwrap(), picture);
    assert_eq!(fs::read(at("s.db")).unwrap(), store);
    shop.run("shop", 0);
}

#[test]
fn a_failed_export_leaves_the_file_as_it_was() {
    let shop = shop();
    for format in ["jsonl", "parquet", "npy"] {
        shop.write("out", "old");
        shop.write("out.rows.jsonl", "old rows");
        let mut command = Command::new("sh");
        // Room for 1 KiB: the write fails as on a full disk.
        let script = "trap '' XFSZ; ulimit -f 2; exec \"$@\"";
        let program = scraper(shop.path());
        command.current_dir(shop.path()).env_clear().args(["-c", script, "sh"]);
        command.arg(program.get_program());
        command.args(["export", "--store", "s.db", "--format", format, "--output", "out"]);
        let failed = ran(&mut command).expect(1).stderr;
        assert!(failed.contains("cannot write"), "{format}: {failed}");
        assert_eq!(fs::read(shop.path().join("out")).unwrap(), b"old", "{format}");
        assert_eq!(fs::read(shop.path().join("out.rows.jsonl")).unwrap(), b"old rows", "{format}");
    }
    assert!(names(shop.path()).iter().all(|name| !name.ends_with(".part")));
}

#[test]
fn what_killed_commands_left_is_removed_and_nothing_else() {
    let shop = shop();
    for name in [".out.jsonl.abc123.part", "web/.export.xyz789.part", "web/.htaccess", ".b.part"] {
        shop.write(name, "x");
    }
    let export = |args: &[&str]| {
        let all = [&["export", "--store", "s.db"], args].concat();
        ran(scraper(shop.path()).args(all)).expect(0);
    };
    export(&["--output", "out.jsonl"]);
    export(&["--format", "web", "--output", "web"]);
    let left = [names(shop.path()), names(&shop.path().join("web"))].concat();
    assert!(!left.contains(&".out.jsonl.abc123.part".to_owned()), "{left:?}");
    assert!(!left.contains(&".export.xyz789.part".to_owned()), "{left:?}");
    assert!(left.contains(&".htaccess".to_owned()) && left.contains(&".b.part".to_owned()));

    // Those of a merge.
    for suffix in ["", "-wal", "-shm"] {
        shop.write(&format!("all.db.merging{suffix}"), "half a store");
    }
    ran(scraper(shop.path()).args(["merge", "s.db", "--store", "all.db"])).expect(0);
    assert!(names(shop.path()).iter().all(|name| !name.contains("merging")));
    assert_eq!(shop.export("all.db"), shop.export("s.db"));
}

#[test]
#[cfg(unix)]
fn pipes_and_devices_are_written_to_directly() {
    let shop = shop();
    let lines = shop.export("s.db");
    let export = |output: &str| {
        let args = ["export", "--store", "s.db", "--output", output];
        ran(scraper(shop.path()).args(args)).expect(0).text()
    };
    assert_eq!(export("/dev/stdout"), lines);
    assert_eq!(export("-"), lines);
    assert_eq!(export("/dev/null"), "");
    // A standard output that is a file keeps what is in it.
    shop.write("log", "first\n");
    let log = fs::OpenOptions::new().append(true).open(shop.path().join("log")).unwrap();
    let args = ["export", "--store", "s.db", "--output", "/dev/stdout"];
    assert!(scraper(shop.path()).args(args).stdout(log).status().unwrap().success());
    let log = fs::read_to_string(shop.path().join("log")).unwrap();
    assert!(log.ends_with(&lines), "{log}");

    let fifo = shop.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let args = ["export", "--store", "s.db", "--output", "fifo"];
    let mut child = scraper(shop.path()).args(args).stderr(Stdio::null()).spawn().unwrap();
    let mut read = String::new();
    fs::File::open(&fifo).unwrap().read_to_string(&mut read).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(read, lines);
    assert!(!fs::metadata(&fifo).unwrap().is_file(), "it is still a pipe");
}

#[test]
#[cfg(unix)]
fn a_summary_keeps_link_and_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Shop::new();
    shop.write("shop/a.png", png(1));
    shop.write("kept/summary.json", "{}");
    let file = shop.path().join("kept/summary.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
    std::os::unix::fs::symlink("kept/summary.json", shop.path().join("summary.json")).unwrap();
    assert_eq!(shop.run("shop", 0)["embedded"], 1);
    assert!(fs::symlink_metadata(shop.path().join("summary.json")).unwrap().is_symlink());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o604);
    assert!(fs::read_to_string(file).unwrap().contains("embedded"));
}
