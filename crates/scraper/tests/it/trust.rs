//! Who may name what: the web names no file, a folder nothing outside it.

use std::fs;

use serde_json::{Value, json};

use crate::{
    python::{UNWATCH, database, psql},
    server::{Reply, Server},
    shop::{SETTINGS, Shop},
    support::{png, ran, scraper},
};

const REFUSED: &str = "only local sources may";

/// What `retry --list` tells, by product.
fn failures(shop: &Shop, store: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut list: Vec<_> = ran(scraper(shop.path()).args(["retry", "--list", "--store", store]))
        .expect(0)
        .lines()
        .iter()
        .map(|line| (text(&line["id"]), text(&line["kind"]), text(&line["message"])))
        .collect();
    list.sort();
    list
}

fn run(shop: &Shop, source: &str, store: &str, more: &[&str], code: i32) {
    let args = ["run", source, "--store", store];
    ran(shop.command(&args).args(more)).expect(code);
}

/// Two files, one that is there and one that is not, as URLs.
fn files(shop: &Shop) -> [String; 2] {
    shop.write("secret.png", png(1));
    ["secret.png", "none.png"].map(|name| format!("file://{}/{name}", shop.path().display()))
}

#[test]
fn no_source_of_the_web_reads_a_file() {
    let shop = Shop::new();
    let [there, missing] = files(&shop);
    let (a, b) = (there.clone(), missing.clone());
    let server = Server::start(move |request| {
        let (a, b) = (&a, &b);
        let path = request.path.split('?').next().unwrap();
        let linked = |file: &str| {
            let product = json!({"@type": "Product", "name": "x", "image": file});
            format!("<script type=\"application/ld+json\">{product}</script>")
        };
        match path {
            "/feed.csv" => Reply::ok(format!("id,image\na,{a}\nb,{b}\nc,\" FILE:{}\"\n", &a[5..])),
            "/feed.tsv" => Reply::ok(format!("id\timage\na\t{a}\nb\t{b}\n")),
            "/feed.jsonl" => Reply::ok(format!("{}\n{}\n", json!({"id": "a", "image": a}), json!({"id": "b", "image": [b]}))),
            "/feed.xml" => Reply::ok(format!(
                "<rss><channel><item><id>a</id><image_link>{a}</image_link></item>\
                 <item><id>b</id><image_link>{b}</image_link></item></channel></rss>"
            )),
            "/products.json" => Reply::ok(
                json!({"products": [{"id": 1, "images": [{"src": a}]}, {"id": 2, "images": [{"src": b}]}]})
                    .to_string(),
            ),
            "/sitemap.xml" => Reply::ok(
                "<urlset><url><loc>/a</loc></url><url><loc>/b</loc></url><url><loc>/c</loc></url>\
                 </urlset>",
            ),
            "/a" => Reply::ok(linked(a)),
            "/b" => Reply::ok(linked(b)),
            "/c" => Reply::ok(format!(
                "<meta property=\"og:type\" content=\"product\"><meta property=\"og:image\" content=\"{a}\">"
            )),
            _ => Reply::status(404),
        }
    });
    let url = &server.url;
    shop.write("pages.txt", format!("{url}/a\n{url}/b\n{url}/c\n"));
    let remote = |name: &str| format!("{url}/{name}");
    for (source, kind, count) in [
        (remote("feed.csv"), "csv", 3),
        (remote("feed.tsv"), "tsv", 2),
        (remote("feed.jsonl"), "jsonl", 2),
        (remote("feed.xml"), "merchant", 2),
        (remote(""), "shopify", 2),
        (remote("sitemap.xml"), "sitemap", 3),
        ("pages.txt".to_owned(), "list", 3),
    ] {
        let store = format!("{kind}.db");
        run(&shop, &source, &store, &["--kind", kind], 2);
        let told = failures(&shop, &store);
        assert_eq!(told.len(), count, "{kind}: {told:?}");
        for (id, failure, message) in told {
            assert_eq!(failure, "fetch.address", "{kind} {id}");
            assert!(message.contains(REFUSED), "{kind} {id}: {message}");
        }
        assert_eq!(shop.export(&store), "", "{kind}: nothing was embedded");
    }
}

#[test]
fn what_was_refused_stays_so_when_the_name_has_another_source() {
    let shop = Shop::new();
    let [there, _] = files(&shop);
    let server = Server::start(move |_| Reply::ok(format!("id,image\nweb,{there}\n")));
    run(&shop, &format!("{}/feed.csv", server.url), "s.db", &[], 2);
    shop.write("feed.csv", "id,image\nlocal,secret.png\n");
    // Both have no name: the store knows one source, which may name files by now.
    run(&shop, "feed.csv", "s.db", &["--accept-vanished"], 0);
    ran(&mut shop.command(&["retry", "--failed", "--store", "s.db"])).expect(2);
    let told = failures(&shop, "s.db");
    assert!(told.len() == 1 && told[0].0 == "web" && told[0].1 == "fetch.address", "{told:?}");
    assert_eq!(shop.export("s.db").lines().count(), 1);
}

#[test]
fn local_sources_name_files_wherever_a_retry_runs() {
    let shop = Shop::new();
    let [there, missing] = files(&shop);
    shop.write("feeds/a.png", png(2));
    shop.write("feeds/feed.csv", format!("id,image\na,a.png\nb,{there}\nc,{missing}\n"));
    ran(shop
        .command(&["run", "feed.csv", "--store", "s.db"])
        .current_dir(shop.path().join("feeds")))
    .expect(2);
    let store = shop.path().join("feeds/s.db");
    let store = store.to_str().unwrap();
    assert_eq!(shop.export(store).lines().count(), 2);
    fs::write(shop.path().join("none.png"), png(3)).unwrap();
    ran(&mut shop.command(&["retry", "--failed", "--store", store])).expect(0);
    assert_eq!(shop.export(store).lines().count(), 3);
}

/// Workers ask the store who wrote an address.
#[test]
fn postgres_keeps_who_may_name_files() {
    let (shop, postgres) = (Shop::new(), database());
    let [there, _] = files(&shop);
    shop.write("feed.csv", format!("id,image\na,secret.png\nb,{there}\n"));
    let server = Server::start(move |_| Reply::ok(format!("id,image\nweb,{there}\n")));
    shop.write(
        "scraper.toml",
        format!(
            "{SETTINGS}[[source]]\nname = \"local\"\npath = \"feed.csv\"\n\
             [[source]]\nname = \"web\"\nurl = \"{}/feed.csv\"\n",
            server.url
        ),
    );
    ran(&mut shop.command(&["run", "--store", &postgres])).expect(2);
    let zones =
        "SELECT string_agg(name || '=' || zone, ',' ORDER BY name) FROM clip_scraper.sources";
    assert_eq!(psql(&postgres, zones), "local=local,web=web");
    assert_eq!(shop.export(&postgres).lines().count(), 2);
    ran(&mut shop.command(&["retry", "--failed", "--store", &postgres])).expect(2);
    let told = failures(&shop, &postgres);
    assert!(told.len() == 1 && told[0].0 == "web" && told[0].2.contains(REFUSED), "{told:?}");

    // As the version before left it.
    let undo = "ALTER TABLE clip_scraper.sources DROP COLUMN zone; DROP TABLE clip_scraper.damaged;
                UPDATE clip_scraper.version SET number = 3";
    psql(&postgres, &format!("{UNWATCH} {undo}"));
    assert_eq!(failures(&shop, &postgres), told);
    assert_eq!(psql(&postgres, zones), "local=local,web=web");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_no_pictures() {
    let shop = Shop::new();
    shop.write("good.png", png(1));
    let pipe = shop.path().join("pipe.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    shop.write(
        "feed.csv",
        "id,image\ngood,good.png\npipe,pipe.png\nzero,/dev/zero\nfolder,.\nproc,/proc/self/environ\n",
    );
    run(&shop, "feed.csv", "s.db", &[], 2);
    let told = failures(&shop, "s.db");
    let ids: Vec<_> = told.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(ids, ["folder", "pipe", "proc", "zero"]);
    for (id, kind, message) in &told {
        assert!(message.contains("not a regular file") == (id != "proc"), "{kind}: {message}");
    }
    assert_eq!(shop.export("s.db").lines().count(), 1);
    ran(&mut shop.command(&["embed", "pipe.png"])).expect(2);
}

#[cfg(unix)]
#[test]
fn links_out_of_a_folder_are_followed_when_told_to() {
    use std::os::unix::fs::symlink;
    let shop = Shop::new();
    shop.folder(0..2);
    shop.write("outside/x.png", png(5));
    shop.write("secret.png", png(6));
    let path = |name: &str| shop.path().join(name);
    symlink(path("secret.png"), path("shop/link.png")).unwrap();
    symlink(path("shop/00.png"), path("shop/same.png")).unwrap();
    symlink(path("outside"), path("shop/more")).unwrap();
    let summary = shop.run("shop", 2);
    assert_eq!((&summary["products"], &summary["bad_records"]), (&json!(4), &json!(1)));
    let told = failures(&shop, "s.db");
    let ids: Vec<_> = told.iter().map(|(id, kind, _)| (id.as_str(), kind.as_str())).collect();
    assert_eq!(ids, [("", "source"), ("link.png", "file.read")]);
    assert!(
        told.iter().all(|(.., message)| message.contains("leads out of the folder")),
        "{told:?}"
    );
    assert_eq!(shop.export("s.db").lines().count(), 3);
    // The zone is in the store: a retry follows no more than the run did.
    ran(&mut shop.command(&["retry", "--failed", "--store", "s.db"])).expect(2);
    run(&shop, "shop", "s.db", &["--follow-symlinks"], 0);
    assert_eq!(shop.export("s.db").lines().count(), 5);
}
