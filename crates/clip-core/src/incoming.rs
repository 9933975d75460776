//! A model whose weights arrive in pieces: each tensor is packed as soon as it is complete, so that
//! a file is never held as a whole.

use std::collections::{BTreeMap, VecDeque};

use clip_kernels::{KernelPath, Kernels, UsualRows};
use safetensors::{Dtype, tensor::Metadata};

use crate::{
    Clip, Error, Options, Towers,
    config::ClipConfig,
    model::{Parts, is_table},
    weights::{MAX_HEADER, Tensor, WeightsError, is_weight},
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
#[derive(Debug)]
pub struct Incoming {
    config: ClipConfig,
    options: Options,
    digest: String,
    kernels: Kernels,
    /// Shapes of all tensors of the model.
    expected: BTreeMap<String, Vec<usize>>,
    parts: Parts,
    log_scale: Option<f32>,
    /// Holds what is being read: of its bytes so many have come, and so many make it complete.
    buffer: Vec<u8>,
    filled: usize,
    needed: usize,
    reading: Reading,
    /// Tensors of the current file that are still to come.
    coming: VecDeque<Entry>,
}

/// What [`Incoming::buffer`] will hold.
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

impl Incoming {
    /// Nothing has arrived yet.
    ///
    /// # Errors
    /// A kernel path that this machine cannot run.
    pub fn new(config: ClipConfig, options: Options, digest: String) -> Result<Self, Error> {
        Ok(Incoming {
            kernels: options.kernels()?,
            expected: config.tensors().into_iter().collect(),
            config,
            options,
            digest,
            parts: Parts::default(),
            log_scale: None,
            buffer: Vec::new(),
            filled: 0,
            needed: PREFIX,
            reading: Reading::Prefix,
            coming: VecDeque::new(),
        })
    }

    /// The token embedding comes later, in blocks of `rows` rows: [`Clip::add_token_block`].
    pub fn token_blocks(&mut self, rows: usize) {
        let text = &self.config.text;
        let name = "text_model.embeddings.token_embedding.weight";
        self.parts.add_empty_table(name, text.vocab_size, text.hidden_size, rows.max(1));
    }

    /// Takes the next bytes, as many as there are.
    ///
    /// # Errors
    /// A damaged header; a tensor that is unknown, misshaped, of another type, or not finite.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let room = self.room();
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.filled(now.len())?;
            bytes = later;
        }
        Ok(())
    }

    /// Where the next bytes go, for callers that can write them there: some, but seldom all.
    pub fn room(&mut self) -> &mut [u8] {
        // Grows with what has arrived: a header may promise more than ever comes.
        let end = self.needed.min(self.filled + GROWTH);
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        &mut self.buffer[self.filled..end]
    }

    /// `count` bytes were written to the start of [`Incoming::room`].
    ///
    /// # Errors
    /// As [`Incoming::push`].
    pub fn filled(&mut self, count: usize) -> Result<(), Error> {
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
            match self.expected.get(&name) {
                _ if skipped && info.data_offsets.1 - info.data_offsets.0 <= GROWTH => {}
                None => problems.push(std::format!("{name} {:?} is unknown", info.shape)),
                Some(shape) if *shape != info.shape => {
                    problems.push(std::format!("{name} is {:?}, not {shape:?}", info.shape));
                }
                Some(_) if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) => {
                    problems.push(std::format!("{name} is {:?}", info.dtype));
                }
                Some(_) => {}
            }
            let (shape, bytes) = (info.shape.clone(), info.data_offsets.1 - info.data_offsets.0);
            entries.push_back(Entry { name, dtype: info.dtype, shape, bytes, skipped });
        }
        if problems.is_empty() { Ok(entries) } else { Err(WeightsError::Mismatch(problems)) }
    }

    fn tensor(&mut self, entry: Entry, data: &[u8]) -> Result<(), WeightsError> {
        if entry.skipped {
            return Ok(());
        }
        let tensor = Tensor::new(entry.name, entry.shape, entry.dtype, data);
        if tensor.name == "logit_scale" {
            self.log_scale = tensor.to_vec().first().copied();
        } else if self.options.towers.need(&tensor.name) {
            self.parts.add(&self.kernels, &tensor)?;
        }
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
        let needed = self.expected.iter().filter(|(name, _)| {
            let scale = name.as_str() == "logit_scale";
            !scale && self.options.towers.need(name) && !self.parts.has(name)
        });
        let missing: Vec<_> = needed.map(|(n, s)| std::format!("{n} {s:?} is missing")).collect();
        if !missing.is_empty() {
            return Err(WeightsError::Mismatch(missing).into());
        }
        Clip::from_parts(
            self.config,
            &self.parts,
            self.log_scale,
            self.digest,
            self.kernels,
            self.options,
        )
    }

    /// The towers that are being loaded.
    pub fn towers(&self) -> Towers {
        self.options.towers
    }
}

/// Bytes that packed weights will take in memory at least (if they are f16 where this CPU's path
/// keeps that), besides the token embedding.
pub fn packed_bytes(config: &ClipConfig, towers: Towers) -> u64 {
    let kernels = KernelPath::detect().and_then(Kernels::new).ok();
    let needed = config.tensors().into_iter();
    let needed = needed.filter(|(name, _)| towers.need(name) && !is_table(name));
    needed
        .map(|(name, shape)| {
            let text = name.starts_with("text_");
            let rows = if text { UsualRows::Few } else { UsualRows::Many };
            let size = if kernels.is_some_and(|kernels| kernels.keeps_f16(rows)) { 2 } else { 4 };
            size * shape.iter().map(|n| *n as u64).product::<u64>()
        })
        .sum()
}

fn format(what: impl ToString) -> WeightsError {
    WeightsError::Format(what.to_string())
}
