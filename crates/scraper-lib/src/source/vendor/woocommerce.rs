//! WooCommerce's product export
//! (<https://github.com/woocommerce/woocommerce/wiki/Product-CSV-Import-Schema>): a row per product
//! and per variation, which names its parent.

use std::collections::{HashMap, HashSet};

use super::{
    Day, Item, MOST_WAITING, Row, Vendor, commas, deepest,
    draft::{Draft, Offer},
    in_dates,
};
use crate::source::{Availability, text};

/// Products with variations, which may come anywhere in the file.
#[derive(Debug, Default)]
pub(super) struct WooCommerce {
    waiting: Vec<Draft>,
    /// By `id:44`, and by SKU.
    parents: HashMap<String, usize>,
    /// Variations whose parent has not come.
    orphans: Vec<(String, Draft)>,
    /// Parents that the shop does not show, and so none of their variations.
    hidden: HashSet<String>,
}

/// Words that are said of a product's kind: "variation, virtual".
fn is(row: &Row, kind: &str) -> bool {
    let kinds = row.get(&["type"]).unwrap_or_default();
    kinds.split(',').any(|word| word.trim().eq_ignore_ascii_case(kind))
}

fn offer(row: &Row) -> Offer {
    let stock: Option<f64> = row.get(&["stock"]).and_then(|n| n.parse().ok());
    let backorders = row.get(&["backorders_allowed"]).is_some_and(|b| matches!(b, "1" | "notify"));
    let available = match (row.get(&["in_stock"]), stock) {
        (Some("backorder"), _) => Some(Availability::Backorder),
        (Some(_), _) if row.flag(&["in_stock"]) == Some(true) => Some(Availability::InStock),
        (Some(_), _) => Some(Availability::OutOfStock),
        (None, Some(stock)) if stock > 0.0 => Some(Availability::InStock),
        (None, Some(_)) if backorders => Some(Availability::Backorder),
        (None, Some(_)) => Some(Availability::OutOfStock),
        (None, None) => None,
    };
    let dates = (row.get(&["date_sale_price_starts"]), row.get(&["date_sale_price_ends"]));
    let sale = row.get(&["sale_price"]).filter(|_| in_dates(dates.0, dates.1, Day::today()));
    Offer::new(row.get(&["regular_price"]), sale, available)
}

fn draft(line: u64, id: &str, row: &Row) -> Draft {
    let mut draft = Draft::new(line, id);
    let own = |names: &[&str]| row.get(names).and_then(text::some);
    draft.title = own(&["name"]);
    draft.description = row.get(&["description", "short_description"]).map(str::to_owned);
    draft.brand = own(&["brands", "brand"]);
    draft.category = row.get(&["categories"]).and_then(|list| deepest(list, '>'));
    draft.attribute("tags", row.get(&["tags"]));
    draft.url = own(&["external_url"]);
    details(&mut draft, row);
    for (place, address) in (0..).zip(commas(row.get(&["images"]).unwrap_or_default())) {
        draft.image(place, &address);
    }
    draft
}

/// What variations have of their own.
fn details(draft: &mut Draft, row: &Row) {
    draft.attribute("sku", row.get(&["sku"]));
    draft.attribute("gtin", row.get(&["gtin_upc_ean_or_isbn"]));
    for number in 1..=50 {
        let Some(name) = row.get(&[&format!("attribute_{number}_name")]) else { break };
        let values = row.get(&[&format!("attribute_{number}_value")]).unwrap_or_default();
        values.split(',').for_each(|value| draft.attribute(name, Some(value)));
    }
}

impl WooCommerce {
    fn hold(&mut self, draft: Draft, sku: Option<&str>, out: &mut Vec<Item>) {
        if self.waiting.len() + self.orphans.len() >= MOST_WAITING {
            self.finish(out);
        }
        let place = self.waiting.len();
        self.parents.insert(format!("id:{}", draft.id), place);
        if let Some(sku) = sku {
            self.parents.entry(sku.to_owned()).or_insert(place);
        }
        self.waiting.push(draft);
    }
}

/// A variation becomes part of its parent.
fn join(parent: &mut Draft, variation: Draft) {
    parent.offers.extend(variation.offers);
    parent.images.extend(variation.images.into_iter().map(|(_, address)| (u32::MAX, address)));
    for (name, values) in variation.attributes {
        for value in values {
            parent.attribute(&name, Some(&value));
        }
    }
}

impl Vendor for WooCommerce {
    fn row(&mut self, line: u64, row: &Row, out: &mut Vec<Item>) {
        let Some(id) = row.get(&["id"]).or_else(|| row.get(&["sku"])) else {
            out.push((line, Err("the id is empty".into())));
            return;
        };
        if row.flag(&["published"]) == Some(false) {
            self.hidden.insert(format!("id:{id}"));
            self.hidden.extend(row.get(&["sku"]).map(str::to_owned));
            return;
        }
        let mut draft = draft(line, id, row);
        if is(row, "variation") {
            draft.offers.push(offer(row));
            let parent = row.get(&["parent"]).unwrap_or_default();
            match self.parents.get(parent).and_then(|&place| self.waiting.get_mut(place)) {
                Some(parent) => join(parent, draft),
                None => self.orphans.push((parent.to_owned(), draft)),
            }
        } else if is(row, "variable") {
            // Its own price is none; whether it can be had its variations say better.
            self.hold(draft, row.get(&["sku"]), out);
        } else {
            draft.offers.push(offer(row));
            out.push(draft.finish());
        }
    }

    fn finish(&mut self, out: &mut Vec<Item>) {
        for (parent, draft) in std::mem::take(&mut self.orphans) {
            match self.parents.get(&parent).and_then(|&place| self.waiting.get_mut(place)) {
                Some(parent) => join(parent, draft),
                None if self.hidden.contains(&parent) => {}
                None => out.push(draft.finish()),
            }
        }
        self.parents.clear();
        out.extend(std::mem::take(&mut self.waiting).into_iter().map(Draft::finish));
    }
}
