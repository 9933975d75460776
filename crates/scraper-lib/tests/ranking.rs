//! How well words, vectors and both find what is looked for, in a drawn shop and with the built-in
//! model: nDCG@10 against judgements. `cargo xtask bench ranking` prints the table.

use std::{collections::BTreeMap, sync::OnceLock};

use clip_core::Towers;
use drawn_shop::{Color, Format, Garment, Neck, Options, Pattern, Product, Shop, Sleeve};
use scraper_lib::{
    fetch::Validators,
    model::{LoadOptions, LoadedModel, ModelFiles, load},
    search::{Found, Mode, Question, find},
    source::{self, Base},
    store::{ImageHash, ImageKey, SqliteStore, Store, View, Write},
};

const SEED: u64 = 7;
const PRODUCTS: usize = 240;

/// What is judged: 2 is what was looked for, 1 is near to it.
struct Query {
    class: &'static str,
    text: String,
    judge: Box<dyn Fn(&Product) -> u32 + Send + Sync>,
}

struct Fixture {
    shop: Shop,
    model: LoadedModel,
    folder: tempfile::TempDir,
}

/// The shop in a store, made once.
fn fixture() -> &'static Fixture {
    static MADE: OnceLock<Fixture> = OnceLock::new();
    MADE.get_or_init(|| {
        let options =
            Options { size: Some((168, 224)), format: Some(Format::Png), images: Some(1) };
        let shop = Shop::with(SEED, PRODUCTS, options);
        let model = load(&ModelFiles::builtin(), &LoadOptions::new(Towers::Both)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&folder.path().join("s.db")).unwrap();
        store.begin(&model.provenance, 512, false).unwrap();
        let base = Base::Local(folder.path().into());
        let mut writes = vec![Write::Source { name: String::new(), base }];
        for (i, product) in shop.products().iter().enumerate() {
            let file = product.images[0].file().unwrap();
            let values = model.clip.embed_image(&file).unwrap().into_values();
            let mut hash: ImageHash = [0; 32];
            hash[..8].copy_from_slice(&i.to_le_bytes());
            let address = format!("{}.png", product.id);
            let key = ImageKey {
                source: String::new(),
                product: product.id.clone(),
                position: 0,
                address: address.clone(),
            };
            writes.push(Write::Product(facts(product, address)));
            writes.push(Write::Vector { hash, values, damaged: false });
            writes.push(Write::Image { key, hash, bytes: 1, validators: Validators::default() });
        }
        store.apply(&writes).unwrap();
        Fixture { shop, model, folder }
    })
}

/// What a shop tells of a product: no captions.
fn facts(product: &Product, image: String) -> source::Product {
    let text = |(name, value): (&&str, &&str)| ((*name).to_owned(), (*value).to_owned());
    let mut attributes: BTreeMap<String, String> = product.attributes.iter().map(text).collect();
    attributes.insert("color".into(), product.color.name().into());
    attributes.insert("pattern".into(), product.pattern.name().into());
    source::Product {
        id: product.id.clone(),
        title: Some(product.title.clone()),
        brand: Some(product.brand.clone()),
        category: Some(product.category.clone()),
        price: product.price.parse().ok(),
        currency: Some(product.currency.clone()),
        images: vec![image],
        attributes,
        ..source::Product::default()
    }
}

impl Fixture {
    fn find(&self, text: &str, mode: Mode, top: usize) -> Vec<Found> {
        let store = SqliteStore::open_existing(&self.folder.path().join("s.db")).unwrap();
        let query = self.model.clip.embed_text(text).unwrap().normalized();
        let question = Question { text, query: Some(&query), mode, top, floor: Some(&self.model) };
        find(&store, &View::default(), question).unwrap().found
    }
}

fn query(
    class: &'static str,
    text: impl Into<String>,
    judge: impl Fn(&Product) -> u32 + Send + Sync + 'static,
) -> Query {
    Query { class, text: text.into(), judge: Box::new(judge) }
}

/// 2 where all hold, 1 where all but one do and there are several.
fn graded(facts: &[bool]) -> u32 {
    match facts.iter().filter(|holds| !**holds).count() {
        0 => 2,
        1 if facts.len() > 1 => 1,
        _ => 0,
    }
}

fn queries(shop: &Shop) -> Vec<Query> {
    use Garment as G;
    let brand = |text: &'static str, brand: &'static str| {
        query("brand", text, move |p| 2 * u32::from(p.brand == brand))
    };
    let branded = |text: &'static str, brand: &'static str, garment: Garment| {
        query("brand", text, move |p| graded(&[p.brand == brand, p.style.garment == garment]))
    };
    let id = |text: &'static str, id: &'static str| {
        query("id", text, move |p| 2 * u32::from(p.id == id))
    };
    let title = |at: usize, change: fn(&str) -> String| {
        let title = shop.products()[at].title.clone();
        query("exact title", change(&title), move |p| 2 * u32::from(p.title == title))
    };
    let attribute = |text: &'static str, name: &'static str, value: &'static str| {
        query("attribute", text, move |p| 2 * u32::from(p.attributes.get(name) == Some(&value)))
    };
    let kind = |text: &'static str, color: Color, garment: Garment| {
        query("colour + type", text, move |p| {
            graded(&[p.style.garment == garment, p.color == color])
        })
    };
    let seen = |text: &'static str, judge: fn(&Product) -> u32| query("descriptive", text, judge);
    vec![
        brand("Norrfold", "Norrfold"),
        brand("ostra", "Ostra"),
        brand("atelier quince", "Atelier Quince"),
        brand("Norfold", "Norrfold"),
        brand("Lumenfled", "Lumenfeld"),
        branded("Tidewick skirt", "Tidewick", G::Skirt),
        branded("sneakers by Pallia", "Pallia", G::Sneakers),
        branded("Ruevane bags", "Ruevane", G::Bag),
        id("DS-00017", "DS-00017"),
        id("ds-00108", "DS-00108"),
        id("DS00042", "DS-00042"),
        id("ds 00230", "DS-00230"),
        id("00099", "DS-00099"),
        title(3, str::to_owned),
        title(50, str::to_lowercase),
        title(77, str::to_owned),
        title(121, str::to_uppercase),
        title(160, |title| title.split(' ').rev().collect::<Vec<_>>().join(" ")),
        title(201, |title| title.replace('e', "é")),
        attribute("wool", "material", "wool"),
        attribute("viscose", "material", "viscose"),
        attribute("roll neck", "neckline", "roll neck"),
        attribute("sleeveless", "sleeve", "sleeveless"),
        attribute("nylon", "material", "nylon"),
        attribute("leather", "material", "leather"),
        kind("red dress", Color::Red, G::Dress),
        kind("black jeans", Color::Black, G::Jeans),
        kind("teal tshirts", Color::Teal, G::TShirt),
        kind("green coat", Color::Green, G::Coat),
        kind("dresses in blue", Color::Blue, G::Dress),
        kind("navy swaeter", Color::Navy, G::Sweater),
        kind("pink beanie", Color::Pink, G::Beanie),
        seen("a top with stripes and long sleeves", |p| {
            let top = matches!(p.style.garment, G::TShirt | G::Shirt | G::Sweater);
            graded(&[top, p.pattern == Pattern::Striped, p.style.sleeve == Some(Sleeve::Long)])
        }),
        seen("a dress with flowers", |p| {
            graded(&[p.style.garment == G::Dress, p.pattern == Pattern::Floral])
        }),
        seen("a shirt with checks", |p| {
            graded(&[p.style.garment == G::Shirt, p.pattern == Pattern::Checked])
        }),
        seen("a photo of a pair of light trousers", |p| {
            let light = matches!(p.color, Color::White | Color::Beige | Color::LightBlue);
            graded(&[matches!(p.style.garment, G::Trousers | G::Jeans), light])
        }),
        seen("skirt with dots", |p| {
            graded(&[p.style.garment == G::Skirt, p.pattern == Pattern::Dotted])
        }),
        seen("a dress without sleeves", |p| {
            graded(&[p.style.garment == G::Dress, p.style.sleeve == Some(Sleeve::None)])
        }),
        seen("a sweater with a v-neck", |p| {
            graded(&[p.style.garment == G::Sweater, p.style.neck == Some(Neck::V)])
        }),
    ]
}

/// Discounted gain of what was found, of the best that could be.
#[allow(clippy::disallowed_methods)] // log2 measures here, and decides no result
fn ndcg(judged: &[u32], all: &[u32]) -> f64 {
    let gain = |judged: &[u32]| -> f64 {
        let ranks = (1..).zip(judged).take(10);
        ranks.map(|(rank, &rel)| f64::from((1 << rel) - 1) / f64::from(rank + 1).log2()).sum()
    };
    let mut best = all.to_vec();
    best.sort_unstable_by(|a, b| b.cmp(a));
    gain(judged) / gain(&best) + 0.0
}

#[test]
fn hybrid_is_best_or_equal_in_every_class() {
    let fixture = fixture();
    let products = fixture.shop.products();
    let modes = [Mode::Words, Mode::Vector, Mode::Hybrid];
    let mut classes: Vec<(&str, Vec<[f64; 3]>)> = Vec::new();
    for Query { class, text, judge } in queries(&fixture.shop) {
        let all: Vec<u32> = products.iter().map(&judge).collect();
        assert!(all.contains(&2), "the shop has nothing for {text:?}");
        let scores = modes.map(|mode| {
            let found = fixture.find(&text, mode, 10);
            let of = |hit: &Found| products.iter().find(|p| p.id == hit.product.id).unwrap();
            ndcg(&found.iter().map(|hit| judge(of(hit))).collect::<Vec<_>>(), &all)
        });
        if std::env::var_os("RANKING_QUERIES").is_some() {
            println!("{class:<14} {text:<40} {scores:.3?}");
        }
        match classes.iter_mut().find(|(name, _)| *name == class) {
            Some((_, list)) => list.push(scores),
            None => classes.push((class, vec![scores])),
        }
    }
    println!("\nnDCG@10, {PRODUCTS} products, built-in model");
    println!("{:<14} {:>7} {:>8} {:>8} {:>8}", "class", "queries", "words", "vectors", "hybrid");
    let mut worse = Vec::new();
    for (class, scores) in &classes {
        assert!(scores.len() >= 5, "{class}: {} queries", scores.len());
        let mean = |mode: usize| scores.iter().map(|s| s[mode]).sum::<f64>() / scores.len() as f64;
        let [words, vectors, hybrid] = [mean(0), mean(1), mean(2)];
        println!("{class:<14} {:>7} {words:>8.3} {vectors:>8.3} {hybrid:>8.3}", scores.len());
        if hybrid + 1e-9 < words.max(vectors) {
            worse.push(*class);
        }
    }
    assert!(worse.is_empty(), "hybrid is not the best in {worse:?}");
}

#[test]
fn nonsense_finds_nothing_and_descriptions_do() {
    let fixture = fixture();
    // Not those that the floor was measured with.
    for text in
        ["asdfghjklö", "qwertyuiop", "xkcdvbn", "hjkl sdfg", "mmmmmmmm", "ytrewq zxcvb", "7f3a91"]
    {
        for mode in [Mode::Hybrid, Mode::Vector] {
            let found = fixture.find(text, mode, 24);
            assert!(found.is_empty(), "{text} ({mode:?}): {}", found.len());
        }
    }
    for Query { class, text, .. } in queries(&fixture.shop) {
        assert!(!fixture.find(&text, Mode::Hybrid, 24).is_empty(), "{text}");
        if matches!(class, "colour + type" | "descriptive") {
            assert!(!fixture.find(&text, Mode::Vector, 24).is_empty(), "{text} by meaning");
        }
    }
}
