//! What sources could not tell: counted for people, kept in the store, and never a reason to believe
//! that a product has vanished.

use reqwest::Url;

use crate::{
    report::{
        FailureNote, Summary,
        secrets::{public, redact},
    },
    source::{Hides, Product, SourceError, page_id},
    store::Write,
};

/// Kind of the failure of a product that has no image.
const NO_IMAGE: &str = "product.no_image";

/// What there is to note of a product besides itself.
pub(super) fn product(product: &Product, summary: &mut Summary) -> Option<Write> {
    if !product.images.is_empty() {
        return None;
    }
    let message = "its source lists no image".to_owned();
    summary.without_image += 1;
    summary.note(FailureNote {
        product: product.id.clone(),
        image: String::new(),
        kind: NO_IMAGE.into(),
        message: message.clone(),
    });
    let (source, place) = (product.source.clone(), product.id.clone());
    Some(Write::SourceFailure { source, place, kind: NO_IMAGE.into(), message })
}

/// What there is to note of a record or a page of `source` that gave no product.
pub(super) fn record(source: String, e: &SourceError, summary: &mut Summary) -> Vec<Write> {
    let (kind, message) = (e.kind().to_owned(), e.to_string());
    if e.is_expected() {
        *summary.pages_by_kind.entry(kind.clone()).or_default() += 1;
        tracing::info!("{message}");
    } else {
        summary.bad_records += 1;
        let (product, image) = (String::new(), String::new());
        let (kind, message) = (kind.clone(), message.clone());
        summary.note(FailureNote { product, image, kind, message });
    }
    let mut writes = Vec::new();
    if let Hides::Page(page) = e.hides() {
        let id = Url::parse(page).map_or_else(|_| page.to_owned(), |page| page_id(&page));
        writes.push(Write::Unread { source: source.clone(), page: public(page).into_owned(), id });
    }
    // A page that is gone is no failure, and nothing to try again.
    if kind != SourceError::GONE {
        let (place, message) = (public(&e.place()).into_owned(), redact(&message).into_owned());
        writes.push(Write::SourceFailure { source, place, kind, message });
    }
    writes
}
