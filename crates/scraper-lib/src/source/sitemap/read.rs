//! Reads the products of listed pages.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::Url;
use tokio::{
    sync::{Semaphore, mpsc::Sender},
    task::JoinSet,
};

use super::{address, listed::Listed};
use crate::source::{
    Product, SourceError, SourceItem,
    web::{PAGE_LIMIT, Wanted, Web},
};

/// Pages that are read at once, at most; their host's pace decides.
const PAGES_AT_ONCE: usize = 16;
const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5";
/// Reads the products of listed pages and sends them as they come.
pub(in crate::source) async fn read_pages(
    web: &Web,
    mut listed: tokio::sync::mpsc::Receiver<Result<Listed, SourceError>>,
    out: &Sender<SourceItem>,
) {
    let room = Arc::new(Semaphore::new(PAGES_AT_ONCE));
    let mut reading = JoinSet::new();
    let mut seen = HashSet::new();
    while let Some(listed) = listed.recv().await {
        let listed = match listed {
            Ok(listed) => listed,
            Err(e) => match out.send(Err(e)).await {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let listed = Listed { url: address::without_tracking(listed.url), ..listed };
        if !seen.insert(listed.url.clone()) {
            continue; // several sitemaps often list the same page
        }
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let (web, out) = (web.clone(), out.clone());
        reading.spawn(async move {
            let _permit = permit;
            for item in read_page(&web, &listed).await {
                if out.send(item).await.is_err() {
                    return;
                }
            }
        });
        while reading.try_join_next().is_some() {}
    }
    while reading.join_next().await.is_some() {}
}

/// Pages that are taken apart at once: hostile ones take up to 90 MB each.
static TURNS: [Mutex<()>; 4] = [const { Mutex::new(()) }; 4];

/// Waits for one of [`TURNS`], on a thread that may wait.
fn turn() -> Option<MutexGuard<'static, ()>> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let turn = TURNS.get(NEXT.fetch_add(1, Ordering::Relaxed) % TURNS.len())?;
    Some(turn.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The product of one page and its variants, and why it is missing or not whole.
async fn read_page(web: &Web, listed: &Listed) -> Vec<SourceItem> {
    let mut items = read_one(web, listed).await;
    for variant in &listed.variants {
        for item in read_one(web, variant).await {
            let first = items.iter_mut().find_map(|item| item.as_mut().ok());
            match (item, first) {
                (Ok(product), Some(first)) => {
                    let known: HashSet<String> = first.images.iter().cloned().collect();
                    first.images.extend(product.images.into_iter().filter(|i| !known.contains(i)));
                }
                (Ok(product), None) => items.push(Ok(Product {
                    id: page_id(&listed.url),
                    page: Some(listed.url.to_string()),
                    ..product
                })),
                (Err(e), _) => items.push(Err(e)),
            }
        }
    }
    // Of a product that is not known in full, what the store has is better: it is known by the
    // page that stands for all its variants.
    if items.iter().any(|item| item.as_ref().is_err_and(|e| !e.is_expected())) {
        items.retain(Result::is_err);
        for item in &mut items {
            if let Err(SourceError::Page { page, .. }) = item {
                listed.url.as_str().clone_into(page);
            }
        }
    }
    items
}

async fn read_one(web: &Web, listed: &Listed) -> Vec<SourceItem> {
    let Listed { url, lastmod, images, .. } = listed;
    let wanted = Wanted { url, accept: HTML, limit: PAGE_LIMIT, lastmod: lastmod.as_deref() };
    let reader = web.reader();
    let version = reader.version();
    let read = web.distilled(&wanted, &version, move |body| {
        let _turn = turn();
        Ok(reader.read(&body.bytes, body.content_type.as_deref(), &body.url))
    });
    let place = url.to_string();
    let found = match read.await {
        Ok(found) => found,
        Err(e) => return vec![Err(SourceError::of_page(url, &e))],
    };
    let Some(mut product) = found.product else {
        // A note may be the reason that the product is missing.
        let (kind, reason) = match found.notes.is_empty() {
            true => (SourceError::NO_PRODUCT, "the page shows no product".to_owned()),
            false => (SourceError::UNREADABLE, found.notes.join("; ")),
        };
        return vec![Err(SourceError::Page { page: place, kind, reason })];
    };
    for reason in found.notes {
        tracing::info!("{place}: {reason}");
    }
    product.id = page_id(url);
    product.page = Some(place);
    if product.images.is_empty() {
        product.images.clone_from(images);
    }
    vec![Ok(product)]
}

/// Pages have no key but their address: its path, and the query where there is one.
pub(crate) fn page_id(url: &Url) -> String {
    let path = url.path().trim_matches('/');
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let id = format!("{path}{query}");
    if id.is_empty() { url.to_string() } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_paths() {
        let id = |url: &str| page_id(&Url::parse(url).unwrap());
        assert_eq!(id("https://shop.example/products/red-dress/"), "products/red-dress");
        assert_eq!(id("https://shop.example/item?id=3"), "item?id=3");
        assert_eq!(id("https://shop.example/"), "https://shop.example/");
    }
}
