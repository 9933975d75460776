//! XML lists of products of any shape, by a mapping: which element is a product, and which of its
//! elements and attributes are the fields.
//!
//! Known by their root are YML (Yandex), Heureka (and Zboží, Glami), Ceneo, and plain lists of
//! `product` or `item`; RSS and Atom are Google Merchant's. What a mapping does not name keeps the
//! meaning that its own name has in other feeds.

mod known;
mod mapping;

use std::{collections::HashMap, io::BufRead};

use super::{
    SourceError, SourceItem, merchant,
    record::Record,
    text,
    xml::{Node, Xml},
};
pub use mapping::Mapping;

/// Fields of one product, at most.
const MOST_FIELDS: usize = 10_000;
/// Text of one product, in bytes, at most.
const MOST_TEXT: usize = 4 << 20;
/// Names of categories that are kept, at most.
const MOST_CATEGORIES: usize = 100_000;

/// What was found in a product: path ("picture", "@id", "imgs/main@url") and text.
type Found = (String, String);

/// Calls `send` for each product until it returns false. A broken document is an error at the
/// place where it breaks; what came before it has been sent.
pub(super) fn read(
    place: &str,
    source: impl BufRead,
    mapping: &Mapping,
    send: &mut dyn FnMut(SourceItem) -> bool,
) -> Result<(), SourceError> {
    let wrong = |reason: String| SourceError::Format { place: place.to_owned(), reason };
    let mut xml = Xml::new(source).map_err(wrong)?;
    let root = loop {
        match xml.next().map_err(wrong)? {
            Some(Node::Open { name, .. }) => break name,
            Some(_) => {}
            None => return Err(wrong("not a list of products: it is empty".into())),
        }
    };
    if mapping.is_empty() && merchant::is_root(&root) {
        return merchant::items(place, &mut xml, send);
    }
    let known = known::of(&root);
    let mapping = match (&known, mapping.item.is_empty()) {
        (_, false) => mapping.clone(),
        (Some(known), true) => mapping.over(known),
        (None, true) => {
            return Err(wrong(format!(
                "its root is <{root}>, which is no list that is known; say with item = \"…\" which \
                 element is a product, and with columns = {{ id = \"…\", image = \"…\" }} where its \
                 fields are"
            )));
        }
    };
    let mut reading =
        Reading { xml, open: vec![root.to_ascii_lowercase()], categories: HashMap::new() };
    let mut number = 0;
    while let Some(found) = reading.product(&mapping).map_err(wrong)? {
        number += 1;
        let record = found.and_then(|found| mapping.record(&found, &reading.categories));
        let product = record.and_then(|record: Record| record.product());
        let item = product.map_err(|reason| SourceError::Record {
            place: place.to_owned(),
            record: number,
            reason,
        });
        if !send(item) {
            return Ok(());
        }
    }
    if number == 0 {
        return Err(wrong(format!("it holds no <{}>", mapping.item.join("/"))));
    }
    Ok(())
}

struct Reading<R: BufRead> {
    xml: Xml<R>,
    /// Elements that are open, in lower case, the root first.
    open: Vec<String>,
    /// Name and parent by id, where products only tell the id (YML).
    categories: HashMap<String, (String, String)>,
}

impl<R: BufRead> Reading<R> {
    /// What the next product holds; `None` at the end. A product that is too large is an error of
    /// its own.
    fn product(&mut self, mapping: &Mapping) -> Result<Option<Result<Vec<Found>, String>>, String> {
        let mut category: Option<(String, String, String)> = None;
        loop {
            match self.xml.next()? {
                None if self.open.is_empty() => return Ok(None),
                None => return Err("it ends in the middle".into()),
                Some(Node::Open { name, attributes }) => {
                    self.open.push(name.to_ascii_lowercase());
                    if mapping.is_item(&self.open) {
                        let found = attributes.iter().map(|(name, value)| {
                            (format!("@{}", name.to_ascii_lowercase()), value.to_owned())
                        });
                        return self.fields(found.collect()).map(Some);
                    }
                    let get = |name: &str| attributes.get(name).unwrap_or_default().to_owned();
                    category = (name.eq_ignore_ascii_case("category") && !get("id").is_empty())
                        .then(|| (get("id"), get("parentId"), String::new()));
                }
                Some(Node::Text(text)) => {
                    if let Some((.., name)) = &mut category {
                        name.push_str(&text);
                    }
                }
                Some(Node::Close { .. }) => {
                    self.open.pop();
                    if let Some((id, parent, name)) = category.take()
                        && self.categories.len() < MOST_CATEGORIES
                    {
                        self.categories.insert(id, (name.trim().to_owned(), parent));
                    }
                }
            }
        }
    }

    /// Everything up to the end of the product that is open.
    fn fields(&mut self, mut found: Vec<Found>) -> Result<Result<Vec<Found>, String>, String> {
        let inside = self.open.len();
        let mut size = 0;
        let mut text = String::new();
        // Beyond the budget the rest of the product is passed over.
        let mut fits = true;
        loop {
            match self.xml.next()? {
                None => return Err("it ends in the middle".into()),
                Some(Node::Open { name, attributes }) => {
                    self.open.push(name.to_ascii_lowercase());
                    text.clear();
                    if fits {
                        let path = self.open.get(inside..).unwrap_or_default().join("/");
                        for (name, value) in attributes.iter() {
                            size += value.len();
                            found.push((
                                format!("{path}@{}", name.to_ascii_lowercase()),
                                value.to_owned(),
                            ));
                        }
                    }
                }
                Some(Node::Text(more)) if fits => {
                    size += more.len();
                    text.push_str(&more);
                }
                Some(Node::Text(_)) => {}
                Some(Node::Close { .. }) if self.open.len() == inside => {
                    self.open.pop();
                    return Ok(match fits {
                        true => Ok(found),
                        false => Err(format!(
                            "the product has more than {MOST_FIELDS} fields or {} MiB of text",
                            MOST_TEXT >> 20
                        )),
                    });
                }
                Some(Node::Close { .. }) => {
                    if !text.trim().is_empty() {
                        let path = self.open.get(inside..).unwrap_or_default().join("/");
                        found.push((path, text.trim().to_owned()));
                    }
                    text.clear();
                    self.open.pop();
                }
            }
            if size > MOST_TEXT || found.len() > MOST_FIELDS {
                (fits, found) = (false, Vec::new());
                size = 0;
            }
        }
    }
}

/// The name under which a field is looked for: of "imgs/main@url" it is "main".
fn own_name(path: &str) -> String {
    let path = path.split('@').next().unwrap_or_default();
    text::field(path.rsplit('/').next().unwrap_or_default())
}

#[cfg(test)]
mod tests;
