//! Magento's product export
//! (<https://experienceleague.adobe.com/en/docs/commerce-admin/systems/data-transfer/data-attributes-product>):
//! a row per product; a configurable one names the simple ones that it is made of.

use std::collections::{HashMap, HashSet};

use super::{
    Day, Item, MOST_WAITING, Row, Vendor, commas, deepest,
    draft::{Draft, Offer},
    in_dates,
};
use crate::source::{Availability, text};

pub(super) const IMAGE: [&str; 3] = ["base_image", "image", "small_image"];

/// Products that are parts of others, and those others.
#[derive(Debug, Default)]
pub(super) struct Magento {
    parts: Vec<Draft>,
    by_sku: HashMap<String, usize>,
    /// With the SKUs of their parts.
    whole: Vec<(Draft, Vec<String>)>,
    /// Parts of what the shop does not show.
    hidden: HashSet<String>,
}

fn draft(line: u64, sku: &str, row: &Row) -> Draft {
    let mut draft = Draft::new(line, sku);
    let own = |names: &[&str]| row.get(names).and_then(text::some);
    draft.title = own(&["name"]);
    draft.description = row.get(&["description", "short_description"]).map(str::to_owned);
    draft.category = row.get(&["categories"]).and_then(|list| {
        let path = deepest(list, '/')?;
        // The root of all, which no visitor sees.
        Some(path.strip_prefix("Default Category > ").map_or(path.clone(), str::to_owned))
    });
    let further = commas(row.get(&["additional_images"]).unwrap_or_default());
    let first = row.get(&IMAGE).map(str::to_owned).into_iter();
    for (place, address) in (0..).zip(first.chain(further)) {
        draft.image(place, &address);
    }
    for (name, value) in pairs(row.get(&["additional_attributes"]).unwrap_or_default()) {
        match name {
            "manufacturer" | "brand" => draft.brand = text::some(value),
            _ => draft.attribute(name, Some(value)),
        }
    }
    draft.brand = own(&["manufacturer", "brand"]).or(draft.brand);
    let dates = (row.get(&["special_price_from_date"]), row.get(&["special_price_to_date"]));
    let special = row.get(&["special_price"]).filter(|_| in_dates(dates.0, dates.1, Day::today()));
    let available = row.flag(&["is_in_stock"]).map(|there| match there {
        true => Availability::InStock,
        false => Availability::OutOfStock,
    });
    let quantity: Option<f64> = row.get(&["qty"]).and_then(|n| n.parse().ok());
    let available = available.or(quantity.map(|n| match n > 0.0 {
        true => Availability::InStock,
        false => Availability::OutOfStock,
    }));
    draft.offers.push(Offer::new(row.get(&["price"]), special, available));
    draft
}

/// `color=red,size=M`; a comma in a value is followed by no name.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        // Up to the comma before the next name.
        let end = after.find('=').map_or(after.len(), |next| {
            after.get(..next).and_then(|value| value.rfind(',')).unwrap_or(after.len())
        });
        found.push((name.trim(), after.get(..end).unwrap_or_default()));
        rest = after.get(end + 1..).unwrap_or_default();
    }
    found
}

/// `sku=A-M,size=M|sku=A-L,size=L`: the parts, and the option by which they differ.
fn parts(text: &str) -> Vec<Vec<(&str, &str)>> {
    text.split('|').map(pairs).filter(|pairs| !pairs.is_empty()).collect()
}

impl Vendor for Magento {
    fn row(&mut self, line: u64, row: &Row, out: &mut Vec<Item>) {
        let Some(sku) = row.get(&["sku"]) else {
            // Further rows of a product, in exports of the first version.
            if row.0.len() > 2 {
                out.push((line, Err("the sku is empty".into())));
            }
            return;
        };
        // Rows of single store views say again, in another language, what the first one said.
        if row.get(&["store_view_code"]).is_some_and(|view| view != "default") {
            return;
        }
        let variations = parts(row.get(&["configurable_variations"]).unwrap_or_default());
        let skus = || variations.iter().flatten().filter(|(name, _)| *name == "sku");
        if row.get(&["product_online", "status"]).is_some_and(|on| matches!(on, "0" | "2")) {
            self.hidden.extend(skus().map(|(_, sku)| (*sku).to_owned()));
            return;
        }
        if self.parts.len() + self.whole.len() >= MOST_WAITING {
            self.finish(out);
        }
        let mut draft = draft(line, sku, row);
        if !variations.is_empty() {
            for (option, value) in variations.iter().flatten().filter(|(name, _)| *name != "sku") {
                draft.attribute(option, Some(value));
            }
            self.whole.push((draft, skus().map(|(_, sku)| (*sku).to_owned()).collect()));
        } else if row.get(&["visibility"]).is_some_and(|v| v.starts_with("Not Visible")) {
            self.by_sku.insert(sku.to_owned(), self.parts.len());
            self.parts.push(draft);
        } else {
            out.push(draft.finish());
        }
    }

    fn finish(&mut self, out: &mut Vec<Item>) {
        let mut parts: Vec<Option<Draft>> =
            std::mem::take(&mut self.parts).into_iter().map(Some).collect();
        for (mut whole, skus) in std::mem::take(&mut self.whole) {
            for sku in skus {
                let part = self.by_sku.get(&sku).and_then(|&place| parts.get_mut(place)?.take());
                let Some(part) = part else { continue };
                // Of a whole only the parts can be bought.
                if whole.offers.first().is_some_and(|offer| offer.price.is_none()) {
                    whole.offers.clear();
                }
                whole.offers.extend(part.offers);
                let images = part.images.into_iter().map(|(_, address)| (u32::MAX, address));
                whole.images.extend(images);
            }
            out.push(whole.finish());
        }
        self.by_sku.clear();
        // Parts of nothing that is in the file.
        let alone = parts.into_iter().flatten().filter(|part| !self.hidden.contains(&part.id));
        out.extend(alone.map(Draft::finish));
    }
}
