//! Which pages are one product, under which key, and what becomes of keys of before.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use crate::{
    python::{database, psql},
    server::{Reply, Server},
    shop::Shop,
    support::{png, ran},
};

/// A page of a product with these images, and what its head says besides.
fn page(name: &str, images: &[u32], more: &str) -> Reply {
    let images: Vec<String> = images.iter().map(|image| format!("/{image}.png")).collect();
    let product = json!({"@type": "Product", "name": name, "image": images});
    Reply::ok(format!("{more}<script type='application/ld+json'>{product}</script>"))
}

fn image(path: &str) -> Reply {
    match path.trim_start_matches('/').trim_end_matches(".png").parse() {
        Ok(number) => Reply::ok(png(number)),
        Err(_) => Reply::status(404),
    }
}

/// Ids of the store with the images of each, the server's address left out.
fn products(shop: &Shop, server: &Server, store: &str) -> Vec<(String, Vec<String>)> {
    let host = server.url.trim_start_matches("http://");
    let mut products: Vec<(String, Vec<String>)> = Vec::new();
    for line in shop.export(store).lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| {
            let text = row[name].as_str().unwrap_or_default();
            text.replace(&server.url, "").replace(host, "")
        };
        match products.last_mut() {
            Some((id, images)) if *id == text("id") => images.push(text("image")),
            _ => products.push((text("id"), vec![text("image")])),
        }
    }
    products
}

fn expected(products: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    products.iter().map(|(id, images)| ((*id).to_owned(), owned(images))).collect()
}

#[test]
fn two_shops_in_one_list_are_told_apart() {
    let handler = |name: &'static str, number| {
        Server::start(move |request| match request.path.as_str() {
            "/p/1" => page(name, &[number], ""),
            path => image(path),
        })
    };
    let (a, b) = (handler("Dress", 1), handler("Boots", 2));
    let shop = Shop::new();
    shop.write("list.txt", format!("{}/p/1\n{}/p/1\n", a.url, b.url));
    let summary = shop.run("list.txt", 0);
    assert_eq!((&summary["products"], &summary["embedded"]), (&json!(2), &json!(2)), "{summary}");
    assert_eq!(shop.export("s.db").lines().count(), 2);
}

#[test]
fn pages_of_one_product_are_one() {
    let server = Server::start(|request| {
        let canonical = |path: &str| format!("<link rel=canonical href='{path}'>");
        let languages = "<link rel=alternate hreflang=de href=/de/2><link rel=alternate hreflang=en href=/en/2>\
                         <link rel=alternate hreflang=x-default href=/en/2>";
        let colour = |name: &str, number| {
            let product = json!({"@type": "Product", "name": name, "image": format!("/{number}.png"),
                                 "isVariantOf": {"@type": "ProductGroup", "productGroupID": "C"}});
            Reply::ok(format!("<script type='application/ld+json'>{product}</script>"))
        };
        match request.path.as_str() {
            "/p/1" => page("Dress", &[1], &canonical("/p/1")),
            "/sale/p/1?from=mail" => page("Dress", &[1, 2], &canonical("/p/1")),
            "/p/1?print=1" => page("Print: dress", &[1], &canonical("/p/1")),
            "/de/2" => page("Kleid", &[3], languages),
            "/en/2" => page("Gown", &[3, 4], languages),
            "/p/3?color=red" => colour("Coat, red", 5),
            "/p/3?color=blue" => colour("Coat, blue", 6),
            // One template for all: not believed.
            "/p/4" => page("Hat", &[7], &canonical("/p/all")),
            "/p/5" => page("Silver ring", &[8], &canonical("/p/all")),
            // Another site's is none of ours.
            "/p/6" => page("Scarf", &[9], &canonical("https://other.example/p/6")),
            path => image(path),
        }
    });
    let shop = Shop::new();
    let paths = [
        "/sale/p/1?from=mail",
        "/p/1",
        "/p/1?print=1",
        "/p/1?utm_source=a",
        "/de/2",
        "/en/2",
        "/p/3?color=red",
        "/p/3?color=blue",
        "/p/4",
        "/p/5",
        "/p/6",
    ];
    let list: String = paths.iter().map(|path| format!("{}{path}\n", server.url)).collect();
    shop.write("list.txt", list);
    let summary = shop.run("list.txt", 0);
    assert_eq!(summary["products"], 6, "{summary}");
    assert_eq!(summary["pages_by_kind"], json!({"page.same_product": 4}), "{summary}");
    let all = expected(&[
        ("/en/2", &["/3.png", "/4.png"]),
        ("/p/1", &["/1.png", "/2.png"]),
        ("/p/3", &["/6.png", "/5.png"]),
        ("/p/4", &["/7.png"]),
        ("/p/5", &["/8.png"]),
        ("/p/6", &["/9.png"]),
    ]);
    assert_eq!(products(&shop, &server, "s.db"), all);
    let second = shop.run("list.txt", 0);
    assert_eq!((&second["embedded"], &second["vanished"]), (&json!(0), &json!(0)), "{second}");
    assert_eq!(products(&shop, &server, "s.db"), all);
    let postgres = database();
    shop.run_into("list.txt", &postgres, 0);
    assert_eq!(products(&shop, &server, &postgres), all);
}

/// A night in which the page that stands for a product, or one of its twins, fails.
#[test]
fn what_a_page_that_fails_had_is_kept() {
    // Most shops make their pages anew for each visitor, and say nothing of their version.
    for versions in [true, false] {
        kept_where(versions);
    }
}

fn kept_where(says_version: bool) {
    let (main_fails, twin_fails) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let server = Server::start({
        let (main_fails, twin_fails) = (main_fails.clone(), twin_fails.clone());
        move |request| match request.path.as_str() {
            "/p/1" if main_fails.load(Ordering::Relaxed) => Reply::status(403),
            "/sale/1" if twin_fails.load(Ordering::Relaxed) => Reply::status(403),
            "/p/1" => page("Dress", &[1], ""),
            "/sale/1" => {
                let page = page("Dress", &[2], "<link rel=canonical href=/p/1>");
                if says_version { page.header("ETag", "\"1\"") } else { page }
            }
            path => image(path),
        }
    });
    let shop = Shop::new();
    shop.write("list.txt", format!("{0}/p/1\n{0}/sale/1\n", server.url));
    shop.run("list.txt", 0);
    let both = expected(&[("/p/1", &["/1.png", "/2.png"])]);
    assert_eq!(products(&shop, &server, "s.db"), both);
    main_fails.store(true, Ordering::Relaxed);
    let summary = shop.run("list.txt", 2);
    assert_eq!(
        (&summary["bad_records"], &summary["vanished"]),
        (&json!(2), &json!(0)),
        "{summary}"
    );
    assert_eq!(products(&shop, &server, "s.db"), both, "the main page failed");
    main_fails.store(false, Ordering::Relaxed);
    twin_fails.store(true, Ordering::Relaxed);
    let summary = shop.run("list.txt", 2);
    assert_eq!(
        (&summary["bad_records"], &summary["embedded"]),
        (&json!(1), &json!(0)),
        "{summary}"
    );
    assert_eq!(products(&shop, &server, "s.db"), both, "the twin failed: {summary}");
    ran(&mut shop.command(&["retry", "--failed", "--store", "s.db"])).expect(2);
    assert_eq!(products(&shop, &server, "s.db"), both, "a twin alone is not the whole");
}

/// A twin adds an image to a product that has gone on already.
#[test]
fn an_image_of_a_product_with_twins_counts_once() {
    let server = Server::start(|request| match request.path.as_str() {
        "/p/1" => page("Dress", &[1, 2], ""),
        "/sale/1" => page("Dress", &[3], "<link rel=canonical href=/p/1>"),
        "/2.png" => Reply::status(404),
        path => image(path),
    });
    let shop = Shop::new();
    shop.write("list.txt", format!("{0}/p/1\n{0}/sale/1\n", server.url));
    let summary = shop.run("list.txt", 2);
    let counts = ["products", "images", "embedded", "failed"].map(|name| &summary[name]);
    assert_eq!(counts, [&json!(1), &json!(3), &json!(2), &json!(1)], "{summary}");
    let asked = |path: &str| server.requests().iter().filter(|r| r.path == path).count();
    assert_eq!(["/1.png", "/2.png", "/3.png"].map(asked), [1, 1, 1]);
}

/// A night in which one of the pages that a sitemap lists of a product fails, and a retry that finds another.
#[test]
fn a_product_whose_variant_fails_is_kept_whole() {
    let fails = Arc::new(AtomicBool::new(false));
    let server = Server::start({
        let fails = fails.clone();
        move |request| match request.path.as_str() {
            "/sitemap.xml" => Reply::ok(
                "<urlset><url><loc>/p/1</loc></url><url><loc>/p/1?color=red</loc></url></urlset>",
            ),
            "/p/1" => page("Dress", &[1], ""),
            "/p/1?color=red" if fails.load(Ordering::Relaxed) => Reply::status(403),
            "/p/1?color=red" => page("Dress", &[2], ""),
            path => image(path),
        }
    });
    let (shop, source) = (Shop::new(), format!("{}/sitemap.xml", server.url));
    shop.run(&source, 0);
    let both = expected(&[("/p/1", &["/1.png", "/2.png"])]);
    assert_eq!(products(&shop, &server, "s.db"), both);
    fails.store(true, Ordering::Relaxed);
    shop.run(&source, 2);
    assert_eq!(products(&shop, &server, "s.db"), both, "the variant failed");
    ran(&mut shop.command(&["retry", "--failed", "--store", "s.db"])).expect(0);
    assert_eq!(products(&shop, &server, "s.db"), both, "the main page alone is not the whole");
}

#[test]
fn every_record_that_was_refused_is_listed() {
    let server = Server::start(|request| image(&request.path));
    let shop = Shop::new();
    let record = |id: u32, number: u32| {
        format!(
            "{}\n",
            json!({"id": id, "title": number.to_string(), "image": format!("{}/{number}.png", server.url)})
        )
    };
    let records = [(1, 1), (1, 2), (2, 3), (2, 4)].map(|(id, number)| record(id, number));
    shop.write("feed.jsonl", records.concat());
    shop.run("feed.jsonl", 2);
    let listed = ran(&mut shop.command(&["retry", "--list", "--store", "s.db"])).expect(0).text();
    for id in ["product 1", "product 2"] {
        assert!(listed.contains(id), "{id}: {listed}");
    }
}

/// Keys had no host, and each page was a product.
#[test]
fn keys_of_before_move_to_the_new_ones() {
    let server = Server::start(|request| match request.path.as_str() {
        "/p/1" => page("Dress", &[1, 2], ""),
        "/sale/1" => page("Dress", &[1], "<link rel=canonical href=/p/1>"),
        "/p/2" => page("Hat", &[3], ""),
        path => image(path),
    });
    let shop = Shop::new();
    shop.write("list.txt", format!("{0}/p/1\n{0}/sale/1\n{0}/p/2\n", server.url));
    let all = expected(&[("/p/1", &["/1.png", "/2.png"]), ("/p/2", &["/3.png"])]);
    let postgres = database();
    for (store, knows_pages) in [("s.db", true), ("old.db", false), (postgres.as_str(), true)] {
        shop.run_into("list.txt", store, 0);
        let host = server.url.trim_start_matches("http://");
        let page = if knows_pages { format!("'{}/sale/1'", server.url) } else { "NULL".into() };
        let before = format!(
            "{forget};
             UPDATE {s}images SET product = replace(product, '{host}/', '');
             UPDATE {s}products SET id = replace(id, '{host}/', '');
             INSERT INTO {s}products (source, id, title, page, seen, attributes)
                 VALUES ('', 'sale/1', 'Dress', {page}, 1, '{{}}');
             INSERT INTO {s}images (source, product, position, address)
                 VALUES ('', 'sale/1', 0, '{}/1.png')",
            server.url,
            forget = match knows_pages {
                true => "SELECT 1",
                false => "UPDATE products SET page = NULL",
            },
            s = if store.starts_with("postgres") { "clip_scraper." } else { "" },
        );
        match store.starts_with("postgres") {
            true => {
                let loose = "SET session_replication_role = replica";
                psql(store, &format!("{loose}; {before}"));
            }
            false => {
                let connection = rusqlite::Connection::open(shop.path().join(store)).unwrap();
                connection.execute_batch(&format!("PRAGMA foreign_keys = off; {before}")).unwrap();
            }
        }
        let summary = shop.run_into("list.txt", store, 0);
        assert_eq!(summary["embedded"], 0, "{store}: {summary}");
        assert_eq!(
            (&summary["vanished"], &summary["kept"]),
            (&json!(0), &json!([])),
            "{store}: {summary}"
        );
        assert_eq!(products(&shop, &server, store), all, "{store}");
    }
}
