//! A fashion shop drawn by code: products, captions, prices and pictures, all from a seed.
//!
//! Sample data for the demo, the tests, the benchmarks and the training of the small model. The
//! same seed gives the same catalogue and, pixel for pixel, the same pictures on every machine;
//! product `i` does not depend on how many products the shop has.
//!
//! ```
//! let shop = drawn_shop::Shop::new(7, 40);
//! let product = &shop.products()[0];
//! println!("{}: {}", product.id, product.caption());
//! let file = product.images[0].file().unwrap();
//! assert!(!file.is_empty());
//! ```
//!
//! # What to read first
//!
//! [`Shop`] makes the [`Product`]s, each with a [`Style`] and an [`ImageSpec`] per picture, which draws and
//! encodes it. [`write()`] makes a folder with a feed of it, [`storefront`] the JSON and pages that shop
//! systems serve, [`serve`] answers for both on localhost.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod broken;
mod catalogue;
mod encode;
mod etag;
mod export;
mod garment;
mod image;
mod paint;
mod picture;
mod rng;
pub mod serve;
mod storefront;
pub mod style;
mod words;

pub use catalogue::{Options, Product, Shop};
pub use encode::{Format, Jpeg};
pub use export::{Written, file_name, write};
pub use image::ImageSpec;
pub use picture::Picture;
pub use rng::Rng;
pub use storefront::{redraw, storefront};
pub use style::{Background, Color, Cut, Garment, Length, Neck, Pattern, Sleeve, Style};

/// Seed of the shop that the demo shows. It is one that sells what [`SAMPLE_QUERIES`] look for; the
/// small model was not trained on it.
pub const SAMPLE_SEED: u64 = 381;
/// Products of that shop.
pub const SAMPLE_PRODUCTS: usize = 44;
/// Captions of a plain product each.
pub const SAMPLE_QUERIES: [&str; 3] = ["red dress", "white t-shirt", "blue jeans"];

/// What can go wrong while pictures are encoded and written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An encoder refused a picture.
    #[error("could not encode a {width}x{height} picture as {format}: {reason}")]
    Encode {
        /// Name of the file format.
        format: &'static str,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// The encoder's words.
        reason: String,
    },
    /// A file or folder could not be written.
    #[error("could not write {path}: {source}")]
    Write {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}
