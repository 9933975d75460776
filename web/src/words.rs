//! A catalogue's words: what is found by them, and how that is fused with what vectors find.

use std::rc::Rc;

use wasm_bindgen::prelude::wasm_bindgen;

use crate::Failure;

/// Products that are found by meaning, at most: [`shop_words::DEPTH`].
#[wasm_bindgen]
pub fn depth() -> usize {
    shop_words::DEPTH
}

/// The words of a catalogue; see [`shop_words`].
#[wasm_bindgen]
#[derive(Debug)]
pub struct Words {
    index: Rc<shop_words::Index>,
}

#[wasm_bindgen]
impl Words {
    /// Takes the file of words of `scraper export --format web`.
    ///
    /// # Errors
    /// A damaged file, or one of another version.
    #[wasm_bindgen(constructor)]
    pub fn new(json: &[u8]) -> Result<Words, Failure> {
        let bad = |why: &dyn std::fmt::Display| Failure::new("index.format", why);
        let columns = serde_json::from_slice(json).map_err(|e| bad(&e))?;
        let index = shop_words::Index::new(columns).map_err(|e| bad(&e))?;
        Ok(Words { index: Rc::new(index) })
    }

    /// Number of products.
    #[wasm_bindgen(getter)]
    pub fn products(&self) -> usize {
        self.index.products()
    }

    /// The number of a product of the source (of any, if there is none).
    pub fn product(&self, source: Option<String>, id: &str) -> Option<u32> {
        self.index.product(source.as_deref(), id)
    }

    /// What `text` finds by words.
    pub fn search(&self, text: &str) -> Matches {
        Matches { index: self.index.clone(), found: self.index.search(text) }
    }

    /// Up to `most` words of the catalogue that are near to those of `text`.
    pub fn suggest(&self, text: &str, most: usize) -> Vec<String> {
        self.index.suggest(text, most)
    }
}

/// What a text has found by words.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Matches {
    index: Rc<shop_words::Index>,
    found: shop_words::Matches,
}

#[wasm_bindgen]
impl Matches {
    /// Whether nothing was found by words.
    #[wasm_bindgen(getter)]
    pub fn empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What was found by words, and by vectors (`nearest`, best first), among the products with a byte
    /// that is not 0 in `allowed` (all, if there is none): in the order of `scraper search`.
    pub fn fuse(&self, allowed: Option<Vec<u8>>, nearest: &[u32]) -> Vec<u32> {
        let fits = |product: u32| {
            let of = |allowed: &Vec<u8>| allowed.get(product as usize).is_some_and(|&a| a != 0);
            allowed.as_ref().is_none_or(of)
        };
        self.found.fuse(fits, nearest)
    }

    /// The words of a product's title that match, as the title writes them.
    pub fn marked(&self, product: u32) -> Vec<String> {
        self.found.marked(&self.index, product).into_iter().map(str::to_owned).collect()
    }
}
