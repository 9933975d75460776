//! Exports a catalogue of random vectors for the storefront, as large as asked for. For
//! `cargo xtask bench search`.
//!
//! Usage: catalogue PACKED_MODEL FOLDER PRODUCTS PICTURE
//!
//! The vectors claim to be of the packed model and lie, as CLIP's do, in a narrow cone. PICTURE is
//! the address of all products' pictures.

use std::{error::Error, fs, path::Path};

use clip_core::Provenance;
use scraper_lib::{
    export,
    fetch::Validators,
    source::{Base, Product},
    store::{ImageHash, ImageKey, SqliteStore, Store, View, Write},
};
use serde_json::Value;

/// Products per transaction.
const BATCH: usize = 500;
const SOURCE: &str = "";
const COLOURS: [&str; 7] = ["red", "blue", "green", "black", "white", "yellow", "grey"];
const GARMENTS: [&str; 6] = ["dress", "coat", "shirt", "skirt", "sneakers", "hat"];
const BRANDS: [&str; 5] = ["Arda", "Bruma", "Celo", "Dorn", "Elva"];

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: catalogue PACKED_MODEL FOLDER PRODUCTS PICTURE";
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, folder, products, picture] = &args[..] else { return Err(usage.into()) };
    let manifest = fs::read(Path::new(model).join("manifest.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let text = |name: &str| manifest[name].as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().ok_or("the model's manifest is damaged");
    let provenance = Provenance {
        model: text("model"),
        revision: None,
        weights: text("weights"),
        tokenizer: manifest["tokenizer"].as_str().map(str::to_owned),
        preprocessing: "hf-endpoint".into(),
        numerics: number(&manifest["numerics"])?.try_into()?,
        device: "exact".into(),
    };
    let dim = usize::try_from(number(&manifest["config"]["projection_dim"])?)?;

    let temporary = tempfile::tempdir()?;
    let mut store = SqliteStore::open(&temporary.path().join("catalogue.db"))?;
    store.begin(&provenance, dim, false)?;
    let mut random = Random(1);
    let mut writes = vec![Write::Source { name: SOURCE.into(), base: Base::Local(folder.into()) }];
    for i in 0..products.parse::<usize>()? {
        // Each has a picture of its own, at the same address but for what follows the #.
        let picture = format!("{picture}#{i}");
        let product = product(i, &picture);
        let mut hash: ImageHash = [0; 32];
        hash[..8].copy_from_slice(&i.to_le_bytes());
        let key = ImageKey {
            source: SOURCE.into(),
            product: product.id.clone(),
            position: 0,
            address: picture,
        };
        writes.push(Write::Product(product));
        writes.push(Write::Vector { hash, values: random.vector(dim), damaged: false });
        writes.push(Write::Image { key, hash, bytes: 1, validators: Validators::default() });
        if i % BATCH == BATCH - 1 {
            store.apply(&writes)?;
            writes.clear();
        }
    }
    store.apply(&writes)?;
    let rows = export::web(&store, &View::default(), None, Path::new(folder))?;
    println!("{rows} vectors in {folder}");
    Ok(())
}

fn product(i: usize, picture: &str) -> Product {
    let pick = |list: &[&'static str], step: usize| list[i / step % list.len()];
    let (colour, garment) = (pick(&COLOURS, 1), pick(&GARMENTS, 7));
    Product {
        id: format!("P-{i:06}"),
        title: Some(format!("A {colour} {garment} number {i}")),
        url: Some(format!("https://shop.example/products/{i}")),
        brand: Some(pick(&BRANDS, 3).into()),
        category: Some(format!("Clothing > {garment}")),
        price: Some((i % 300) as f64 + 9.95),
        currency: Some("EUR".into()),
        images: vec![picture.to_owned()],
        ..Product::default()
    }
}

/// splitmix64
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn vector(&mut self, dim: usize) -> Vec<f32> {
        let mut value = || (self.bits() >> 40) as f32 / (1u32 << 24) as f32 - 0.5;
        let mut values: Vec<f32> = (0..dim).map(|_| (0..4).map(|_| value()).sum()).collect();
        // CLIP's pictures share a direction, in which one value is far larger than all others.
        if let [first, second, ..] = &mut values[..] {
            *first -= 9.0;
            *second += 3.0;
        }
        values
    }
}
