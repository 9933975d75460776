//! Google Merchant feeds (<https://support.google.com/merchants/answer/7052112>): RSS 2.0 and
//! Atom with the `g:` namespace. The tab-separated form is read as a table.

use std::io::BufRead;

use super::{
    Product, SourceError, SourceItem,
    record::Record,
    xml::{Node, Xml},
};

/// Bytes of text and fields of one item at most; what has more is no product.
const MAX_ITEM: usize = 4 << 20;
const MAX_FIELDS: usize = 4096;

/// Whether an element of this name is the root of such a feed.
pub(super) fn is_root(name: &str) -> bool {
    matches!(name, "rss" | "feed" | "RDF" | "channel")
}

/// Calls `send` for each item until it returns false; the root is open already. A broken document
/// is an error at the place where it breaks; the items before it have been sent.
pub(super) fn items(
    place: &str,
    xml: &mut Xml<impl BufRead>,
    send: &mut dyn FnMut(SourceItem) -> bool,
) -> Result<(), SourceError> {
    let wrong = |reason: String| SourceError::Format { place: place.to_owned(), reason };
    let (mut record, mut depth, mut text) = (None::<Record>, 0_usize, String::new());
    let mut number = 0;
    let (mut size, mut fields_seen) = (0, 0);
    while let Some(node) = xml.next().map_err(wrong)? {
        match (node, &mut record) {
            (Node::Open { name, .. }, None) => {
                if matches!(name.as_str(), "item" | "entry") {
                    (record, depth, number) = (Some(Record::default()), 0, number + 1);
                    (size, fields_seen) = (0, 0);
                }
            }
            (Node::Open { name, attributes }, Some(record)) => {
                depth += 1;
                fields_seen += 1;
                text.clear();
                // Atom: <link rel="alternate" href="…"/>.
                if let (1, "link", Some(href)) = (depth, name.as_str(), attributes.get("href")) {
                    size += href.len();
                    if size <= MAX_ITEM {
                        record.set("link", href);
                    }
                }
            }
            (Node::Text(more), Some(fields)) => {
                size += more.len();
                if size > MAX_ITEM || fields_seen > MAX_FIELDS {
                    *fields = Record::default(); // what it has is not kept
                } else {
                    text.push_str(&more);
                }
            }
            (Node::Text(_), None) => {}
            (Node::Close { name }, Some(fields)) => match depth {
                0 if matches!(name.as_str(), "item" | "entry") => {
                    let product: Result<Product, String> = match size > MAX_ITEM {
                        true => Err("the item is longer than 4 MiB".into()),
                        false if fields_seen > MAX_FIELDS => {
                            Err(format!("the item has more than {MAX_FIELDS} elements"))
                        }
                        false => fields.product(),
                    };
                    let item = product.map_err(|reason| SourceError::Record {
                        place: place.to_owned(),
                        record: number,
                        reason,
                    });
                    record = None;
                    if !send(item) {
                        return Ok(());
                    }
                }
                // Only what is the item's own: `g:shipping` has a `g:price` too.
                1 => {
                    fields.set(&name, &text);
                    depth = 0;
                    text.clear();
                }
                _ => {
                    depth = depth.saturating_sub(1);
                    text.clear();
                }
            },
            (Node::Close { .. }, None) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Availability, xml_list};

    fn items(xml: &str) -> (Vec<Result<Product, String>>, Result<(), String>) {
        let mut items = Vec::new();
        let mapping = xml_list::Mapping::default();
        let end = xml_list::read("feed.xml", xml.as_bytes(), &mapping, &mut |item| {
            items.push(item.map_err(|e| e.to_string()));
            true
        });
        (items, end.map_err(|e| e.to_string()))
    }

    const ITEM: &str = "<title>Short</title><g:id>A-1</g:id><g:title>Red dress</g:title>\
        <g:description>&lt;p&gt;Nice&lt;/p&gt;</g:description>\
        <g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping>\
        <g:price>39.95 EUR</g:price><g:sale_price>29.95 EUR</g:sale_price>\
        <g:availability>in stock</g:availability><g:brand>Ateliér</g:brand>\
        <g:product_type>Women &gt; Dresses</g:product_type>\
        <g:google_product_category>2271</g:google_product_category>\
        <g:image_link>https://shop/1.jpg</g:image_link>\
        <g:additional_image_link>https://shop/2.jpg</g:additional_image_link>\
        <g:additional_image_link>https://shop/3.jpg?a=1,2</g:additional_image_link>\
        <g:color>red</g:color><g:gtin>4006381333931</g:gtin>";

    fn check(product: &Product) {
        assert_eq!(product.id, "A-1");
        assert_eq!(product.title.as_deref(), Some("Red dress"));
        assert_eq!(product.description.as_deref(), Some("Nice"));
        assert_eq!(product.url.as_deref(), Some("https://shop/p/1"));
        assert_eq!((product.price, product.currency.as_deref()), (Some(29.95), Some("EUR")));
        assert_eq!(product.availability, Some(Availability::InStock));
        assert_eq!(product.category.as_deref(), Some("Women > Dresses"));
        let images = ["https://shop/1.jpg", "https://shop/2.jpg", "https://shop/3.jpg?a=1,2"];
        assert_eq!(product.images, images);
        assert_eq!(product.attributes["color"], "red");
        assert_eq!(product.attributes["gtin"], "4006381333931");
    }

    #[test]
    fn rss_and_atom() {
        let rss = format!(
            "<?xml version='1.0'?><rss version='2.0' xmlns:g='http://base.google.com/ns/1.0'>\
             <channel><title>Shop</title><link>https://shop</link>\
             <item>{ITEM}<link>https://shop/p/1</link></item>\
             <item><g:id>2</g:id><title>No picture</title></item></channel></rss>"
        );
        let (found, end) = items(&rss);
        assert_eq!((found.len(), end), (2, Ok(())));
        check(found[0].as_ref().unwrap());
        assert_eq!(found[1].as_ref().unwrap().images, [""; 0]);
        let atom = format!(
            "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:g='http://base.google.com/ns/1.0'>\
             <entry>{ITEM}<link href='https://shop/p/1'/></entry></feed>"
        );
        check(items(&atom).0[0].as_ref().unwrap());
    }

    #[test]
    fn items_without_end_cost_themselves() {
        let text = "<![CDATA[x]]>&amp;".repeat(20);
        let many = format!("<g:y>{text}</g:y>").repeat(3000);
        let long = format!("<g:y>{}</g:y>", "x".repeat(1 << 20)).repeat(5);
        for (item, reason) in [(many.repeat(2), "4096 elements"), (long, "4 MiB"), (many, "")] {
            let (found, end) = items(&format!(
                "<rss><channel><item>{ITEM}{item}</item><item>{ITEM}</item></channel></rss>"
            ));
            assert_eq!((found.len(), end), (2, Ok(())), "{reason}");
            assert!(found[1].is_ok());
            match &found[0] {
                Ok(_) => assert!(reason.is_empty()),
                Err(e) => assert!(!reason.is_empty() && e.contains(reason), "{e}"),
            }
        }
    }

    #[test]
    fn what_is_before_the_damage_is_kept() {
        let (found, end) = items(&format!("<rss><channel><item>{ITEM}</item><item><g:id>"));
        assert_eq!(found.len(), 1);
        assert!(end.is_err() || found.len() == 1);
        let (found, end) = items(&format!("<rss><channel><item>{ITEM}</item></oops>"));
        assert_eq!(found.len(), 1);
        assert!(end.unwrap_err().contains("broken XML"));
        assert!(items("<html><body/></html>").1.unwrap_err().contains("<html>"));
        assert!(items("").1.is_err());
    }
}
