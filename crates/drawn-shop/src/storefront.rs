//! The shop as the web has it: Shopify-shaped `products.json`, product pages with JSON-LD behind
//! a sitemap, Google Merchant feeds, `robots.txt`. The pictures are those of [`crate::write`].

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{Error, Shop, broken, catalogue::Product, export::file_name};

/// Pages per sitemap: small, so that a small shop has several.
const SITEMAP: usize = 100;

/// What [`storefront`] needs of a product, broken ones included.
struct Article {
    id: String,
    title: String,
    description: String,
    brand: String,
    category: String,
    price: String,
    in_stock: bool,
    color: String,
    images: Vec<String>,
}

impl Article {
    fn of(product: &Product) -> Self {
        let names = (0..product.images.len()).map(|k| file_name(product, k));
        Article {
            id: product.id.clone(),
            title: product.title.clone(),
            description: product.description.clone(),
            brand: product.brand.clone(),
            category: product.category.clone(),
            price: product.price.clone(),
            in_stock: product.availability == "in_stock",
            color: product.color.name().to_owned(),
            images: names.map(|name| format!("images/{name}")).collect(),
        }
    }

    fn broken(name: &str, what: &str) -> Self {
        Article {
            id: name.trim_end_matches(".jpg").to_owned(),
            title: what.to_owned(),
            description: String::new(),
            brand: "Broken".to_owned(),
            category: "Broken".to_owned(),
            price: "1.00".to_owned(),
            in_stock: false,
            color: "red".to_owned(),
            images: vec![format!("images/{name}")],
        }
    }
}

/// Writes the shop front of `shop` into `dir`, whose address is `base` (without a final slash).
/// With `with_broken`, the broken files of [`crate::write`] are sold too. Gives the number of
/// products.
pub fn storefront(shop: &Shop, dir: &Path, base: &str, with_broken: bool) -> Result<usize, Error> {
    let mut articles: Vec<Article> = shop.products().iter().map(Article::of).collect();
    if with_broken {
        let files = broken::files(&[]);
        articles.extend(files.iter().map(|file| Article::broken(file.name, file.what)));
    }
    for folder in ["products", "feeds", "sitemaps"] {
        let path = dir.join(folder);
        fs::create_dir_all(&path).map_err(|e| failed(&path, e))?;
    }
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).map_err(|e| failed(&path, e))
    };
    let shopify: Vec<Value> =
        (1..).zip(&articles).map(|(id, article)| shopify(id, article, base)).collect();
    put("products.json", json!({ "products": shopify }).to_string().as_bytes())?;
    put("meta.json", br#"{"name": "Drawn shop", "currency": "EUR"}"#)?;
    put("robots.txt", robots(base).as_bytes())?;
    for article in &articles {
        put(&format!("products/{}.html", article.id), page(article, base).as_bytes())?;
    }
    let mut index = String::from(concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?>"#,
        r#"<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">"#
    ));
    for (number, part) in (1..).zip(articles.chunks(SITEMAP)) {
        let name = format!("sitemaps/products-{number}.xml.gz");
        put(&name, &gzip(&sitemap(part, base)).map_err(|e| failed(&dir.join(&name), e))?)?;
        index += &format!("<sitemap><loc>{base}/{name}</loc></sitemap>");
    }
    put("sitemap.xml", (index + "</sitemapindex>").as_bytes())?;
    put("feeds/merchant.xml", merchant_xml(&articles, base).as_bytes())?;
    put("feeds/merchant.tsv", merchant_tsv(&articles, base).as_bytes())?;
    Ok(articles.len())
}

/// Draws the first pictures of the first `n` products anew, as other garments, into the files they
/// are in.
pub fn redraw(shop: &Shop, dir: &Path, n: usize) -> Result<(), Error> {
    let products = shop.products();
    for (i, product) in products.iter().take(n).enumerate() {
        let other = products.get((i + n) % products.len().max(1));
        let (Some(image), Some(other)) =
            (product.images.first(), other.and_then(|p| p.images.first()))
        else {
            continue;
        };
        // One pixel wider: a picture that the shop has nowhere else.
        let (width, height) = (image.width + 1, image.height);
        let file = other.clone().with_format(image.format).with_size(width, height).file()?;
        let path: PathBuf = dir.join("images").join(file_name(product, 0));
        fs::write(&path, file).map_err(|e| failed(&path, e))?;
    }
    Ok(())
}

fn shopify(id: usize, article: &Article, base: &str) -> Value {
    let images: Vec<Value> =
        article.images.iter().map(|path| json!({ "src": format!("{base}/{path}") })).collect();
    // Both ways in which shops write tags.
    let tags = match id % 2 {
        0 => json!([article.category, article.color]),
        _ => json!(format!("{}, {}", article.category, article.color)),
    };
    json!({
        "id": 7_000_000_000_u64 + id as u64,
        "title": article.title,
        "handle": article.id,
        "body_html": format!("<p>{}</p>", escape(&article.description)),
        "vendor": article.brand,
        "product_type": article.category,
        "tags": tags,
        "options": [{ "name": "Color", "values": [article.color] }],
        "variants": [
            { "id": id * 2, "title": "S", "price": article.price, "available": article.in_stock },
            { "id": id * 2 + 1, "title": "M", "price": "999.00", "available": false },
        ],
        "images": images,
    })
}

fn robots(base: &str) -> String {
    format!("User-agent: *\nDisallow: /checkout\nDisallow: /*?sort=\nSitemap: {base}/sitemap.xml\n")
}

fn page(article: &Article, base: &str) -> String {
    let images: Vec<String> = article.images.iter().map(|p| format!("{base}/{p}")).collect();
    let linked = json!({
        "@context": "https://schema.org",
        "@graph": [
            { "@type": "BreadcrumbList", "itemListElement": [] },
            {
                "@type": ["Product", "Thing"],
                "name": article.title,
                "description": article.description,
                "sku": article.id,
                "brand": { "@type": "Brand", "name": article.brand },
                "category": article.category,
                "color": article.color,
                "image": images,
                "offers": {
                    "@type": "Offer",
                    "price": article.price,
                    "priceCurrency": "EUR",
                    "availability": format!(
                        "https://schema.org/{}",
                        if article.in_stock { "InStock" } else { "OutOfStock" }
                    ),
                },
            },
        ],
    });
    // A `</script>` in a text would end the element.
    let linked = linked.to_string().replace("</", "<\\/");
    format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"><title>{title}</title>\
         <script type=\"application/ld+json\">{{\"@type\": \"WebPage\", broken</script>\
         <script type=\"application/ld+json\">{linked}</script></head>\
         <body><h1>{title}</h1><p>{description}</p></body></html>\n",
        title = escape(&article.title),
        description = escape(&article.description),
    )
}

fn sitemap(articles: &[Article], base: &str) -> String {
    let mut xml = String::from(concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?>"#,
        r#"<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">"#
    ));
    for article in articles {
        xml += &format!("<url><loc>{base}/products/{}</loc></url>\n", escape(&article.id));
    }
    xml + "</urlset>"
}

fn merchant_xml(articles: &[Article], base: &str) -> String {
    let mut xml = String::from(concat!(
        r#"<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">"#,
        "<channel><title>Drawn shop</title>"
    ));
    for article in articles {
        let field = |name: &str, text: &str| format!("<g:{name}>{}</g:{name}>", escape(text));
        xml += "<item>";
        xml += &field("id", &article.id);
        xml += &field("title", &article.title);
        xml += &field("description", &article.description);
        xml += &field("link", &format!("{base}/products/{}", article.id));
        xml += &field("brand", &article.brand);
        xml += &field("product_type", &article.category);
        xml += &field("price", &format!("{} EUR", article.price));
        xml += &field("availability", availability(article));
        xml += &field("color", &article.color);
        for (k, image) in article.images.iter().enumerate() {
            let name = if k == 0 { "image_link" } else { "additional_image_link" };
            xml += &field(name, &format!("{base}/{image}"));
        }
        xml += "<g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping>";
        xml += "</item>\n";
    }
    xml + "</channel></rss>"
}

fn merchant_tsv(articles: &[Article], base: &str) -> String {
    let mut table = String::from(
        "id\ttitle\tlink\tprice\tavailability\tbrand\timage link\tadditional image link\n",
    );
    for article in articles {
        let images: Vec<String> = article.images.iter().map(|p| format!("{base}/{p}")).collect();
        let (first, more) = images.split_first().map_or(("", &[][..]), |(f, m)| (f, m));
        table += &format!(
            "{}\t{}\t{base}/products/{}\t{} EUR\t{}\t{}\t{first}\t{}\n",
            article.id,
            article.title,
            article.id,
            article.price,
            availability(article),
            article.brand,
            more.join(",")
        );
    }
    table
}

fn availability(article: &Article) -> &'static str {
    if article.in_stock { "in stock" } else { "out of stock" }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn gzip(text: &str) -> std::io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes())?;
    packed.finish()
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Write { path: path.display().to_string(), source }
}
