//! What JSON-LD, microdata and RDFa say of a page: items, their types and properties, in one form.
//!
//! An item that is named in many places is there once, so that nothing multiplies.

use std::collections::HashMap;

use reqwest::Url;

use super::{
    budget::{Blown, Meter},
    report::Origin,
};
use crate::source::text;

/// The value of a property.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum {
    Text(String),
    /// A number of JSON: its `.` is the decimal sign, whatever the page's language.
    Number(String),
    Item(usize),
}

/// Something with properties.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// Names of its types in lower case, without their vocabulary: "product".
    pub(super) types: Vec<String>,
    pub(super) id: Option<String>,
    /// By name in lower case: shops are not exact about it.
    fields: HashMap<String, Vec<Datum>>,
    pub(super) origin: Option<Origin>,
    /// The item it lies in, and under which property.
    pub(super) parent: Option<(usize, String)>,
}

/// Types that are articles of a shop.
const PRODUCTS: &[&str] = &[
    "product",
    "productgroup",
    "individualproduct",
    "someproducts",
    "productmodel",
    "book",
    "vehicle",
    "car",
    "motorcycle",
    "motorizedbicycle",
    "audiobook",
    "drug",
];

impl Item {
    pub(super) fn of(origin: Origin) -> Self {
        Item { origin: Some(origin), ..Item::default() }
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        self.types.iter().any(|known| known == kind)
    }

    pub(super) fn is_product(&self) -> bool {
        self.types.iter().any(|kind| PRODUCTS.contains(&kind.as_str()))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    pub(super) fn add_type(&mut self, name: &str) {
        self.types.push(local(name));
    }
}

/// "https://schema.org/Product", "schema:Product", "PRODUCT": `product`.
pub(super) fn local(name: &str) -> String {
    let name = name.trim().trim_end_matches('/');
    name.rsplit(['/', '#', ':']).next().unwrap_or_default().to_lowercase()
}

/// All items of a page.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    items: Vec<Item>,
    by_id: HashMap<String, usize>,
    pub(super) meter: &'a Meter,
    /// Against it addresses are read.
    pub(super) base: &'a Url,
}

impl<'a> Graph<'a> {
    pub(super) fn new(meter: &'a Meter, base: &'a Url) -> Self {
        Graph { items: Vec::new(), by_id: HashMap::new(), meter, base }
    }

    pub(super) fn add(&mut self, item: Item) -> Result<usize, Blown> {
        self.meter.value()?;
        self.items.push(item);
        Ok(self.items.len() - 1)
    }

    /// Adds a value to a property of an item.
    pub(super) fn set(&mut self, item: usize, name: &str, value: Datum) -> Result<(), Blown> {
        self.meter.value()?;
        if let Datum::Text(text) = &value {
            self.meter.bytes(text.len())?;
        }
        if let Some(item) = self.items.get_mut(item) {
            item.fields.entry(local(name)).or_default().push(value);
        }
        Ok(())
    }

    pub(super) fn set_parent(&mut self, item: usize, parent: usize, name: &str) {
        if let Some(item) = self.items.get_mut(item) {
            item.parent.get_or_insert_with(|| (parent, local(name)));
        }
    }

    /// Makes references known: of several items with one name, the one that says most is meant.
    pub(super) fn link(&mut self) {
        for (at, item) in self.items.iter().enumerate() {
            let Some(id) = item.id.as_ref() else { continue };
            let known = self.by_id.get(id).and_then(|known| self.items.get(*known));
            if known.is_none_or(|known| known.fields.len() < item.fields.len()) {
                self.by_id.insert(id.clone(), at);
            }
        }
    }

    pub(super) fn items(&self) -> impl Iterator<Item = (usize, &Item)> {
        self.items.iter().enumerate()
    }

    pub(super) fn item(&self, at: usize) -> Option<&Item> {
        self.items.get(at)
    }

    /// The item that a mere reference stands for.
    pub(super) fn resolve(&self, at: usize) -> usize {
        match self.items.get(at) {
            Some(Item { id: Some(id), fields, .. }) if fields.is_empty() => {
                self.by_id.get(id).copied().unwrap_or(at)
            }
            _ => at,
        }
    }

    /// The item of an `@id`.
    pub(super) fn named(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The values of a property. Each costs a step.
    pub(super) fn values(&self, at: usize, name: &str) -> Result<Vec<&Datum>, Blown> {
        let values = self.items.get(at).and_then(|item| item.fields.get(name));
        values.into_iter().flatten().map(|value| self.meter.value().map(|()| value)).collect()
    }

    /// The items among the values of a property, and those that its texts name.
    pub(super) fn nested(&self, at: usize, name: &str) -> Result<Vec<usize>, Blown> {
        let values = self.values(at, name)?;
        let item = |value: &Datum| match value {
            Datum::Item(at) => Some(self.resolve(*at)),
            Datum::Text(text) => self.named(text),
            Datum::Number(_) => None,
        };
        Ok(values.into_iter().filter_map(item).collect())
    }

    /// The first value of a property that is a text, or the name of what it is.
    pub(super) fn text(&self, at: usize, name: &str) -> Option<String> {
        self.texts(at, name).next()
    }

    /// All values of a property that are texts, or have a name.
    pub(super) fn texts(&self, at: usize, name: &str) -> impl Iterator<Item = String> {
        let values = self.items.get(at).and_then(|item| item.fields.get(name));
        values.into_iter().flatten().filter_map(|value| self.string(value))
    }

    pub(super) fn string(&self, value: &Datum) -> Option<String> {
        let named = |at: usize| {
            let item = self.items.get(self.resolve(at))?;
            ["name", "@value", "value"].iter().find_map(|key| {
                item.fields.get(*key)?.iter().find_map(|value| match value {
                    Datum::Text(text) => text::meaningful(text),
                    Datum::Number(number) => Some(number.clone()),
                    Datum::Item(_) => None,
                })
            })
        };
        match value {
            Datum::Text(text) => text::meaningful(text),
            Datum::Number(number) => Some(number.clone()),
            Datum::Item(at) => named(*at),
        }
    }

    /// Items from this one up to the outermost.
    pub(super) fn path(&self, at: usize) -> impl Iterator<Item = (&Item, &str)> {
        let step = |at: usize| {
            let (parent, name) = self.items.get(at)?.parent.as_ref()?;
            Some((*parent, name.as_str()))
        };
        // An item never lies in one that came later; in any case it ends.
        std::iter::successors(step(at), move |(at, _)| step(*at))
            .take(64)
            .filter_map(|(parent, name)| Some((self.items.get(parent)?, name)))
    }
}
