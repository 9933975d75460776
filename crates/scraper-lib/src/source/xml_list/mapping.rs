//! Which element is a product, and what of it is which field.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Found, Record, own_name, text};

/// As settings give it. Paths are those of elements below the product, in any case and without
/// prefixes; `@name` is an attribute, of the product or behind a path. Several, with `|` between
/// them, are tried in turn; of images all are taken.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapping {
    /// The path to a product, from the root or from anywhere: "shop/offers/offer", "offer".
    pub(super) item: Vec<String>,
    /// Paths by field: "id", "title", "image", "price" …, or a name for an attribute.
    columns: BTreeMap<String, Vec<String>>,
}

/// How deep categories lie in each other; more is a circle.
const LEVELS: usize = 16;

impl Mapping {
    pub fn new(item: Option<&str>, columns: &BTreeMap<String, String>) -> Self {
        let item = item.unwrap_or_default().to_ascii_lowercase();
        let names = item.split('/').map(|name| name.rsplit(':').next().unwrap_or_default());
        let paths = |text: &String| -> Vec<String> {
            text.split('|').map(path).filter(|path| !path.is_empty()).collect()
        };
        Mapping {
            item: names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            columns: columns.iter().map(|(name, text)| (text::field(name), paths(text))).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.item.is_empty() && self.columns.is_empty()
    }

    /// This mapping where it says something, else the other.
    pub(super) fn over(&self, other: &Mapping) -> Mapping {
        let mut columns = other.columns.clone();
        columns.extend(self.columns.clone());
        Mapping { item: other.item.clone(), columns }
    }

    /// Whether the innermost of these open elements is a product.
    pub(super) fn is_item(&self, open: &[String]) -> bool {
        open.ends_with(&self.item)
    }

    /// The fields of a product.
    ///
    /// # Errors
    /// None; a record that lacks fields is told of when it becomes a product.
    pub(super) fn record(
        &self,
        found: &[Found],
        categories: &HashMap<String, (String, String)>,
    ) -> Result<Record, String> {
        let mut record = Record::default();
        let mut used = HashSet::new();
        for (field, paths) in &self.columns {
            let mut set = false;
            for path in paths {
                used.insert(path.as_str());
                for (_, value) in found.iter().filter(|(known, _)| known == path) {
                    // One value, but for images.
                    if !set || field.contains("image") {
                        record.set(field, &self.value(field, value, categories));
                    }
                    set = true;
                }
            }
        }
        let mut names: HashMap<&str, &str> = HashMap::new();
        for (path, value) in found {
            // <param name="Colour">red</param>; or <PARAM_NAME> and <VAL> side by side.
            let (element, attribute) = path.split_once('@').unwrap_or((path, ""));
            let above = element.rsplit_once('/').map_or("", |(above, _)| above);
            if used.contains(path.as_str()) || used.contains(element) && !attribute.is_empty() {
                continue;
            }
            let own = own_name(element);
            match (attribute, own.as_str()) {
                ("name", _) => {
                    names.insert(element, value);
                }
                ("", "param_name") => {
                    names.insert(above, value);
                }
                ("", "val") => {
                    if let Some(name) = names.remove(above) {
                        record.set(name, value);
                    }
                }
                ("", _) => match names.remove(element) {
                    Some(name) if !self.columns.contains_key(&text::field(name)) => {
                        record.set(name, value);
                    }
                    Some(_) => {}
                    // Only what is the product's own: a delivery has a price too.
                    None if !element.contains('/') && !self.columns.contains_key(&own) => {
                        record.set(&own, value);
                    }
                    None => {}
                },
                _ => {}
            }
        }
        Ok(record)
    }

    fn value(
        &self,
        field: &str,
        value: &str,
        categories: &HashMap<String, (String, String)>,
    ) -> String {
        match field {
            "category" | "product_type" if categories.contains_key(value) => {
                let (mut names, mut id) = (Vec::new(), value);
                while let Some((name, parent)) = categories.get(id).filter(|_| names.len() < LEVELS)
                {
                    names.push(name.as_str());
                    id = parent;
                }
                names.reverse();
                names.join(" > ")
            }
            // What the rouble was called until 1998.
            "currency" if value.eq_ignore_ascii_case("RUR") => "RUB".to_owned(),
            _ => value.to_owned(),
        }
    }
}

/// "g:Image/@URL" is "image@url".
fn path(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let names = text.split('/').map(|name| match name.split_once('@') {
        Some((element, attribute)) => {
            let element = element.rsplit(':').next().unwrap_or_default();
            format!("{element}@{}", attribute.rsplit(':').next().unwrap_or_default())
        }
        None => name.rsplit(':').next().unwrap_or_default().to_owned(),
    });
    names.collect::<Vec<_>>().join("/").replace("/@", "@").trim_matches('/').to_owned()
}
