//! Keeps this machine's scan of a store that runs on other machines write to.

use std::{sync::Arc, time::Duration};

use tokio::{select, sync::watch, time::sleep};

use super::shelf::Shelf;
use crate::{Error, embed::blocking, scan::Made};

/// How often the store is asked whether it has changed, which takes it less than a millisecond.
const LOOK: Duration = Duration::from_secs(2);

/// Until `stopping` turns true. The first scan is made at once; another one when the store has changed and
/// then has stayed the same for a while, not at every step of a run.
pub(super) async fn keep(shelf: Arc<Shelf>, mut stopping: watch::Receiver<bool>) {
    let (mut seen, mut tried) = (None, None);
    loop {
        let shelf = shelf.clone();
        let asked = shelf.clone();
        // Where the store cannot be read, the answers to questions say so.
        let now = blocking(move || asked.stamp()).await.and_then(|stamp| stamp).ok().flatten();
        let rests = tried.is_none() || now == seen;
        if now.is_some() && now != tried && rests {
            tried = now;
            tell(blocking(move || shelf.make_scan()).await.and_then(|made| made));
        }
        seen = now;
        select! {
            () = sleep(LOOK) => {}
            _ = stopping.wait_for(|&stop| stop) => return,
        }
    }
}

fn tell(made: Result<Made, Error>) {
    match made {
        Ok(Made::New { rows, reused }) => {
            tracing::info!("the scan of {rows} vectors is ready, {reused} of which it had before");
        }
        Ok(Made::Kept | Made::None) => {}
        Err(e) => tracing::warn!("searches read the whole store, until it changes: {e}"),
    }
}
