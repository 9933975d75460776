//! `scraper search` by words, by meaning and by both.

use std::path::Path;

use drawn_shop::{Format, Options, Shop as Drawn};
use serde_json::Value;

use crate::support::{ran, scraper};

/// A drawn shop in `s.db`, with the vectors of the built-in model.
fn drawn(folder: &Path) -> Drawn {
    let options = Options { size: Some((120, 160)), format: Some(Format::Png), images: Some(1) };
    let shop = Drawn::with(5, 48, options);
    drawn_shop::write(&shop, folder, "", false).unwrap();
    ran(scraper(folder).args(["run", "feed.jsonl", "--store", "s.db", "--model", "tiny"]))
        .expect(0);
    shop
}

fn search(folder: &Path, args: &[&str]) -> Vec<Value> {
    let found =
        ran(scraper(folder).args(["search", "--store", "s.db", "--format", "json"]).args(args));
    serde_json::from_str(&found.expect(0).text()).unwrap()
}

fn ids(found: &[Value]) -> Vec<&str> {
    found.iter().map(|hit| hit["id"].as_str().unwrap()).collect()
}

#[test]
fn words_need_no_model_and_hybrid_puts_ids_titles_and_brands_first() {
    let dir = tempfile::tempdir().unwrap();
    let shop = drawn(dir.path());
    let product = &shop.products()[20];
    // No model is on this machine, nor can one be had.
    let words = search(dir.path(), &[&product.title, "--mode", "words"]);
    assert_eq!(words[0]["title"], product.title.as_str());
    assert!(words[0].get("score").is_none() && !words[0]["words"].as_array().unwrap().is_empty());
    assert_eq!(ids(&search(dir.path(), &["ds 00021", "--mode", "words"]))[0], "DS-00021");

    let tiny = |args: &[&str]| search(dir.path(), &[args, &["--model", "tiny"]].concat());
    assert_eq!(ids(&tiny(&["DS-00021"]))[0], "DS-00021");
    assert_eq!(tiny(&[&product.title])[0]["title"], product.title.as_str());
    let branded = tiny(&[&product.brand, "--top", "3"]);
    assert!(branded.iter().all(|hit| hit["brand"] == product.brand.as_str()), "{branded:?}");
    // The scores are those of a search by meaning.
    let both = tiny(&["dress"]);
    let meaning = tiny(&["dress", "--mode", "vector", "--no-floor", "--top", "48"]);
    for hit in &both {
        let same = meaning.iter().find(|other| other["id"] == hit["id"]).unwrap();
        assert_eq!(hit["score"], same["score"]);
    }
    // Filters take products away, and change no order.
    let filtered = tiny(&["dress", "--filter", "availability=in_stock", "--top", "48"]);
    let all = tiny(&["dress", "--top", "48"]);
    let kept: Vec<&str> = all
        .iter()
        .filter(|hit| hit["availability"] == "in_stock")
        .map(|hit| hit["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids(&filtered), kept);
}

#[test]
fn what_means_nothing_finds_nothing_but_words_to_ask_for() {
    let dir = tempfile::tempdir().unwrap();
    drawn(dir.path());
    for mode in ["hybrid", "vector"] {
        let args = ["search", "asdfghjkl", "--store", "s.db", "--model", "tiny", "--mode", mode];
        let said = ran(scraper(dir.path()).args(args)).expect(0);
        assert_eq!(said.text().lines().count(), 1, "{}", said.text());
        assert!(said.stderr.contains("nothing was found; words of"), "{}", said.stderr);
    }
    assert_eq!(search(dir.path(), &["asdfghjkl", "--model", "tiny"]), [] as [Value; 0]);
    let near = ran(scraper(dir.path()).args([
        "search",
        "norrffoldd",
        "--store",
        "s.db",
        "--mode",
        "words",
    ]));
    assert!(near.expect(0).stderr.contains(": norrfold"));
    assert_eq!(search(dir.path(), &["asdfghjkl", "--model", "tiny", "--no-floor"]).len(), 12);

    let args = ["search", "x", "--store", "s.db", "--mode", "words", "--approximate"];
    assert!(ran(scraper(dir.path()).args(args)).expect(1).stderr.contains("by meaning only"));
}

#[test]
fn an_export_learns_the_floor_where_the_text_tower_is() {
    let dir = tempfile::tempdir().unwrap();
    drawn(dir.path());
    let export = |args: &[&str]| {
        let export = ["export", "--store", "s.db", "--format", "web", "--output", "web"];
        let said = ran(scraper(dir.path()).args(export).args(args));
        let manifest = std::fs::read(dir.path().join("web/manifest.json"));
        (said, manifest.map(|json| serde_json::from_slice::<Value>(&json).unwrap()))
    };
    let (said, manifest) = export(&[]);
    said.expect(0);
    let floor = manifest.unwrap()["relevance"]["floor"].as_f64().unwrap();
    assert!((0.0..1.0).contains(&floor), "{floor}");
    // A model that is named must be there.
    let (said, _) = export(&["--model", "org/other"]);
    assert!(said.expect(1).stderr.contains("org/other"));
}
