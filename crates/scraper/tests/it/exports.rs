//! Exports in the programs they are for, and searches with filters.

use std::{collections::BTreeSet, fs, path::Path};

use clip_core::{NormalizedEmbedding, index::Index};
use serde_json::Value;

use crate::{
    python,
    shop::Shop,
    support::{png, ran, scraper},
};

fn shop() -> Shop {
    let shop = Shop::new();
    for i in 0..25 {
        shop.write(&format!("images/{i}.png"), png(i));
    }
    let feed: String = (0..25)
        .map(|i| format!("{i:02},Title {i} «é»,images/{i}.png|images/{}.png\n", (i + 1) % 25))
        .collect();
    shop.write("feed.csv", format!("id,title,image\n{feed}"));
    shop.run("feed.csv", 0);
    shop
}

fn export(shop: &Shop, format: &str, file: &str) {
    let args = ["export", "--store", "s.db", "--format", format, "--output", file];
    ran(scraper(shop.path()).args(args)).expect(0);
}

#[test]
fn duckdb_reads_the_parquet_and_numpy_the_array() {
    let shop = shop();
    export(&shop, "parquet", "v.parquet");
    export(&shop, "npy", "v.npy");
    export(&shop, "jsonl", "v.jsonl");
    let said = python::run(
        shop.path(),
        r#"
import json, duckdb, numpy
lines = [json.loads(line) for line in open("v.jsonl")]
vectors = numpy.array([line["embedding"] for line in lines], "f4")
array = numpy.load("v.npy")
assert array.shape == (50, 16) and array.dtype == numpy.float32 and (array == vectors).all()
rows = [json.loads(line) for line in open("v.rows.jsonl")]
assert [row["id"] for row in rows] == [line["id"] for line in lines]

types = dict(duckdb.sql("SELECT column_name, column_type FROM (DESCRIBE FROM 'v.parquet')").fetchall())
assert types["price"] == "DOUBLE" and types["attributes"] == "VARCHAR", types
table = duckdb.sql("SELECT id, title, image, position, sha256, model, numerics, embedding FROM 'v.parquet'").fetchall()
for row, line in zip(table, lines, strict=True):
    provenance = line["provenance"]
    assert row[:7] == (line["id"], line["title"], line["image"], line["position"], line["sha256"],
                       provenance["model"], provenance["numerics"]), (row, line)
    assert (numpy.array(row[7], "f4") == numpy.array(line["embedding"], "f4")).all()
near = duckdb.sql("""
    SELECT id FROM 'v.parquet' ORDER BY array_cosine_similarity(embedding::FLOAT[16],
        (SELECT embedding::FLOAT[16] FROM 'v.parquet' WHERE id = '07' AND position = 0)) DESC, id LIMIT 2
""").fetchall()
print(types["embedding"], near)
"#,
    );
    // The image of 07 is the second one of 06 too.
    assert!(said.contains("[('06',), ('07',)]"), "{said}");
    assert!(said.starts_with("FLOAT["), "{said}");
}

#[test]
fn an_empty_result_is_a_table_without_rows() {
    let shop = shop();
    for format in ["parquet", "npy", "jsonl"] {
        let args = ["export", "--store", "s.db", "--filter", "id=none", "--format", format];
        ran(scraper(shop.path()).args(args).args(["--output", "empty"])).expect(0);
        let bytes = std::fs::metadata(shop.path().join("empty")).unwrap().len();
        assert_eq!(bytes == 0, format == "jsonl", "{format}: {bytes}");
    }
}

#[test]
fn a_merged_table_says_which_images_are_damaged() {
    let shop = Shop::new();
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/damaged/420-bits-1.jpg");
    shop.write("images/whole.png", png(0));
    shop.write("images/damaged.jpg", fs::read(corpus).unwrap());
    shop.write("feed.csv", "id,image\na,images/whole.png\nb,images/damaged.jpg\n");
    shop.run("feed.csv", 0);
    let args =
        ["export", "--store", "s.db", "--raw", "--format", "parquet", "--output", "v.parquet"];
    ran(scraper(shop.path()).args(args)).expect(0);
    ran(scraper(shop.path()).args(["merge", "v.parquet", "--store", "all.db"])).expect(0);
    let damaged = |store: &str| -> Vec<bool> {
        let lines = shop.export(store);
        let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| row["damaged"] == true).collect()
    };
    assert_eq!(damaged("s.db"), [false, true]);
    assert_eq!(damaged("all.db"), [false, true]);
}

/// What a storefront does with the folder: scan, fetch rows, rescore.
fn search_folder(folder: &Path, query: &NormalizedEmbedding, top: usize) -> Vec<(String, u32)> {
    let read = |name: &Value| fs::read(folder.join(name.as_str().unwrap())).unwrap();
    let manifest: Value =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let index = Index::parse(read(&manifest["scan"]["file"])).unwrap();
    let exact = read(&manifest["exact"]["file"]);
    let (data, bytes) = (manifest["data"].as_u64().unwrap() as usize, 4 * index.dim());
    let cards: Vec<Value> = manifest["cards"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|page| serde_json::from_slice::<Vec<Value>>(&read(&page["file"])).unwrap())
        .collect();
    assert_eq!(cards.len(), index.groups());
    let mut search = index.search(query, top, |_| true).unwrap();
    loop {
        let wanted: Vec<u32> = search.wanted(4).collect();
        if wanted.is_empty() {
            break;
        }
        let rows: Vec<f32> = wanted
            .iter()
            .flat_map(|&row| exact[data + row as usize * bytes..][..bytes].as_chunks::<4>().0)
            .map(|&b| f32::from_le_bytes(b))
            .collect();
        search.rescore(&rows).unwrap();
    }
    let shown = search.hits().iter().map(|hit| {
        let card = &cards[hit.group as usize];
        let image = hit.row as u64 - card["row"].as_u64().unwrap();
        let image = card["images"][image as usize].as_str().unwrap();
        (format!("{} {image}", card["id"].as_str().unwrap()), hit.score.to_bits())
    });
    shown.collect()
}

#[test]
fn the_web_folder_gives_the_hits_of_the_store() {
    let shop = shop();
    export(&shop, "web", "web");
    for image in [3, 17] {
        let file = format!("images/{image}.png");
        let args = ["search", "--image", &file, "--store", "s.db", "--format", "json"];
        let hits = ran(shop.command(&args).args(["--top", "7"])).expect(0);
        let hits: Vec<Value> = serde_json::from_slice(&hits.stdout).unwrap();
        let stored: Vec<(String, u32)> = hits
            .iter()
            .map(|hit| {
                let name =
                    format!("{} {}", hit["id"].as_str().unwrap(), hit["image"].as_str().unwrap());
                (name, (hit["score"].as_f64().unwrap() as f32).to_bits())
            })
            .collect();
        let query = ran(&mut shop.command(&["embed", &file, "--format", "json"])).expect(0);
        let query: Value = serde_json::from_slice(&query.stdout).unwrap();
        let values = query[0]["embedding"].as_array().unwrap();
        let values = values.iter().map(|x| x.as_f64().unwrap() as f32).collect();
        let query = NormalizedEmbedding::from_unit(values);
        assert_eq!(search_folder(&shop.path().join("web"), &query, 7), stored);
    }
}

#[test]
fn a_new_web_export_keeps_the_one_before_and_nothing_older() {
    let shop = shop();
    let names = || -> BTreeSet<String> {
        let entries = fs::read_dir(shop.path().join("web")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    export(&shop, "web", "web");
    shop.write("web/index.html", "mine");
    let first = names();
    assert_eq!(first.len(), 8, "{first:?}");
    export(&shop, "web", "web");
    assert_eq!(names(), first, "the same catalogue has the same files");
    shop.write("images/3.png", png(100));
    shop.run("feed.csv", 0);
    export(&shop, "web", "web");
    let second = names();
    assert!(second.is_superset(&first) && second.len() > first.len(), "{second:?}");
    shop.write("images/4.png", png(101));
    shop.run("feed.csv", 0);
    export(&shop, "web", "web");
    let third = names();
    assert!(!third.is_superset(&first), "{third:?}");
    assert!(third.contains("index.html") && third.iter().all(|name| !name.starts_with('.')));
    // What is not there, or goes elsewhere, is said.
    let args = ["export", "--store", "s.db", "--format", "web"];
    assert!(ran(scraper(shop.path()).args(args)).expect(1).stderr.contains("--output"));
    let args =
        ["export", "--store", "s.db", "--format", "web", "--output", "w", "--filter", "id=x"];
    assert!(ran(scraper(shop.path()).args(args)).expect(1).stderr.contains("no vectors"));
}

#[test]
fn searches_can_be_filtered() {
    let shop = shop();
    let search = |filters: &[&str]| -> Vec<Value> {
        let args = ["search", "--image", "images/7.png", "--store", "s.db", "--format", "json"];
        let mut command = shop.command(&args);
        filters.iter().for_each(|filter| {
            command.args(["--filter", filter]);
        });
        serde_json::from_slice(&ran(&mut command).expect(0).stdout).unwrap()
    };
    let ids = |hits: &[Value]| -> Vec<String> {
        hits.iter().map(|hit| hit["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&search(&[]))[..2], ["06", "07"]);
    assert_eq!(ids(&search(&["id!=06"]))[0], "07");
    let some = search(&["title~title 1", "id!=1|10"]);
    assert!(ids(&some).iter().all(|id| id == "01" || (id.starts_with('1') && id != "10")));
    assert_eq!(some.len(), 10);
    let mut command = shop.command(&["search", "x", "--store", "s.db", "--filter", "price<cheap"]);
    let error = ran(&mut command).expect(1).stderr;
    assert!(error.contains("\"cheap\" is no number"), "{error}");
}
