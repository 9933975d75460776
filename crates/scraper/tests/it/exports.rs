//! Exports in the programs they are for, and searches with filters.

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
