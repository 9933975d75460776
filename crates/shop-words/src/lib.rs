//! Finds products by words, and fuses that ranking with one by vectors.
//!
//! The scraper's search and the storefront's are this crate, natively and as wasm. All that decides an
//! order is counted in integers, so both give the same products in the same order.
//!
//! ```
//! use shop_words::{Columns, Index, Product};
//!
//! let mut columns = Columns::default();
//! for (id, title, brand) in [
//!     ("D-1", "Red summer dress", "Ostra"),
//!     ("D-2", "Blue dress", "Norrfold"),
//!     ("S-1", "Red sneakers", "Norrfold"),
//! ] {
//!     let (title, brand) = (Some(title), Some(brand));
//!     columns.push(&Product { id, title, brand, ..Product::default() });
//! }
//! let index = Index::new(columns)?;
//!
//! let all = |_| true;
//! assert_eq!(index.search("dresses, RED").fuse(all, &[]), [0]);
//! assert_eq!(index.search("norfold").fuse(all, &[]), [1, 2]); // a letter is missing
//! assert_eq!(index.search("d1").fuse(all, &[]), [0]); // an id
//! // By meaning the blue dress is nearest, then the red one.
//! assert_eq!(index.search("dress").fuse(all, &[1, 0]), [1, 0]);
//!
//! assert!(index.search("asdfghjkl").is_empty());
//! assert_eq!(index.suggest("dreess", 2), ["dress", "blue"]);
//! # Ok::<(), shop_words::Damaged>(())
//! ```
//!
//! # What matches
//!
//! Titles, brands, categories, ids and attributes are taken apart into words: lower case, accents
//! folded, scripts without spaces as pairs of characters, "t-shirt" also as "tshirt". Their order does
//! not matter. A word of the query matches, at best
//!
//! 1. the same word, or two neighbours of the query written as one ("back pack"),
//! 2. one that differs by a light ending (`s`, `es`, `e`, `n`, `en`, `er`, `x`, `y`/`ies`),
//! 3. if there is neither and it is the last one of the query: one that begins with it,
//! 4. if there is none of these, it has at least four letters and no digit: one that differs by a
//!    letter more, less, other, or by two neighbours changed about.
//!
//! # The rule of the ranking
//!
//! A product's score by words is the sum, over the words it matches, of the word's rarity (log2 of
//! products per product that matches, as in BM25) times what the match and the fields are worth
//! (saturating, as in BM25F). It is found if the rarities of the words it matches are at least
//! [`NEEDED`] percent of what the best product reaches. Products with equal scores share a rank.
//!
//! First come products whose id or code (SKU, GTIN …) is the text; then those whose title is; then
//! those of which all words match and which are of a brand that the text names. Within each of these,
//! and after them, order is by reciprocal ranks (Cormack, Clarke, Büttcher: "Reciprocal rank fusion
//! outperforms Condorcet and individual rank learning methods", SIGIR 2009): 1 / (60 + rank by vectors)
//! plus matched / words / (60 + rank by words), where words that match nothing in the shop count too: a
//! text of which only some words are known is left to its meaning. Equal sums are in the order of the
//! catalogue: by source and id.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod columns;
pub mod flat;
mod fold;
mod fuse;
mod index;
mod near;
mod score;
mod suggest;

pub use columns::{Columns, Damaged, Texts};
pub use fuse::{DEPTH, Matches};
pub use index::Index;
pub use score::NEEDED;

/// What is searched of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Product<'a> {
    /// The name of its source; empty where there is one.
    pub source: &'a str,
    /// The shop's key.
    pub id: &'a str,
    /// Plain text.
    pub title: Option<&'a str>,
    /// Plain text.
    pub brand: Option<&'a str>,
    /// The shop's own words.
    pub category: Option<&'a str>,
    /// Names and values. Those that name the product (`sku`, `gtin`, …) count as ids.
    pub attributes: Vec<(&'a str, &'a str)>,
}
