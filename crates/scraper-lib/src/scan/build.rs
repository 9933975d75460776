//! Makes the scan of a store, from the one before where there is one.

use std::{
    collections::BTreeSet,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::Path,
    time::Instant,
};

use clip_core::{
    Embedding, Provenance,
    index::{Builder, Code, EXACT_HEADER, Mean, exact_header},
    trace::sha256,
};
use memmap2::Mmap;
use rayon::prelude::*;
use shop_words::{Columns, flat};

use super::{
    Checked, Codes, KINDS, Manifest, Scan, VERSION, WORTHWHILE, facts::FactsWriter, summed,
};
use crate::{
    Error,
    mmap::map,
    named::{Folder, Written},
    output::Part,
    report::Progress,
    search::push,
    store::{ImageHash, Row, State, Store},
};

/// Rows whose codes one thread makes at a time.
const BLOCK: usize = 1024;

/// What [`make`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// The one that is there is of the store as it is.
    Kept,
    /// The store is read as quickly; or it holds vectors that no scan can hold.
    None,
    /// A new one.
    New {
        /// Its vectors.
        rows: usize,
        /// Those of them that came from the scan before.
        reused: usize,
    },
}

/// Makes the scan of `store` anew after a run, where that is [`WORTHWHILE`] and, in a store of many
/// machines, this one has a scan already. Searches only miss their speed where it cannot be made: this is
/// told and is no error.
pub fn refresh(store: &dyn Store, progress: &Progress) {
    let wanted = store.scan_is_beside()
        || store.scan_folder().is_some_and(|folder| Manifest::read(&folder).is_some());
    if !wanted {
        return;
    }
    let started = Instant::now();
    match make(store, WORTHWHILE) {
        Ok(Made::New { rows, .. }) => {
            let seconds = started.elapsed().as_secs_f64();
            tracing::info!("the scan of {rows} vectors was made in {seconds:.1} s");
        }
        Ok(_) => {}
        Err(e) => progress.note(&format!("searches will read the whole store: {e}")),
    }
}

/// Makes the scan of `store` anew, if the store has changed and has at least `least` vectors. Searches
/// may go on meanwhile; one process at a time makes it.
///
/// # Errors
/// The store cannot be read, or the folder not be written.
pub fn make(store: &dyn Store, least: usize) -> Result<Made, Error> {
    let Some(folder) = &store.scan_folder() else { return Ok(Made::None) };
    let Some(provenance) = store.provenance()? else { return Ok(Made::None) };
    let before = Manifest::read(folder).and_then(|manifest| Scan::with(folder, manifest));
    let stamp = store.stamp()?;
    if let Some(scan) = before.as_ref()
        && stamp == Some(*scan.stamp())
    {
        return Ok(Made::Kept);
    }
    let before = before.filter(|scan| *scan.provenance() == provenance);
    let by_hash = before.as_ref().and_then(|scan| Some((scan, scan.by_hash()?)));
    let known = |state: &State, hash: &ImageHash| {
        let same = by_hash.as_ref().filter(|(scan, _)| scan.manifest.vectors == state.vectors);
        same.and_then(|(scan, by_hash)| scan.row(by_hash(hash)?).ok())
    };

    let target = Folder::open(folder, KINDS)?.like_others();
    match store.scan_is_beside() {
        true => like_the_store(folder),
        false => set_mode(folder, 0o700),
    }
    .map_err(target.error())?;
    let mut rows = Rows::new(folder).map_err(target.error())?;
    let mut failure = None;
    let state = store.state(&|state, hash| known(state, hash).is_some(), &mut |state, row| {
        let added = rows.add(row, |hash| known(state, hash));
        failure = added.err();
        failure.is_none()
    })?;
    match failure {
        None => {}
        Some(Stop::Unfit(why)) => {
            tracing::warn!("the store cannot have a scan, so searches read it: {why}");
            return Ok(Made::None);
        }
        Some(Stop::Io(e)) => return Err(target.error()(e)),
    }
    let Some(state) = state else { return Ok(Made::None) };
    if rows.same.len() < least.max(1) {
        return Ok(Made::None);
    }
    let (count, reused) = (rows.same.len(), rows.reused);
    let Some(manifest) = rows.finish(&target, provenance, state)? else { return Ok(Made::None) };

    let old = Manifest::read(folder);
    let kept: BTreeSet<&str> =
        old.iter().flat_map(|old| old.files()).chain(manifest.files()).collect();
    let json = summed::json(&manifest).map_err(target.error())?;
    target.publish(&json, &kept)?;
    Ok(Made::New { rows: count, reused })
}

/// Who may not read the store may not read its scan.
fn like_the_store(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Ok(store) = std::fs::metadata(folder.with_extension("")) {
        use std::os::unix::fs::PermissionsExt;
        let mode = store.permissions().mode() & 0o777;
        // Whoever may read a file may enter a folder.
        set_mode(folder, 0o700 | mode | ((mode & 0o444) >> 2))?;
    }
    Ok(())
}

/// Has no effect where files have no modes.
fn set_mode(folder: &Path, mode: u32) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode))?;
    }
    let _ = (folder, mode);
    Ok(())
}

/// Why there will be no scan.
enum Stop {
    Unfit(String),
    Io(std::io::Error),
}

/// What comes of the rows of a store.
struct Rows {
    exact: BufWriter<Part>,
    mean: Option<Mean>,
    dim: usize,
    /// Whether each row is of the same product as the one before.
    same: Vec<bool>,
    last: (String, String),
    facts: FactsWriter,
    words: Columns,
    reused: usize,
}

impl Rows {
    fn new(folder: &Path) -> std::io::Result<Self> {
        let mut exact = BufWriter::new(Part::new(folder, "exact")?);
        exact.write_all(&[0; EXACT_HEADER])?;
        Ok(Rows {
            exact,
            mean: None,
            dim: 0,
            same: Vec::new(),
            last: Default::default(),
            facts: FactsWriter::default(),
            words: Columns::default(),
            reused: 0,
        })
    }

    fn add(
        &mut self,
        mut row: Row,
        known: impl Fn(&ImageHash) -> Option<Vec<f32>>,
    ) -> Result<(), Stop> {
        let values = match row.values.is_empty() {
            true => {
                self.reused += 1;
                known(&row.hash).ok_or_else(|| Stop::Unfit("the scan before is damaged".into()))?
            }
            false => {
                Embedding::from_raw(std::mem::take(&mut row.values)).normalized().into_values()
            }
        };
        if values.iter().any(|x| x.is_nan()) {
            return Ok(()); // a vector of zeros points nowhere
        }
        self.dim = values.len();
        let mean = self.mean.get_or_insert_with(|| Mean::new(values.len()));
        let id = &row.product.id;
        mean.add(&values).map_err(|e| Stop::Unfit(format!("the vector of {id}: {e}")))?;
        let same = !self.same.is_empty() && self.last.0 == row.product.source && self.last.1 == *id;
        if !same {
            self.last = (row.product.source.clone(), id.clone());
            self.facts.product(&row.product);
            push(&mut self.words, &row.product);
        }
        self.same.push(same);
        self.facts.row(&row);
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.exact.write_all(&bytes).map_err(Stop::Io)
    }

    /// Writes the files; `None` if one of them were too large.
    fn finish(
        self,
        folder: &Folder,
        provenance: Provenance,
        state: State,
    ) -> Result<Option<Manifest>, Error> {
        let Rows { exact, mean, dim, same, facts, words, .. } = self;
        let fail = folder.error();
        let Some(mean) = mean else { return Ok(None) };
        let mut exact = exact.into_inner().map_err(|e| fail(e.into_error()))?;
        exact.seek(SeekFrom::Start(0)).map_err(&fail)?;
        exact.write_all(&exact_header(same.len(), dim)).map_err(&fail)?;
        let vectors = map(exact.path()).map_err(&fail)?;
        let mut builder = mean.builder();
        let mut codes = Codes::new(folder)?;
        add_codes(&vectors, dim, &same, &mut builder, &mut codes)?;
        drop(vectors);
        // The digests of all rows are the file's content.
        let digest = sha256(builder.digests());
        let name = format!("exact-{}.safetensors", digest.get(..16).unwrap_or(&digest));
        exact.place(&folder.path(&name)).map_err(&fail)?;
        let scan = codes.finish(builder, &provenance)?;

        let Some(facts) = facts.finish() else { return Ok(None) };
        let facts = columns(folder, facts, "facts")?;
        let products = words.len();
        let words = shop_words::Index::new(words).map_err(|e| Error::Internal(e.to_string()))?;
        let mut file = folder.file()?;
        file.put(words.bytes())?;
        drop(words);
        let words = file.finish("words", "columns")?;
        let check = |written| Checked::of(folder, written);
        Ok(Some(Manifest {
            version: VERSION,
            stamp: state.stamp,
            vectors: state.vectors,
            dim,
            rows: same.len(),
            products,
            provenance,
            scan: check(scan)?,
            exact: name,
            words: check(words)?,
            facts: check(facts)?,
        }))
    }
}

fn columns(folder: &Folder, columns: flat::Writer, part: &str) -> Result<Written, Error> {
    let mut file = folder.file()?;
    for part in columns.finish() {
        file.put(&part)?;
    }
    file.finish(part, "columns")
}

/// Makes codes on all cores, some blocks at a time.
fn add_codes(
    vectors: &Mmap,
    dim: usize,
    same: &[bool],
    builder: &mut Builder,
    codes: &mut Codes<'_>,
) -> Result<(), Error> {
    let rows = vectors.get(EXACT_HEADER..).unwrap_or_default().par_chunks(BLOCK * 4 * dim);
    let blocks: Vec<(usize, &[u8])> = rows.enumerate().collect();
    let at_once = 4 * rayon::current_num_threads();
    for blocks in blocks.chunks(at_once) {
        let ready: &Builder = builder;
        let made = blocks.par_iter().map(|&(number, block)| {
            let mut bytes = Vec::with_capacity(block.len() / 4);
            let rows = block.chunks_exact(4 * dim).map(|row| {
                let values: Vec<f32> =
                    row.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
                ready.code(&values, &mut bytes)
            });
            let rows = rows.collect::<Result<Vec<Code>, _>>();
            rows.map(|rows| (number, rows, bytes))
        });
        let made = made.collect::<Result<Vec<_>, _>>();
        for (number, rows, bytes) in made.map_err(|e| Error::Internal(e.to_string()))? {
            let same = same.get(number * BLOCK..).unwrap_or_default();
            codes.add(builder, rows.into_iter().zip(same.iter().copied()), &bytes)?;
        }
    }
    Ok(())
}

impl Checked {
    fn of(folder: &Folder, written: Written) -> Result<Self, Error> {
        let map = map(&folder.path(&written.file)).map_err(folder.error())?;
        Ok(Checked { written, crc: summed::crc(&map) })
    }
}
