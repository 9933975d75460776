//! What a store holds, a vector at a time.

use crate::source::Product;

/// SHA-256 of an image file: the same bytes are embedded once, under however many addresses.
pub type ImageHash = [u8; 32];

/// A name of what search finds in a store; see [`super::Store::stamp`].
pub type Stamp = [u8; 16];

/// What a store holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// See [`super::Store::stamp`].
    pub stamp: Stamp,
    /// Stays the same as long as each image file that has kept its vector has kept its values, too.
    pub vectors: Stamp,
}

/// One stored vector with the product it belongs to.
#[derive(Debug, Clone)]
pub struct Row {
    /// Without its list of images.
    pub product: Product,
    /// Complete reads of its source that no longer told of the product.
    pub missed: u32,
    /// Number of the run that first saw the product; 0 where it is not known.
    pub born: i64,
    /// Address of the image.
    pub image: String,
    /// Among the product's images, from 0.
    pub position: u32,
    /// SHA-256 of the image file.
    pub hash: ImageHash,
    /// As projected by the model, not normalised.
    pub values: Vec<f32>,
    /// Whether the file is damaged, and its pixels what Pillow makes of it.
    pub damaged: bool,
}
