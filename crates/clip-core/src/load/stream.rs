//! A model whose weights arrive in pieces: each tensor is packed as soon as it is complete, so that
//! a file is never held as a whole.

use std::collections::VecDeque;

use safetensors::{Dtype, tensor::Metadata};

use super::assembly::Assembly;
use crate::{
    Clip, Error, Options,
    config::ClipConfig,
    tensors::is_weight,
    weights::{MAX_HEADER, Tensor, WeightsError},
};

/// A safetensors file starts with the header's length.
const PREFIX: usize = 8;
/// Bytes of memory that wait for more at most.
const GROWTH: usize = 4 << 20;

/// Takes safetensors files byte by byte and gives a [`Clip`] with the same bits as [`Clip::load`].
///
/// The tensors may come from several files, one after the other, in any order. The caller answers
/// for their integrity: `digest` is taken as the digest of the weights, since a tower alone does
/// not tell it.
///
/// ```
/// use clip_core::{Clip, Options, StreamingLoader, synthetic::{self, Dtype}};
///
/// let config = synthetic::small_shape();
/// let file = synthetic::safetensors(&config, 1, Dtype::F32)?;
/// let whole = Clip::load(config.clone(), &file, Options::new(&config))?;
///
/// let options = Options::new(&config);
/// let mut loader = StreamingLoader::new(config, options, whole.weights_digest().into())?;
/// for chunk in file.chunks(1000) {
///     loader.push(chunk)?;
/// }
/// let streamed = loader.finish()?;
/// assert_eq!(streamed.embed_text("a dress")?, whole.embed_text("a dress")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StreamingLoader {
    assembly: Assembly,
    digest: String,
    /// Holds what is being read: of its bytes so many have come, and so many make it complete.
    buffer: Vec<u8>,
    filled: usize,
    needed: usize,
    reading: Reading,
    /// Tensors of the current file that are still to come.
    coming: VecDeque<Entry>,
}

/// What [`StreamingLoader::buffer`] will hold.
#[derive(Debug)]
enum Reading {
    Prefix,
    Header,
    Tensor(Entry),
}

/// A line of the header.
#[derive(Debug)]
struct Entry {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: usize,
    /// Its bytes are let go by: a buffer that is no weight.
    skipped: bool,
}

impl StreamingLoader {
    /// Nothing has arrived yet.
    ///
    /// # Errors
    /// A kernel path that this machine cannot run.
    pub fn new(config: ClipConfig, options: Options, digest: String) -> Result<Self, Error> {
        Ok(StreamingLoader {
            assembly: Assembly::new(config, options)?,
            digest,
            buffer: Vec::new(),
            filled: 0,
            needed: PREFIX,
            reading: Reading::Prefix,
            coming: VecDeque::new(),
        })
    }

    /// The token embedding comes later, in blocks of `rows` rows: [`Clip::add_token_block`].
    pub fn token_blocks(&mut self, rows: usize) {
        let text = &self.assembly.config.text;
        self.assembly.parts.add_empty_table(text.vocab_size, text.hidden_size, rows.max(1));
    }

    /// Takes the next bytes, as many as there are.
    ///
    /// # Errors
    /// A damaged header; a tensor that is unknown, misshaped, of another type, or not finite.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let spare = self.spare_capacity();
            let (now, later) = bytes.split_at(bytes.len().min(spare.len()));
            spare[..now.len()].copy_from_slice(now);
            self.advance(now.len())?;
            bytes = later;
        }
        Ok(())
    }

    /// Where the next bytes go, for callers that can write them there: some, but seldom all.
    pub fn spare_capacity(&mut self) -> &mut [u8] {
        // Grows with what has arrived: a header may promise more than ever comes.
        let end = self.needed.min(self.filled + GROWTH);
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        &mut self.buffer[self.filled..end]
    }

    /// `count` bytes were written to the start of [`StreamingLoader::spare_capacity`].
    ///
    /// # Errors
    /// As [`StreamingLoader::push`].
    pub fn advance(&mut self, count: usize) -> Result<(), Error> {
        self.filled = self.needed.min(self.filled + count);
        while self.filled == self.needed {
            self.complete()?;
        }
        Ok(())
    }

    /// The buffer is full: uses it, and says what comes next.
    fn complete(&mut self) -> Result<(), WeightsError> {
        // The largest tensor decides how much there will be.
        let buffer = std::mem::take(&mut self.buffer);
        let bytes = &buffer[..self.needed];
        self.filled = 0;
        match std::mem::replace(&mut self.reading, Reading::Prefix) {
            Reading::Prefix => {
                let length = bytes.try_into().map_or(u64::MAX, u64::from_le_bytes);
                self.needed = match usize::try_from(length) {
                    Ok(needed) if (1..=MAX_HEADER).contains(&length) => needed,
                    _ => return Err(format(std::format!("a header of {length} bytes"))),
                };
                self.reading = Reading::Header;
                return Ok(());
            }
            Reading::Header => self.coming = self.header(bytes)?,
            Reading::Tensor(entry) => self.tensor(entry, bytes)?,
        }
        match self.coming.pop_front() {
            Some(entry) => {
                self.buffer = buffer;
                self.needed = entry.bytes;
                self.reading = Reading::Tensor(entry);
            }
            None => self.needed = PREFIX,
        }
        Ok(())
    }

    fn header(&self, json: &[u8]) -> Result<VecDeque<Entry>, WeightsError> {
        let header: Metadata = serde_json::from_slice(json).map_err(format)?;
        let mut entries = VecDeque::new();
        let mut problems = Vec::new();
        for name in header.offset_keys() {
            let Some(info) = header.info(&name) else { continue };
            let skipped = !is_weight(&name);
            let bytes = info.data_offsets.1 - info.data_offsets.0;
            if !(skipped && bytes <= GROWTH) {
                if let Some(problem) = self.assembly.table.problem(&name, &info.shape) {
                    problems.push(problem);
                } else if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
                    problems.push(std::format!("{name} is {:?}", info.dtype));
                }
            }
            let shape = info.shape.clone();
            entries.push_back(Entry { name, dtype: info.dtype, shape, bytes, skipped });
        }
        if problems.is_empty() { Ok(entries) } else { Err(WeightsError::Mismatch(problems)) }
    }

    fn tensor(&mut self, entry: Entry, data: &[u8]) -> Result<(), WeightsError> {
        if entry.skipped || !self.assembly.uses(&entry.name) {
            return Ok(());
        }
        let tensor = Tensor::new(entry.name, entry.shape, entry.dtype, data);
        tensor.check_finite()?;
        self.assembly.add(&tensor);
        Ok(())
    }

    /// Puts the towers together.
    ///
    /// # Errors
    /// Tensors are missing, or the last file stops early.
    pub fn finish(self) -> Result<Clip, Error> {
        if !matches!(self.reading, Reading::Prefix) || self.filled > 0 {
            return Err(format("it ends too early").into());
        }
        self.assembly.finish(self.digest)
    }
}

fn format(what: impl ToString) -> WeightsError {
    WeightsError::Format(what.to_string())
}
