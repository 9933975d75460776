//! The small model that is part of the program: asked for by name, it works offline and finds what
//! the demo looks for; nobody gets it who did not ask.

use std::{fs, path::Path};

use drawn_shop::{Garment, SAMPLE_PRODUCTS, SAMPLE_QUERIES, SAMPLE_SEED, Shop};
use scraper_lib::model::{LoadOptions, ModelFiles, load};
use serde_json::Value;

use crate::support::{png, ran, scraper};

/// What `scraper search` finds, best first: captions of the products.
fn search(folder: &Path, shop: &Shop, query: &str) -> Vec<String> {
    let args = ["search", query, "--store", "s.db", "--top", "4", "--format", "json"];
    let found = ran(scraper(folder).args(args).args(["--model", "tiny"])).expect(0).text();
    let hits: Vec<Value> = serde_json::from_str(&found).unwrap();
    let caption = |hit: &Value| {
        // The second picture of a product is `DS-00001-2` in the feed.
        let id = hit["id"].as_str().unwrap();
        let product = shop.products().iter().find(|p| id.starts_with(&p.id));
        product.unwrap().caption()
    };
    hits.iter().map(caption).collect()
}

/// The demo with the pictures, the feed and the queries of the demo.
#[test]
fn the_demo_finds_a_red_dress_a_white_t_shirt_and_blue_jeans() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::new(SAMPLE_SEED, SAMPLE_PRODUCTS);
    drawn_shop::write(&shop, dir.path(), "", false).unwrap();
    let args = ["run", "feed.jsonl", "--store", "s.db", "--model", "tiny"];
    ran(scraper(dir.path()).args(args)).expect(0);
    for query in SAMPLE_QUERIES {
        assert!(shop.products().iter().any(|p| p.caption() == query), "the shop sells a {query}");
        let found = search(dir.path(), &shop, query);
        assert_eq!(found[0], query, "{found:?}");
    }
    // Without a colour, all of the first are of the kind.
    for garment in [Garment::Sneakers, Garment::Beanie] {
        let found = search(dir.path(), &shop, garment.name());
        assert!(found[..2].iter().all(|c| c.contains(garment.name())), "{found:?}");
    }
}

#[test]
fn vectors_say_that_the_model_is_tiny_and_which_weights_it_has() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.png"), png(1)).unwrap();
    let embed = ["embed", "a.png", "--text", "red dress", "--format", "jsonl"];
    let lines =
        ran(scraper(dir.path()).env("EMBEDDINGS_MODEL", "tiny").args(embed)).expect(0).lines();
    let files = ModelFiles::builtin();
    let loaded = load(&files, &LoadOptions::new(clip_core::Towers::Both)).unwrap();
    for line in &lines {
        assert_eq!(line["dim"], 512);
        assert_eq!(line["provenance"]["model"], "tiny");
        assert_eq!(line["provenance"]["weights"], loaded.clip.weights_digest());
    }
    let info = ran(scraper(dir.path()).args(["model", "info", "tiny", "--verify"])).expect(0);
    assert!(info.text().contains("part of this program"), "{}", info.text());
    ran(scraper(dir.path()).args(["model", "pull", "tiny"])).expect(0);
}

/// The same vectors from the folder in the repository as from the program.
#[test]
fn the_folder_holds_what_the_program_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scraper-lib/models/tiny");
    let digest = |files: &ModelFiles| {
        let loaded = load(files, &LoadOptions::new(clip_core::Towers::Both)).unwrap();
        loaded.provenance
    };
    assert_eq!(digest(&ModelFiles::in_folder(&folder).unwrap()), digest(&ModelFiles::builtin()));
    let bytes: u64 =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 8_000_000, "{bytes} bytes in the repository and in the program");
}

#[test]
fn without_weights_a_run_is_an_error_and_not_tiny() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("photos")).unwrap();
    fs::write(dir.path().join("photos/a.png"), png(1)).unwrap();
    let run = ran(scraper(dir.path()).args(["run", "photos"])).expect(1);
    assert!(run.stderr.contains("scraper model pull"), "{}", run.stderr);
    assert!(
        !dir.path().join("scraper.db").exists() || {
            let export = ran(scraper(dir.path()).args(["export", "--store", "scraper.db"]));
            export.text().is_empty()
        }
    );
}
