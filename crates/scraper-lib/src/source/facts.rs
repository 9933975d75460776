//! What is told of a product, in one order everywhere.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;

use super::{Availability, Product};
use crate::report::secrets::public;

/// A product as JSON: fields that are not known are left out.
#[derive(Debug, Serialize)]
pub(crate) struct Facts<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    title: Option<&'a str>,
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability: Option<Availability>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: &'a BTreeMap<String, String>,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(product: &'a Product) -> Self {
        Facts {
            id: &product.id,
            source: &product.source,
            title: product.title.as_deref(),
            url: product.url.as_deref(),
            description: product.description.as_deref(),
            brand: product.brand.as_deref(),
            category: product.category.as_deref(),
            price: product.price,
            currency: product.currency.as_deref(),
            availability: product.availability,
            attributes: &product.attributes,
        }
    }
}

/// Takes user names and passwords out of the addresses that are shown or exported.
pub(crate) fn publish(image: &mut String, product: &mut Product) {
    for address in [Some(image), product.url.as_mut()].into_iter().flatten() {
        if let Cow::Owned(bare) = public(address) {
            *address = bare;
        }
    }
}
