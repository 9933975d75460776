//! Embeds every product image of a shop, night after night, and loses nothing.
//!
//! Data flows one way: [`source`] → [`fetch`] → `clip_core` → [`store`] → [`export`]; the
//! [`pipeline`] joins them. [`model`] finds, downloads and verifies weights. The program `scraper` is a command
//! line around this library.

pub mod config;
pub mod embed;
mod error;
pub mod export;
pub mod fetch;
pub mod model;
pub mod output;
pub mod pipeline;
pub mod report;
pub mod source;
pub mod store;
pub mod threads;
pub mod verify;

pub use embed::get_image_embedding;
pub use error::Error;
