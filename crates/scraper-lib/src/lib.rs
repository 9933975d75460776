//! Embeds every product image of a shop, night after night, and loses nothing.
//!
//! Data flows one way: [`source`] → [`fetch`] → `clip_core` → [`store`] → [`export`]; the [`pipeline`]
//! joins them. A source tells of products, each image is fetched and embedded once, and ends in
//! exactly one state of the store: a vector, or a failure with its reason.
//!
//! ```
//! use std::{error::Error, sync::Arc};
//!
//! use clip_core::Towers;
//! use scraper_lib::{
//!     fetch::{Caps, Fetcher},
//!     model::{self, LoadOptions, ModelFiles},
//!     pipeline::{self, RunOptions, Setup},
//!     report::Progress,
//!     source::{Folder, Links},
//!     store::{SqliteStore, Store, View},
//! };
//!
//! # fn paint(path: std::path::PathBuf, colour: [u8; 3]) -> Result<(), Box<dyn Error>> {
//! #     let mut png = png::Encoder::new(std::fs::File::create(path)?, 64, 64);
//! #     png.set_color(png::ColorType::Rgb);
//! #     Ok(png.write_header()?.write_image_data(&colour.repeat(64 * 64))?)
//! # }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn Error>> {
//! let shop = tempfile::tempdir()?; // any folder of images
//! # paint(shop.path().join("red.png"), [200, 20, 30])?;
//! # paint(shop.path().join("blue.png"), [30, 60, 190])?;
//!
//! // The small model of this crate; `model::find` finds or downloads others.
//! let model = model::load(&ModelFiles::builtin(), &LoadOptions::new(Towers::Both))?;
//! let (_stop, cancel) = tokio::sync::watch::channel(false);
//! let setup = Setup {
//!     fetcher: Fetcher::unguarded(Caps::default())?,
//!     model: Arc::new(model),
//!     options: RunOptions::default(),
//!     progress: Progress::hidden(),
//!     cancel,
//! };
//!
//! let file = shop.path().join("shop.db");
//! let mut store = SqliteStore::open(&file)?;
//! store.begin(&setup.model.provenance, setup.dim(), false)?;
//! let source = Box::new(Folder::new(shop.path(), Links::Inside));
//! let summary = pipeline::run(vec![source], Box::new(store), &setup).await?;
//! assert_eq!((summary.embedded, summary.failed), (2, 0));
//!
//! let query = setup.model.clip.embed_text("red")?.normalized();
//! let hits = SqliteStore::open_existing(&file)?.search(&query, 1, &View::default(), false)?;
//! assert_eq!(hits[0].product.id, "red.png");
//! # Ok(())
//! # }
//! ```
//!
//! # What to read first
//!
//! [`source::Source`] and [`source::Product`] are what comes in, [`store::Store`] and [`store::Write`]
//! what is kept, [`pipeline::run`] is the way between them. [`model`] finds, downloads and verifies
//! weights; [`embed::Embedder`] embeds single inputs. [`fetch::Fetcher`] is the only way to the web:
//! polite, bounded, and guarded against addresses that others write. [`verify`] compares a run's vectors
//! with those of a Hugging Face endpoint; [`serve`] is one. [`report`] and [`Error`] tell people what happened; neither
//! knows a flag: the program `scraper` is a command line around this library.
//!
//! # Features
//!
//! - `pytorch` (default): reads `pytorch_model.bin`.
//! - `gpu`: images on a GPU ([`model::Device::Gpu`]), through `clip-gpu`.
//! - `cuda`, `metal`: images on a GPU through candle, never exact; `candle` is what they share.

#![warn(missing_docs)]
#![deny(unsafe_code)]

mod caches;
pub mod config;
pub mod embed;
mod error;
pub mod export;
pub mod fetch;
#[allow(
    unsafe_code,
    reason = "memory maps: the pages come from a file that nobody changes in place"
)]
mod mmap;
pub mod model;
mod named;
pub mod output;
mod panics;
pub mod pipeline;
pub mod relevance;
pub mod report;
pub mod scan;
pub mod search;
pub mod serve;
pub mod source;
pub mod store;
pub mod threads;
pub mod verify;

pub use embed::get_image_embedding;
pub use error::Error;

/// The example of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
