//! The token embedding `[vocab, d]`: whole, or as far as its blocks have arrived.

use clip_kernels::to_f16;

use crate::weights::{Dtype, Tensor, WeightsError};

/// Rows at half the memory where that loses nothing.
#[derive(Debug)]
pub(crate) enum Rows {
    F16(Vec<u16>),
    F32(Vec<f32>),
}

/// The token embedding.
#[derive(Debug)]
pub(crate) enum Table {
    Whole(Rows),
    /// Blocks of `rows` rows of `d` values; the last one may be shorter.
    Blocks {
        vocab: usize,
        d: usize,
        rows: usize,
        blocks: Vec<Option<Rows>>,
    },
}

impl Rows {
    fn read(tensor: &Tensor, d: usize) -> Self {
        let mut narrow = vec![0u16; tensor.len()];
        if tensor.dtype() == Dtype::F16 {
            tensor.read_f16(0, &mut narrow);
            return Rows::F16(narrow);
        }
        let mut row = vec![0.0; d];
        for (i, out) in narrow.chunks_exact_mut(d).enumerate() {
            tensor.read(i * d, &mut row);
            if !to_f16(&row, out) {
                return Rows::F32(tensor.to_vec());
            }
        }
        Rows::F16(narrow)
    }

    fn add_row(&self, row: usize, out: &mut [f32]) {
        let start = row * out.len();
        match self {
            Rows::F16(t) => {
                let wide = t[start..].iter().map(|&bits| half::f16::from_bits(bits).to_f32());
                out.iter_mut().zip(wide).for_each(|(x, v)| *x += v);
            }
            Rows::F32(t) => out.iter_mut().zip(&t[start..]).for_each(|(x, v)| *x += v),
        }
    }
}

impl Table {
    pub(crate) fn load(tensor: &Tensor, d: usize) -> Self {
        Table::Whole(Rows::read(tensor, d))
    }

    /// A table without any row.
    pub(crate) fn empty(vocab: usize, d: usize, rows: usize) -> Self {
        let blocks = (0..vocab.div_ceil(rows)).map(|_| None).collect();
        Table::Blocks { vocab, d, rows, blocks }
    }

    /// Blocks that hold rows of `ids` and are not here, ascending. Ids are inside the vocabulary.
    pub(crate) fn missing(&self, ids: &[u32]) -> Vec<usize> {
        let Table::Blocks { rows, blocks, .. } = self else { return Vec::new() };
        let needed = ids.iter().map(|id| *id as usize / rows);
        let absent = needed.filter(|block| blocks.get(*block).is_some_and(Option::is_none));
        let absent: std::collections::BTreeSet<usize> = absent.collect();
        absent.into_iter().collect()
    }

    /// Takes block `index` as it lies in the file.
    ///
    /// # Errors
    /// There is no such block, its size is another one, or it holds a value that is not finite.
    pub(crate) fn add(&mut self, index: usize, tensor: &Tensor) -> Result<(), WeightsError> {
        let Table::Blocks { vocab, d, rows, blocks } = self else { return Ok(()) };
        let count = (*rows).min(vocab.saturating_sub(index.saturating_mul(*rows)));
        match blocks.get_mut(index) {
            Some(block) if tensor.len() == count * *d => {
                tensor.check_finite()?;
                *block = Some(Rows::read(tensor, *d));
                Ok(())
            }
            _ => Err(WeightsError::Mismatch(vec![format!(
                "block {index} of the token embedding has {} values, not {}",
                tensor.len(),
                count * *d
            )])),
        }
    }

    /// Adds row `id` to `out`; a row that is not here is 0 ([`crate::Clip`] has asked before).
    pub(crate) fn add_row(&self, id: usize, out: &mut [f32]) {
        match self {
            Table::Whole(all) => all.add_row(id, out),
            Table::Blocks { rows, blocks, .. } => {
                if let Some(Some(block)) = blocks.get(id / rows) {
                    block.add_row(id % rows, out);
                }
            }
        }
    }
}
