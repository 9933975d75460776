//! Conditions on products: `brand=Acme`, `price<50`, `color~red`.

use std::{borrow::Cow, str::FromStr};

use crate::source::Product;

/// Conditions that must all hold. The same code decides for every store, so results are the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter(Vec<Condition>);

/// A condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    field: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// Lower case; one of them.
    Equal(Vec<String>),
    NotEqual(Vec<String>),
    /// Lower case.
    Contains(String),
    Less(f64),
    AtMost(f64),
    More(f64),
    AtLeast(f64),
}

/// Text that is no condition.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "{text:?} is no filter{reason}: write FIELD=VALUE (VALUE|VALUE for one of several), FIELD!=VALUE, \
     FIELD~PART, or price<NUMBER, <=, >, >=. Fields are source, id, title, description, brand, \
     category, price, currency, availability (in_stock, out_of_stock, preorder, backorder, \
     discontinued), and the names of attributes"
)]
pub struct FilterError {
    text: String,
    reason: String,
}

impl Filter {
    /// Adds a condition.
    ///
    /// # Errors
    /// Text that is no condition.
    pub fn and(&mut self, text: &str) -> Result<(), FilterError> {
        self.0.push(text.parse()?);
        Ok(())
    }

    /// All of `texts` must hold.
    ///
    /// # Errors
    /// The first text that is no condition.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, FilterError> {
        let mut filter = Filter::default();
        texts.iter().try_for_each(|text| filter.and(text.as_ref()))?;
        Ok(filter)
    }

    /// Lets every product through.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all conditions hold. A field that the product does not have fails each condition
    /// but `!=`.
    pub fn holds(&self, product: &Product) -> bool {
        let holds = |it: &Condition| it.holds(value(product, &it.field).as_deref());
        self.0.iter().all(holds)
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        &self.0
    }
}

impl Condition {
    /// The field, in lower case; one that is none of the product's own names an attribute.
    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    /// Whether it holds for a product with this value of the field; prices as numbers are written.
    pub(crate) fn holds(&self, value: Option<&str>) -> bool {
        let number = || value?.trim().parse::<f64>().ok();
        let text = || value.map(|value| value.trim().to_lowercase());
        match &self.test {
            // 20 and 20.00 are the same price.
            Test::Equal(any) if self.field == "price" => {
                let same = |one: &String| one.parse().is_ok_and(|one: f64| number() == Some(one));
                any.iter().any(same)
            }
            Test::Equal(any) => text().is_some_and(|text| any.contains(&text)),
            Test::NotEqual(any) => text().is_none_or(|text| !any.contains(&text)),
            Test::Contains(part) => text().is_some_and(|text| text.contains(part)),
            Test::Less(limit) => number().is_some_and(|n| n < *limit),
            Test::AtMost(limit) => number().is_some_and(|n| n <= *limit),
            Test::More(limit) => number().is_some_and(|n| n > *limit),
            Test::AtLeast(limit) => number().is_some_and(|n| n >= *limit),
        }
    }
}

/// What a product has in a field.
pub(crate) fn value<'a>(product: &'a Product, field: &str) -> Option<Cow<'a, str>> {
    let text = |field: &'a Option<String>| field.as_deref().map(Cow::Borrowed);
    match field {
        "source" => Some(product.source.as_str().into()),
        "id" => Some(product.id.as_str().into()),
        "title" => text(&product.title),
        "description" => text(&product.description),
        "brand" => text(&product.brand),
        "category" => text(&product.category),
        "price" => product.price.map(|price| price.to_string().into()),
        "currency" => text(&product.currency),
        "availability" => product.availability.map(|it| it.as_str().into()),
        name => {
            let mut attributes = product.attributes.iter();
            let found = attributes.find(|(key, _)| key.to_lowercase() == name);
            found.map(|(_, value)| value.as_str().into())
        }
    }
}

impl FromStr for Condition {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let bad = |reason: &str| FilterError { text: text.into(), reason: reason.into() };
        let at = text.find(['=', '!', '~', '<', '>']).ok_or_else(|| bad(""))?;
        let (field, rest) = text.split_at(at);
        let field = field.trim().to_lowercase();
        let field = field.strip_prefix("attributes.").unwrap_or(&field).to_owned();
        let operator = ["!=", "<=", ">=", "=", "~", "<", ">"]
            .into_iter()
            .find(|operator| rest.starts_with(operator))
            .ok_or_else(|| bad(""))?;
        let value = rest.get(operator.len()..).unwrap_or_default().trim();
        if field.is_empty() || value.is_empty() {
            return Err(bad(" (one side is empty)"));
        }
        let any = || value.split('|').map(|one| one.trim().to_lowercase()).collect();
        let number = || match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(bad(&format!(" ({value:?} is no number)"))),
        };
        let test = match operator {
            "=" => Test::Equal(any()),
            "!=" => Test::NotEqual(any()),
            "~" => Test::Contains(value.to_lowercase()),
            "<" => Test::Less(number()?),
            "<=" => Test::AtMost(number()?),
            ">" => Test::More(number()?),
            _ => Test::AtLeast(number()?),
        };
        Ok(Condition { field, test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Availability;

    fn dress() -> Product {
        Product {
            id: "7".into(),
            source: "shop".into(),
            brand: Some("Äcme & Co".into()),
            category: Some("Women > Dresses".into()),
            price: Some(19.95),
            availability: Some(Availability::InStock),
            attributes: [("Color".into(), "Red".into()), ("heel".into(), "4.5".into())].into(),
            ..Product::default()
        }
    }

    #[test]
    fn conditions() {
        for (text, holds) in [
            ("brand = äcme & co", true),
            ("brand=other|ÄCME & CO", true),
            ("brand!=äcme & co", false),
            ("title!=x", true),
            ("title=x", false),
            ("category~dress", true),
            ("category ~ shoes", false),
            ("price<20", true),
            ("price<=19.95", true),
            ("price=19.950", true),
            ("price>19.95", false),
            ("price>=19.95", true),
            ("availability=in_stock", true),
            ("source=shop", true),
            ("color=red", true),
            ("attributes.COLOR=red", true),
            ("heel>4", true),
            ("color<5", false),
            ("size=M", false),
        ] {
            let filter = Filter::parse(&[text]).unwrap();
            assert_eq!(filter.holds(&dress()), holds, "{text}");
        }
        assert!(Filter::parse(&["color=red", "price<20"]).unwrap().holds(&dress()));
        assert!(!Filter::parse(&["color=red", "price>20"]).unwrap().holds(&dress()));
    }

    #[test]
    fn slips_are_refused() {
        for text in ["", "brand", "=x", "brand=", "price<cheap", "price<NaN", "a!b"] {
            let error = Filter::parse(&[text]).unwrap_err().to_string();
            assert!(error.contains("FIELD=VALUE"), "{error}");
        }
    }
}
