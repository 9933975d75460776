//! PrestaShop's table of products, as its import takes it
//! (<https://docs.prestashop-project.org/1.7-documentation/user-guide/configuring-shop/advanced-parameters/import>):
//! a row per product.

use super::{
    Day, Item, Row, Vendor, commas,
    draft::{Draft, Offer, price as price_of},
    in_dates,
};
use crate::source::{Availability, text};

pub(super) const ID: [&str; 3] = ["product_id", "id", "id_product"];

#[derive(Debug, Default)]
pub(super) struct PrestaShop;

/// What is taken off a price today.
fn discounted(row: &Row, price: &str) -> Option<String> {
    let (amount, _) = price_of(price)?;
    let dates = (row.get(&["discount_from"]), row.get(&["discount_to"]));
    let number = |name: &str| row.get(&[name]).and_then(price_of).map(|(amount, _)| amount);
    let off = number("discount_amount").filter(|off| *off > 0.0);
    let percent = number("discount_percent").filter(|percent| (0.0..100.0).contains(percent));
    let off = off.or(percent.map(|percent| amount * percent / 100.0)).filter(|off| *off > 0.0)?;
    let now = in_dates(dates.0, dates.1, Day::today()) && off < amount;
    now.then(|| format!("{:.2}", amount - off))
}

impl Vendor for PrestaShop {
    fn row(&mut self, line: u64, row: &Row, out: &mut Vec<Item>) {
        let Some(id) = row.get(&ID) else {
            out.push((line, Err("the id is empty".into())));
            return;
        };
        if row.flag(&["active"]) == Some(false) {
            return;
        }
        let mut draft = Draft::new(line, id);
        let own = |names: &[&str]| row.get(names).and_then(text::some);
        draft.title = own(&["name"]);
        draft.description = row.get(&["description", "summary"]).map(str::to_owned);
        draft.brand = own(&["manufacturer", "brand"]);
        // The first is the one that the product's page shows.
        let categories = row.get(&["categories", "category"]).unwrap_or_default();
        draft.category = categories.split(',').find_map(text::some);
        draft.attribute("tags", row.get(&["tags"]));
        draft.attribute("reference", row.get(&["reference"]));
        draft.attribute("gtin", row.get(&["ean13", "upc"]));
        for feature in row.get(&["feature", "features"]).unwrap_or_default().split(',') {
            let mut parts = feature.split(':');
            if let (Some(name), Some(value)) = (parts.next().and_then(text::some), parts.next()) {
                draft.attribute(&name, Some(value));
            }
        }
        for (place, address) in (0..).zip(commas(row.get(&["image_urls"]).unwrap_or_default())) {
            draft.image(place, &address);
        }
        let quantity: Option<f64> = row.get(&["quantity"]).and_then(|n| n.parse().ok());
        let available = quantity.map(|quantity| match quantity > 0.0 {
            true => Availability::InStock,
            false => Availability::OutOfStock,
        });
        // With tax, as visitors see it.
        let price = row.get(&["price_tax_included", "price", "price_tax_excluded"]);
        let sale = price.and_then(|price| discounted(row, price));
        draft.offers.push(Offer::new(price, sale.as_deref(), available));
        out.push(draft.finish());
    }

    fn finish(&mut self, _: &mut Vec<Item>) {}
}
