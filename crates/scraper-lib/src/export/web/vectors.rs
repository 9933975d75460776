//! The vectors of an export: copied from the scan of the store where it has one, else computed.

use clip_core::{
    Embedding, Provenance,
    index::{IndexError, Mean, exact_header},
};

use super::cards::Cards;
use crate::{
    Error,
    named::{Folder, Written},
    relevance::{Learner, Relevance},
    scan::{Codes, Damaged, Scan},
    source::publish,
    store::{Row, Store, StoreError, View, try_rows},
};

/// Bytes that are copied at a time.
const BLOCK: usize = 1 << 20;

/// What was written, and the cards of the same rows.
pub(super) struct Vectors<'a> {
    pub(super) rows: usize,
    pub(super) dim: usize,
    pub(super) scan: Written,
    pub(super) exact: Written,
    pub(super) relevance: Option<Relevance>,
    pub(super) cards: Cards<'a>,
}

/// `None` where there is no scan of what is to be exported. The store is read once, without vectors.
pub(super) fn from_scan<'a>(
    store: &dyn Store,
    view: &View,
    learner: &mut Option<Learner>,
    folder: &'a Folder,
) -> Result<Option<Vectors<'a>>, Error> {
    let (Some(place), Some(stamp)) = (store.scan_folder(), store.stamp()?) else { return Ok(None) };
    if view.vanished || !view.filter.is_empty() {
        return Ok(None);
    }
    let Some(scan) = Scan::open(&place, &stamp) else { return Ok(None) };
    let Ok(facts) = scan.facts() else { return Ok(None) };
    let mut cards = Cards::new(folder)?;
    let mut hashes = facts.hashes().iter().peekable();
    let mut failure = None;
    let state = store.state(&|_, _| true, &mut |state, mut row| {
        if state.stamp != stamp {
            return false;
        }
        // One that is not in the scan is a vector of zeros, which points nowhere.
        if hashes.next_if(|&hash| *hash == row.hash).is_some() {
            publish(&mut row.image, &mut row.product);
            failure = cards.add(&row).err();
        }
        failure.is_none()
    })?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    if state.is_none_or(|state| state.stamp != stamp) || hashes.next().is_some() {
        return Ok(None); // it changed between two looks
    }
    let Ok(exact) = exact(&scan, folder)? else { return Ok(None) };
    let mut file = folder.file()?;
    scan.files().0.chunks(BLOCK).try_for_each(|block| file.put(block))?;
    let relevance = match learner.take().map(|learner| scan.learned(learner)).transpose() {
        Ok(relevance) => relevance,
        Err(damaged) => return Err(StoreError::Damaged(damaged.0).into()),
    };
    let (rows, dim) = (scan.rows(), scan.dim());
    let scan = file.finish("scan", "safetensors")?;
    Ok(Some(Vectors { rows, dim, scan, exact, relevance, cards }))
}

/// Copies the exact vectors, each after a look at its digest.
fn exact(scan: &Scan, folder: &Folder) -> Result<Result<Written, Damaged>, Error> {
    let mut file = folder.file()?;
    file.put(scan.files().1)?;
    for row in (0u32..).take(scan.rows()) {
        match scan.row(row) {
            Ok(values) => file.floats(&values)?,
            Err(damaged) => return Ok(Err(damaged)),
        }
    }
    Ok(Ok(file.finish("exact", "safetensors")?))
}

/// Reads the store twice, since codes are relative to the mean.
pub(super) fn from_store<'a>(
    store: &dyn Store,
    view: &View,
    mut learner: Option<Learner>,
    folder: &'a Folder,
    provenance: &Provenance,
) -> Result<Vectors<'a>, Error> {
    let mut mean: Option<Mean> = None;
    let (mut rows, mut dim) = (0, 0);
    visit(store, view, |row| {
        dim = row.values.len();
        rows += 1;
        if let Some(learner) = &mut learner {
            learner.add(&row.values)?;
        }
        mean.get_or_insert_with(|| Mean::new(dim)).add(&row.values).map_err(damaged)
    })?;
    let Some(mean) = mean else {
        return Err(Error::Usage("there are no vectors to export".into()));
    };

    let relevance = learner.map(|learner| learner.finish(&mean));
    let mut builder = mean.builder();
    let mut codes = Codes::new(folder)?;
    let mut exact = folder.file()?;
    exact.put(&exact_header(rows, dim))?;
    let mut cards = Cards::new(folder)?;
    visit(store, view, |row| {
        let same = cards.add(&row)?;
        codes.push(&mut builder, &row.values, same)?;
        exact.floats(&row.values)
    })?;
    if builder.rows() != rows {
        return Err(Error::Usage(
            "the store changed during the export: wait for the run to end and export again".into(),
        ));
    }
    let scan = codes.finish(builder, provenance)?;
    let exact = exact.finish("exact", "safetensors")?;
    Ok(Vectors { rows, dim, scan, exact, relevance, cards })
}

/// Every row with its vector normalised; a vector of zeros points nowhere and is left out.
fn visit(
    store: &dyn Store,
    view: &View,
    mut each: impl FnMut(Row) -> Result<(), Error>,
) -> Result<(), Error> {
    try_rows(store, view, |mut row| {
        row.values = Embedding::from_raw(row.values).normalized().into_values();
        if row.values.iter().any(|x| x.is_nan()) {
            return Ok(());
        }
        publish(&mut row.image, &mut row.product);
        each(row)
    })
}

fn damaged(error: IndexError) -> Error {
    StoreError::Damaged(error.to_string()).into()
}
