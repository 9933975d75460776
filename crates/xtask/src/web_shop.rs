//! The sample shops of the search tests, in target/web: drawn, embedded, exported for the storefront,
//! and what the native program finds in them.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result};
use drawn_shop::{Format, Options, Shop};
use serde_json::{Value, json};

use crate::{
    process::{Cmd, root},
    program::tested,
};

const MODEL: &str = "target/web/models/second_shape";
/// Feed, pictures and the exported catalogue.
const FOLDER: &str = "target/web/shop";
const STORE: &str = "target/web/shop.db";
const PRODUCTS: usize = 60;

/// What is asked for: the arguments of `scraper search`.
const QUERIES: [&[&str]; 7] = [
    &["red floral dress"],
    &["a long coat, not black"],
    &["robe d'été à pois"],
    &["красное платье"],
    &["red floral dress", "--filter", "category=Clothing > Dresses", "--filter", "price<=120"],
    &["--image", "target/web/shop/query.jpg"],
    &["--image", "tests/corpus/jpeg/photo-420-q75.jpg"],
];
const TOP: &str = "12";

/// The shop of the built-in model, for which meaning means something.
const FIND_FOLDER: &str = "target/web/find";
const FIND_STORE: &str = "target/web/find.db";
const FIND_MODEL: &str = "tiny";
const FIND_TEXTS: [&str; 14] = [
    "red dress",
    "a dress with flowers",
    "Norrfold",
    "norfold",
    "DS-00007",
    "ds 00012",
    "tshirts",
    "coats by ostra",
    "something with stripes",
    "asdfghjkl",
    "wool",
    "an ombre t-shirt, V-neck",
    "xqzv dress",
    "blaue hose",
];
/// Filters of `scraper search`, and the same ones of `Catalogue.find`.
const FIND_FILTERS: [(&[&str], &str); 3] = [
    (&[], "{}"),
    (
        &["category=Clothing > Dresses|Clothing > Tops", "price<=80"],
        r#"{"category": ["Clothing > Dresses", "Clothing > Tops"], "maxPrice": 80}"#,
    ),
    (
        &["availability=in_stock", "brand=Norrfold|Ostra"],
        r#"{"availability": "in_stock", "brand": ["Norrfold", "Ostra"]}"#,
    ),
];

/// Makes everything anew.
pub(crate) fn write() -> Result<()> {
    write_nearest()?;
    write_find()
}

fn remove(old: &[&str]) {
    for old in old.iter().map(|name| root().join(name)) {
        let _ = if old.is_dir() { fs::remove_dir_all(old) } else { fs::remove_file(old) };
    }
}

/// What words, vectors and both find, with filters.
fn write_find() -> Result<()> {
    remove(&[FIND_FOLDER, FIND_STORE]);
    let options = Options { size: Some((168, 224)), format: Some(Format::JPEG), images: None };
    let shop = Shop::with(11, 120, options);
    let folder = root().join(FIND_FOLDER);
    let written = drawn_shop::write(&shop, &folder, "", false)?;
    let scraper = |command: &str| -> Result<Cmd> {
        let cmd = tested("scraper")?.arg("--quiet").arg(command).arg("--store").arg(FIND_STORE);
        Ok(cmd.arg("--model").arg(FIND_MODEL))
    };
    scraper("run")?.arg(&written.feed).run()?;
    scraper("export")?.args("--format web --output").arg(FIND_FOLDER).run()?;
    let mut expected = Vec::new();
    for text in FIND_TEXTS {
        for mode in ["hybrid", "words", "vector"] {
            for (conditions, filters) in FIND_FILTERS {
                let mut cmd =
                    scraper("search")?.arg(text).args("--top 20 --format json --mode").arg(mode);
                for condition in conditions {
                    cmd = cmd.arg("--filter").arg(condition);
                }
                let hits =
                    cmd.probe().with_context(|| format!("`scraper search {text}` failed"))?;
                let (hits, filters): (Value, Value) =
                    (serde_json::from_str(&hits)?, serde_json::from_str(filters)?);
                expected
                    .push(json!({"text": text, "mode": mode, "filters": filters, "hits": hits}));
            }
        }
    }
    fs::write(root().join("target/web/find.json"), serde_json::to_vec(&expected)?)?;
    Ok(())
}

/// The nearest in a shop of a model that was never trained.
fn write_nearest() -> Result<()> {
    remove(&[FOLDER, STORE]);
    let folder = root().join(FOLDER);
    let options = Options { size: Some((240, 320)), format: Some(Format::JPEG), images: Some(1) };
    let shop = Shop::with(1, PRODUCTS, options);
    let written = drawn_shop::write(&shop, &folder, "", false)?;
    let picture = shop.products().first().context("an empty shop")?;
    let name = drawn_shop::file_name(picture, 0);
    // The same garment from another file: near, but not equal.
    let image = picture.images.first().context("no picture")?;
    fs::write(folder.join("query.jpg"), image.clone().with_size(300, 400).file()?)?;
    add(&written.feed, &name)?;

    scraper("run")?.arg(&written.feed).run()?;
    let export = scraper("export")?.args("--format web --output").arg(FOLDER);
    export.run()?;
    let expected = QUERIES.iter().map(|query| found(query)).collect::<Result<Vec<_>>>()?;
    fs::write(root().join("target/web/shop.json"), serde_json::to_vec(&expected)?)?;
    Ok(())
}

/// Products as nobody wants them.
fn add(feed: &Path, image: &str) -> Result<()> {
    let image = format!("images/{image}");
    let product = |id: &str, title: &str| json!({"id": id, "title": title, "image": image});
    let html = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>";
    let mut script = product("X-html", html);
    script["url"] = "javascript:window.hacked=1".into();
    script["brand"] = html.into();
    script["category"] = html.into();
    let mut arabic = product("X-rtl", "فستان أحمر طويل بأكمام قصيرة");
    arabic["url"] = "https://elsewhere.example/dress".into();
    arabic["availability"] = "out_of_stock".into();
    let reversed = product("X-reversed", "dress \u{202e}desrever");
    let long = product("X-long", &"dress".repeat(2000));
    let mut file = OpenOptions::new().append(true).open(feed)?;
    for product in [script, arabic, reversed, long] {
        writeln!(file, "{product}")?;
    }
    Ok(())
}

fn scraper(command: &str) -> Result<Cmd> {
    let cmd = tested("scraper")?.arg("--quiet").arg(command).arg("--store").arg(STORE);
    Ok(if command == "export" { cmd } else { cmd.args("--model").arg(MODEL) })
}

/// The hits of `scraper search`, by vectors and, for a text, also by both: of a model that was never
/// trained everything is nonsense, so there is no floor.
fn found(query: &[&str]) -> Result<Value> {
    let image = query.contains(&"--image");
    let search = |mode: &str| -> Result<Value> {
        let cmd = query.iter().fold(scraper("search")?, Cmd::arg);
        let cmd = if image { cmd } else { cmd.args("--no-floor --mode").arg(mode) };
        let json = cmd.args("--format json --top").arg(TOP).probe();
        let json = json.with_context(|| format!("`scraper search {}` failed", query.join(" ")))?;
        Ok(serde_json::from_str(&json)?)
    };
    let (hits, hybrid) = (search("vector")?, search("hybrid")?);
    Ok(json!({"query": query, "hits": hits, "hybrid": hybrid}))
}
