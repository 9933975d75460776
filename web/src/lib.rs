//! [`clip_core`] for wasm32 hosts: the towers, the decoders, the inspector and a catalogue's index
//! as classes that JavaScript and Rust front ends use alike.
//!
//! The npm package `clip-everywhere` (in this folder) runs these classes in workers; each of its
//! wasm modules is this crate with one [feature](https://doc.rust-lang.org/cargo/reference/features.html).
//! A front end in Rust (Leptos, Yew, Dioxus, plain `web-sys`) depends on the crate itself:
//! `examples/front_end` is one.
//!
//! Read first: [`Loader`] takes the bytes of a packed model and gives a [`Model`]; [`Decoders`] make
//! of an image file what the model sees. Everything that can fail gives a [`Failure`], which
//! JavaScript catches as an `Error` with a `kind`.
//!
//! # Examples
//!
//! A digest, on pages for which the browser computes none:
//!
//! ```
//! assert_eq!(&clip_web::sha256(b"abc")[..16], "ba7816bf8f01cfea");
//! ```
//!
//! An image file to pixel values, f32 `[3, 224, 224]`:
//!
//! ```
//! # use clip_web::{Decoders, Failure};
//! # let file = include_bytes!("../../tests/corpus/jpeg/photo-420-q75.jpg");
//! let decoders = Decoders::new(None, 224, "hf-endpoint")?;
//! assert_eq!(decoders.pixels(file)?.len(), 3 * 224 * 224);
//! assert_eq!(decoders.pixels(b"no image").unwrap_err().kind(), "image.not_an_image");
//! # Ok::<(), Failure>(())
//! ```
//!
//! The token ids of a text, and what they stand for:
//!
//! ```
//! let tokens = clip_web::tokens("a red dress", 77);
//! assert_eq!(tokens.ids, [49406, 320, 736, 2595, 49407]);
//! assert_eq!(tokens.pieces[2], "red</w>");
//! ```

#![warn(missing_docs)]
#![deny(unsafe_code)]

#[cfg(feature = "engine")]
mod choices;
#[cfg(feature = "engine")]
mod engine;
mod failure;
#[cfg(feature = "images")]
mod images;
#[cfg(feature = "inspect")]
mod inspect;
#[cfg(feature = "engine")]
mod memory;
#[cfg(any(feature = "images", feature = "inspect"))]
mod processing;
#[cfg(feature = "search")]
mod search;
#[cfg(any(feature = "engine", feature = "images", feature = "inspect"))]
mod stage;
#[cfg(feature = "threads")]
pub mod threads;
#[cfg(feature = "search")]
mod words;

use wasm_bindgen::prelude::wasm_bindgen;

#[cfg(feature = "engine")]
pub use choices::{Precision, Towers};
#[cfg(feature = "engine")]
pub use engine::{Loader, Model, Texts, kernel_path};
pub use failure::Failure;
#[cfg(feature = "images")]
pub use images::{Decoders, Traced};
#[cfg(feature = "inspect")]
pub use inspect::{Facts, Inspector, Tokens, tokens, tokens_to_js};
#[cfg(feature = "search")]
pub use search::{Catalogue, Search, accepts};
#[cfg(any(feature = "engine", feature = "images", feature = "inspect"))]
pub use stage::Stage;
#[cfg(feature = "search")]
pub use words::{Matches, Words, depth};

/// SHA-256 in hexadecimal, for pages on which the browser offers none (those without https).
#[cfg(any(feature = "engine", feature = "search"))]
#[wasm_bindgen]
pub fn sha256(bytes: &[u8]) -> String {
    clip_core::trace::sha256(bytes)
}

/// From now on a panic throws an error of kind `engine` with its message, where the host would
/// otherwise see no more than "unreachable". For workers; a front end in Rust has a hook of its own.
#[wasm_bindgen(js_name = throwPanics)]
pub fn throw_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = format!(
            "the computation crashed ({panic}). Load it again; if it happens again, it is a defect of \
             this library: please report the input"
        );
        wasm_bindgen::throw_val(Failure::new("engine", message).into())
    }));
}
