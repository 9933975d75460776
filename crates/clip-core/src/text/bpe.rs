//! Byte-level byte pair encoding with an end-of-word suffix (Sennrich et al. 2016; GPT-2's bytes).

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::merges;

/// Ids below this stand for one byte, inside (0..256) or at the end (256..512) of a word.
const BYTES: u32 = 512;

/// A vocabulary: the ids of single bytes, and which pairs merge into what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// Id of each byte inside a word, and as the last of a word.
    inner: [u32; 256],
    last: [u32; 256],
    /// By left id: where its merges start in `merges` (sorted by right id), one more at the end.
    starts: Vec<u32>,
    merges: Vec<Merge>,
    pub(super) bos: u32,
    pub(super) eot: u32,
}

/// `right`, after the left id that owns this entry, makes `id`; lower ranks go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Merge {
    right: u32,
    rank: u32,
    id: u32,
}

impl Model {
    /// The standard vocabulary.
    pub(super) fn clip() -> Self {
        let (mut inner, mut last) = ([0; 256], [0; 256]);
        for (id, byte) in (0..).zip(byte_order()) {
            inner[usize::from(byte)] = id;
            last[usize::from(byte)] = id + 256;
        }
        let pairs = merges::unpack();
        let triples: Vec<_> = (BYTES..).zip(pairs).map(|(id, (l, r))| (l, r, id)).collect();
        let bos = BYTES + merges::COUNT as u32;
        Model::new(inner, last, &triples, bos, bos + 1)
    }

    /// From `(left, right, result)` ids in order of rank. All ids are expected to be small
    /// (memory is proportional to the largest left id).
    pub(super) fn new(
        inner: [u32; 256],
        last: [u32; 256],
        triples: &[(u32, u32, u32)],
        bos: u32,
        eot: u32,
    ) -> Self {
        let mut sorted: Vec<_> = (0u32..)
            .zip(triples)
            .map(|(rank, &(l, right, id))| (l, Merge { right, rank, id }))
            .collect();
        // Of a pair that is listed twice the last one counts, as in HF's map.
        sorted.sort_unstable_by_key(|(left, m)| (*left, m.right, Reverse(m.rank)));
        sorted.dedup_by_key(|(left, m)| (*left, m.right));
        let lefts = sorted.last().map_or(0, |(left, _)| *left as usize + 1);
        let mut starts = vec![0; lefts + 1];
        for (left, _) in &sorted {
            starts[*left as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let merges = sorted.into_iter().map(|(_, merge)| merge).collect();
        Model { inner, last, starts, merges, bos, eot }
    }

    /// All that it consists of, in the order that [`super::Tokenizer::digest`] describes.
    pub(super) fn numbers(&self, mut take: impl FnMut(u32)) {
        [self.bos, self.eot].into_iter().chain(self.inner).chain(self.last).for_each(&mut take);
        for (left, bounds) in (0u32..).zip(self.starts.windows(2)) {
            for Merge { right, rank, id } in &self.merges[bounds[0] as usize..bounds[1] as usize] {
                [left, *right, *rank, *id].into_iter().for_each(&mut take);
            }
        }
    }

    fn merges_of(&self, left: u32) -> &[Merge] {
        // `left` may be GONE, the largest usize of wasm32: no arithmetic on it.
        let bounds = self.starts.get(left as usize..).and_then(|s| s.first_chunk::<2>());
        let Some(&[start, end]) = bounds else { return &[] };
        &self.merges[start as usize..end as usize]
    }

    fn merge(&self, left: u32, right: u32) -> Option<Merge> {
        let candidates = self.merges_of(left);
        let at = candidates.binary_search_by_key(&right, |m| m.right).ok()?;
        candidates.get(at).copied()
    }

    /// Appends the ids of one word. Time is O(n log n) in its bytes.
    pub(super) fn encode(&self, word: &[u8], ids: &mut Vec<u32>) {
        let Some((&end, start)) = word.split_last() else { return };
        let mut symbols: Vec<Symbol> = start
            .iter()
            .map(|&byte| self.inner[usize::from(byte)])
            .chain([self.last[usize::from(end)]])
            .enumerate()
            .map(|(i, id)| Symbol { id, prev: i.wrapping_sub(1), next: i + 1 })
            .collect();

        // Lowest rank first, then leftmost. Entries go stale when a neighbour merges first.
        let mut queue = BinaryHeap::new();
        let push = |queue: &mut BinaryHeap<_>, symbols: &[Symbol], at: usize| {
            let left = symbols.get(at)?;
            let right = symbols.get(left.next)?;
            let merge = self.merge(left.id, right.id)?;
            queue.push(Reverse((merge.rank, at, merge.id)));
            Some(())
        };
        for at in 0..symbols.len() {
            push(&mut queue, &symbols, at);
        }
        while let Some(Reverse((_, at, id))) = queue.pop() {
            let left = symbols[at];
            let Some(&right) = symbols.get(left.next) else { continue };
            if self.merge(left.id, right.id).is_none_or(|m| m.id != id) {
                continue;
            }
            symbols[left.next].id = GONE;
            symbols[at] = Symbol { id, prev: left.prev, next: right.next };
            if let Some(after) = symbols.get_mut(right.next) {
                after.prev = at;
            }
            push(&mut queue, &symbols, left.prev);
            push(&mut queue, &symbols, at);
        }
        ids.extend(symbols.iter().map(|s| s.id).filter(|&id| id != GONE));
    }

    /// The text of each token: its bytes (invalid UTF-8 as U+FFFD), `</w>` at the end of a word.
    pub(super) fn pieces(&self, ids: &[u32]) -> Vec<String> {
        let mut parts = HashMap::new();
        for (left, bounds) in (0u32..).zip(self.starts.windows(2)) {
            for merge in &self.merges[bounds[0] as usize..bounds[1] as usize] {
                parts.insert(merge.id, (left, merge.right));
            }
        }
        let mut bytes = HashMap::new();
        for byte in 0..=255u8 {
            bytes.insert(self.inner[usize::from(byte)], (byte, ""));
            bytes.insert(self.last[usize::from(byte)], (byte, "</w>"));
        }
        let piece = |id: u32| {
            if id == self.bos {
                return super::BOS.to_owned();
            } else if id == self.eot {
                return super::EOT.to_owned();
            }
            let (mut text, mut suffix, mut stack) = (Vec::new(), "", vec![id]);
            while let Some(id) = stack.pop() {
                if let Some(&(byte, end)) = bytes.get(&id) {
                    text.push(byte);
                    suffix = end;
                } else if let Some(&(left, right)) = parts.get(&id) {
                    stack.extend([right, left]);
                } else {
                    return format!("<unknown {id}>");
                }
            }
            String::from_utf8_lossy(&text).into_owned() + suffix
        };
        ids.iter().copied().map(piece).collect()
    }
}

/// Marks a symbol that was merged into its left neighbour; never a token id.
const GONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Symbol {
    id: u32,
    prev: usize,
    next: usize,
}

/// All bytes in the order of the vocabulary: printable ones first (GPT-2's `bytes_to_unicode`).
pub(super) fn byte_order() -> impl Iterator<Item = u8> {
    let shown = |b: &u8| matches!(b, 33..=126 | 161..=172 | 174..=255);
    (0..=255u8).filter(shown).chain((0..=255u8).filter(move |b| !shown(b)))
}
