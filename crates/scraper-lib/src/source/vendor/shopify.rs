//! Shopify's product export (<https://help.shopify.com/manual/products/import-export>), old and
//! new: a row per variant and image, told apart by their handle.

use super::{
    Item, Row, Vendor,
    draft::{Draft, Offer},
};
use crate::source::{Availability, text};

pub(super) const HANDLE: [&str; 2] = ["handle", "url_handle"];
pub(super) const IMAGE: [&str; 2] = ["image_src", "product_image_url"];

/// The product whose rows come in.
#[derive(Debug, Default)]
pub(super) struct Shopify {
    current: Option<Draft>,
    hidden: bool,
    /// Names of its options: only the first row has them.
    options: [Option<String>; 3],
}

impl Shopify {
    fn end(&mut self, out: &mut Vec<Item>) {
        if let Some(draft) = self.current.take().filter(|_| !self.hidden) {
            out.push(draft.finish());
        }
    }

    fn begin(&mut self, line: u64, handle: &str, row: &Row) {
        let shown = row.flag(&["published", "published_on_online_store"]) != Some(false)
            && row.flag(&["status"]) != Some(false);
        self.hidden = !shown;
        self.options = [1, 2, 3].map(|n| {
            let name = row.get(&[&format!("option{n}_name")])?;
            // A product without options has one named so.
            text::some(name).filter(|name| name != "Title")
        });
        let mut draft = Draft::new(line, handle);
        let own = |names: &[&str]| row.get(names).and_then(text::some);
        draft.title = own(&["title"]);
        draft.description = row.get(&["body", "description"]).map(str::to_owned);
        draft.brand = own(&["vendor"]);
        draft.category =
            own(&["type"]).or_else(|| own(&["product_category", "custom_product_type"]));
        draft.attribute("tags", row.get(&["tags"]));
        self.current = Some(draft);
    }
}

/// Whether a variant can be had: what is not counted can.
fn available(row: &Row) -> Option<Availability> {
    let known = ["variant_inventory_qty", "inventory_quantity"];
    let tracker = row.get(&["variant_inventory_tracker", "inventory_tracker"]);
    let more = row.get(&["variant_inventory_policy"]) == Some("continue")
        || row.flag(&["continue_selling_when_out_of_stock"]) == Some(true);
    let quantity: Option<i64> = row.get(&known).and_then(|n| n.parse().ok());
    match (quantity, tracker) {
        (Some(quantity), _) if quantity > 0 => Some(Availability::InStock),
        (Some(_), Some(_)) if !more => Some(Availability::OutOfStock),
        (Some(_), _) => Some(Availability::InStock),
        (None, _) => None,
    }
}

impl Vendor for Shopify {
    fn row(&mut self, line: u64, row: &Row, out: &mut Vec<Item>) {
        let Some(handle) = row.get(&HANDLE) else {
            out.push((line, Err("the handle is empty".into())));
            return;
        };
        if self.current.as_ref().is_none_or(|draft| draft.id != handle) {
            self.end(out);
            self.begin(line, handle, row);
        }
        let Some(draft) = &mut self.current else { return };
        if let Some(image) = row.get(&IMAGE) {
            let place = row.get(&["image_position"]).and_then(|n| n.parse().ok());
            draft.image(place.unwrap_or(u32::MAX - 1), image);
        }
        if let Some(image) = row.get(&["variant_image", "variant_image_url"]) {
            draft.image(u32::MAX, image);
        }
        for (number, name) in (1..).zip(&self.options) {
            if let Some(name) = name {
                draft.attribute(name, row.get(&[&format!("option{number}_value")]));
            }
        }
        draft.attribute("sku", row.get(&["variant_sku", "sku"]));
        draft.attribute("gtin", row.get(&["variant_barcode", "barcode"]));
        if let Some(price) = row.get(&["variant_price", "price"]) {
            let before = row.get(&["variant_compare_at_price", "compare_at_price"]);
            let offer = match before {
                Some(before) => Offer::new(Some(before), Some(price), available(row)),
                None => Offer::new(Some(price), None, available(row)),
            };
            // A price "before" that is no higher is none.
            let offer = match offer.list {
                None => Offer::new(Some(price), None, available(row)),
                Some(_) => offer,
            };
            draft.offers.push(offer);
        }
    }

    fn finish(&mut self, out: &mut Vec<Item>) {
        self.end(out);
    }
}
