//! A shop of any size, always the same, whose vectors are random and lie, as CLIP's do, in a narrow
//! cone.

use std::error::Error;

use clip_core::Provenance;
use scraper_lib::{
    fetch::Validators,
    source::{Base, Product},
    store::{ImageHash, ImageKey, Store, Write},
};

/// Products per transaction.
const BATCH: usize = 500;
const SOURCE: &str = "";
const COLOURS: [&str; 7] = ["red", "blue", "green", "black", "white", "yellow", "grey"];
const GARMENTS: [&str; 6] = ["dress", "coat", "shirt", "skirt", "sneakers", "hat"];
const BRANDS: [&str; 5] = ["Arda", "Bruma", "Celo", "Dorn", "Elva"];

/// Fills an empty store with products of one image each, at the address that `picture` gives.
pub(crate) fn fill(
    store: &mut dyn Store,
    provenance: &Provenance,
    dim: usize,
    products: usize,
    picture: impl Fn(usize) -> String,
) -> Result<(), Box<dyn Error>> {
    store.begin(provenance, dim, false)?;
    let mut random = Random(1);
    let mut writes = vec![Write::Source { name: SOURCE.into(), base: Base::Web }];
    for i in 0..products {
        let address = picture(i);
        let product = product(i, &address);
        let mut hash: ImageHash = [0; 32];
        hash[..8].copy_from_slice(&i.to_le_bytes());
        let key =
            ImageKey { source: SOURCE.into(), product: product.id.clone(), position: 0, address };
        writes.push(Write::Product(product));
        writes.push(Write::Vector { hash, values: random.vector(dim), damaged: false });
        writes.push(Write::Image { key, hash, bytes: 1, validators: Validators::default() });
        if i % BATCH == BATCH - 1 {
            store.apply(&writes)?;
            writes.clear();
        }
    }
    Ok(store.apply(&writes)?)
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
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn vector(&mut self, dim: usize) -> Vec<f32> {
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
