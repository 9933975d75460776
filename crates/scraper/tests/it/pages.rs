//! Product pages of shops, and what `probe` says of them.

use std::fs;

use serde_json::{Value, json};

use crate::{
    server::{Reply, Server},
    shop::Shop,
    support::{ran, scraper},
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
