//! A shop as a folder: `images/`, and a feed that the scraper reads.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde_json::json;

use crate::{Error, Shop, broken, catalogue::Product, encode::Format};

/// What [`write()`] made.
#[derive(Debug, Clone)]
pub struct Written {
    /// One JSON object per picture: `id`, `title`, `url`, `image` and the product's other fields.
    pub feed: PathBuf,
    /// Pictures written, without the broken ones.
    pub images: usize,
    /// Broken files written.
    pub broken: usize,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Writes the pictures of `shop` to `dir/images` and `dir/feed.jsonl`, whose addresses start with
/// `base` (a URL without a final slash; empty: paths relative to the feed). With `with_broken`, four broken files become products too.
///
/// ```
/// use drawn_shop::{Options, Shop, write};
///
/// let dir = tempfile::tempdir()?;
/// let options = Options { size: Some((60, 80)), images: Some(1), ..Options::default() };
/// let written = write(&Shop::with(7, 3, options), dir.path(), "", false)?;
///
/// assert_eq!((written.images, written.broken), (3, 0));
/// assert_eq!(std::fs::read_to_string(written.feed)?.lines().count(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A picture cannot be encoded, or a file not be written.
pub fn write(shop: &Shop, dir: &Path, base: &str, with_broken: bool) -> Result<Written, Error> {
    let images = dir.join("images");
    fs::create_dir_all(&images).map_err(|e| failed(&images, e))?;
    let sizes: Vec<(u64, usize)> = shop
        .products()
        .par_iter()
        .map(|product| {
            let mut bytes = 0;
            for (k, image) in product.images.iter().enumerate() {
                let path = images.join(file_name(product, k));
                let file = image.file()?;
                bytes += file.len() as u64;
                fs::write(&path, file).map_err(|e| failed(&path, e))?;
            }
            Ok((bytes, product.images.len()))
        })
        .collect::<Result<_, Error>>()?;

    let mut feed = String::new();
    for product in shop.products() {
        for k in 0..product.images.len() {
            feed.push_str(&line(product, k, base));
        }
    }
    let mut broken_files = 0;
    if let (true, Some(first)) = (with_broken, shop.products().first()) {
        let jpeg = match first.images.first() {
            Some(image) => image.clone().with_format(Format::JPEG).with_size(600, 800).file()?,
            None => Vec::new(),
        };
        for broken in broken::files(&jpeg) {
            let path = images.join(broken.name);
            fs::write(&path, &broken.bytes).map_err(|e| failed(&path, e))?;
            let id = broken.name.trim_end_matches(".jpg");
            let object = json!({
                "id": id,
                "title": broken.what,
                "url": address(base, &format!("products/{id}")),
                "image": address(base, &format!("images/{}", broken.name)),
            });
            feed.push_str(&format!("{object}\n"));
            broken_files += 1;
        }
    }
    let path = dir.join("feed.jsonl");
    fs::write(&path, feed).map_err(|e| failed(&path, e))?;
    Ok(Written {
        feed: path,
        images: sizes.iter().map(|(_, n)| n).sum(),
        broken: broken_files,
        bytes: sizes.iter().map(|(bytes, _)| bytes).sum(),
    })
}

fn address(base: &str, path: &str) -> String {
    if base.is_empty() { path.to_owned() } else { format!("{base}/{path}") }
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Write { path: path.display().to_string(), source }
}

/// Name below `images/` of a product's picture `k`, counted from 0.
pub fn file_name(product: &Product, k: usize) -> String {
    let ending = product.images.get(k).map_or("jpg", |i| i.format.extension());
    format!("{}-{}.{ending}", product.id, k + 1)
}

/// One feed line; a product's second picture gets an id of its own (`DS-00001-2`).
fn line(product: &Product, k: usize, base: &str) -> String {
    let id = if k == 0 { product.id.clone() } else { format!("{}-{}", product.id, k + 1) };
    let object = json!({
        "id": id,
        "title": product.title,
        "url": address(base, &format!("products/{}", product.id)),
        "image": address(base, &format!("images/{}", file_name(product, k))),
        "description": product.description,
        "caption": product.caption(),
        "captions": product.captions(6),
        "brand": product.brand,
        "category": product.category,
        "price": product.price,
        "currency": product.currency,
        "availability": product.availability,
        "garment": product.style.garment,
        "color": product.color,
        "accent": product.style.accent,
        "pattern": product.pattern,
        "attributes": product.attributes,
    });
    format!("{object}\n")
}
