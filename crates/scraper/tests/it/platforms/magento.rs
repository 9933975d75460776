use std::{collections::HashSet, sync::Arc};

use scraper_lib::source::{Kind, SourceSpec};
use serde_json::{Value, json};

use super::{night, parameter, path, picture};
use crate::{
    server::{Reply, Request, Server},
    shop::Shop,
    sources::{read, web},
};

/// Products with one picture each and prices from 0.00 up; every tenth has a variant with a picture of
/// its own.
#[derive(Default)]
struct Catalogue {
    products: usize,
    /// Fields that this version does not have.
    unknown: &'static [&'static str],
    /// Products that break every page they are on.
    broken: HashSet<usize>,
    /// The largest page, where it is limited.
    largest: Option<usize>,
    /// A search tells of no more.
    window: Option<usize>,
    /// Whether it answers GET only.
    get_only: bool,
    /// Whether a search for nothing finds nothing, as in old versions.
    needs_filter: bool,
}

fn error(message: &str) -> Value {
    json!({ "message": message, "locations": [{ "line": 1, "column": 1 }], "extensions": { "category": "graphql" } })
}

fn says(message: &str) -> Reply {
    Reply::ok(json!({ "errors": [error(message)] }).to_string())
}

/// What stands between these in a question.
fn between<'a>(query: &'a str, start: &str, end: char) -> Option<&'a str> {
    query.split_once(start)?.1.split(end).next()
}

impl Catalogue {
    /// In cents: four products cost the same.
    fn price(id: usize) -> usize {
        id / 4 * 50
    }

    fn product(id: usize, store: &str, base: &str) -> Value {
        let gallery = |picture: usize| json!([{ "__typename": "ProductImage", "url": format!("{base}/i/{picture}.png"), "disabled": false, "position": 1 }]);
        let mut product = json!({
            "id": id, "sku": format!("SKU-{id}"), "name": format!("Product {id} {store}"), "url_key": format!("p-{id}"),
            "url_suffix": ".html", "canonical_url": null, "stock_status": "IN_STOCK", "description": { "html": "<p>Text</p>" },
            "short_description": { "html": "" }, "categories": [], "image": { "url": format!("{base}/i/{id}.png") }, "media_gallery": gallery(id),
            "price_range": { "minimum_price": {
                "regular_price": { "value": 99.5, "currency": "USD" },
                "final_price": { "value": Self::price(id) as f64 / 100.0, "currency": "USD" } } },
        });
        if id.is_multiple_of(10) {
            product["configurable_options"] = json!([{ "attribute_code": "color", "label": "Color", "values": [{ "label": "Red" }] }]);
            product["variants"] = json!([{ "product": { "sku": format!("SKU-{id}-R"), "media_gallery": gallery(10_000 + id) } }]);
        }
        product
    }

    fn answer(&self, request: &Request) -> Reply {
        if let Some(picture) = picture(request) {
            return picture;
        }
        if path(request) != "/graphql" {
            return Reply::ok("<html>404</html>").code(404);
        }
        let query = match request.method.as_str() {
            "POST" if self.get_only => return Reply::ok("<html>405</html>").code(405),
            "POST" => {
                assert_eq!(request.header("content-type"), Some("application/json"));
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                body["query"].as_str().unwrap().to_owned()
            }
            _ => parameter(request, "query").unwrap_or_default(),
        };
        if query.contains("storeConfig") {
            let config = json!({ "secure_base_link_url": "https://shop.example/", "product_url_suffix": ".html" });
            return Reply::ok(json!({ "data": { "storeConfig": config } }).to_string());
        }
        let unknown: Vec<Value> = self
            .unknown
            .iter()
            .filter(|name| query.contains(**name))
            .map(|name| {
                error(&format!("Cannot query field \"{name}\" on type \"ProductInterface\"."))
            })
            .collect();
        if !unknown.is_empty() {
            return Reply::ok(json!({ "errors": unknown }).to_string()).code(400);
        }
        self.products(&query, request)
    }

    fn products(&self, query: &str, request: &Request) -> Reply {
        let store = request.header("store").unwrap_or("default");
        let base = format!("http://{}", request.header("host").unwrap());
        let number =
            |name: &str, end| between(query, name, end).and_then(|n| n.parse::<usize>().ok());
        let (size, page) =
            (number("pageSize:", ',').unwrap(), number("currentPage:", ')').unwrap());
        if let Some(largest) = self.largest.filter(|largest| size > *largest) {
            return says(&format!("Maximum pageSize is {largest}"));
        }
        let cents = |name: &str| {
            let price: f64 = between(query, &format!("{name}:\""), '"')?.parse().unwrap();
            Some((price * 100.0).round() as usize)
        };
        let (from, to) = (cents("from").unwrap_or(0), cents("to").unwrap_or(usize::MAX));
        let mut found: Vec<usize> =
            (1..=self.products).filter(|id| (from..=to).contains(&Self::price(*id))).collect();
        if self.needs_filter && query.contains("search:") {
            found.clear();
        }
        found.truncate(self.window.unwrap_or(usize::MAX));
        let total = found.len();
        if total > 0 && page > total.div_ceil(size) {
            let most = total.div_ceil(size);
            return says(&format!(
                "currentPage value {page} specified is greater than the {most} page(s) available."
            ));
        }
        let ids: Vec<usize> = found.into_iter().skip((page - 1) * size).take(size).collect();
        if ids.iter().any(|id| self.broken.contains(id)) {
            let said =
                json!({ "errors": [error("Internal server error")], "data": { "products": null } });
            return Reply::ok(said.to_string());
        }
        let item = |id| match self.window {
            Some(_) => json!({ "id": id, "sku": "x" }), // many are not told of in full
            None => Self::product(id, store, &base),
        };
        let items: Vec<Value> = ids.into_iter().map(item).collect();
        Reply::ok(
            json!({ "data": { "products": { "total_count": total, "items": items } } }).to_string(),
        )
    }

    fn serve(self) -> Server {
        Server::start(move |request| self.answer(request))
    }
}

#[test]
fn two_nights() {
    let shop = Shop::new();
    let server = Catalogue { products: 320, ..Catalogue::default() }.serve();
    let first = night(&shop, "magento", &server.url, "store = \"de\"", 0);
    assert_eq!((&first["products"], &first["failed"]), (&json!(320), &json!(0)), "{first}");
    assert_eq!(first["images"], 320 + 32, "with the variants': {first}");
    let asked = server.requests().iter().filter(|r| r.path.starts_with("/graphql")).count();
    assert_eq!(asked, 5, "the shop itself, and four pages");
    let second = night(&shop, "magento", &server.url, "store = \"de\"", 0);
    assert_eq!((&second["products"], &second["embedded"]), (&json!(320), &json!(0)), "{second}");
    let lines = shop.export("s.db");
    let line = lines.lines().find(|line| line.contains("SKU-20\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["title"], &line["price"], &line["currency"]),
        (&json!("Product 20 de"), &json!(2.5), &json!("USD"))
    );
    assert_eq!(line["url"], "https://shop.example/p-20.html");
}

async fn found(server: &Server) -> (Vec<u64>, Vec<String>, Result<(), String>) {
    let spec = SourceSpec::of(&server.url, Some(Kind::Magento));
    let (products, notes, end) = read(&spec, &web()).await;
    let mut ids: Vec<u64> = products.iter().map(|p| p.id.parse().unwrap()).collect();
    ids.sort_unstable();
    (ids, notes, end)
}

fn all(n: u64) -> (Vec<u64>, Vec<String>, Result<(), String>) {
    ((1..=n).collect(), vec![], Ok(()))
}

#[tokio::test]
async fn versions_and_settings_differ() {
    let base = |products| Catalogue { products, ..Catalogue::default() };
    let unknown = &[
        "uid",
        "custom_attributesV2",
        "disabled",
        "url_suffix",
        "price_range",
        "ConfigurableProduct",
    ][..5];
    assert_eq!(found(&Catalogue { unknown, ..base(150) }.serve()).await, all(150));
    assert_eq!(found(&Catalogue { largest: Some(20), ..base(150) }.serve()).await, all(150));
    assert_eq!(found(&Catalogue { needs_filter: true, ..base(150) }.serve()).await, all(150));
    let get_only = Catalogue { get_only: true, ..base(150) }.serve();
    assert_eq!(found(&get_only).await, all(150));
    let posts = get_only.requests().iter().filter(|r| r.method == "POST").count();
    assert_eq!(posts, 1, "what it does not take is not tried again");
    assert_eq!(found(&base(0).serve()).await, all(0));
}

#[tokio::test]
async fn a_product_that_breaks_its_page_costs_no_other() {
    let broken = HashSet::from([1, 57, 58, 250]);
    let server =
        Catalogue { products: 250, broken: broken.clone(), ..Catalogue::default() }.serve();
    let (ids, notes, end) = found(&server).await;
    let good: Vec<u64> = (1..=250).filter(|id| !broken.contains(&(*id as usize))).collect();
    assert_eq!((ids, end), (good, Ok(())));
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(notes.iter().all(|note| note.contains("Internal server error")), "{notes:?}");
    // Where everything fails, the shop is not asked for ever.
    let broken = (1..=2000).collect();
    let server = Catalogue { products: 2000, broken, ..Catalogue::default() }.serve();
    let (ids, _, end) = found(&server).await;
    assert!(ids.is_empty() && end.unwrap_err().contains("Internal server error"));
    assert!(server.requests().len() < 60, "{}", server.requests().len());
}

#[tokio::test]
async fn more_than_a_search_tells_of_is_read_by_prices() {
    let server =
        Catalogue { products: 12_000, window: Some(10_000), ..Catalogue::default() }.serve();
    let (ids, notes, end) = found(&server).await;
    assert_eq!((ids.len(), notes, end), (12_000, vec![], Ok(())));
}

#[tokio::test]
async fn closed_doors_are_told_with_what_to_do() {
    let refused = |status, said: &'static str| Server::start(move |_| Reply::ok(said).code(status));
    for (server, named) in [
        (refused(404, "<html>404</html>"), "404"),
        (refused(403, "{\"message\": \"Consumer is not authorized\"}"), "403"),
        (refused(200, "<!doctype html><div id=app>"), "web page"),
        (refused(200, "{\"message\": \"Request does not match any route.\"}"), "any route"),
    ] {
        let (ids, notes, end) = found(&server).await;
        let error = end.unwrap_err();
        assert!(ids.is_empty() && notes.is_empty(), "{notes:?}");
        assert!(error.contains(named) && error.contains("kind = \"sitemap\""), "{named}: {error}");
    }
    let unauthorized =
        refused(401, r#"{"errors": [{"message": "The current customer isn't authorized."}]}"#);
    assert!(found(&unauthorized).await.2.unwrap_err().contains("isn't authorized"));
    assert!(found(&refused(503, "busy")).await.2.unwrap_err().contains("503"));
    let robots = Reply::ok("User-agent: *\nDisallow: /graphql\n");
    let server = Server::with_robots(robots, |_| Reply::status(200));
    let error = found(&server).await.2.unwrap_err();
    assert!(error.contains("robots.txt") && error.contains("sitemap"), "{error}");
    assert!(server.requests().is_empty());
    let mut spec = SourceSpec::of("https://shop.example/", Some(Kind::Magento));
    spec.options.store = Some("de\r\nx: y".into());
    assert!(read(&spec, &web()).await.2.unwrap_err().contains("store view"));
}

#[tokio::test]
async fn a_question_is_retried_and_follows_redirects() {
    let there = Arc::new(Catalogue { products: 30, ..Catalogue::default() }.serve());
    let server = Server::start({
        let url = there.url.clone();
        move |request| Reply::status(301).header("location", format!("{url}{}", request.path))
    });
    assert_eq!(found(&server).await, all(30));
    assert!(there.requests().iter().all(|r| r.method == "POST"));
    let tries = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let flaky = Server::start({
        let (tries, catalogue) =
            (tries.clone(), Catalogue { products: 30, ..Catalogue::default() });
        move |request| match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 2 {
            0 => Reply::status(503),
            _ => catalogue.answer(request),
        }
    });
    assert_eq!(found(&flaky).await, all(30));
}
