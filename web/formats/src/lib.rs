//! All of `clip-web`'s decoders; see `Cargo.toml`.

pub use clip_web::*;
