//! Search: the products of `scraper search`, with its scores, in its order.

use std::fs;

use base64::{Engine, prelude::BASE64_STANDARD};
use drawn_shop::{Format, Options, Shop as Drawn};
use serde_json::{Value, json};

use super::Serving;
use crate::{
    shop::Shop,
    support::{ran, scraper},
};

/// A drawn shop in `s.db`, with the vectors of the built-in model.
fn drawn() -> Shop {
    let shop = Shop::new();
    let options = Options { size: Some((120, 160)), format: Some(Format::Png), images: Some(2) };
    drawn_shop::write(&Drawn::with(5, 48, options), shop.path(), "", false).unwrap();
    let args = ["run", "feed.jsonl", "--store", "s.db", "--model", "tiny"];
    ran(scraper(shop.path()).args(args)).expect(0);
    shop
}

fn serving(shop: &Shop) -> Serving {
    let mut command = scraper(shop.path());
    command.args(["serve", "--listen", "127.0.0.1:0", "--store", "s.db", "--model", "tiny"]);
    Serving::spawn(command)
}

fn native(shop: &Shop, args: &[&str]) -> Value {
    let mut command = scraper(shop.path());
    command.args(["search", "--store", "s.db", "--model", "tiny", "--format", "json"]).args(args);
    serde_json::from_str(&ran(&mut command).expect(0).text()).unwrap()
}

#[test]
fn what_is_found_is_what_the_command_line_finds() {
    let shop = drawn();
    let serving = serving(&shop);
    let get = |target: &str| serving.get(target).send().expect(200).json();
    let post = |body: Value| serving.json("/search", &body).send().expect(200).json();
    for (args, target, body) in [
        (&["dress"][..], "text=dress", json!({"text": "dress"})),
        (
            &["red dress", "--mode", "words", "--top", "3"],
            "text=red+dress&mode=words&top=3",
            json!({"text": "red dress", "mode": "words", "top": 3}),
        ),
        (
            &[
                "coat",
                "--mode",
                "vector",
                "--no-floor",
                "--filter",
                "price<100",
                "--filter",
                "availability=in_stock",
            ],
            "text=coat&mode=vector&floor=false&filter=price%3C100&filter=availability%3Din_stock",
            json!({"text": "coat", "mode": "vector", "floor": false,
                   "filter": ["price<100", "availability=in_stock"]}),
        ),
        (&["asdfghjkl"], "text=asdfghjkl", json!({"text": "asdfghjkl"})),
    ] {
        let expected = native(&shop, args);
        assert_eq!(get(&format!("/search?{target}"))["found"], expected, "{target}");
        assert_eq!(post(body)["found"], expected, "{target}");
    }
    let near = get("/search?text=norrffoldd&mode=words");
    assert!(near["suggestions"].as_array().unwrap().contains(&json!("norrfold")), "{near}");

    let image = fs::read_dir(shop.path().join("images")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&image).unwrap();
    let expected = native(&shop, &["--image", image.to_str().unwrap(), "--top", "5"]);
    let raw = serving.post("/search?top=5", "image/png", bytes.clone()).send().expect(200).json();
    assert_eq!(raw["found"], expected);
    let encoded = BASE64_STANDARD.encode(bytes);
    assert_eq!(post(json!({"image": encoded, "top": 5}))["found"], expected);
    for bad in [
        "",
        "text=",
        "text=a&mode=x",
        "text=a&top=0",
        "text=a&top=1001",
        "text=a&filter=x",
        "text=a&floor=x",
        "query=a",
        "text=a&source=s",
    ] {
        let refused = serving.get(&format!("/search?{bad}")).send().expect(400);
        assert_eq!(refused.kind(), "request.form", "{bad}");
    }
    let both = json!({"text": "a", "image": encoded});
    serving.json("/search", &both).send().expect(400);
    serving.json("/search", &json!({"image": encoded, "mode": "words"})).send().expect(400);
}

#[test]
fn similar_products_are_the_nearest_to_any_image_of_one() {
    let shop = drawn();
    let serving = serving(&shop);
    let similar = |target: &str| serving.get(&format!("/similar/{target}")).send();
    // By hand: every image of the product asked for alone.
    let exported = ran(scraper(shop.path()).args(["export", "--store", "s.db"])).expect(0).lines();
    let rows = |id: &Value| exported.iter().filter(|row| row["id"] == *id).collect::<Vec<_>>();
    let own = exported.iter().map(|row| rows(&row["id"])).max_by_key(Vec::len).unwrap();
    let id = own[0]["id"].as_str().unwrap();
    let found = similar(&format!("{id}?top=6")).expect(200).json();
    let found = found["found"].as_array().unwrap();
    assert_eq!(found.len(), 6);
    let mut best = std::collections::BTreeMap::<String, f64>::new();
    for row in own {
        let image = row["image"].as_str().unwrap();
        for hit in native(&shop, &["--image", image, "--top", "48"]).as_array().unwrap() {
            let score = hit["score"].as_f64().unwrap();
            let known = best.entry(hit["id"].as_str().unwrap().into()).or_insert(score);
            *known = known.max(score);
        }
    }
    best.remove(id);
    let mut best: Vec<(f64, String)> = best.into_iter().map(|(id, score)| (score, id)).collect();
    best.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let shown: Vec<(f64, String)> = found
        .iter()
        .map(|hit| (hit["score"].as_f64().unwrap(), hit["id"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(shown, best[..6]);
    let filtered = similar("DS-00021?filter=availability%3Din_stock").expect(200).json();
    assert!(
        filtered["found"].as_array().unwrap().iter().all(|hit| hit["availability"] == "in_stock")
    );
    // Ids of pages hold slashes and question marks.
    assert_eq!(similar("shop.example/p%3Fid=1").expect(404).kind(), "product.none");
    assert_eq!(similar("DS-00021?mode=words").expect(400).kind(), "request.form");
}

#[test]
fn a_store_of_another_model_or_none_is_refused_at_the_start() {
    let shop = Shop::new();
    shop.folder(0..2);
    shop.run("shop", 0);
    let serve = |args: &[&str]| ran(shop.command(&["serve", "--listen", "127.0.0.1:0"]).args(args));
    let other = serve(&["--store", "s.db", "--profile", "alpha=white"]).expect(1).stderr;
    assert!(other.contains("--store FILE names another"), "{other}");
    assert!(serve(&["--store", "none.db"]).expect(1).stderr.contains("`scraper run` makes it"));
}
