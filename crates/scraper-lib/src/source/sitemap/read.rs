//! Reads the products of listed pages.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    sync::{Semaphore, mpsc::Sender},
    task::JoinSet,
};

use super::{
    listed::Listed,
    twins::{More, Settled, Twins},
};
use crate::source::{
    Found, Product, SameAs, SourceError, SourceItem, address,
    distinct::hash,
    key::page_key,
    web::{PAGE_LIMIT, Wanted, Web},
};

/// Pages that are read at once, at most; their host's pace decides.
const PAGES_AT_ONCE: usize = 16;
const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5";

/// How much of a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Reading {
    /// All its pages.
    All,
    /// Those that failed before: of a product with several pages they are not the whole.
    Some,
}

/// Reads the products of listed pages and sends them as they come; those of which several pages may
/// tell at the end.
pub(in crate::source) async fn read_pages(
    web: &Web,
    mut listed: tokio::sync::mpsc::Receiver<Result<Listed, SourceError>>,
    out: &Sender<SourceItem>,
    how: Reading,
) {
    let room = Arc::new(Semaphore::new(PAGES_AT_ONCE));
    let mut reading = JoinSet::new();
    let mut seen = HashSet::new();
    let twins = Arc::new(Mutex::new(Twins::default()));
    while let Some(listed) = listed.recv().await {
        let listed = match listed {
            Ok(listed) => listed,
            Err(e) => match out.send(Err(e)).await {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let listed = Listed { url: address::without_tracking(listed.url), ..listed };
        // Several sitemaps often list the same page; not all of them need list all its variants.
        let listed = match seen.insert(listed.url.clone()) {
            true => {
                seen.extend(listed.variants.iter().map(|variant| variant.url.clone()));
                vec![listed]
            }
            false => listed.variants.into_iter().filter(|v| seen.insert(v.url.clone())).collect(),
        };
        for listed in listed {
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            let (web, out, twins) = (web.clone(), out.clone(), twins.clone());
            reading.spawn(async move {
                let _permit = permit;
                let Read { items, same_as } = read_page(&web, &listed).await;
                for item in items {
                    let item = lock(&twins).sort(&listed, item, same_as.as_ref());
                    if let Some(item) = item
                        && out.send(item).await.is_err()
                    {
                        return;
                    }
                }
            });
            while reading.try_join_next().is_some() {}
        }
    }
    while reading.join_next().await.is_some() {}
    let Settled { items, more } = std::mem::take(&mut *lock(&twins)).settle(how);
    for item in items {
        if out.send(item).await.is_err() {
            return;
        }
    }
    for more in more {
        if out.send(extended(web, more).await).await.is_err() {
            return;
        }
    }
}

/// A product that went on already, with the images of its twins. Its page is asked for again, which
/// is one request where the server says that it has not changed: twins are few, and keeping all
/// products of a shop would take more memory than anything else does.
async fn extended(web: &Web, more: More) -> SourceItem {
    let mut items = read_page(web, &more.listed).await.items;
    // Where it is not whole, there is none; see `read_page`.
    items.sort_by_key(Result::is_err);
    let product = items.into_iter().next().unwrap_or_else(|| {
        let (page, kind) = (more.listed.url.to_string(), SourceError::UNREADABLE);
        Err(SourceError::Page { page, kind, reason: "it cannot be read again".into() })
    })?;
    let mut images = product.images;
    let before = images.iter().zip(&more.before).take_while(|(now, before)| hash(now) == **before);
    let completes = Some(before.count());
    images.extend(more.images);
    Ok(Product { images, completes, ..product })
}

fn lock(twins: &Mutex<Twins>) -> MutexGuard<'_, Twins> {
    twins.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one page gave.
struct Read {
    items: Vec<SourceItem>,
    same_as: Option<SameAs>,
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
async fn read_page(web: &Web, listed: &Listed) -> Read {
    let Read { mut items, same_as } = read_one(web, listed).await;
    for variant in &listed.variants {
        for item in read_one(web, variant).await.items {
            let first = items.iter_mut().find_map(|item| item.as_mut().ok());
            match (item, first) {
                (Ok(product), Some(first)) => {
                    let known: HashSet<String> = first.images.iter().cloned().collect();
                    first.images.extend(product.images.into_iter().filter(|i| !known.contains(i)));
                }
                (Ok(product), None) => items.push(Ok(Product {
                    id: page_key(&listed.url),
                    page: Some(listed.url.to_string()),
                    ..product
                })),
                (Err(e), _) => items.push(Err(e)),
            }
        }
    }
    // Of a product that is not known in full, what the store has is better: it is known by the
    // page that stands for all its variants. Of a twin, the kept images of the last time count.
    if same_as.is_none() && items.iter().any(|item| item.as_ref().is_err_and(|e| !e.is_expected()))
    {
        items.retain(Result::is_err);
        for item in &mut items {
            if let Err(SourceError::Page { kind, reason, .. }) = item
                && !listed.variants.is_empty()
            {
                let (page, reason) = (listed.url.to_string(), std::mem::take(reason));
                *item = Err(SourceError::Variant { page, kind, reason });
            }
        }
    }
    Read { items, same_as }
}

async fn read_one(web: &Web, listed: &Listed) -> Read {
    let Listed { url, lastmod, images, .. } = listed;
    let wanted = Wanted { url, accept: HTML, limit: PAGE_LIMIT, lastmod: lastmod.as_deref() };
    let reader = web.reader();
    let version = reader.version();
    let read = web.distilled(&wanted, &version, move |body| {
        let _turn = turn();
        Ok(reader.read(&body.bytes, body.content_type.as_deref(), &body.url))
    });
    let place = url.to_string();
    let (found, failed) = match read.await {
        Ok(found) => (found, None),
        // Of a twin that cannot be read, the images are those of the last time.
        Err(e) => {
            let failed = SourceError::of_page(url, &e);
            let kept = match failed.kind() {
                SourceError::GONE => None,
                _ => web.kept_reading::<Found>(url, &version).await,
            };
            match kept.filter(|found| found.same_as.is_some()) {
                Some(found) => (found, Some(failed)),
                None => return Read { items: vec![Err(failed)], same_as: None },
            }
        }
    };
    let Found { product, notes, same_as, .. } = found;
    let Some(mut product) = product else {
        // A note may be the reason that the product is missing.
        let (kind, reason) = match notes.is_empty() {
            true => (SourceError::NO_PRODUCT, "the page shows no product".to_owned()),
            false => (SourceError::UNREADABLE, notes.join("; ")),
        };
        let items = vec![Err(SourceError::Page { page: place, kind, reason })];
        return Read { items, same_as: None };
    };
    for reason in notes {
        tracing::info!("{place}: {reason}");
    }
    product.id = page_key(url);
    product.page = Some(place);
    if product.images.is_empty() {
        product.images.clone_from(images);
    }
    let items = std::iter::once(Ok(product)).chain(failed.map(Err)).collect();
    Read { items, same_as }
}
