//! Pages of this project's own making, each with one habit of real shops.

use super::*;
use crate::source::Availability;

fn page(html: &str) -> Found {
    at("https://shop.example/p/1", html)
}

fn at(url: &str, html: &str) -> Found {
    read(html.as_bytes(), None, &Url::parse(url).unwrap())
}

fn read(bytes: &[u8], content_type: Option<&str>, page: &Url) -> Found {
    PageReader::default().read(bytes, content_type, page)
}

#[test]
fn json_ld_wins_and_broken_blocks_are_noted() {
    let found = page(
        r#"<html><head><meta property="og:type" content="product">
        <meta property="og:image" content="/og.jpg">
        <script type="application/ld+json">{"@type": "Product", "name": "cut</script>
        <script type='Application/LD+JSON; charset=utf-8'>
          <!-- {"@type": "Product", "name": "Two
          lines", "image": "/a.jpg"} --></script></head>"#,
    );
    let product = found.product.unwrap();
    assert_eq!(product.title.as_deref(), Some("Two lines"));
    assert_eq!(product.images, ["https://shop.example/a.jpg"]);
    assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
}

#[test]
fn of_several_products_the_pages_own_is_taken() {
    let found = page(
        r#"<script type="application/ld+json">[
        {"@type": "Product", "name": "Other", "url": "/p/2", "image": "2.jpg"},
        {"@type": "Product", "name": "Own", "url": "https://shop.example/p/1?x", "image": "1.jpg"}]
        </script>"#,
    );
    assert_eq!(found.product.unwrap().title.as_deref(), Some("Own"));
}

#[test]
fn json_ld_without_a_picture_borrows_it() {
    let found = page(
        r#"<meta property="og:image" content="https://cdn/x.jpg">
        <script type="application/ld+json">{"@type": "Product", "name": "P"}</script>"#,
    );
    assert_eq!(found.product.unwrap().images, ["https://cdn/x.jpg"]);
}

#[test]
fn open_graph_of_products_only() {
    let html = r#"<meta property="og:type" content="og:product"><meta name="og:title" content="Hat">
        <meta property="og:image" content="/1.jpg">
        <meta property="og:image:secure_url" content="https://shop.example/1.jpg">
        <meta property="og:image" content="/2.jpg">
        <meta property="product:price:amount" content="12.50">
        <meta property="product:price:currency" content="GBP">
        <meta property="product:availability" content="out of stock">"#;
    let product = page(html).product.unwrap();
    assert_eq!(product.images, ["https://shop.example/1.jpg", "https://shop.example/2.jpg"]);
    assert_eq!((product.price, product.currency.as_deref()), (Some(12.5), Some("GBP")));
    assert_eq!(product.availability, Some(Availability::OutOfStock));
    let blog =
        r#"<meta property="og:type" content="article"><meta property="og:image" content="/1.jpg">"#;
    assert!(page(blog).product.is_none());
}

#[test]
fn microdata_with_nested_offers() {
    let product = page(
        r#"<div itemscope itemtype="https://schema.org/Product"><h1 itemprop="name"> Wool <b>scarf</b></h1>
        <img itemprop="image" src="/s.jpg"><div itemprop="brand" itemscope><span itemprop="name">Knit</span></div>
        <div itemprop="offers" itemscope itemtype="https://schema.org/Offer">
          <span itemprop="price" content="35.00">35 €</span><meta itemprop="priceCurrency" content="EUR">
          <link itemprop="availability" href="https://schema.org/InStock"></div></div>
        <div itemscope itemtype="https://schema.org/Product"><span itemprop="name">Another</span></div>"#,
    )
    .product
    .unwrap();
    assert_eq!(product.title.as_deref(), Some("Wool scarf"));
    assert_eq!(product.images, ["https://shop.example/s.jpg"]);
    assert_eq!(product.brand.as_deref(), Some("Knit"));
    assert_eq!((product.price, product.availability), (Some(35.0), Some(Availability::InStock)));
}

#[test]
fn other_character_sets_are_read() {
    let url = Url::parse("https://shop.example/p/1").unwrap();
    let html = b"<meta charset=windows-1252><script type=application/ld+json>{\"@type\":\"Product\",\"name\":\"Caf\xe9\"}</script>";
    let title = |found: Found| found.product.unwrap().title.unwrap();
    assert_eq!(title(read(html, None, &url)), "Café");
    let html =
        b"<script type=application/ld+json>{\"@type\":\"Product\",\"name\":\"Caf\xe9\"}</script>";
    assert_eq!(title(read(html, Some("text/html; charset=\"ISO-8859-1\""), &url)), "Café");
}

#[test]
fn hostile_pages_end() {
    assert!(page(&"<div itemscope itemprop=x>".repeat(20_000)).product.is_none());
    assert!(page(&"<b>".repeat(500_000)).product.is_none());
    let deep = format!("<script type=application/ld+json>{}</script>", "[".repeat(100_000));
    assert_eq!(page(&deep).notes.len(), 1);
}

const OFFER: &str =
    r#""offers": {"price": "49.95", "priceCurrency": "EUR", "availability": "InStock"}"#;

fn linked(text: &str) -> String {
    format!("<script type='application/ld+json'>{text}</script>")
}

fn product(html: &str) -> Product {
    page(html).product.unwrap()
}

/// A product's price in the offers of JSON-LD.
fn price_of(offers: &str) -> (Option<f64>, Option<String>) {
    let product = product(&linked(&format!(
        r#"{{"@type": "Product", "name": "P", "image": "/a.jpg", "offers": {offers}}}"#
    )));
    (product.price, product.currency)
}

#[test]
fn better_evidence_wins_field_by_field() {
    let html = r#"<meta property="og:type" content="product"><meta property="og:title" content="Hat | Shop">
        <meta property="og:image" content="/og.jpg"><meta property="product:brand" content="Feltro">
        <meta property="product:price:amount" content="59.95">
        <meta property="product:price:currency" content="EUR">
        <div itemscope itemtype="http://schema.org/PRODUCT"><h1 itemprop="name">Hat</h1>
        <img itemprop="image" src="/1.jpg"><img itemprop="image" data-src="/2.jpg">
        <div itemprop="offers" itemscope><meta itemprop="price" content="49.95"></div></div>"#;
    let found = page(html);
    let product = found.product.unwrap();
    assert_eq!(product.title.as_deref(), Some("Hat"));
    assert_eq!((product.price, product.brand.as_deref()), (Some(49.95), Some("Feltro")));
    assert_eq!(product.images.len(), 2, "{:?}", product.images);
    let from = |field: &str| found.report.fields.iter().find(|(name, _)| name == field).unwrap().1;
    assert_eq!((from("price"), from("brand")), (Origin::Microdata, Origin::OpenGraph));
}

#[test]
fn items_that_lie_apart() {
    // `itemref`, and RDFa beside it.
    let item = r#"<div itemscope itemtype="https://schema.org/Product" itemref="pics">
        <b itemprop="name">Scarf</b></div><p id="pics"><img itemprop="image" src="/s.jpg"></p>"#;
    assert_eq!(product(item).images, ["https://shop.example/s.jpg"]);
    let rdfa = r#"<div vocab="https://schema.org/" typeof="Product"><h1 property="name">Scarf</h1>
        <img property="image" src="/s.jpg"><div property="offers" typeof="Offer">
        <span property="price" content="12.00">12</span><meta property="priceCurrency" content="EUR">
        </div></div>"#;
    let scarf = product(rdfa);
    assert_eq!((scarf.price, scarf.images.len()), (Some(12.0), 1));
    let base = r#"<base href="https://cdn.example/x/">"#.to_owned()
        + &linked(r#"{"@type": "Product", "name": "P", "image": "i/1.jpg"}"#);
    assert_eq!(product(&base).images, ["https://cdn.example/x/i/1.jpg"]);
    let offer = linked(
        r##"{"@graph": [{"@type": "Product", "@id": "#p", "name": "P", "image": "/a.jpg"},
        {"@type": "Offer", "price": 5, "priceCurrency": "EUR", "itemOffered": {"@id": "#p"}}]}"##,
    );
    assert_eq!(product(&offer).price, Some(5.0));
}

#[test]
fn related_products_and_listings_are_not_the_pages() {
    let related = linked(&format!(
        r#"[{{"@type": "Product", "name": "Cap", "url": "/p/9", "image": "/c.jpg"}},
        {{"@type": "product", "name": "Hat", "image": "/h.jpg", {OFFER}}}]"#
    ));
    assert_eq!(product(&related).title.as_deref(), Some("Hat"));
    let canonical = r#"<link rel="canonical" href="https://shop.example/fr/chapeau">"#.to_owned()
        + &linked(
            r#"[{"@type": "Product", "name": "Cap", "url": "/fr/casquette"},
            {"@type": "Product", "name": "Chapeau", "url": "/fr/chapeau"}]"#,
        );
    let found = page(&canonical);
    assert_eq!(found.canonical.as_deref(), Some("https://shop.example/fr/chapeau"));
    assert_eq!(found.product.unwrap().title.as_deref(), Some("Chapeau"));
    let named = "<h1>Straw hat</h1>".to_owned()
        + &linked(
            r#"[{"@type": "Product", "name": "Cap"}, {"@type": "Product", "name": "Straw hat"}]"#,
        );
    assert_eq!(product(&named).title.as_deref(), Some("Straw hat"));
    let list = linked(
        r#"{"@type": "ItemList", "itemListElement": [
        {"@type": "ListItem", "item": {"@type": "Product", "name": "A", "url": "/p/a", "image": "/a.jpg"}},
        {"@type": "ListItem", "item": {"@type": "Product", "name": "B", "url": "/p/b", "image": "/b.jpg"}}]}"#,
    );
    let found = page(&list);
    assert!(found.product.is_none() && found.is_listing);
    let flat: String = ["a", "b", "c"]
        .iter()
        .map(|n| linked(&format!(r#"{{"@type": "Product", "name": "{n}", "url": "/p/{n}x"}}"#)))
        .collect();
    assert!(page(&flat).product.is_none());
    let elsewhere = "<h1>All hats</h1>".to_owned()
        + &linked(
            r#"{"@type": "Product", "name": "Beret", "url": "/p/beret-77", "image": "/b.jpg"}"#,
        );
    assert!(page(&elsewhere).product.is_none(), "a featured product");
}

#[test]
fn groups_and_variants_are_one_product() {
    let group = linked(
        r##"[{"@type": "ProductGroup", "@id": "#g", "name": "Coat", "brand": "Loden", "hasVariant":
        [{"@id": "#a"}, {"@id": "#b"}]},
        {"@type": "Product", "@id": "#a", "name": "Coat S", "image": "/1.jpg", "offers": {"price": 80}},
        {"@type": "Product", "@id": "#b", "name": "Coat M", "image": "/2.jpg", "offers": {"price": 90}}]"##,
    );
    let coat = product(&group);
    assert_eq!(coat.title.as_deref(), Some("Coat"));
    assert_eq!(
        (coat.price, coat.images.len(), coat.brand.as_deref()),
        (Some(80.0), 2, Some("Loden"))
    );
}

#[test]
fn the_price_that_is_asked() {
    let eur = |amount| (Some(amount), Some("EUR".to_owned()));
    // In stock before cheaper.
    assert_eq!(
        price_of(
            r#"[{"price": 50, "priceCurrency": "EUR", "availability": "InStock"},
            {"price": 30, "priceCurrency": "EUR", "availability": "OutOfStock"}]"#
        ),
        eur(50.0)
    );
    let specified = |more: &str| {
        price_of(&format!(
            r#"{{"priceCurrency": "EUR", "priceSpecification": [{{"price": "50.00"}}, {more}]}}"#
        ))
    };
    assert_eq!(specified(r#"{"price": 40, "validForMemberTier": {"name": "gold"}}"#), eur(50.0));
    assert_eq!(
        specified(r#"{"price": 70, "priceType": "https://schema.org/ListPrice"}"#),
        eur(50.0)
    );
    assert_eq!(
        specified(r#"{"price": 5, "referenceQuantity": {"value": 100, "unitCode": "GRM"}}"#),
        eur(50.0)
    );
    assert_eq!(specified(r#"{"@type": "DeliveryChargeSpecification", "price": 4}"#), eur(50.0));
    // Sales in their time only.
    let sale = |to: &str| {
        specified(&format!(r#"{{"price": 35, "priceType": "SalePrice", "validThrough": "{to}"}}"#))
    };
    assert_eq!(sale("2999-01-01"), eur(35.0));
    assert_eq!(sale("2001-01-01"), eur(50.0));
    // A date that was forgotten hides no only price.
    assert_eq!(
        price_of(
            r#"{"priceSpecification": [{"price": 20, "priceCurrency": "EUR", "validThrough": "2001-01-01"}]}"#
        ),
        eur(20.0)
    );
    assert_eq!(price_of(r#"{"price": "0.00", "priceCurrency": "EUR"}"#).0, None);
    let digits = "9".repeat(400);
    assert_eq!(price_of(&format!(r#"{{"price": "{digits}", "priceCurrency": "EUR"}}"#)).0, None);
    let text = r#"<div itemscope itemtype="https://schema.org/Product"><b itemprop="name">P</b>
        <img itemprop="image" src="/a.jpg"><p itemprop="offers" itemscope>
        <span itemprop="price"><del>79,95 €</del> <b>49,95 €</b></span></p></div>"#;
    assert_eq!(product(text).price, Some(49.95));
    assert!(product(text).attributes.is_empty());
}

#[test]
fn list_and_unit_prices_are_attributes() {
    let html = linked(
        r#"{"@type": "Product", "name": "P", "offers": {"price": 10, "priceCurrency": "EUR",
        "priceSpecification": [{"price": 15, "priceType": "StrikethroughPrice"},
        {"price": 4, "referenceQuantity": {"unitCode": "KGM"}}]}}"#,
    );
    let found = product(&html).attributes;
    assert_eq!(found.get("list_price").map(String::as_str), Some("15"));
    assert_eq!(found.get("unit_price").map(String::as_str), Some("4"));
}

#[test]
fn categories_from_breadcrumbs() {
    let crumbs = linked(
        r#"{"@type": "BreadcrumbList", "itemListElement": [
        {"@type": "ListItem", "position": 3, "item": {"@id": "/p/1", "name": "Hat"}},
        {"@type": "ListItem", "position": 1, "name": "Home", "item": "/"},
        {"@type": "ListItem", "position": 2, "item": {"@id": "/c", "name": "Hats &amp; caps"}}]}"#,
    ) + &linked(r#"{"@type": "Product", "name": "Hat", "image": "/h.jpg"}"#);
    assert_eq!(product(&crumbs).category.as_deref(), Some("Hats & caps"));
    let seen = r#"<nav aria-label="Breadcrumb"><a href="/">Start</a> > <a href="/c">Women</a> >
        <a href="/c/h">Hats</a></nav>"#
        .to_owned()
        + &linked(r#"{"@type": "Product", "name": "Hat", "image": "/h.jpg"}"#);
    assert_eq!(product(&seen).category.as_deref(), Some("Women > Hats"));
}

#[test]
fn galleries_without_other_sizes_and_other_products() {
    let html = linked(
        r#"{"@type": "Product", "name": "Hat", "image": "https://cdn.example/hat_800x800.jpg"}"#,
    ) + r#"<div class="product-gallery"><div><img src="https://cdn.example/hat_100x100.jpg"></div>
        <a href="https://cdn.example/back.jpg"><img src="https://cdn.example/back_100x100.jpg"></a>
        <img src="https://cdn.example/side_100x100.jpg"></div>
        <div class="related gallery"><a href="/p/2"><img src="https://cdn.example/cap.jpg"></a></div>"#;
    let images = product(&html).images;
    assert_eq!(
        images,
        [
            "https://cdn.example/hat_800x800.jpg",
            "https://cdn.example/back.jpg",
            "https://cdn.example/side_100x100.jpg"
        ]
    );
}

#[test]
fn embedded_state_and_data_layers_fill_holes() {
    let state = r#"<title>Hat</title><meta property="og:image" content="/og.jpg">
        <script id="__NEXT_DATA__" type="application/json">{"props": {"pageProps": {"product":
        {"name": "Hat", "price": 4995, "brand": {"name": "Feltro"}, "images": [{"url": "/1.jpg"}, "/2.jpg"]}}}}</script>"#;
    let hat = product(state);
    assert_eq!((hat.brand.as_deref(), hat.images.len()), (Some("Feltro"), 2));
    assert_eq!(hat.price, None, "cents or euros is not said");
    let layer = linked(r#"{"@type": "Product", "name": "Hat", "image": "/1.jpg"}"#)
        + r#"<h1>Hat</h1><script>dataLayer.push({'ecommerce': {'currencyCode': 'EUR', 'detail':
        {'products': [{'name': 'Hat', 'price': '49', brand: "Feltro"}]}}});</script>"#;
    let hat = product(&layer);
    assert_eq!((hat.price, hat.currency.as_deref()), (Some(49.0), Some("EUR")));
    assert_eq!(hat.brand.as_deref(), Some("Feltro"));
}

#[test]
fn pages_without_data_as_people_see_them() {
    let shown = |price: &str| {
        format!(
            r#"<title>Felt hat</title><meta property="og:image" content="/h.jpg"><main><h1>Felt hat</h1>
            {price}<p class="stock in-stock">Auf Lager</p><button class="add-to-cart">In den Warenkorb</button>
            <table><tr><th>Marke</th><td>Feltro</td></tr></table></main>
            <div class="related"><span class="price">9,00 €</span></div>"#
        )
    };
    let hat = product(&shown(
        r#"<p class="price"><del>59,00 €</del> <ins class="sale-price">49,00 €</ins></p>"#,
    ));
    assert_eq!((hat.price, hat.currency.as_deref()), (Some(49.0), Some("EUR")));
    assert_eq!(
        (hat.brand.as_deref(), hat.availability),
        (Some("Feltro"), Some(Availability::InStock))
    );
    let several = shown(r#"<b class="price">49,00 €</b><b class="price">12,00 €</b>"#);
    assert!(page(&several).product.is_none(), "which of them is not said");
}

#[test]
fn what_templates_leave_is_nothing() {
    let html = linked(
        r#"{"@type": "Product", "name": "Hat", "brand": "$metabrand", "image": ["{{ image }}", null, "/h.jpg"],
        "category": "${category}", "offers": {"price": "{{ price }}", "priceCurrency": "EUR"}}"#,
    );
    let found = page(&html);
    let hat = found.product.unwrap();
    assert_eq!((hat.brand, hat.category, hat.price), (None, None, None));
    assert_eq!(hat.images, ["https://shop.example/h.jpg"]);
    assert!(found.report.refused.iter().any(|refused| refused.field == "price"));
}

#[test]
fn selectors_fill_what_is_open() {
    let select: Select = serde_json::from_value(serde_json::json!({
        "title": "h2.name", "price": ".cost", "image": "img.big@data-large", "currency": "CHF",
    }))
    .unwrap();
    select.check().unwrap();
    let html = r#"<h2 class="name">Hat</h2><i class="cost">49.50</i><img class="big" data-large="/h.jpg">"#;
    let reader = PageReader { select, ..PageReader::default() };
    let url = Url::parse("https://shop.example/p/1").unwrap();
    let hat = reader.read(html.as_bytes(), None, &url).product.unwrap();
    assert_eq!((hat.title.as_deref(), hat.price), (Some("Hat"), Some(49.5)));
    assert_eq!((hat.currency.as_deref(), hat.images.len()), (Some("CHF"), 1));
    assert!(page(html).product.is_none(), "without them it has no data");
    let wrong = Select { title: Some("h1[".into()), ..Select::default() };
    assert!(wrong.check().unwrap_err().contains("select.title"));
}
