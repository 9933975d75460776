//! Tensors that were packed as they arrived, until the towers are put together.

use std::{cell::RefCell, collections::HashMap};

use clip_kernels::{Kernels, Linear, UsualRows};

use super::Table;
use crate::weights::{Dtype, Tensor, Weights, WeightsError};

/// Where a tower's tensors come from.
pub(crate) enum Source<'a> {
    File(&'a Weights<'a>),
    Parts(&'a Parts),
}

/// Packed tensors by name. Taking one removes it.
#[derive(Debug, Default)]
pub(crate) struct Parts(RefCell<HashMap<String, Part>>);

#[derive(Debug)]
enum Part {
    Vector(Vec<f32>),
    Matrix(Linear),
    Table(Table),
}

impl Parts {
    /// Packs `tensor`, whose shape was checked, in the form that the towers use.
    ///
    /// # Errors
    /// A value that is not finite.
    pub(crate) fn add(&mut self, kernels: &Kernels, tensor: &Tensor) -> Result<(), WeightsError> {
        tensor.check_finite()?;
        let part = match *tensor.shape.as_slice() {
            [_, d] if is_table(&tensor.name) => Part::Table(Table::load(tensor, d)),
            // A convolution `[d, 3, p, p]` is a matrix over flattened patches.
            [n, _, ..] if !tensor.name.ends_with("position_embedding.weight") => {
                let k = tensor.len().checked_div(n).unwrap_or(0);
                let text = tensor.name.starts_with("text_");
                let rows = if text { UsualRows::Few } else { UsualRows::Many };
                Part::Matrix(if kernels.keeps_f16(rows) && tensor.dtype() == Dtype::F16 {
                    Linear::pack_f16(kernels, n, k, |i, out| tensor.read_halves(i * k, out))
                } else {
                    Linear::pack(kernels, rows, n, k, |i, out| tensor.read(i * k, out))
                })
            }
            _ => Part::Vector(tensor.to_vec()),
        };
        self.0.borrow_mut().insert(tensor.name.clone(), part);
        Ok(())
    }

    /// Stands in for the token embedding: its rows come later.
    pub(crate) fn add_empty_table(&mut self, name: &str, vocab: usize, d: usize, rows: usize) {
        let table = Part::Table(Table::empty(vocab, d, rows));
        self.0.borrow_mut().insert(name.to_owned(), table);
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.borrow().contains_key(name)
    }

    pub(crate) fn vector(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        match self.0.borrow_mut().remove(name) {
            Some(Part::Vector(values)) => Ok(values),
            _ => Err(missing(name)),
        }
    }

    pub(crate) fn matrix(&self, name: &str) -> Result<Linear, WeightsError> {
        match self.0.borrow_mut().remove(name) {
            Some(Part::Matrix(linear)) => Ok(linear),
            _ => Err(missing(name)),
        }
    }

    pub(crate) fn table(&self, name: &str) -> Result<Table, WeightsError> {
        match self.0.borrow_mut().remove(name) {
            Some(Part::Table(table)) => Ok(table),
            _ => Err(missing(name)),
        }
    }
}

pub(crate) fn is_table(name: &str) -> bool {
    name.ends_with("token_embedding.weight")
}

fn missing(name: &str) -> WeightsError {
    WeightsError::Mismatch(vec![format!("{name} is missing")])
}
