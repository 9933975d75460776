//! `[source.select]`: fields of a page by CSS selectors, for shops without data.

use serde::{Deserialize, Serialize};

use super::{
    budget::Blown,
    graph::Graph,
    image,
    place::words,
    product::{Images, Told},
};
use crate::source::{price, text};

/// A selector for each field: `h1`, `.price`, or with the attribute that is meant, `img.main@src`.
/// Used only for what the page's data does not tell.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Select {
    pub title: Option<String>,
    pub description: Option<String>,
    pub brand: Option<String>,
    pub category: Option<String>,
    pub price: Option<String>,
    /// The currency of prices that do not name theirs, as ISO 4217 code; no selector.
    pub currency: Option<String>,
    pub availability: Option<String>,
    pub image: Option<String>,
}

impl Select {
    pub fn is_empty(&self) -> bool {
        *self == Select::default()
    }

    /// Checks that the selectors can be read.
    ///
    /// # Errors
    /// The field and the selector that cannot.
    pub fn check(&self) -> Result<(), String> {
        let fields = [
            ("title", &self.title),
            ("description", &self.description),
            ("brand", &self.brand),
            ("category", &self.category),
            ("price", &self.price),
            ("availability", &self.availability),
            ("image", &self.image),
        ];
        for (name, selector) in fields {
            let Some(selector) = selector else { continue };
            let (css, _) = parts(selector);
            if dom_query::Matcher::new(css).is_err() {
                return Err(format!("select.{name}: {css:?} is no CSS selector"));
            }
        }
        match &self.currency {
            Some(code) if price::currency(code).is_none() => {
                Err(format!("select.currency: {code:?} is no code of ISO 4217, like \"EUR\""))
            }
            _ => Ok(()),
        }
    }
}

/// The selector, and the attribute behind the last `@`.
fn parts(selector: &str) -> (&str, Option<&str>) {
    match selector.rsplit_once('@') {
        Some((css, name)) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
            (css.trim(), Some(name))
        }
        _ => (selector.trim(), None),
    }
}

/// Values of a selector, in the order of the page.
fn values(document: &dom_query::Document, selector: &str) -> Vec<String> {
    let (css, attribute) = parts(selector);
    let Ok(matcher) = dom_query::Matcher::new(css) else { return Vec::new() };
    let found = document.select_matcher(&matcher);
    let values = found.nodes().iter().filter_map(|node| {
        let content = || node.attr("content").filter(|_| node.has_name("meta"));
        let picture = || match node.has_name("img") {
            true => node.attr("src").or_else(|| node.attr("data-src")),
            false => None,
        };
        let value = match attribute {
            Some(name) => node.attr(name)?,
            None => content().or_else(picture).unwrap_or_else(|| node.text()),
        };
        text::meaningful(&value)
    });
    values.take(1000).collect()
}

/// What the selectors find. The page has been parsed within its budget before, so that this parse
/// costs no more.
pub(super) fn read(select: &Select, html: &str, graph: &Graph<'_>) -> Result<Told, Blown> {
    let document = dom_query::Document::from(html);
    graph.meter.time()?;
    let first =
        |selector: &Option<String>| values(&document, selector.as_deref()?).into_iter().next();
    let mut told = Told {
        title: first(&select.title),
        description: first(&select.description),
        brand: first(&select.brand),
        ..Told::default()
    };
    if let Some(selector) = &select.category {
        let mut names = values(&document, selector);
        let title = told.title.as_deref().map(words).unwrap_or_default();
        names.retain(|name| words(name) != title);
        told.category = (!names.is_empty()).then(|| names.join(" > "));
    }
    if let Some(text) = first(&select.price)
        && let Ok(money) = price::read(&text, select.currency.as_deref())
    {
        told.offered.price = Some(money.amount).filter(|amount| *amount > 0.0);
        told.offered.currency = money.currency;
    }
    told.offered.availability = first(&select.availability).as_deref().and_then(text::availability);
    let mut images = Images::default();
    for address in select.image.iter().flat_map(|selector| values(&document, selector)) {
        let address = match address.contains(char::is_whitespace) {
            true => image::largest(&address).unwrap_or_default().to_owned(),
            false => address,
        };
        images.add(graph, &address)?;
    }
    told.images = images.list;
    Ok(told)
}
