//! Product pages of shops: their keys, and what `probe` says of them.

use std::fs;

use serde_json::{Value, json};

use crate::{
    server::{Reply, Request, Server},
    shop::Shop,
    support::{png, ran, scraper},
};

fn page(name: &str, image: u32, more: &str) -> Reply {
    let product = json!({"@type": "Product", "name": name, "image": format!("/{image}.png"),
                         "offers": {"price": "49,95 €"}});
    Reply::ok(format!("{more}<script type='application/ld+json'>{product};</script>"))
}

fn image(request: &Request) -> Reply {
    let number = request.path.trim_matches('/').split('.').next().and_then(|n| n.parse().ok());
    number.map_or(Reply::status(404), |number| Reply::ok(png(number)))
}

#[test]
fn two_shops_in_one_list_keep_their_products_apart() {
    let shop = |name: &'static str, number: u32| {
        Server::start(move |request| match request.path.as_str() {
            "/p/1" => page(name, number, ""),
            _ => image(request),
        })
    };
    let (a, b) = (shop("Dress", 1), shop("Boots", 2));
    let shop = Shop::new();
    shop.write("list.txt", format!("{}/p/1\n{}/p/1\n", a.url, b.url));
    let summary = shop.run("list.txt", 0);
    assert_eq!(summary["products"], 2, "{summary}");
    let rows = ran(scraper(shop.path()).args(["export", "--store", "s.db"])).expect(0).lines();
    let mut ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let other = format!("{}/p/1", b.url.trim_start_matches("http://"));
    assert_eq!(ids, [other.as_str(), "p/1"], "the first shop's keys are as they were");
}

#[test]
fn twins_of_one_page_are_one_product() {
    let server = Server::start(|request| match request.path.as_str() {
        path if path.starts_with("/p/1") => page("Dress", 1, "<link rel='canonical' href='/p/1'>"),
        _ => image(request),
    });
    let shop = Shop::new();
    let list = ["?color=red", "", "?utm_source=mail"].map(|q| format!("{}/p/1{q}\n", server.url));
    shop.write("list.txt", list.concat());
    let summary = shop.run("list.txt", 0);
    assert_eq!(
        (&summary["products"], &summary["bad_records"]),
        (&json!(1), &json!(0)),
        "{summary}"
    );
    assert!(shop.export("s.db").contains("\"id\":\"p/1\""));
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
