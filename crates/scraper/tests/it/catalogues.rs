//! Whole shops on localhost: Shopify's list, sitemap and product pages, Merchant feeds.

use std::{collections::BTreeMap, fs, path::PathBuf};

use drawn_shop::{
    Options, Shop,
    serve::{Logged, Server},
};
use serde_json::Value;

use crate::support::{ran, scraper, tiny_model};

/// A drawn shop, served, and a `scraper.toml` that names it in several ways.
struct Web {
    dir: tempfile::TempDir,
    model: PathBuf,
    shop: Shop,
    server: Server,
    /// Good pictures.
    images: u64,
    broken: u64,
    /// Products, broken ones included.
    products: u64,
}

impl Web {
    fn new(products: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let model = tiny_model(dir.path());
        let root = dir.path().join("www");
        fs::create_dir(&root).unwrap();
        let server = Server::start(&root, 0).unwrap();
        let options = Options { size: Some((60, 80)), ..Options::default() };
        let shop = Shop::with(1, products, options);
        let written = drawn_shop::write(&shop, &root, &server.url(), true).unwrap();
        let sold = drawn_shop::storefront(&shop, &root, &server.url(), true).unwrap();
        Web {
            dir,
            model,
            shop,
            server,
            images: written.images as u64,
            broken: written.broken as u64,
            products: sold as u64,
        }
    }

    fn settings(&self, sources: &[(&str, &str, &str)]) {
        let mut text = "[fetch]\nallow_private = [\"127.0.0.0/8\"]\nrate = 0.0\n".to_owned();
        for (name, kind, path) in sources {
            let url = format!("{}{path}", self.server.url());
            text += &format!("[[source]]\nname = {name:?}\nkind = {kind:?}\nurl = {url:?}\n");
        }
        fs::write(self.dir.path().join("scraper.toml"), text).unwrap();
    }

    fn run(&self, code: i32) -> Value {
        let mut command = scraper(self.dir.path());
        command.args(["run", "--summary-json", "summary.json", "--model"]).arg(&self.model);
        ran(&mut command).expect(code);
        serde_json::from_slice(&fs::read(self.dir.path().join("summary.json")).unwrap()).unwrap()
    }

    fn export(&self) -> Vec<Value> {
        ran(scraper(self.dir.path()).arg("export")).expect(0).lines()
    }
}

const ALL: [(&str, &str, &str); 4] = [
    ("shopify", "shopify", "/"),
    ("pages", "sitemap", "/"),
    ("google", "merchant", "/feeds/merchant.xml"),
    ("table", "tsv", "/feeds/merchant.tsv"),
];

/// Neither robots.txt, which is read anew each night, nor a broken picture, which may be whole
/// tomorrow.
fn matters(logged: &&Logged) -> bool {
    logged.target != "/robots.txt" && !logged.target.contains("broken")
}

#[test]
fn a_second_night_asks_only_for_changes_and_five_new_pictures_are_five_embeddings() {
    let web = Web::new(300);
    web.settings(&ALL);
    let first = web.run(2);
    let sources = ALL.len() as u64;
    assert_eq!(first["products"], web.products * sources, "{first}");
    assert_eq!(first["embedded"], web.images, "the same picture once: {first}");
    assert_eq!(first["reused"], web.images * (sources - 1), "{first}");
    assert_eq!(first["failed"], web.broken * sources, "{first}");
    assert_eq!(first["bad_records"], 0, "{first}");
    let log = web.server.take_log();
    assert!(log.iter().filter(matters).all(|l| l.status == 200 && !l.conditional));

    let second = web.run(2);
    assert_eq!(second["embedded"], 0, "{second}");
    assert_eq!(second["not_modified"], web.images * sources, "{second}");
    let log = web.server.take_log();
    let full: Vec<&Logged> = log.iter().filter(matters).filter(|l| l.status != 304).collect();
    assert!(full.is_empty(), "{full:?}");
    assert!(log.len() as u64 >= (web.images + web.products) * 2, "{} requests", log.len());

    drawn_shop::redraw(&web.shop, &web.dir.path().join("www"), 5).unwrap();
    let third = web.run(2);
    assert_eq!(third["embedded"], 5, "{third}");
    assert_eq!(third["not_modified"], (web.images - 5) * sources, "{third}");
    assert_eq!(third["products"], web.products * sources);
}

#[test]
fn every_source_tells_the_same_of_a_product() {
    let web = Web::new(12);
    web.settings(&ALL);
    web.run(2);
    let product = &web.shop.products()[3];
    let image = format!("{}/images/{}", web.server.url(), drawn_shop::file_name(product, 0));
    let rows: BTreeMap<String, Value> = web
        .export()
        .into_iter()
        .filter(|row| row["image"] == image)
        .map(|row| (row["source"].as_str().unwrap().to_owned(), row))
        .collect();
    let names: Vec<&str> = rows.keys().map(String::as_str).collect();
    assert_eq!(names, ["google", "pages", "shopify", "table"]);
    for (name, row) in &rows {
        assert_eq!(row["title"], product.title, "{name}");
        assert_eq!(row["brand"], product.brand, "{name}");
        assert_eq!(row["price"].as_f64().unwrap(), product.price.parse::<f64>().unwrap(), "{name}");
        assert_eq!(row["currency"], "EUR", "{name}");
        assert_eq!(row["availability"], product.availability, "{name}");
        assert_eq!(row["url"], format!("{}/products/{}", web.server.url(), product.id), "{name}");
        if name != "table" {
            assert_eq!(row["category"], product.category, "{name}");
            assert_eq!(row["attributes"]["color"], product.color.name(), "{name}");
            assert_eq!(row["description"], product.description, "{name}");
        }
    }
    assert_eq!(rows["google"]["id"], product.id);
    assert_eq!(rows["shopify"]["id"], "7000000004");
    let host = web.server.url().replace("http://", "");
    assert_eq!(rows["pages"]["id"], format!("{host}/products/{}", product.id));
}

#[test]
fn a_dry_run_says_what_there_is_and_fetches_no_picture() {
    let web = Web::new(20);
    web.settings(&ALL);
    let ran = ran(scraper(web.dir.path()).args(["run", "--dry-run"])).expect(0);
    let text = ran.text();
    let count = format!("{} products, {} images", web.products, web.images + web.broken);
    assert_eq!(text.matches(&count).count(), ALL.len(), "{text}");
    assert!(text.contains("from 127.0.0.1"), "{text}");
    let log = web.server.take_log();
    assert!(log.iter().all(|l| !l.target.contains("/images/")), "{log:?}");
    assert!(!web.dir.path().join("scraper.db").exists());
}

#[test]
fn one_source_that_fails_does_not_keep_the_others() {
    let web = Web::new(5);
    web.settings(&[
        ("gone", "merchant", "/feeds/none.xml"),
        ("google", "merchant", "/feeds/merchant.xml"),
    ]);
    let summary = web.run(2);
    assert_eq!(summary["products"], web.products, "{summary}");
    assert_eq!(summary["sources_failed"], 1, "{summary}");
    web.settings(&[("gone", "shopify", "/none")]);
    fs::remove_file(web.dir.path().join("www/products.json")).unwrap();
    let mut command = scraper(web.dir.path());
    let error = ran(command.args(["run", "--model"]).arg(&web.model)).expect(1).stderr;
    assert!(error.contains("products.json") && error.contains("404"), "{error}");
}

#[test]
fn without_a_source_it_says_how_to_name_one() {
    let dir = tempfile::tempdir().unwrap();
    let error = ran(scraper(dir.path()).arg("run")).expect(1).stderr;
    assert!(error.contains("scraper init"), "{error}");
    let text = ran(scraper(dir.path()).arg("init")).expect(0).text();
    assert!(text.contains("scraper.toml"), "{text}");
    let error = ran(scraper(dir.path()).arg("init")).expect(1).stderr;
    assert!(error.contains("exists already"), "{error}");
    fs::write(dir.path().join("scraper.toml"), "[fetch]\nrobot = false\n").unwrap();
    let error = ran(scraper(dir.path()).arg("run")).expect(1).stderr;
    assert!(error.contains("robot") && error.contains("line 2"), "{error}");
}
