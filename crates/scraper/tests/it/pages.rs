//! Product pages of shops, and what `probe` says of them.

use std::fs;

use serde_json::{Value, json};

use crate::{
    server::{Reply, Server},
    shop::{SETTINGS, Shop},
    support::{png, ran, scraper},
};

fn page(name: &str, image: u32, more: &str) -> Reply {
    let product = json!({"@type": "Product", "name": name, "image": format!("/{image}.png"),
                         "offers": {"price": "49,95 €"}});
    Reply::ok(format!("{more}<script type='application/ld+json'>{product};</script>"))
}

#[test]
fn probe_says_where_each_field_is_from() {
    let server = Server::start(|request| match request.path.as_str() {
        "/p/1" => page("Dress", 1, "<meta property='product:brand' content='Atelier'>"),
        _ => Reply::ok("<h1>About us</h1>"),
    });
    let shop = Shop::new();
    let probe = |args: &[&str], code| {
        let mut command = scraper(shop.path());
        ran(command.arg("probe").args(args).arg("--allow-private")).expect(code).text()
    };
    let text = probe(&[&format!("{}/p/1", server.url)], 0);
    for line in ["Dress", "JSON-LD", "Atelier", "OpenGraph", "49.95", "EUR", "/1.png"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let found: Value =
        serde_json::from_str(&probe(&[&format!("{}/p/1", server.url), "--json"], 0)).unwrap();
    assert_eq!(found["from"]["brand"], "open_graph", "{found}");
    assert!(probe(&[&format!("{}/about", server.url)], 2).contains("no product"));

    // A folder of saved pages against what is true of them.
    shop.write("saved/a.html", "<script type='application/ld+json'>{'@type': 'Product', 'name': 'Hat', 'image': '/1.png', 'offers': {'price': '5.00'}}</script>");
    shop.write("saved/b.html", "<h1>About us</h1>");
    let truth = json!({"a.html": {"url": "https://s.example/a", "title": "Hat", "price": 6.0, "brand": "B"},
                       "b.html": {"url": "https://s.example/b", "product": null}});
    fs::write(shop.path().join("truth.json"), truth.to_string()).unwrap();
    let text = probe(&["--pages", "saved", "--truth", "truth.json", "--all"], 0);
    let row = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("product "), ["2", "1", "2", "0"], "{text}");
    assert_eq!(row("title "), ["1", "1", "1", "0"], "{text}");
    assert_eq!(row("price "), ["1", "1", "0", "1"], "{text}");
    assert_eq!(row("brand "), ["1", "0", "0", "0"], "{text}");
    assert!(text.contains("a.html: price: 5.0 is not 6.0"), "{text}");
}

const PLAIN: &str = "<h1>Summer <b>dress</b></h1><div class=tag>Atelier</div><p class=cost>49,95</p>\
    <p>In stock</p><div class=pic><img data-src=/1.png></div><img class=other src=/2.png>";

/// A page without data, of which selectors tell the fields; what they do not find stays as it was.
#[test]
fn selectors_read_what_pages_do_not_tell() {
    let server = Server::start(|request| match request.path.as_str() {
        "/p/1" => Reply::ok(PLAIN),
        "/p/2" => page("Coat", 3, "<p class=cost>1,00</p>"),
        path => Reply::ok(png(path.trim_matches(['/', '.', 'p', 'n', 'g']).parse().unwrap_or(0))),
    });
    let shop = Shop::new();
    shop.write("list.txt", format!("{0}/p/1\n{0}/p/2\n", server.url));
    let select = "select = { title = 'h1', brand = '.tag', price = '.cost', currency = 'EUR', image = '.pic img' }";
    let source = |more: &str| {
        let text = format!("{SETTINGS}[[source]]\nname = 'shop'\npath = 'list.txt'\n{more}\n");
        shop.write("scraper.toml", text);
    };
    source(select);
    ran(&mut shop.command(&["run", "--store", "s.db"])).expect(0);
    let rows: Vec<Value> =
        shop.export("s.db").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = |end: &str| {
        rows.iter().find(|row| row["id"].as_str().is_some_and(|id| id.ends_with(end))).unwrap()
    };
    let (plain, told) = (row("/p/1"), row("/p/2"));
    assert_eq!((&plain["title"], &plain["brand"]), (&json!("Summer dress"), &json!("Atelier")));
    assert_eq!((&plain["price"], &plain["currency"]), (&json!(49.95), &json!("EUR")), "{plain}");
    assert_eq!(plain["image"], format!("{}/1.png", server.url));
    assert_eq!(
        (&told["title"], &told["price"]),
        (&json!("Coat"), &json!(49.95)),
        "data comes first"
    );
    assert_eq!(rows.len(), 2);
    // A mistake is told with its line before anything is read.
    for (wrong, part) in
        [("select = { title = 'h1[' }", "select.title"), ("images.width = 100", "224")]
    {
        source(wrong);
        let text = ran(&mut shop.command(&["run", "--store", "s.db"])).expect(1).stderr;
        assert!(text.contains(part) && text.contains("line 7"), "{text}");
    }
}
