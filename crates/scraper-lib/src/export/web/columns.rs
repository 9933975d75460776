//! The files that have an entry of every product.

use std::io;

use shop_words::{Columns, Texts};

use super::{
    cards::Card,
    spilled::{Column, List, Lists, Object},
};
use crate::{Error, named::Folder, search::searched, source::Product};

/// One entry per product, in the order of the groups.
pub(super) struct Facets {
    category: Column,
    brand: Column,
    currency: Column,
    price: List,
    availability: List,
    /// Numbers of the runs that first saw them, which are left out where they are the same.
    listed: List,
    first: Option<i64>,
    same: bool,
}

impl Facets {
    pub(super) fn new(folder: &Folder) -> Result<Self, Error> {
        let (column, list) = (|| Column::new(folder), || List::new(folder));
        Ok(Facets {
            category: column()?,
            brand: column()?,
            currency: column()?,
            price: list()?,
            availability: list()?,
            listed: list()?,
            first: None,
            same: true,
        })
    }

    pub(super) fn push(&mut self, card: &Card, born: i64) -> io::Result<()> {
        self.category.push(card.category.as_deref())?;
        self.brand.push(card.brand.as_deref())?;
        self.currency.push(card.currency.as_deref())?;
        self.price.push(&card.price)?;
        self.availability.push(&card.availability)?;
        let born = Some(born).filter(|&run| run > 0);
        if self.listed.is_empty() {
            self.first = born;
        }
        self.same &= self.first == born;
        self.listed.push(&born)
    }

    pub(super) fn write(self, to: &mut Object) -> io::Result<()> {
        to.column("category", self.category)?;
        to.column("brand", self.brand)?;
        to.column("currency", self.currency)?;
        to.list("price", self.price)?;
        to.list("availability", self.availability)?;
        if self.same { Ok(()) } else { to.list("listed", self.listed) }
    }
}

/// [`shop_words::Columns`], as it is read.
pub(super) struct Words {
    id: List,
    title: List,
    source: Column,
    brand: Column,
    category: Column,
    attributes: Lists,
    codes: Lists,
}

impl Words {
    pub(super) fn new(folder: &Folder) -> Result<Self, Error> {
        let (column, lists) = (|| Column::new(folder), || Lists::new(folder));
        Ok(Words {
            id: List::new(folder)?,
            title: List::new(folder)?,
            source: column()?,
            brand: column()?,
            category: column()?,
            attributes: lists()?,
            codes: lists()?,
        })
    }

    pub(super) fn push(&mut self, product: &Product) -> io::Result<()> {
        let searched = searched(product);
        let texts = Texts::from(&searched);
        self.id.push(&texts.id)?;
        self.title.push(&texts.title)?;
        self.source.push(texts.source)?;
        self.brand.push(texts.brand)?;
        self.category.push(texts.category)?;
        self.attributes.push(&texts.attributes)?;
        self.codes.push(&texts.codes)
    }

    pub(super) fn write(self, to: &mut Object) -> io::Result<()> {
        to.number("version", Columns::VERSION)?;
        to.list("id", self.id)?;
        to.list("title", self.title)?;
        to.column_if_any("source", self.source)?;
        to.column_if_any("brand", self.brand)?;
        to.column_if_any("category", self.category)?;
        to.lists_if_any("attributes", self.attributes)?;
        to.lists_if_any("codes", self.codes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;
    use shop_words::Index;

    use super::*;
    use crate::{
        export::web::{KINDS, spilled::object},
        search::push,
    };

    /// The file of words that products are written into, and the columns that they are.
    fn written(products: impl Iterator<Item = Product>) -> (String, Columns) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), KINDS).unwrap();
        let (mut words, mut columns) = (Words::new(&folder).unwrap(), Columns::default());
        for product in products {
            words.push(&product).unwrap();
            push(&mut columns, &product);
        }
        let file = object(&folder, "words", |to| words.write(to)).unwrap().file;
        (fs::read_to_string(folder.path(&file)).unwrap(), columns)
    }

    fn with_code(id: usize) -> Product {
        let attribute = |name: &str, value: String| (name.to_owned(), value);
        Product {
            id: format!("p{id}"),
            title: (!id.is_multiple_of(3)).then(|| format!("\"Dress\"\n{id}")),
            brand: (!id.is_multiple_of(2)).then(|| "Ostra".into()),
            attributes: [
                attribute("colour", "red".into()),
                attribute("sku", format!("c-{id}-x")),
                attribute("about", "https://shop.test".into()),
            ]
            .into_iter()
            .collect(),
            ..Product::default()
        }
    }

    #[test]
    fn words_are_the_columns_of_an_index_to_the_byte() {
        for products in [0, 1, 7] {
            let (json, columns) = written((0..products).map(with_code));
            assert_eq!(json, serde_json::to_string(&columns).unwrap());
        }
    }

    #[test]
    fn codes_of_more_products_than_are_known_again_are_found() {
        let (json, _) = written((0..70_000).map(with_code));
        let values: Value = serde_json::from_str(&json).unwrap();
        let reds = values["attributes"]["values"].as_array().unwrap();
        assert!(reds.len() == 1, "one colour, written {} times", reds.len());
        let index = Index::new(serde_json::from_str(&json).unwrap()).unwrap();
        for product in [0, 65_535, 65_537, 69_999] {
            let found = index.search(&format!("c-{product}-x")).fuse(|_| true, &[]);
            assert_eq!(found.first(), Some(&product), "c-{product}-x");
        }
    }

    #[test]
    fn runs_are_listed_where_they_differ() {
        let facets = |born: &[i64]| {
            let dir = tempfile::tempdir().unwrap();
            let folder = Folder::open(dir.path(), KINDS).unwrap();
            let mut facets = Facets::new(&folder).unwrap();
            let card = crate::export::web::cards::card(&with_code(1), 0);
            born.iter().for_each(|&run| facets.push(&card, run).unwrap());
            let file = object(&folder, "facets", |to| facets.write(to)).unwrap().file;
            fs::read_to_string(folder.path(&file)).unwrap()
        };
        assert!(!facets(&[4, 4]).contains("listed") && !facets(&[0, 0]).contains("listed"));
        assert!(facets(&[4, 0, 5]).ends_with(r#""listed":[4,null,5]}"#), "{}", facets(&[4, 0, 5]));
        assert!(facets(&[4, 4]).contains(r#""brand":{"values":["Ostra"],"of":[0,0]}"#));
    }
}
