//! A catalogue: its codes, the exact vectors that have come so far, and searches that wait for
//! more of them.

use std::{collections::BTreeMap, sync::Mutex};

use clip_core::{
    NormalizedEmbedding, Provenance,
    index::{Index, IndexError, Search},
};
use serde::Serialize;

use crate::{Failure, answer, json, lock};

static CATALOGUE: Mutex<Option<Catalogue>> = Mutex::new(None);

/// Rows asked for besides those that the hits need at least, so that few rounds are enough.
const AHEAD: usize = 16;

#[derive(Debug)]
struct Catalogue {
    index: Index,
    /// By row, verified.
    exact: Vec<Option<Box<[f32]>>>,
    /// By the number that the host gave them.
    searches: BTreeMap<usize, Search>,
}

/// Answer of [`index_open`].
#[derive(Debug, Serialize)]
struct Opened<'a> {
    rows: usize,
    products: usize,
    dim: usize,
    provenance: &'a Provenance,
}

fn failed(error: &IndexError) -> Failure {
    Failure::new(error.kind(), error)
}

fn catalogue<T>(work: impl FnOnce(&mut Catalogue) -> Result<T, Failure>) -> Result<T, Failure> {
    match &mut *lock(&CATALOGUE) {
        Some(catalogue) => work(catalogue),
        None => Err(Failure::new("internal", "no catalogue is open")),
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|&b| u32::from_le_bytes(b)).collect()
}

fn bytes(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// Takes a scan file; JSON of [`Opened`].
#[unsafe(no_mangle)]
pub extern "C" fn index_open() -> i32 {
    answer(|file| {
        let index = Index::parse(file).map_err(|e| failed(&e))?;
        let about = json(&Opened {
            rows: index.rows(),
            products: index.groups(),
            dim: index.dim(),
            provenance: index.provenance(),
        });
        let exact = vec![None; index.rows()];
        *lock(&CATALOGUE) = Some(Catalogue { index, exact, searches: BTreeMap::new() });
        about
    })
}

/// Whether vectors of this provenance (JSON) may be searched for.
#[unsafe(no_mangle)]
pub extern "C" fn index_accepts() -> i32 {
    answer(|input| {
        let query: Provenance =
            serde_json::from_slice(input).map_err(|e| Failure::new("input", e))?;
        catalogue(|c| c.index.accepts(&query).map(|()| Vec::new()).map_err(|e| failed(&e)))
    })
}

/// Takes rows of the exact file: `count` row numbers (u32), then as many vectors. Answers with the
/// numbers of those that are not what the scan file says.
#[unsafe(no_mangle)]
pub extern "C" fn index_rows(count: usize) -> i32 {
    answer(|input| {
        let ids = count.checked_mul(4).and_then(|len| input.split_at_checked(len));
        let (ids, vectors) = ids.ok_or_else(|| Failure::new("internal", "rows without numbers"))?;
        catalogue(|c| {
            let mut wrong = Vec::new();
            for (row, values) in numbers(ids).into_iter().zip(vectors.chunks(4 * c.index.dim())) {
                let values = floats(values);
                match c.exact.get_mut(row as usize) {
                    Some(place) if c.index.is_row(row as usize, &values) => {
                        *place = Some(values.into());
                    }
                    _ => wrong.push(row),
                }
            }
            Ok(bytes(wrong))
        })
    })
}

/// Begins search `id` for the `top` products: f32 of the query, then (unless all products are
/// allowed) a byte per product. Answers as [`index_go_on`].
#[unsafe(no_mangle)]
pub extern "C" fn index_search(id: usize, top: usize) -> i32 {
    answer(|input| {
        catalogue(|c| {
            let len = input.len().min(4 * c.index.dim());
            let (query, allowed) = input.split_at(len);
            let query = NormalizedEmbedding::from_unit(floats(query));
            let all = allowed.is_empty();
            let allowed = |group: u32| all || allowed.get(group as usize).is_some_and(|&a| a != 0);
            let search = c.index.search(&query, top, allowed).map_err(|e| failed(&e))?;
            c.searches.insert(id, search);
            go_on(c, id, top)
        })
    })
}

/// Goes on with search `id`. Answers with u32 values: 0 and the rows that it needs; or 1 and, for
/// each hit, product, row and the bits of its score, and then the search is over.
#[unsafe(no_mangle)]
pub extern "C" fn index_go_on(id: usize, top: usize) -> i32 {
    answer(|_| catalogue(|c| go_on(c, id, top)))
}

/// Gives search `id` up.
#[unsafe(no_mangle)]
pub extern "C" fn index_forget(id: usize) -> i32 {
    answer(|_| {
        catalogue(|c| {
            c.searches.remove(&id);
            Ok(Vec::new())
        })
    })
}

fn go_on(c: &mut Catalogue, id: usize, top: usize) -> Result<Vec<u8>, Failure> {
    let exact = |row: u32| c.exact.get(row as usize).and_then(Option::as_deref);
    let Some(search) = c.searches.get_mut(&id) else {
        return Err(Failure::new("internal", "no such search"));
    };
    loop {
        let next = search.wanted(1).next();
        let Some(row) = next else { break };
        let Some(values) = exact(row) else {
            let ahead = search.wanted(top.saturating_add(AHEAD));
            let missing = ahead.filter(|&row| exact(row).is_none());
            return Ok(bytes([0].into_iter().chain(missing)));
        };
        search.rescore(values).map_err(|e| failed(&e))?;
    }
    let hits = search.hits().iter().flat_map(|hit| [hit.group, hit.row, hit.score.to_bits()]);
    let answer = bytes([1].into_iter().chain(hits));
    c.searches.remove(&id);
    Ok(answer)
}
