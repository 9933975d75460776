//! The two towers of CLIP (Radford et al. 2021), as `transformers.CLIPModel` computes them.

mod block;
mod parts;
mod table;
mod text;
mod vision;

pub(crate) use parts::{Parts, kernels_of};
pub(crate) use table::Table;
pub(crate) use text::TextTower;
pub(crate) use vision::VisionTower;

use crate::trace::Trace;

/// Rows (tokens) that go through a tower at once: enough to use the weights many times, few
/// enough that activations stay in the core's own cache. Does not change a bit of any result.
const CHUNK_ROWS: usize = 224;

/// Receives intermediate states of a single input.
type Tracer<'a> = Option<&'a mut Trace>;
