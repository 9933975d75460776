//! What sources could not tell: counted for people, kept in the store, and never a reason to believe
//! that a product has vanished.

use reqwest::Url;

use crate::{
    report::{
        FailureNote, Summary,
        secrets::{public, redact},
    },
    source::{Hides, Product, SourceError, former_page_key, page_key},
    store::Write,
};

/// Kind of the failure of a product that has no image.
const NO_IMAGE: &str = "product.no_image";

/// Counts a product; what there is to write of it.
pub(super) fn product(product: Product, summary: &mut Summary) -> Vec<Write> {
    // One that is whole only now was counted before.
    summary.products += u64::from(product.completes.is_none());
    let page = product.page.as_deref();
    let mut writes = page.map_or_else(Vec::new, |page| renamed(&product.source, page, &product.id));
    let failure = product.images.is_empty().then(|| no_image(&product, summary));
    writes.push(Write::Product(product));
    writes.extend(failure);
    writes
}

fn no_image(product: &Product, summary: &mut Summary) -> Write {
    let message = "its source lists no image".to_owned();
    summary.without_image += 1;
    summary.note(FailureNote {
        product: product.id.clone(),
        image: String::new(),
        kind: NO_IMAGE.into(),
        message: message.clone(),
    });
    let (source, place) = (product.source.clone(), product.id.clone());
    Write::SourceFailure { source, place, kind: NO_IMAGE.into(), message }
}

/// The keys that a page's product had before: in older stores it was its path, and before a page
/// said that another one stands for it, it was its own.
pub(super) fn renamed(source: &str, page: &str, to: &str) -> Vec<Write> {
    let Ok(url) = Url::parse(page) else { return Vec::new() };
    let page = public(page).into_owned();
    let former = [former_page_key(&url), page_key(&url)].into_iter().filter(|from| from != to);
    let renamed = former.map(|from| Write::Renamed {
        source: source.to_owned(),
        from,
        page: page.clone(),
        to: to.to_owned(),
    });
    renamed.collect()
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
    let mut writes = match e {
        SourceError::Twin { page, product } => return renamed(&source, page, product),
        _ => Vec::new(),
    };
    if let Hides::Page(page) = e.hides() {
        let id = Url::parse(page).map_or_else(|_| page.to_owned(), |page| former_page_key(&page));
        writes.push(Write::Unread { source: source.clone(), page: public(page).into_owned(), id });
    }
    // A page that is gone is no failure, and nothing to try again.
    if kind != SourceError::GONE {
        let (place, message) = (public(&e.place()).into_owned(), redact(&message).into_owned());
        writes.push(Write::SourceFailure { source, place, kind, message });
    }
    writes
}
