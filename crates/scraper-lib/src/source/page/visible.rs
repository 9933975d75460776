//! What people see on a page that has no data: the price beside the heading, the button to buy, the
//! words about stock and brand.
//!
//! It is believed only where the page leaves no choice: one price in the part of the page that the
//! heading is in.

mod words;

use super::{
    budget::{Blown, Meter},
    dom::Node,
    report::{Origin, Report},
    survey::Survey,
};
use crate::source::{
    Availability,
    price::{self, Money},
    text,
};
use words::{BRAND, BRAND_NAMES, BUY, OTHER, PRICE, SALE, STOCK};

/// Texts that are longer hold more than a price.
const LONGEST: usize = 80;
/// Ancestors of the heading that are looked at.
const UP: usize = 12;

/// What is seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) price: Option<Money>,
    pub(super) can_be_bought: bool,
    pub(super) availability: Option<Availability>,
    pub(super) brand: Option<String>,
}

fn names(node: Node<'_>) -> String {
    let names = [
        "class",
        "id",
        "itemprop",
        "data-testid",
        "data-test",
        "data-qa",
        "data-role",
        "data-auto",
    ];
    let named = names.iter().filter_map(|name| node.attribute(name));
    named.collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

fn any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

pub(super) fn read(survey: &Survey<'_>, meter: &Meter, report: &mut Report) -> Result<Seen, Blown> {
    let mut seen = Seen::default();
    for node in survey.dom.elements() {
        if matches!(node.name(), "button" | "input" | "form" | "a")
            && !seen.can_be_bought
            && !node.has("disabled")
        {
            let shown = node.attribute("value").or_else(|| node.attribute("action"));
            let mut text = names(node) + " " + &shown.unwrap_or_default().to_lowercase();
            if matches!(node.name(), "button" | "a") {
                let inner = node.text(meter)?;
                if inner.len() <= 400 {
                    text += &inner.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
                }
            }
            seen.can_be_bought = any(&text, BUY);
        }
    }
    let heading = survey.dom.elements().find(|node| node.name() == "h1");
    let Some(heading) = heading else { return Ok(seen) };
    let areas: Vec<Node<'_>> = std::iter::successors(heading.parent(), |node| node.parent())
        .take(UP)
        .filter(|node| node.name() != "html")
        .collect();
    for area in &areas {
        let (sale, plain) = prices(*area, meter)?;
        let found = if sale.is_empty() { plain } else { sale };
        let Some(first) = found.first() else { continue };
        let alike = found.iter().all(|price| {
            price.amount == first.amount
                && (price.currency == first.currency || price.currency.is_none())
        });
        match alike {
            true => seen.price = Some(first.clone()),
            false => report.refuse("price", Origin::Html, "", "the page shows several prices"),
        }
        break;
    }
    for area in &areas {
        seen.availability = stock(*area, meter)?;
        if seen.availability.is_some() {
            break;
        }
    }
    for area in areas.iter().take(6) {
        seen.brand = brand(*area, meter)?;
        if seen.brand.is_some() {
            break;
        }
    }
    if seen.brand.is_none() {
        seen.brand = listed_brand(survey, meter)?;
    }
    // Who offers to sell it has it.
    if seen.availability.is_none() && seen.can_be_bought && seen.price.is_some() {
        seen.availability = Some(Availability::InStock);
    }
    Ok(seen)
}

/// What the elements about stock agree on.
fn stock(area: Node<'_>, meter: &Meter) -> Result<Option<Availability>, Blown> {
    let mut found = None;
    for node in area.descendants() {
        meter.value()?;
        let named = names(node);
        if !any(&named, STOCK) || any(&named, &["related", "recommend", "upsell", "swatch"]) {
            continue;
        }
        if matches!(node.name(), "script" | "style" | "input" | "select" | "option" | "link") {
            continue;
        }
        let inner = node.text(meter)?;
        let told = match inner.len() <= LONGEST {
            true => text::availability(&inner),
            false => None,
        };
        match (found, told) {
            (None, told) => found = told,
            (Some(known), Some(told)) if known != told => return Ok(None),
            _ => {}
        }
    }
    Ok(found)
}

/// The one text of elements that are called the brand.
fn brand(area: Node<'_>, meter: &Meter) -> Result<Option<String>, Blown> {
    let mut found: Option<String> = None;
    for node in area.descendants() {
        meter.value()?;
        let class = node.attribute("class").unwrap_or_default().to_ascii_lowercase();
        let id = node.attribute("id").unwrap_or_default().to_ascii_lowercase();
        let called = class.split_whitespace().any(|word| BRAND.contains(&word));
        if !called && !BRAND.contains(&id.as_str()) {
            continue;
        }
        let Some(told) = text::meaningful(&node.text(meter)?) else { continue };
        let told = told.strip_prefix("by ").unwrap_or(&told);
        let told = told.split_once(": ").map_or(told, |(_, after)| after).trim().to_owned();
        if told.is_empty() || told.chars().count() > 40 {
            continue;
        }
        match &found {
            Some(known) if *known != told => return Ok(None),
            _ => found = Some(told),
        }
    }
    Ok(found)
}

/// "Brand" in a table of properties.
fn listed_brand(survey: &Survey<'_>, meter: &Meter) -> Result<Option<String>, Blown> {
    for node in survey.dom.elements().filter(|node| matches!(node.name(), "th" | "dt" | "td")) {
        meter.value()?;
        let label = node.text(meter)?.to_lowercase();
        let label = label.trim().trim_end_matches(':').trim();
        if !BRAND_NAMES.contains(&label) {
            continue;
        }
        let value = node.parent().and_then(|parent| {
            let mut after = parent.children().skip_while(|child| child.id() != node.id()).skip(1);
            after.find(|child| matches!(child.name(), "td" | "dd"))
        });
        let Some(value) = value else { continue };
        if let Some(told) = text::meaningful(&value.text(meter)?)
            && told.chars().count() <= 40
        {
            return Ok(Some(told));
        }
    }
    Ok(None)
}

/// Prices in a part of the page: those that are called a sale's, and the others.
fn prices(area: Node<'_>, meter: &Meter) -> Result<(Vec<Money>, Vec<Money>), Blown> {
    let (mut sale, mut plain) = (Vec::new(), Vec::new());
    let mut nodes = area.descendants();
    while let Some(node) = nodes.next() {
        meter.value()?;
        if matches!(
            node.name(),
            "del" | "s" | "strike" | "select" | "option" | "script" | "style" | "footer"
        ) {
            nodes.leave();
            continue;
        }
        let named = names(node);
        if named.is_empty() {
            continue;
        }
        if any(&named, OTHER) && !any(&named, &["price-sales", "sales-price"]) {
            nodes.leave();
            continue;
        }
        if !any(&named, PRICE) {
            continue;
        }
        // The innermost that is called so holds it.
        let inner = node.descendants().any(|node| {
            let named = names(node);
            any(&named, PRICE) || matches!(node.name(), "del" | "s" | "strike")
        });
        if inner {
            continue;
        }
        let text = node.text(meter)?;
        let content = node.attribute("content").map(str::to_owned);
        let text = content.unwrap_or(text);
        if text.len() > LONGEST {
            continue;
        }
        if let Ok(money) = price::read(text.trim(), None)
            && money.amount > 0.0
            && (money.currency.is_some() || text.contains(['.', ',', '$', '¥', 'k']))
        {
            let of_sale =
                any(&named, SALE) || node.parent().is_some_and(|parent| any(&names(parent), SALE));
            if of_sale { sale.push(money) } else { plain.push(money) }
        }
    }
    Ok((sale, plain))
}
