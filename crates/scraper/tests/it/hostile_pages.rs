//! One bad page among six good ones: it is named, it costs little, and the others are stored.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    server::{Reply, Request, Server},
    shop::Shop,
    support::{finished, png},
};

const GOOD: u32 = 6;
/// A release build takes a fifth of it; tests run beside others, without optimisation.
const TIME: Duration = Duration::from_secs(20);
/// The program's memory at its peak, in kB.
const MEMORY: u64 = 600 << 10;

fn linked(value: &Value) -> String {
    format!("<script type=\"application/ld+json\">{value}</script>")
}

/// Items in items, each under forty names.
fn laughs(levels: usize) -> String {
    let names: Vec<String> = (0..40).map(|i| format!("n{i}")).collect();
    let open = format!("<div itemscope itemprop='{}'>", names.join(" "));
    let inside = open.repeat(levels) + "x" + &"</div>".repeat(levels);
    format!("<div itemscope itemtype='https://schema.org/Product'>{inside}</div>")
}

/// Pages of 1 kB to 8 MB that once took gigabytes or minutes, and what is said of them.
fn pages() -> Vec<(&'static str, String, &'static str)> {
    let item = "<div itemscope itemtype='https://schema.org/Product'>";
    let names: Vec<String> = (0..20_000).map(|i| format!("n{i}")).collect();
    let names = format!("{item}<p itemprop='{}'>{}</p>", names.join(" "), "a".repeat(1_000_000));
    let nested = format!("{item}{}{}", "<div itemprop=name>".repeat(500), "b".repeat(4_000_000));
    let images: Vec<String> = (0..40_000).map(|i| format!("i{i}.png")).collect();
    let product = |image: Value| json!({"@type": "Product", "name": "x", "image": image});
    let variants: Vec<Value> = (0..20_000)
        .map(|i| json!({"@type": "Product", "sku": i, "image": {"@id": "#images"}}))
        .collect();
    let variants = json!({"@graph": [
        {"@type": "ProductGroup", "name": "x", "hasVariant": variants},
        {"@id": "#images", "url": images},
    ]});
    let attributes: Vec<String> = (0..400_000).map(|i| format!("a{i}")).collect();
    let tags: String = (0..60_000)
        .map(|i| format!("<meta property='og:image' content='/{i}'>"))
        .collect::<String>();
    vec![
        ("laugh", laughs(7), "neither a name nor an image"),
        ("names", names, "neither a name nor an image"),
        ("nested", nested, "budget `bytes`"),
        ("images", linked(&product(json!(images))), "budget `images`"),
        ("variants", linked(&variants), "page budget"),
        ("deep", "<html><body>".to_owned() + &"<div></x>".repeat(100_000), "budget `depth`"),
        ("attributes", format!("<div {}>", attributes.join(" ")), "budget `time`"),
        ("meta", format!("<meta property='og:type' content='product'>{tags}"), "budget `images`"),
        ("many", "<br>".repeat(450_000), "budget `nodes`"),
    ]
}

/// Its products circle through references, which ends: it may be read.
fn circle() -> String {
    let offers = vec![json!({"@id": "#o"}); 20];
    linked(&json!({"@graph": [
        {"@type": "Product", "name": "x", "image": "/6.png", "offers": offers},
        {"@id": "#o", "x": 1, "offers": offers},
    ]}))
}

fn good(request: &Request) -> Option<Reply> {
    if let Some(number) = request.path.strip_prefix("/p/") {
        let image = format!("/{number}.png");
        return Some(Reply::ok(linked(&json!({"@type": "Product", "name": "P", "image": image}))));
    }
    let number = request.path.strip_prefix('/')?.strip_suffix(".png")?.parse().ok()?;
    Some(Reply::ok(png(number)))
}

/// Runs it and watches: the code, and what it said.
fn watched(name: &str, command: &mut Command, code: i32) -> String {
    let started = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let watching = thread::spawn(move || {
        let mut peak = 0;
        // Where there is no such file, nothing is measured.
        while let Ok(text) = fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(line) = line else { break };
            peak = line.trim().trim_end_matches(" kB").parse().unwrap_or(peak);
            thread::sleep(Duration::from_millis(4));
        }
        peak
    });
    let ran = finished(child.wait_with_output().unwrap()).expect(code);
    let (took, peak) = (started.elapsed(), watching.join().unwrap());
    println!("{name}: {took:.1?}, {} MB", peak >> 10);
    assert!(took < TIME, "{name}: {took:?}");
    assert!(peak < MEMORY, "{name}: {peak} kB");
    ran.stderr
}

fn night(shop: &Shop, name: &str, code: i32) -> (String, Value) {
    let args = ["run", "list.txt", "--store", "s.db", "--summary-json", "summary.json"];
    let said = watched(name, &mut shop.command(&args), code);
    let summary = fs::read(shop.path().join("summary.json")).unwrap();
    (said, serde_json::from_slice(&summary).unwrap())
}

#[test]
fn a_bad_page_is_named_and_costs_little() {
    for (name, page, why) in pages() {
        let server = Server::start(move |request| match request.path.as_str() {
            "/bad" => Reply::ok(page.clone()),
            _ => good(request).unwrap_or(Reply::status(404)),
        });
        let shop = Shop::new();
        let mut list: Vec<String> = (0..GOOD).map(|i| format!("{}/p/{i}\n", server.url)).collect();
        list.insert(3, format!("{}/bad\n", server.url));
        shop.write("list.txt", list.concat());
        let (said, summary) = night(&shop, name, 2);
        assert_eq!(summary["products"], GOOD, "{name}: {summary}");
        assert_eq!(summary["embedded"], GOOD, "{name}: {summary}");
        assert!(said.contains(&format!("{}/bad", server.url)), "{name}: {said}");
        assert!(said.contains(why), "{name}: {said}");
        let (_, summary) = night(&shop, name, 2);
        assert_eq!(summary["products"], GOOD, "{name}: {summary}");
        assert_eq!(summary["embedded"], 0, "{name}: {summary}");
        assert_eq!(shop.export("s.db").lines().count(), GOOD as usize, "{name}");
    }
}

#[test]
fn circles_end() {
    let server = Server::start(|request| match request.path.as_str() {
        "/bad" => Reply::ok(circle()),
        _ => good(request).unwrap_or(Reply::status(404)),
    });
    let shop = Shop::new();
    shop.write("list.txt", format!("{0}/bad\n{0}/p/1\n", server.url));
    let (_, summary) = night(&shop, "circle", 0);
    assert_eq!(summary["products"], 2, "{summary}");
}

#[test]
fn descriptions_of_feeds_cost_their_length() {
    let shop = Shop::new();
    shop.folder(0..GOOD);
    for (name, markup, _) in pages() {
        let feed: String = (0..GOOD)
            .map(|i| {
                let description = if i == 3 { markup.as_str() } else { "<p>fine" };
                let image = format!("shop/{i:02}.png");
                format!("{}\n", json!({"id": i, "image": image, "description": description}))
            })
            .collect();
        shop.write("feed.jsonl", feed);
        let args = ["run", "feed.jsonl", "--store", "s.db", "--summary-json", "summary.json"];
        watched(name, &mut shop.command(&args), 0);
        let rows = shop.export("s.db");
        assert_eq!(rows.lines().count(), GOOD as usize, "{name}");
    }
}
