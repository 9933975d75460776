//! How the columns of a table are read: as they are named, as a shop system names them, or as the
//! settings say.

use std::collections::BTreeMap;

use super::{
    Product,
    record::{self, Record},
    text,
    vendor::{self, Item, Known, Row},
};

/// `columns = { price = "Regular price" }`: a field, and the column that it is in.
pub(super) type Renamed = BTreeMap<String, String>;

/// A table's columns, understood.
pub(super) enum Columns {
    /// Fields with their columns.
    Plain(Vec<(usize, String)>),
    Known(Known),
}

impl Columns {
    /// Understands columns, and gives those of the id and of the image.
    ///
    /// # Errors
    /// Which column is missing.
    pub(super) fn of(names: &[String], renamed: &Renamed) -> Result<(Self, [usize; 2]), String> {
        if let Some(known) = renamed.is_empty().then(|| vendor::recognise(names)).flatten() {
            let key = [known.id, known.image];
            return Ok((Columns::Known(known), key));
        }
        let fields: Vec<String> = names.iter().map(|name| text::field(name)).collect();
        let all = || fields.join(", ");
        let mut plain = Vec::new();
        for (field, column) in renamed {
            let column = text::field(column);
            let at = fields.iter().position(|name| *name == column).ok_or_else(|| {
                format!("there is no column {column:?} for {field}; the columns are {}", all())
            })?;
            plain.push((at, text::field(field)));
        }
        // A column that means the same by its name no longer does.
        let mapped: Vec<_> = plain.iter().filter_map(|(_, field)| record::group(field)).collect();
        for (at, name) in fields.iter().enumerate() {
            let taken = plain.iter().any(|(mapped, _)| *mapped == at);
            let same = record::group(name).is_some_and(|group| mapped.contains(&group));
            if !taken && !same {
                plain.push((at, name.clone()));
            }
        }
        let by_field: Vec<String> = plain.iter().map(|(_, field)| field.clone()).collect();
        let (id, image) = record::key_columns(&by_field).map_err(|missing| {
            format!(
                "the first line names the columns {}; one for {missing} is missing, or columns = \
                 {{ … }} to say which it is",
                all()
            )
        })?;
        let column = |at: usize| plain.get(at).map_or(0, |(column, _)| *column);
        let key = [column(id), column(image)];
        Ok((Columns::Plain(plain), key))
    }

    /// Reads a row, and gives what is complete with it.
    pub(super) fn row(&mut self, line: u64, fields: Vec<String>, out: &mut Vec<Item>) {
        match self {
            Columns::Plain(columns) => {
                let mut record = Record::default();
                for (at, name) in columns {
                    if let Some(value) = fields.get(*at) {
                        record.set(name, value);
                    }
                }
                let product: Result<Product, String> = record.product();
                out.push((line, product));
            }
            Columns::Known(known) => {
                known.vendor.row(line, &Row::of(&known.names, fields), out);
            }
        }
    }

    /// What is left at the end.
    pub(super) fn finish(&mut self, out: &mut Vec<Item>) {
        if let Columns::Known(known) = self {
            known.vendor.finish(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(pairs: &[(&str, &str)]) -> Renamed {
        pairs.iter().map(|(field, column)| ((*field).into(), (*column).into())).collect()
    }

    fn read(names: &[&str], pairs: &[(&str, &str)], row: &[&str]) -> Result<Product, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let (mut columns, _) = Columns::of(&names, &mapping(pairs))?;
        let mut out = Vec::new();
        columns.row(2, row.iter().map(|field| (*field).into()).collect(), &mut out);
        out.remove(0).1
    }

    #[test]
    fn columns_by_any_name() {
        let names = ["Article", "Label", "Price", "Regular price", "Photos", "Colour"];
        let pairs = [
            ("id", "article"),
            ("title", "Label"),
            ("price", "Regular Price"),
            ("image", "Photos"),
        ];
        let row = ["7", "Red dress", "1", "49,95 EUR", "https://x/1.jpg|https://x/2.jpg", "red"];
        let product = read(&names, &pairs, &row).unwrap();
        assert_eq!((product.id.as_str(), product.title.as_deref()), ("7", Some("Red dress")));
        assert_eq!(product.price, Some(49.95), "the column that is named so is another");
        assert_eq!(product.images.len(), 2);
        assert_eq!(product.attributes["colour"], "red");
        let error = read(&names, &[("id", "SKU")], &row).unwrap_err();
        assert!(error.contains("sku") && error.contains("article"), "{error}");
        let error = read(&names, &[("id", "Article")], &row).unwrap_err();
        assert!(error.contains("image") && error.contains("columns ="), "{error}");
    }
}
