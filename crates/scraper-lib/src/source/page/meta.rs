//! OpenGraph (<https://ogp.me>) and Twitter cards.

use super::{
    budget::Blown,
    graph::Graph,
    place,
    product::{Images, Told},
    report::{Origin, Report},
    survey::Survey,
};
use crate::source::{price, text};

const PRICES: &[&str] = &[
    "product:sale_price:amount",
    "product:price:amount",
    "og:price:amount",
    "product:price",
    "og:price",
];
const CURRENCIES: &[&str] =
    &["product:sale_price:currency", "product:price:currency", "og:price:currency"];
/// Texts of `product:…` that become attributes.
const ATTRIBUTES: &[&str] =
    &["color", "material", "pattern", "size", "condition", "retailer_item_id", "item_group_id"];

/// Whether the page says that it is a product's.
pub(super) fn is_product(survey: &Survey<'_>) -> bool {
    let kind = survey.meta(&["og:type"]).unwrap_or_default().to_ascii_lowercase();
    let card = survey.meta(&["twitter:card"]).unwrap_or_default().to_ascii_lowercase();
    let product = kind.contains("product") && !kind.contains("group") && !kind.contains("list");
    product || card == "product" || survey.meta(PRICES).is_some()
}

/// Whether it says so in so many words.
pub(super) fn is_surely_product(survey: &Survey<'_>) -> bool {
    let kind = survey.meta(&["og:type"]).unwrap_or_default().to_ascii_lowercase();
    matches!(kind.as_str(), "product" | "og:product" | "product.item" | "product:item")
}

pub(super) fn open_graph(
    survey: &Survey<'_>,
    graph: &Graph<'_>,
    report: &mut Report,
) -> Result<Told, Blown> {
    let mut images = Images::default();
    // `og:image:secure_url` repeats the image before it.
    for address in survey.metas(&["og:image", "og:image:url"]) {
        images.add(graph, address)?;
    }
    if images.list.is_empty() {
        for address in survey.metas(&["og:image:secure_url"]) {
            images.add(graph, address)?;
        }
    }
    let mut told = Told {
        title: survey.meta(&["og:title"]).map(|title| without_shop(&title, survey)),
        description: survey.meta(&["og:description"]).as_deref().and_then(text::plain),
        url: survey.meta(&["og:url"]),
        brand: survey.meta(&["product:brand", "og:brand"]),
        category: survey
            .meta(&["product:category"])
            .filter(|c| c.bytes().any(|b| !b.is_ascii_digit())),
        images: images.list,
        ..Told::default()
    };
    let currency = survey.meta(CURRENCIES).as_deref().and_then(price::currency);
    for name in PRICES {
        let Some(text) = survey.meta(&[name]) else { continue };
        match price::read(&text, currency.as_deref()) {
            Ok(money) if money.amount > 0.0 => {
                told.offered.price = Some(money.amount);
                told.offered.currency = money.currency;
                break;
            }
            Ok(_) => report.refuse("price", Origin::OpenGraph, &text, "nothing is sold for it"),
            Err(reason) => report.refuse("price", Origin::OpenGraph, &text, reason),
        }
    }
    told.offered.currency = told.offered.currency.take().or(currency);
    let availability = survey.meta(&["product:availability", "og:availability"]);
    told.offered.availability = availability.as_deref().and_then(text::availability);
    let list = survey.meta(&["product:original_price:amount"]);
    told.offered.list_price = list.and_then(|text| price::read(&text, None).ok()).map(|m| m.amount);
    for name in ATTRIBUTES {
        if let Some(text) = survey.meta(&[&format!("product:{name}")]) {
            told.attributes.insert((*name).to_owned(), text);
        }
    }
    Ok(told)
}

pub(super) fn twitter(survey: &Survey<'_>, graph: &Graph<'_>) -> Result<Told, Blown> {
    let mut images = Images::default();
    for address in survey.metas(&["twitter:image", "twitter:image:src", "twitter:image0"]) {
        images.add(graph, address)?;
    }
    let mut told = Told {
        title: survey.meta(&["twitter:title"]).map(|title| without_shop(&title, survey)),
        description: survey.meta(&["twitter:description"]).as_deref().and_then(text::plain),
        images: images.list,
        ..Told::default()
    };
    for at in 1..=2 {
        let label = survey.meta(&[&format!("twitter:label{at}")]).unwrap_or_default();
        let label = label.to_lowercase();
        let Some(data) = survey.meta(&[&format!("twitter:data{at}")]) else { continue };
        match label.as_str() {
            "price" | "preis" | "prix" | "precio" | "prezzo" | "prijs" | "cena" | "preço" => {
                if let Ok(money) = price::read(&data, None)
                    && money.amount > 0.0
                {
                    told.offered.price = Some(money.amount);
                    told.offered.currency = money.currency;
                }
            }
            "availability" | "verfügbarkeit" => {
                told.offered.availability = text::availability(&data);
            }
            "brand" => told.brand = Some(data),
            _ => {}
        }
    }
    Ok(told)
}

/// "Red dress | Shop" without the shop: where the page's heading is within it, that; else without
/// the part that is the name of the site.
pub(super) fn without_shop(title: &str, survey: &Survey<'_>) -> String {
    let words = place::words(title);
    let headings = survey.headings.iter();
    let heading = headings.filter(|heading| heading.len() >= 3).find(|heading| {
        let heading = place::words(heading);
        !heading.is_empty() && (words == heading || words.starts_with(&format!("{heading} ")))
    });
    if let Some(heading) = heading {
        return heading.clone();
    }
    let site = survey.meta(&["og:site_name"]).map(|name| place::words(&name));
    let host = survey.base.host_str().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    let host = [place::words(host), place::words(host.split('.').next().unwrap_or_default())];
    for separator in [" | ", " – ", " — ", " - ", " :: ", " » ", " · ", " • ", " @ "] {
        if let Some((before, after)) = title.rsplit_once(separator) {
            let after = place::words(after);
            let squeezed = after.replace(' ', "");
            let is_shop = site.as_ref().is_some_and(|site| *site == after)
                || host.iter().any(|host| host.replace(' ', "") == squeezed);
            if is_shop && !before.trim().is_empty() {
                return before.trim().to_owned();
            }
        }
    }
    title.to_owned()
}
