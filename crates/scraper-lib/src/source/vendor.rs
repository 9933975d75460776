//! Tables as shop systems export them: recognised by their columns, rows grouped to products.
//!
//! What a product costs is what its cheapest variant that can be had costs now; sale prices count
//! within their dates only, and the price before is the attribute `list_price`. Products that the
//! shop does not show (drafts, inactive ones) are left out.

mod dates;
mod draft;
mod magento;
mod prestashop;
mod shopify;
mod woocommerce;

use std::collections::HashMap;

pub(super) use dates::{Day, in_dates};

use super::{Product, text};

/// Products that wait for their variants, at most: then the oldest are taken as they are.
const MOST_WAITING: usize = 100_000;

/// A product, or why there is none, with the line where it begins.
pub(super) type Item = (u64, Result<Product, String>);

/// A row by the plain names of its columns; empty fields are left out.
#[derive(Debug, Default)]
pub(super) struct Row(HashMap<String, String>);

impl Row {
    pub(super) fn of(names: &[String], fields: Vec<String>) -> Self {
        let mut row = HashMap::new();
        for (name, field) in names.iter().zip(fields) {
            if !field.is_empty() {
                row.entry(name.clone()).or_insert(field);
            }
        }
        Row(row)
    }

    /// The first of these columns that has a value.
    fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(*name)).map(String::as_str)
    }

    fn flag(&self, names: &[&str]) -> Option<bool> {
        match self.get(names)?.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "active" => Some(true),
            "0" | "-1" | "false" | "no" | "draft" | "archived" => Some(false),
            _ => None,
        }
    }
}

/// One shop system's way to write products in rows.
pub(super) trait Vendor {
    /// Takes a row, and gives the products that are complete with it.
    fn row(&mut self, line: u64, row: &Row, out: &mut Vec<Item>);

    /// What is left at the end.
    fn finish(&mut self, out: &mut Vec<Item>);
}

/// A table that was recognised.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// The columns that a row of it has in any case, and that of the image.
    pub(super) id: usize,
    pub(super) image: usize,
    pub(super) vendor: Box<dyn Vendor + Send>,
    /// The plain names of all columns.
    pub(super) names: Vec<String>,
}

/// A column's name without what is said about it: "Image URLs (x,y,z...)" is `image_urls`.
fn plain(name: &str) -> String {
    let name = text::field(name);
    let mut plain = String::new();
    let mut depth = 0_usize;
    for c in name.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            c if c.is_alphanumeric() => plain.push(c),
            _ if plain.ends_with('_') => {}
            _ => plain.push('_'),
        }
    }
    plain.trim_matches('_').to_owned()
}

/// Which system wrote a table with these columns; `None` for a plain one.
pub(super) fn recognise(names: &[String]) -> Option<Known> {
    let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    let at = |wanted: &[&str]| wanted.iter().find_map(|w| names.iter().position(|n| n == w));
    let has = |name: &str| at(&[name]).is_some();
    let (name, id, image, vendor): (_, _, _, Box<dyn Vendor + Send>) =
        if let (Some(id), Some(image)) = (at(&shopify::HANDLE), at(&shopify::IMAGE))
            && (has("variant_price") || has("variant_sku") || has("vendor"))
        {
            ("Shopify", id, image, Box::<shopify::Shopify>::default())
        } else if let (Some(id), Some(image)) = (at(&["id"]), at(&["images"]))
            && has("type")
            && has("name")
            && (has("regular_price") || has("sale_price"))
        {
            ("WooCommerce", id, image, Box::<woocommerce::WooCommerce>::default())
        } else if let (Some(id), Some(image)) = (at(&["sku"]), at(&magento::IMAGE))
            && (has("product_type") || has("attribute_set_code"))
            && (has("base_image") || has("additional_attributes"))
        {
            ("Magento", id, image, Box::<magento::Magento>::default())
        } else if let (Some(id), Some(image)) = (at(&prestashop::ID), at(&["image_urls"]))
            && has("name")
        {
            ("PrestaShop", id, image, Box::<prestashop::PrestaShop>::default())
        } else {
            return None;
        };
    Some(Known { name, id, image, vendor, names })
}

/// Addresses that a comma parts, be they URLs or paths.
fn commas(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in text.split(',') {
        let trimmed = part.trim();
        // A URL may hold commas: its next part begins like none.
        let begins = trimmed.contains("://") || trimmed.starts_with('/');
        match parts.last_mut() {
            Some(last) if last.contains("://") && !begins && !trimmed.is_empty() => {
                last.push(',');
                last.push_str(part);
            }
            _ if trimmed.is_empty() => {}
            _ => parts.push(trimmed.to_owned()),
        }
    }
    parts
}

/// Of several paths in a list, the deepest, its steps parted by ` > `.
fn deepest(list: &str, between: char) -> Option<String> {
    let steps = |path: &str| {
        path.split(between).map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
    };
    let paths = list.split(',').map(|path| -> Vec<String> { steps(path) });
    let deepest = paths.reduce(|best, path| if path.len() > best.len() { path } else { best });
    deepest.map(|path| path.join(" > ")).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests;
