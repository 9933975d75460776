use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use scraper_lib::source::{Kind, SourceSpec};
use serde_json::{Value, json};

use super::{night, parameter, path, picture};
use crate::{
    server::{Reply, Request, Server},
    shop::Shop,
    sources::{read, web},
};

/// Products with one picture each; every tenth has two variations with a picture of their own.
struct Catalogue {
    products: usize,
    /// Where the interface is.
    at: &'static str,
    /// Whether totals and links are told.
    headers: bool,
    /// What it says instead of each page of this number.
    page_fails: Option<(usize, Reply)>,
}

impl Catalogue {
    fn of(products: usize) -> Self {
        Catalogue { products, at: "/wp-json/wc/store/v1/products", headers: true, page_fails: None }
    }

    fn product(id: usize) -> Value {
        let variable = id.is_multiple_of(10);
        json!({
            "id": id, "name": format!("Product &#8211; {id}"), "slug": format!("p-{id}"), "parent": 0,
            "type": if variable { "variable" } else { "simple" }, "variation": "",
            "permalink": format!("http://shop.example/product/p-{id}/"), "sku": format!("SKU-{id}"),
            "short_description": "", "description": "<p>Text</p>\n", "on_sale": false,
            "prices": { "price": "1999", "regular_price": "1999", "sale_price": "1999", "price_range": null,
                "currency_code": "EUR", "currency_symbol": "€", "currency_minor_unit": 2 },
            "images": [{ "id": id, "src": format!("/i/{id}.png"), "thumbnail": format!("/i/{id}-300x300.png") }],
            "categories": [], "tags": [], "attributes": [],
            "variations": if variable { json!([{ "id": 10_000 + id }, { "id": 20_000 + id }]) } else { json!([]) },
            "is_purchasable": true, "is_in_stock": true, "is_on_backorder": false,
            "_links": { "self": [{ "href": "x" }] },
        })
    }

    fn variations(&self) -> Vec<Value> {
        let parents = (1..=self.products).filter(|id| id.is_multiple_of(10));
        parents
            .flat_map(|id| [(10_000 + id, id), (20_000 + id, id)])
            .map(|(id, parent)| {
                // The second shows its product's picture, as those do that have none.
                let picture = if id > 20_000 { parent } else { id };
                json!({ "id": id, "parent": parent, "type": "variation", "images": [{ "src": format!("/i/{picture}.png") }] })
            })
            .collect()
    }

    fn answer(&self, request: &Request) -> Reply {
        if let Some(picture) = picture(request) {
            return picture;
        }
        let place = match parameter(request, "rest_route") {
            Some(route) => format!("/?rest_route={route}"),
            None => path(request).to_owned(),
        };
        if place != self.at {
            return no_route();
        }
        let number = |name: &str, usual: usize| {
            parameter(request, name).map_or(usual, |text| text.parse().unwrap())
        };
        let (page, size) = (number("page", 1), number("per_page", 10));
        assert!((1..=100).contains(&size), "rest_invalid_param");
        let all = match parameter(request, "type").as_deref() {
            Some("variation") => self.variations(),
            _ => (1..=self.products).map(Self::product).collect(),
        };
        if let Some((_, reply)) = self.page_fails.as_ref().filter(|(failing, _)| *failing == page) {
            return reply.clone();
        }
        let pages = all.len().div_ceil(size);
        let items: Vec<_> = all.iter().skip((page - 1) * size).take(size).collect();
        let reply = Reply::ok(json!(items).to_string()).header("content-type", "application/json");
        match self.headers {
            true => reply.header("x-wp-total", all.len()).header("x-wp-totalpages", pages),
            false => reply,
        }
    }

    fn serve(self) -> Server {
        Server::start(move |request| self.answer(request))
    }
}

fn no_route() -> Reply {
    let said = r#"{"code":"rest_no_route","message":"No route was found matching the URL and request method.","data":{"status":404}}"#;
    Reply::ok(said).code(404)
}

#[test]
fn two_nights() {
    let shop = Shop::new();
    let server = Catalogue::of(345).serve();
    let first = night(&shop, "woocommerce", &server.url, "", 0);
    assert_eq!((&first["products"], &first["failed"]), (&json!(345), &json!(0)), "{first}");
    assert_eq!(first["images"], 345 + 34, "with the variations': {first}");
    let asked =
        |server: &Server| server.requests().iter().filter(|r| !r.path.starts_with("/i/")).count();
    assert_eq!(asked(&server), 5, "four pages of products, one of variations");
    let second = night(&shop, "woocommerce", &server.url, "", 0);
    assert_eq!((&second["products"], &second["embedded"]), (&json!(345), &json!(0)), "{second}");
    assert_eq!(second["vanished"], 0, "{second}");
    let lines = shop.export("s.db");
    let line = lines.lines().find(|line| line.contains("SKU-20\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["title"], &line["price"], &line["currency"]),
        (&json!("Product – 20"), &json!(19.99), &json!("EUR"))
    );
}

async fn found(server: &Server) -> (usize, Vec<String>, Result<(), String>) {
    let spec = SourceSpec::of(&server.url, Some(Kind::Woocommerce));
    let (products, notes, end) = read(&spec, &web()).await;
    (products.len(), notes, end)
}

#[tokio::test]
async fn wherever_the_interface_is() {
    for at in ["/?rest_route=/wc/store/v1/products", "/wp-json/wc/store/products"] {
        let server = Catalogue { at, ..Catalogue::of(120) }.serve();
        assert_eq!(found(&server).await, (120, vec![], Ok(())), "{at}");
    }
    let folder = Catalogue { at: "/blog/wp-json/wc/store/v1/products", ..Catalogue::of(3) }.serve();
    let spec = SourceSpec::of(&format!("{}/blog/", folder.url), Some(Kind::Woocommerce));
    assert_eq!(read(&spec, &web()).await.0.len(), 3);
    let direct = SourceSpec::of(&format!("{}/blog/wp-json/wc/store/v1/products", folder.url), None);
    assert_eq!(read(&direct, &web()).await.0.len(), 3, "its address tells the kind");
}

#[tokio::test]
async fn without_totals_it_is_read_until_nothing_is_new() {
    let server = Catalogue { headers: false, ..Catalogue::of(250) }.serve();
    assert_eq!(found(&server).await, (250, vec![], Ok(())));
    // A shop that gives ten at once, whatever is asked for, with links to the next page.
    let server = Server::start(|request| {
        let page: usize = parameter(request, "page").unwrap().parse().unwrap();
        if path(request) != "/wp-json/wc/store/v1/products" || parameter(request, "type").is_some()
        {
            return Reply::ok("[]");
        }
        let items: Vec<_> = (page * 10 - 9..=page * 10).map(Catalogue::product).collect();
        let reply = Reply::ok(json!(items).to_string());
        match page < 4 {
            true => reply.header("link", format!("<http://x/?page={}>; rel=\"next\"", page + 1)),
            false => reply.header("link", "<http://x/?page=3>; rel=\"prev\""),
        }
    });
    assert_eq!(found(&server).await, (40, vec![], Ok(())));
}

#[tokio::test]
async fn a_page_that_fails_costs_no_other() {
    let page_fails = Some((2, Reply::status(500)));
    let server = Catalogue { page_fails, ..Catalogue::of(345) }.serve();
    let (products, notes, end) = found(&server).await;
    assert_eq!((products, end), (245, Ok(())));
    assert!(
        notes.len() == 1 && notes[0].contains("500") && notes[0].contains("page=2"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn products_that_cannot_be_read_cost_no_other() {
    let server = Server::start(|request| match parameter(request, "type") {
        Some(_) => {
            Reply::ok(r#"{"code":"rest_invalid_param","message":"Invalid parameter(s): type"}"#)
                .code(400)
        }
        None => {
            let odd = json!([Catalogue::product(1), { "name": "no id" }, null, "x", Catalogue::product(2)]);
            Reply::ok(format!("\u{feff}{}", odd.to_string().replace("no id", "half: \\ud83d")))
                .header("x-wp-totalpages", 1)
        }
    });
    let (products, notes, end) = found(&server).await;
    assert_eq!((products, notes.len(), end), (2, 3, Ok(())), "{notes:?}");
}

#[tokio::test]
async fn closed_doors_are_told_with_what_to_do() {
    let refused = |status, said: &'static str| Server::start(move |_| Reply::ok(said).code(status));
    let json = r#"{"code":"rest_not_logged_in","message":"You are not currently logged in.\u001b[2J","data":{"status":401}}"#;
    for (server, named) in [
        (Server::start(|_| no_route()), "rest_no_route"),
        (refused(401, json), "not currently logged in"),
        (refused(403, "<html>Forbidden</html>"), "403"),
        (refused(200, "<!doctype html><title>Shop</title>"), "web page"),
        (refused(200, "{\"products\": []}"), "not a list of products"),
    ] {
        let (products, notes, end) = found(&server).await;
        let error = end.unwrap_err();
        assert!(products == 0 && notes.is_empty(), "{notes:?}");
        assert!(error.contains(named) && !error.contains('\u{1b}'), "{named}: {error}");
        assert!(
            named == "not a list of products" || error.contains("kind = \"sitemap\""),
            "{error}"
        );
    }
    // A server that fails is no closed door.
    assert!(found(&refused(503, "busy")).await.2.unwrap_err().contains("503"));
}

#[tokio::test]
async fn robots_txt_is_obeyed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let robots = Reply::ok("User-agent: *\nDisallow: /wp-json/\n");
    let server = Server::with_robots(robots, {
        let asked = asked.clone();
        move |_| {
            asked.fetch_add(1, Ordering::SeqCst);
            Reply::ok("[]")
        }
    });
    let error = found(&server).await.2.unwrap_err();
    assert!(error.contains("robots.txt") && error.contains("sitemap"), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn lists_that_did_not_change_are_not_sent_again() {
    let server = Server::start(|request| {
        let reply = Catalogue::of(120).answer(request);
        let etag = format!("\"{}\"", request.path.len());
        match request.header("if-none-match") {
            Some(_) => Reply::status(304), // without any of its headers
            None => reply.header("etag", etag),
        }
    });
    let (web, spec) = (web(), SourceSpec::of(&server.url, Some(Kind::Woocommerce)));
    for night in 0..2 {
        let (products, notes, end) = read(&spec, &web).await;
        assert_eq!((products.len(), notes, end), (120, vec![], Ok(())), "{night}");
    }
    let asked_if = server.requests().iter().filter(|r| r.header("if-none-match").is_some()).count();
    assert_eq!((asked_if, server.requests().len()), (3, 6));
}
