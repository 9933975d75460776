//! Sitemaps as shops have them, and what is read of the pages they list.

use scraper_lib::source::{Kind, SourceSpec};

use crate::{
    server::{Reply, Request, Server},
    sources::{read, web},
};

/// A page of a product named like its address, with an image of its own unless it is `/bare`.
fn page(path: &str) -> Reply {
    let image = match path.starts_with("/bare") {
        true => String::new(),
        false => format!(r#", "image": "/i{path}.jpg""#),
    };
    Reply::ok(format!(
        r#"<!doctype html><script type="application/ld+json">
        {{"@type": "Product", "name": "{path}"{image}}}</script>"#
    ))
}

/// A shop that has these documents, `{}` in them being its address; all else under `/p`, `/en`,
/// `/de` and `/bare` is a page.
fn shop(documents: &'static [(&'static str, &'static str)]) -> Server {
    shop_with_robots(Reply::status(404), documents)
}

fn shop_with_robots(robots: Reply, documents: &'static [(&'static str, &'static str)]) -> Server {
    Server::with_robots(robots, move |request: &Request| {
        let host = request.header("host").unwrap_or_default();
        let found = documents.iter().find(|(path, _)| *path == request.path);
        match found {
            Some((_, body)) => Reply::ok(body.replace("{}", &format!("http://{host}"))),
            None if ["/p", "/en", "/de", "/bare"].iter().any(|p| request.path.starts_with(p)) => {
                page(&request.path)
            }
            None => Reply::status(404),
        }
    })
}

/// What is found at `place` of the shop: ids, sorted, and problems.
async fn found(server: &Server, place: &str) -> (Vec<String>, Vec<String>, Result<(), String>) {
    found_with(server, place, &[]).await
}

async fn found_with(
    server: &Server,
    place: &str,
    include: &[&str],
) -> (Vec<String>, Vec<String>, Result<(), String>) {
    let mut spec = SourceSpec::of(&format!("{}{place}", server.url), Some(Kind::Sitemap));
    let include: Vec<String> = include.iter().map(|text| text.replace("{}", &server.url)).collect();
    spec.options.include = (!include.is_empty()).then_some(include);
    let (products, notes, end) = read(&spec, &web()).await;
    let mut ids: Vec<String> = products.into_iter().map(|p| path(&p.id)).collect();
    ids.sort_unstable();
    (ids, notes, end)
}

/// A key without its host, whose port is another one each time.
fn path(id: &str) -> String {
    id.split_once('/').map_or(id, |(_, path)| path).to_owned()
}

fn asked(server: &Server, path: &str) -> usize {
    server.requests().iter().filter(|r| r.path == path).count()
}

#[tokio::test]
async fn where_robots_txt_names_none_the_usual_places_are_tried() {
    let wordpress = shop(&[
        (
            "/wp-sitemap.xml",
            "<sitemapindex><sitemap><loc>{}/wp-sitemap-1.xml</loc></sitemap></sitemapindex>",
        ),
        ("/wp-sitemap-1.xml", "<urlset><url><loc>{}/p/1</loc></url></urlset>"),
        ("/sitemap_index.xml", "<!doctype html><p>Not found</p>"),
    ]);
    assert_eq!(found(&wordpress, "/").await, (vec!["p/1".into()], vec![], Ok(())));
    let yoast = shop(&[
        ("/sitemap_index.xml", "<sitemapindex><sitemap><loc>a.xml</loc></sitemap></sitemapindex>"),
        ("/a.xml", "<urlset><url><loc>/p/1</loc></url></urlset>"),
    ]);
    assert_eq!(found(&yoast, "/").await, (vec!["p/1".into()], vec![], Ok(())));
    assert_eq!(asked(&yoast, "/wp-sitemap.xml"), 0);
    let robots = Reply::ok("User-agent: *BadBot*\nDisallow: /\nsitemap: /s.txt\nSitemap: s2.xml");
    let named = shop_with_robots(
        robots,
        &[
            ("/s.txt", "{}/p/1\n{}/p/2\n"),
            ("/s2.xml", "<n:urlset xmlns:n='x'><n:url><n:loc>{}/p/3</n:loc></n:url></n:urlset>"),
        ],
    );
    let ids = ["p/1", "p/2", "p/3"].map(String::from).to_vec();
    assert_eq!(found(&named, "/").await, (ids, vec![], Ok(())));
    assert_eq!(asked(&named, "/sitemap.xml"), 0);
}

#[tokio::test]
async fn a_shop_without_a_sitemap_is_told_of() {
    let (ids, _, end) = found(&shop(&[]), "/").await;
    let error = end.unwrap_err();
    assert!(
        ids.is_empty() && error.contains("no sitemap") && error.contains("/wp-sitemap.xml"),
        "{error}"
    );
    // A server error is no sign that there is none: another sitemap may list less.
    let broken = Server::start(|request| match request.path.as_str() {
        "/sitemap.xml" => Reply::status(500),
        "/sitemap_index.xml" => Reply::ok("<urlset><url><loc>/p/1</loc></url></urlset>"),
        path => page(path),
    });
    let (ids, _, end) = found(&broken, "/").await;
    assert!(ids.is_empty() && end.unwrap_err().contains("500"));
    let closed = shop(&[("/sitemap.xml", "<html>Closed</html>")]);
    assert!(found(&closed, "/sitemap.xml").await.2.unwrap_err().contains("web page"));
}

#[tokio::test]
async fn images_of_the_sitemap_stand_in_for_those_of_the_page() {
    let server = shop(&[(
        "/sitemap.xml",
        "<urlset xmlns:image='x'><url><loc>/p/1</loc><image:image><image:loc>/other.jpg</image:loc></image:image></url>\
         <url><loc>/bare/2</loc><image:image><image:loc>/2.jpg</image:loc></image:image>\
         <image:image><image:loc>https://cdn.example/2b.jpg</image:loc></image:image></url></urlset>",
    )]);
    let spec = SourceSpec::of(&format!("{}/sitemap.xml", server.url), None);
    let (mut products, ..) = read(&spec, &web()).await;
    products.sort_by(|a, b| b.id.cmp(&a.id));
    assert_eq!(products[0].images, [format!("{}/i/p/1.jpg", server.url)]);
    assert_eq!(
        products[1].images,
        [format!("{}/2.jpg", server.url), "https://cdn.example/2b.jpg".to_owned()]
    );
}

#[tokio::test]
async fn a_product_in_several_languages_is_one() {
    let server = shop(&[
        (
            "/sitemap.xml",
            "<sitemapindex><sitemap><loc>/s-en.xml</loc></sitemap><sitemap><loc>/s-de.xml</loc></sitemap></sitemapindex>",
        ),
        (
            "/s-en.xml",
            "<urlset xmlns:xhtml='x'><url><loc>{}/en/1</loc><xhtml:link rel='alternate' hreflang='de' href='{}/de/1'/></url>\
             <url><loc>{}/en/2</loc></url></urlset>",
        ),
        (
            "/s-de.xml",
            "<urlset xmlns:xhtml='x'><url><loc>{}/de/1</loc><xhtml:link rel='alternate' hreflang='en' href='{}/en/1'/></url>\
             <url><loc>{}/de/3</loc><xhtml:link rel='alternate' hreflang='en' href='{}/en/1'/></url></urlset>",
        ),
    ]);
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    // /de/3 names /en/1, which does not name it: nothing is guessed.
    assert_eq!(found(&server, "/").await, (ids(&["de/3", "en/1", "en/2"]), vec![], Ok(())));
    assert_eq!(asked(&server, "/de/1"), 0);
    assert_eq!(
        found_with(&server, "/", &["/de/"]).await,
        (ids(&["de/1", "de/3"]), vec![], Ok(())),
        "whoever wants the other language says so"
    );
}

#[tokio::test]
async fn colours_belong_to_their_page_and_bring_their_images() {
    let server = shop(&[(
        "/sitemap.xml",
        "<urlset><url><loc>{}/p/1?color=red</loc></url><url><loc>{}/p/1</loc></url>\
         <url><loc>{}/p/1?utm_source=map</loc></url><url><loc>{}/p/1?color=blue&amp;size=M</loc></url>\
         <url><loc>{}/p/2?color=red</loc></url></urlset>",
    )]);
    let spec = SourceSpec::of(&format!("{}/sitemap.xml", server.url), None);
    let (mut products, notes, end) = read(&spec, &web()).await;
    products.sort_by(|a, b| a.id.cmp(&b.id));
    let ids: Vec<_> = products.iter().map(|p| path(&p.id)).collect();
    let expected = ["p/1", "p/2?color=red"].map(String::from).to_vec();
    assert_eq!((ids, notes, end), (expected, vec![], Ok(())));
    assert_eq!(products[0].title.as_deref(), Some("/p/1"));
    let images = ["/p/1.jpg", "/p/1?color=red.jpg", "/p/1?color=blue&size=M.jpg"];
    assert_eq!(products[0].images, images.map(|image| format!("{}/i{image}", server.url)));
}

#[tokio::test]
async fn of_a_product_with_an_unreadable_colour_nothing_is_told() {
    let server = Server::start(|request| match request.path.as_str() {
        "/sitemap.xml" => Reply::ok(
            "<urlset><url><loc>/p/1</loc></url><url><loc>/p/1?color=red</loc></url>\
             <url><loc>/p/2</loc></url><url><loc>/p/2?color=gone</loc></url></urlset>",
        ),
        "/p/1?color=red" => Reply::status(403),
        "/p/2?color=gone" => Reply::status(404),
        path => page(path),
    });
    let (ids, mut notes, end) = found(&server, "/sitemap.xml").await;
    assert_eq!((ids, end), (vec!["p/2".to_owned()], Ok(())));
    notes.sort();
    assert!(notes.len() == 2 && notes[0].contains("403"), "{notes:?}");
    assert!(notes[1].contains("404"), "{notes:?}");
}

#[tokio::test]
async fn pages_of_other_sites_are_read_where_they_are_asked_for() {
    let other = shop(&[]);
    let (_, port) = other.url.rsplit_once(':').unwrap();
    let there = format!("http://localhost:{port}");
    let server = Server::start({
        let there = there.clone();
        move |request| match request.path.as_str() {
            "/sitemap.xml" => Reply::ok(format!(
                "<urlset><url><loc>{there}/p/far</loc></url><url><loc>/p/near</loc></url></urlset>"
            )),
            path => page(path),
        }
    });
    let near = (vec!["p/near".to_owned()], vec![], Ok(()));
    assert_eq!(found(&server, "/sitemap.xml").await, near);
    assert_eq!(other.requests().len(), 0);
    let (ids, ..) = found_with(&server, "/sitemap.xml", &[&there, "/near"]).await;
    assert_eq!(ids, ["p/far", "p/near"]);
    // One that lies elsewhere altogether.
    let elsewhere = Server::start(move |_| {
        Reply::ok(format!("<urlset><url><loc>{there}/p/far</loc></url></urlset>"))
    });
    let (ids, notes, end) = found(&elsewhere, "/sitemap.xml").await;
    assert_eq!((ids, notes, end), (vec!["p/far".to_owned()], vec![], Ok(())));
}

#[tokio::test]
async fn what_can_be_read_is_read() {
    let server = shop(&[
        (
            "/sitemap.xml",
            "<sitemapindex><sitemap><loc>a.xml</loc></sitemap><sitemap><loc>b.xml</loc></sitemap>\
             <sitemap><loc>sitemap.xml</loc></sitemap><url><loc>/p/mixed</loc></url></sitemapindex>",
        ),
        (
            "/a.xml",
            "<urlset><url><loc>/p/1</loc></url><url><loc>mailto:x</loc></url><url><loc>/p/2",
        ),
        (
            "/b.xml",
            "<br>\n<b>Warning</b>\n<?xml version='1.0'?><urlset><url><loc>/p/3</loc></url></urlset>",
        ),
    ]);
    let (ids, notes, end) = found(&server, "/").await;
    assert_eq!((ids, end), (["p/1", "p/3", "p/mixed"].map(String::from).to_vec(), Ok(())));
    let says = |text: &str| notes.iter().filter(|n| n.contains(text)).count();
    assert_eq!((notes.len(), says("ends in the middle"), says("mailto:x")), (2, 1, 1), "{notes:?}");
}
