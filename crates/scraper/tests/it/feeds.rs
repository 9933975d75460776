//! Feeds as they come: one bad row costs itself, settings that do nothing are refused.

use serde_json::json;

use crate::{
    server::{Reply, Server},
    shop::Shop,
    support::{png, ran},
};

/// A table of `count` products with one image, in which the title of one is `odd`.
fn table(count: u32, delimiter: char, odd: (u32, &str)) -> String {
    let mut text = format!("id{delimiter}title{delimiter}image\n");
    for i in 0..count {
        let title = if i == odd.0 { odd.1.to_owned() } else { format!("T{i}") };
        text += &format!("p{i:03}{delimiter}{title}{delimiter}a.png\n");
    }
    text
}

#[test]
fn a_lone_quote_hides_no_product() {
    let shop = Shop::new();
    shop.write("a.png", png(1));
    shop.write("feed.tsv", table(200, '\t', (2, "\"Red dress")));
    let summary = shop.run("feed.tsv", 0);
    assert_eq!((&summary["products"], &summary["bad_records"]), (&json!(200), &json!(0)));
    assert_eq!(shop.export("s.db").lines().count(), 200);
    shop.write("feed.csv", table(200, ',', (2, "\"Red dress")));
    let args = ["run", "feed.csv", "--store", "c.db", "--summary-json", "c.json"];
    let stderr = ran(&mut shop.command(&args)).expect(2).stderr;
    assert!(stderr.contains("line 4: a quote in the column \"title\""), "{stderr}");
    assert_eq!(shop.export("c.db").lines().count(), 199);
}

#[test]
fn half_a_surrogate_pair_costs_one_character() {
    let shop = Shop::new();
    shop.write("a.png", png(1));
    shop.write(
        "feed.jsonl",
        "{\"id\": \"a\", \"title\": \"x\\ud83d\", \"image\": \"a.png\"}\n\
         {\"id\": \"b\", \"price\": 1e999, \"image\": \"a.png\"}\n",
    );
    shop.run("feed.jsonl", 0);
    assert!(shop.export("s.db").contains("x\u{fffd}"));
    let server = Server::start(|request| match request.path.split('?').next().unwrap() {
        "/a.png" => Reply::ok(png(2)),
        "/products.json" => Reply::ok(
            "{\"products\": [{\"id\": 1, \"title\": \"cut \\udc00\", \"images\": [{\"src\": \"/a.png\"}]}]}",
        ),
        _ => Reply::status(404),
    });
    let args = ["run", &server.url, "--kind", "shopify", "--store", "shopify.db"];
    ran(&mut shop.command(&args)).expect(0);
    assert!(shop.export("shopify.db").contains("cut \u{fffd}"));
}

#[test]
fn a_price_of_400_digits_is_none() {
    let shop = Shop::new();
    shop.write("a.png", png(1));
    let price = "9".repeat(400);
    shop.write(
        "feed.jsonl",
        format!(
            "{{\"id\": \"a\", \"image\": \"a.png\", \"price\": \"{price} EUR\"}}\n\
             {{\"id\": \"b\", \"image\": \"a.png\", \"price\": {price}}}\n\
             {{\"id\": \"c\", \"image\": \"a.png\", \"price\": \"10 EUR\"}}\n"
        ),
    );
    shop.run("feed.jsonl", 0);
    let export = shop.export("s.db");
    let priced: Vec<bool> = export.lines().map(|line| line.contains("\"price\":1")).collect();
    assert_eq!(priced, [false, false, true], "{export}");
    assert!(!export.contains("999"), "{export}");
}

#[test]
fn settings_without_effect_are_refused() {
    let shop = Shop::new();
    shop.folder(0..1);
    shop.write("feed.csv", "id,image\na,shop/00.png\n");
    for (args, parts) in [
        (vec!["feed.csv", "--include", "/p/"], ["include", "csv", "sitemap"]),
        (vec!["feed.csv", "--currency", "EUR"], ["currency", "csv", "shopify"]),
        (vec!["feed.csv", "--follow-symlinks"], ["follow_symlinks", "csv", "folder"]),
        (vec!["shop", "--max-unpacked-gib", "2"], ["max_unpacked_gib", "folder", "tsv"]),
        (vec!["shop", "--include", "/p/"], ["include", "folder", "sitemap"]),
        (
            vec!["https://shop.example", "--kind", "shopify", "--currency", "Euro"],
            ["currency", "Euro", "ISO 4217"],
        ),
    ] {
        let stderr = ran(shop.command(&["run", "--store", "s.db"]).args(&args)).expect(1).stderr;
        for part in parts {
            assert!(stderr.contains(part), "{args:?}: {stderr}");
        }
    }
    shop.write(
        "scraper.toml",
        "[[source]]\nname = \"mine\"\nkind = \"jsonl\"\npath = \"feed.jsonl\"\ncurrency = \"EUR\"\n",
    );
    let stderr = ran(&mut shop.command(&["run", "--store", "s.db"])).expect(1).stderr;
    for part in ["mine", "line 5", "currency", "jsonl", "shopify"] {
        assert!(stderr.contains(part), "{stderr}");
    }
}

/// 256 MiB in one line, packed into 250 kB: it is passed over, and memory stays flat.
#[test]
fn an_endless_line_costs_itself() {
    use std::io::Write;
    let shop = Shop::new();
    shop.write("a.png", png(1));
    let long = format!("# {}\n{}\nnonsense\n", "x".repeat(100), "y".repeat(5 << 20));
    shop.write("list.txt", long);
    let told = ran(&mut shop.command(&["run", "list.txt", "--store", "list.db"])).stderr;
    assert!(told.contains("record 2: it is longer than 4 MiB"), "{told}");
    for name in ["feed.csv.gz", "feed.tsv.gz", "feed.jsonl.gz"] {
        let file = std::fs::File::create(shop.path().join(name)).unwrap();
        let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        let (head, good) = match name {
            "feed.csv.gz" => ("id,image\n", "a,a.png\n"),
            "feed.tsv.gz" => ("id\timage\n", "a\ta.png\n"),
            _ => ("", "{\"id\": \"a\", \"image\": \"a.png\"}\n"),
        };
        gz.write_all(head.as_bytes()).unwrap();
        let block = vec![b'x'; 1 << 20];
        (0..256).for_each(|_| gz.write_all(&block).unwrap());
        gz.write_all(format!("\n{good}").as_bytes()).unwrap();
        gz.finish().unwrap();
        let store = format!("{name}.db");
        let mut command = shop.command(&["run", name, "--store", &store]);
        let ran = ran(&mut command).expect(2);
        assert!(ran.stderr.contains("longer than 4 MiB"), "{}", ran.stderr);
        assert_eq!(shop.export(&store).lines().count(), 1, "{name}");
    }
}
