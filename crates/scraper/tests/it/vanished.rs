//! What cannot be read has not vanished; what is empty is not well.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::{
    server::{Reply, Server},
    shop::Shop,
    support::{png, ran},
};

/// A shop with pages `/p/0` …, each with one image; a test can change what they answer.
struct Pages {
    shop: Shop,
    server: Server,
    odd: Arc<Mutex<Vec<(u32, Reply)>>>,
}

impl Pages {
    fn new() -> Self {
        let odd: Arc<Mutex<Vec<(u32, Reply)>>> = Arc::default();
        let state = odd.clone();
        let server = Server::start(move |request| {
            let Some(page) = request.path.strip_prefix("/p/") else { return Reply::ok(png(1)) };
            let page: u32 = page.parse().unwrap();
            let odd = state.lock().unwrap();
            match odd.iter().find(|(number, _)| *number == page) {
                Some((_, reply)) => reply.clone(),
                None => Reply::ok(product_page(&format!("Dress {page}"))),
            }
        });
        Pages { shop: Shop::new(), server, odd }
    }

    /// Runs over the pages `listed`, with `args`.
    fn run(&self, listed: impl Iterator<Item = u32>, args: &[&str], code: i32) -> Value {
        let list: String = listed.map(|n| format!("{}/p/{n}\n", self.server.url)).collect();
        self.shop.write("list.txt", list);
        let mut all = vec!["run", "list.txt", "--store", "s.db", "--summary-json", "summary.json"];
        all.extend(args);
        ran(&mut self.shop.command(&all)).expect(code);
        serde_json::from_slice(&std::fs::read(self.shop.path().join("summary.json")).unwrap())
            .unwrap()
    }

    fn answer(&self, page: u32, reply: Reply) {
        self.odd.lock().unwrap().push((page, reply));
    }

    fn products(&self) -> usize {
        self.shop.export("s.db").lines().count()
    }

    fn failed(&self) -> Vec<Value> {
        ran(&mut self.shop.command(&["retry", "--list", "--store", "s.db"])).expect(0).lines()
    }
}

fn product_page(title: &str) -> String {
    format!(
        "<html><script type='application/ld+json'>{{\"@type\": \"Product\", \"name\": \"{title}\", \
         \"image\": \"/i.png\"}}</script></html>"
    )
}

#[test]
fn a_page_that_cannot_be_read_keeps_its_product_and_no_other() {
    let pages = Pages::new();
    pages.run(0..10, &[], 0);
    // One fails, one is a ruin, one lost its markup, one is gone, and one is not listed any more.
    pages.answer(1, Reply::status(403));
    let ruin = "<html><script type='application/ld+json'>{\"@type\": \"Product\", \
                \"name\"</script></html>";
    pages.answer(2, Reply::ok(ruin));
    pages.answer(3, Reply::ok("<html><title>New theme</title></html>"));
    pages.answer(4, Reply::status(410));
    let summary = pages.run(0..9, &[], 2);
    assert_eq!(summary["vanished"], 2, "the one that is gone and the one not listed: {summary}");
    assert_eq!((&summary["bad_records"], &summary["products"]), (&2.into(), &5.into()));
    let counted = serde_json::json!({"page.gone": 1, "page.no_product": 1});
    assert_eq!(summary["pages_by_kind"], counted, "{summary}");
    assert_eq!(pages.products(), 8);

    let failed = pages.failed();
    let kinds: Vec<_> = failed.iter().map(|f| f["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["fetch.status", "page.unreadable", "page.no_product"], "{failed:?}");
    assert_eq!(failed[2]["place"], format!("{}/p/3", pages.server.url));

    // What could not be read is read again, and nothing else.
    pages.odd.lock().unwrap().retain(|(page, _)| *page != 1);
    let before = pages.server.requests().len();
    let told =
        ran(&mut pages.shop.command(&["retry", "--failed", "--store", "s.db"])).expect(2).text();
    assert!(told.contains("1 products, 1 images"), "{told}");
    let asked = pages.server.requests().split_off(before);
    let asked: Vec<_> = asked.iter().map(|r| r.path.as_str()).filter(|p| p.len() < 5).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(pages.failed().len(), 2);
    assert_eq!(pages.products(), 8, "a retry hides nothing");
}

#[test]
fn a_record_that_cannot_be_read_hides_nothing_of_its_source() {
    let shop = Shop::new();
    for i in 0..6 {
        shop.write(&format!("{i}.png"), png(i));
    }
    let jsonl = |lines: &[&str]| lines.join("\n");
    let line = |i: u32| format!("{{\"id\": \"{i}\", \"image\": \"{i}.png\"}}");
    let lines: Vec<String> = (0..6).map(line).collect();
    let all: Vec<&str> = lines.iter().map(String::as_str).collect();
    shop.write("feed.jsonl", jsonl(&all));
    shop.run("feed.jsonl", 0);
    shop.write("feed.jsonl", jsonl(&[all[0], all[1], all[2], all[3], "{\"id\": \"4\", \"im"]));
    let summary = shop.run("feed.jsonl", 2);
    assert_eq!((&summary["vanished"], &summary["bad_records"]), (&0.into(), &1.into()));
    assert_eq!(shop.export("s.db").lines().count(), 6);
    let list = ran(&mut shop.command(&["retry", "--list", "--store", "s.db"])).expect(0).lines();
    assert!(list[0]["place"].as_str().unwrap().ends_with("feed.jsonl, record 5"), "{list:?}");
    // Whole again, without two: one of them is allowed to go, and then both.
    shop.write("feed.jsonl", jsonl(&all[..5]));
    assert_eq!(shop.run("feed.jsonl", 0)["vanished"], 1);
    assert_eq!(shop.export("s.db").lines().count(), 5);
}

#[test]
fn when_too_much_would_vanish_nothing_does_until_it_is_accepted() {
    let pages = Pages::new();
    pages.run(0..10, &[], 0);
    let summary = pages.run(0..6, &["--max-failures", "100%"], 2);
    assert_eq!(summary["vanished"], 0);
    let kept = serde_json::json!([{"source": "", "missing": 4, "of": 10}]);
    assert_eq!(summary["kept"], kept, "{summary}");
    assert_eq!(pages.products(), 10);
    // The share can be set, and is as a rule exceeded once.
    assert_eq!(pages.run(0..6, &["--max-vanished", "3"], 2)["vanished"], 0);
    assert_eq!(pages.run(0..6, &["--max-vanished", "40%"], 0)["vanished"], 4);
    assert_eq!(pages.products(), 6);
    assert_eq!(pages.run(0..1, &["--accept-vanished"], 0)["vanished"], 5);
    assert_eq!(pages.products(), 1);
    pages.shop.write("scraper.toml", format!("max_vanished = \"50%\"\n{}", crate::shop::SETTINGS));
    pages.run(0..4, &[], 0);
    assert_eq!(pages.run(0..2, &[], 0)["vanished"], 2, "as the settings say");
}

#[test]
fn a_source_that_gives_no_product_is_never_well() {
    let pages = Pages::new();
    for page in 0..5 {
        pages.answer(page, Reply::status(404));
    }
    pages.answer(5, Reply::ok("<html>About us</html>"));
    let summary = pages.run(0..6, &["--max-failures", "100%"], 2);
    assert_eq!(summary["sources_empty"], 1);
    let message = summary["first_failures"][0]["message"].as_str().unwrap();
    assert!(message.contains("5 x page.gone, 1 x page.no_product"), "{message}");
    // A folder and a feed without anything, too.
    std::fs::create_dir(pages.shop.path().join("empty")).unwrap();
    pages.shop.run("empty", 2);
    pages.shop.write("empty.csv", "id,image\n");
    pages.shop.run("empty.csv", 2);
}

#[test]
fn a_product_without_an_image_is_kept_and_told_of() {
    let shop = Shop::new();
    shop.write("a.png", png(1));
    shop.write("feed.csv", "id,image\n1,a.png\n2,\n");
    let summary = shop.run("feed.csv", 2);
    let found = (&summary["products"], &summary["without_image"], &summary["bad_records"]);
    assert_eq!(found, (&2.into(), &1.into(), &0.into()), "{summary}");
    let list = ran(&mut shop.command(&["retry", "--list", "--store", "s.db"])).expect(0).lines();
    assert_eq!((&list[0]["place"], &list[0]["kind"]), (&"2".into(), &"product.no_image".into()));
    shop.write("feed.csv", "id,image\n1,a.png\n2,a.png\n");
    shop.run("feed.csv", 0);
    let list = ran(&mut shop.command(&["retry", "--list", "--store", "s.db"])).expect(0).lines();
    assert!(list.is_empty(), "{list:?}");
    // A column that is empty for a night costs no vector.
    shop.write("feed.csv", "id,image\n1,\n2,\n");
    assert_eq!(shop.run("feed.csv", 2)["without_image"], 2);
    assert_eq!(shop.export("s.db").lines().count(), 2);
}
