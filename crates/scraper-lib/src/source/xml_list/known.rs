//! Lists that are known by their root.

use std::collections::BTreeMap;

use super::Mapping;

/// The mapping of documents with this root.
pub(super) fn of(root: &str) -> Option<Mapping> {
    let (item, columns): (&str, &[(&str, &str)]) = match root.to_ascii_lowercase().as_str() {
        // <https://yandex.com/support/marketplace/assortment/files/index.html>
        "yml_catalog" => (
            "offers/offer",
            &[
                ("id", "@id"),
                ("availability", "@available"),
                ("title", "name|model"),
                ("image", "picture"),
                ("link", "url"),
                ("brand", "vendor"),
                ("category", "categoryId"),
                ("currency", "currencyId"),
                ("list_price", "oldprice"),
            ],
        ),
        // <https://sluzby.heureka.cz/napoveda/xml-feed/>; Zboží's and Glami's are alike.
        "shop" => (
            "shop/shopitem",
            &[
                ("id", "ITEM_ID"),
                ("title", "PRODUCTNAME|PRODUCT"),
                ("link", "URL"),
                ("image", "IMGURL"),
                ("additional_image", "IMGURL_ALTERNATIVE"),
                ("price", "PRICE_VAT|PRICE"),
                ("category", "CATEGORYTEXT"),
            ],
        ),
        // <https://developers.ceneo.pl/>
        "offers" => (
            "offers/o",
            &[
                ("id", "@id"),
                ("link", "@url"),
                ("price", "@price"),
                ("title", "name"),
                ("image", "imgs/main@url|imgs/i@url"),
                ("description", "desc"),
                ("category", "cat"),
            ],
        ),
        "products" => ("products/product", &[]),
        "catalog" | "catalogue" => ("product", &[]),
        "items" => ("items/item", &[]),
        _ => return None,
    };
    let columns = columns.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned()));
    Some(Mapping::new(Some(item), &columns.collect::<BTreeMap<_, _>>()))
}
