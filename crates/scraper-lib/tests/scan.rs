//! Searches with a scan find what reading the store finds: random stores with ties, duplicates, vectors
//! of zeros and vanished products; changes; damage.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use clip_core::{Embedding, NormalizedEmbedding, Towers};
use scraper_lib::{
    export,
    fetch::Validators,
    model::{LoadOptions, LoadedModel, ModelFiles, load},
    relevance::Learner,
    report::MaxFailures,
    scan::{self, Made},
    search::{Answer, Found, Keeping, Mode, Question, Searcher, find},
    source::{Availability, Base, Product},
    store::{Filter, ImageHash, ImageKey, SqliteStore, Store, StoreTarget, Vanishing, View, Write},
};

const DIM: usize = 512;

fn model() -> &'static LoadedModel {
    static LOADED: OnceLock<LoadedModel> = OnceLock::new();
    LOADED.get_or_init(|| load(&ModelFiles::builtin(), &LoadOptions::new(Towers::Text)).unwrap())
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

    fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn vector(&mut self) -> Vec<f32> {
        let mut value = || (self.bits() >> 40) as f32 / (1u32 << 24) as f32 - 0.5;
        let mut values: Vec<f32> = (0..DIM).map(|_| (0..4).map(|_| value()).sum()).collect();
        values[0] -= 9.0;
        values
    }
}

/// A store that changes.
struct Shop {
    random: Random,
    path: PathBuf,
    store: SqliteStore,
    /// Of image files: some are near to each other, and some point nowhere.
    vectors: Vec<Vec<f32>>,
}

const WORDS: [&str; 9] =
    ["red", "Dress", "summer", "coat", "Norrfold", "T-shirt", "blue", "D-7", "Kleid"];

impl Shop {
    fn new(folder: &Path, seed: u64) -> Self {
        let mut random = Random(seed);
        let path = folder.join("s.db");
        let mut vectors: Vec<Vec<f32>> = (0..30).map(|_| random.vector()).collect();
        vectors[3] = vec![0.0; DIM];
        vectors[5] = vectors[4].iter().map(|x| 2.0 * x).collect();
        Shop { random, store: SqliteStore::open(&path).unwrap(), path, vectors }
    }

    /// A run that tells of some products, of which some are new.
    fn run(&mut self, products: usize) {
        self.store.begin(&model().provenance, DIM, false).unwrap();
        let mut writes = vec![];
        for name in ["", "b"] {
            writes.push(Write::Source { name: name.into(), base: Base::Web });
        }
        for _ in 0..products {
            let product = self.product();
            let (source, id) = (product.source.clone(), product.id.clone());
            let images = product.images.clone();
            writes.push(Write::Product(product));
            for (position, address) in (0u32..).zip(images) {
                if self.random.below(9) == 0 {
                    continue; // it has no vector yet
                }
                let number = self.random.below(self.vectors.len());
                let hash: ImageHash = [number as u8; 32];
                let (source, product) = (source.clone(), id.clone());
                let key = ImageKey { source, product, position, address };
                writes.push(Write::Vector {
                    hash,
                    values: self.vectors[number].clone(),
                    damaged: false,
                });
                writes.push(Write::Image {
                    key,
                    hash,
                    bytes: 1,
                    validators: Validators::default(),
                });
            }
        }
        self.store.apply(&writes).unwrap();
        let all = Vanishing { keep: 2, most: MaxFailures::Percent(100.0) };
        self.store.sweep(&[String::new()], &all).unwrap();
    }

    fn product(&mut self) -> Product {
        let random = &mut self.random;
        let id = format!("D-{}", random.below(60));
        let words = random.below(4);
        let title = (0..words).map(|_| random.pick(&WORDS)).collect::<Vec<_>>().join(" ");
        let mut attributes = BTreeMap::new();
        for (name, values) in [
            ("Color", &["red", "Blue"][..]),
            ("color", &["green", "4"]),
            ("size", &["38", "40"]),
            ("sku", &["D7", "X-1"]),
            ("care", &["Wash it."]),
        ] {
            if random.below(2) == 0 {
                attributes.insert(name.into(), random.pick(values).into());
            }
        }
        if random.below(9) == 0 {
            attributes.insert("care".into(), "Do not wash it. ".repeat(30));
        }
        let images = 1 + random.below(3);
        Product {
            images: (0..images).map(|n| format!("https://s.example/{id}/{n}.jpg")).collect(),
            source: random.pick(&["", "b"]).into(),
            title: Some(title).filter(|_| random.below(5) > 0),
            brand: random.pick(&[None, Some("Norrfold"), Some("Élan"), Some("")]).map(Into::into),
            category: random.pick(&[None, Some("Women > Dresses")]).map(Into::into),
            price: random.pick(&[None, Some(19.95), Some(20.0), Some(-0.0)]),
            currency: random.pick(&[None, Some("EUR")]).map(Into::into),
            availability: random.pick(&[
                None,
                Some(Availability::InStock),
                Some(Availability::OutOfStock),
            ]),
            attributes,
            id,
            ..Product::default()
        }
    }

    fn make(&mut self) -> Made {
        scan::make(&self.store, 1).unwrap()
    }

    fn searcher(&self, keeping: Keeping) -> Searcher {
        Searcher::open(&StoreTarget::Sqlite(self.path.clone()), keeping).unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.store.scan_folder().unwrap()
    }

    /// Asks many questions both ways.
    fn compare(&mut self, searcher: &Searcher, questions: usize) {
        const FILTERS: [&[&str]; 14] = [
            &[],
            &[],
            &["brand=norrfold|x"],
            &["brand!=norrfold"],
            &["brand!=a|"],
            &["price<20", "source=b"],
            &["price=20.00|19.95"],
            &["price=0"],
            &["color=red"],
            &["color!=red"],
            &["color>3"],
            &["title~dress", "category~women"],
            &["care=wash it."],
            &["description~x"],
        ];
        for _ in 0..questions {
            let text =
                self.random.pick(&["", "red dress", "d-7", "norrfold coat", "asdfghj", "kl"]);
            let query = match self.random.below(3) {
                0 => self.random.vector(),
                1 => self.vectors[4].clone(),
                _ => model().clip.embed_text("a red dress").unwrap().into_values(),
            };
            let query = Embedding::from_raw(query).normalized();
            let mode = self.random.pick(&[Mode::Hybrid, Mode::Words, Mode::Vector]);
            let question = Question {
                text,
                query: Some(&query).filter(|_| mode != Mode::Words || self.random.below(2) == 0),
                mode,
                top: self.random.pick(&[0, 1, 3, 12, 200]),
                floor: Some(model()).filter(|_| self.random.below(2) == 0),
            };
            let filter = Filter::parse(self.random.pick(&FILTERS)).unwrap();
            let view = View { filter, vanished: self.random.below(8) == 0 };
            let quick = searcher.find(&view, question).unwrap();
            assert_eq!(bits(&quick), bits(&slow(&self.store, &view, question)), "{view:?}");
            assert_eq!(quick, slow(&self.store, &view, question), "{question:?} {view:?}");
        }
    }
}

/// To the last bit.
fn bits(answer: &Answer) -> Vec<Option<u32>> {
    answer.found.iter().map(|found| found.score.map(f32::to_bits)).collect()
}

/// As before there were scans.
fn slow(store: &dyn Store, view: &View, question: Question<'_>) -> Answer {
    match question {
        Question { query: Some(query), mode: Mode::Vector, floor: None, top, .. } => {
            let hits = store.search(query, top, view, false).unwrap();
            Answer { found: hits.into_iter().map(Found::from).collect(), ..Answer::default() }
        }
        question => find(store, view, question).unwrap(),
    }
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.contains('-'));
    names.sort();
    names
}

#[test]
fn finds_what_the_store_finds_while_it_changes() {
    for seed in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        let mut shop = Shop::new(dir.path(), seed);
        shop.run([1, 25, 60][seed as usize % 3]);
        let searcher = shop.searcher(Keeping::Store);
        assert!(!searcher.is_quick().unwrap());
        let Made::New { reused: 0, rows } = shop.make() else { panic!("{seed}") };
        assert!(searcher.is_quick().unwrap() && rows > 0);
        assert_eq!(shop.make(), Made::Kept);
        shop.compare(&searcher, 40);

        // Stale: the store is read.
        shop.run(20);
        assert!(!searcher.is_quick().unwrap());
        shop.compare(&searcher, 5);
        let Made::New { reused, .. } = shop.make() else { panic!("{seed}") };
        assert!(reused > 0 && searcher.is_quick().unwrap());
        shop.compare(&searcher, 40);

        // As from nothing, but for what is left of the scan before.
        let known = files(&shop.folder());
        fs::remove_dir_all(shop.folder()).unwrap();
        assert!(matches!(shop.make(), Made::New { reused: 0, .. }));
        let new = files(&shop.folder());
        assert!(new.len() == 4 && new.iter().all(|name| known.contains(name)), "{new:?} {known:?}");
    }
}

#[test]
fn whoever_changes_the_store_the_scan_no_longer_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::new(dir.path(), 5);
    shop.run(40);
    let searcher = shop.searcher(Keeping::Store);
    let other = rusqlite::Connection::open(&shop.path).unwrap();
    for change in [
        "UPDATE products SET title = 'other' WHERE id = (SELECT min(id) FROM products)",
        "UPDATE products SET attributes = '{}'",
        "DELETE FROM images WHERE sha256 IS NOT NULL AND product = (SELECT max(product) FROM images)",
        "UPDATE vectors SET vector = (SELECT vector FROM vectors WHERE sha256 =
             (SELECT max(sha256) FROM vectors))",
        "UPDATE products SET missed = 1 WHERE id = (SELECT min(id) FROM products)",
    ] {
        shop.make();
        assert!(searcher.is_quick().unwrap(), "{change}");
        assert!(other.execute(change, []).unwrap() > 0, "{change}");
        assert!(!searcher.is_quick().unwrap(), "{change}");
        // Nothing that was changed comes from the scan before.
        assert!(matches!(shop.make(), Made::New { .. }));
        shop.compare(&searcher, 10);
    }
    // A night in which nothing changes, but that everything was seen.
    other.execute("UPDATE products SET seen = seen + 1", []).unwrap();
    assert!(searcher.is_quick().unwrap());
    // Another store of the same name.
    shop.make();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut copy = Shop::new(elsewhere.path(), 6);
    copy.run(30);
    fs::create_dir(copy.folder()).unwrap();
    for entry in fs::read_dir(shop.folder()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.folder().join(entry.file_name())).unwrap();
    }
    let searcher = copy.searcher(Keeping::LastRun);
    assert!(!searcher.is_quick().unwrap());
    copy.compare(&searcher, 5);
}

#[test]
fn what_is_damaged_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::new(dir.path(), 9);
    shop.run(60);
    shop.make();
    // The floor is there.
    let query = Embedding::from_raw(shop.vectors[7].clone()).normalized();
    let ask = |searcher: &Searcher, query: &NormalizedEmbedding| {
        let (mode, floor) = (Mode::Hybrid, Some(model()));
        let question = Question { text: "red", query: Some(query), mode, top: 5, floor };
        searcher.find(&View::default(), question).unwrap()
    };
    ask(&shop.searcher(Keeping::Store), &query);
    assert!(shop.folder().join("floor.json").exists());
    for entry in fs::read_dir(shop.folder()).unwrap() {
        let path = entry.unwrap().path();
        let whole = fs::read(&path).unwrap();
        for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            shop.compare(&shop.searcher(Keeping::Store), 4);
        }
        for _ in 0..12 {
            let mut damaged = whole.clone();
            let at = shop.random.below(whole.len());
            damaged[at] ^= 1 << shop.random.below(8);
            fs::write(&path, &damaged).unwrap();
            shop.compare(&shop.searcher(Keeping::Store), 4);
        }
        fs::write(&path, &whole).unwrap();
    }
    let searcher = shop.searcher(Keeping::Store);
    assert!(searcher.is_quick().unwrap());
    shop.compare(&searcher, 10);
}

#[test]
fn the_last_runs_scan_is_kept_until_the_next_one_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::new(dir.path(), 14);
    shop.run(50);
    shop.make();
    let searcher = shop.searcher(Keeping::LastRun);
    let question = Question { text: "zebra", query: None, mode: Mode::Words, top: 5, floor: None };
    let ask = || searcher.find(&View::default(), question).unwrap().found.len();
    assert_eq!(ask(), 0);
    shop.store.begin(&model().provenance, DIM, false).unwrap();
    let mut zebra = shop.product();
    (zebra.id, zebra.title) = ("zebra".into(), Some("Zebra".into()));
    let hash: ImageHash = [7; 32];
    let (source, product, address) =
        (zebra.source.clone(), zebra.id.clone(), zebra.images[0].clone());
    let key = ImageKey { source, product, position: 0, address };
    let values = shop.vectors[7].clone();
    let image = Write::Image { key, hash, bytes: 1, validators: Validators::default() };
    let writes = [Write::Product(zebra), Write::Vector { hash, values, damaged: false }, image];
    shop.store.apply(&writes).unwrap();
    assert_eq!((ask(), searcher.is_quick().unwrap()), (0, true));
    let now = shop.searcher(Keeping::Store).find(&View::default(), question).unwrap();
    assert_eq!(now.found.len(), 1);
    shop.make();
    assert_eq!((ask(), searcher.is_quick().unwrap()), (1, true));
}

#[test]
fn similar_products_are_the_same_with_a_scan_and_without() {
    for seed in 20..26 {
        let dir = tempfile::tempdir().unwrap();
        let mut shop = Shop::new(dir.path(), seed);
        shop.run(40);
        let ask = |shop: &mut Shop| {
            let searcher = shop.searcher(Keeping::Store);
            let filter = Filter::parse(&["price!=20"]).unwrap();
            let mut all = Vec::new();
            for id in 0..60 {
                for source in [None, Some(""), Some("b")] {
                    for view in [View::default(), View { filter: filter.clone(), vanished: false }]
                    {
                        let id = format!("D-{id}");
                        let found = searcher.similar(&view, source, &id, 7).unwrap();
                        let own = |hit: &Found| {
                            hit.product.id == id
                                && source.is_none_or(|source| hit.product.source == source)
                        };
                        assert!(source.is_none() || !found.iter().flatten().any(own));
                        all.push(found);
                    }
                }
            }
            all
        };
        let slow = ask(&mut shop);
        shop.make();
        assert!(shop.searcher(Keeping::Store).is_quick().unwrap());
        assert_eq!(ask(&mut shop), slow);
        assert!(slow.iter().any(Option::is_none) && slow.iter().flatten().any(|f| f.len() == 7));
    }
}

#[cfg(unix)]
#[test]
fn a_scan_is_as_private_as_its_store() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::new(dir.path(), 33);
    shop.run(20);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::set_permissions(&shop.path, fs::Permissions::from_mode(0o600)).unwrap();
    shop.make();
    assert_eq!(mode(&shop.folder()), 0o700);
    fs::set_permissions(&shop.path, fs::Permissions::from_mode(0o644)).unwrap();
    shop.run(20);
    shop.make();
    assert_eq!(mode(&shop.folder()), 0o755);
}

#[test]
fn an_export_copies_the_scan_and_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut shop = Shop::new(dir.path(), 31);
    shop.run(60);
    let export = |shop: &Shop, name: &str| {
        let (out, learner) = (dir.path().join(name), Learner::new(&model().clip).unwrap());
        let rows = export::web(&shop.store, &View::default(), Some(learner), &out).unwrap();
        let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
        (rows, manifest, files(&out))
    };
    let slow = export(&shop, "slow");
    shop.make();
    assert_eq!(export(&shop, "quick"), slow);
    // A vector that is not what the scan says is not copied.
    let exact = files(&shop.folder()).into_iter().find(|name| name.starts_with("exact")).unwrap();
    let path = shop.folder().join(exact);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(export(&shop, "damaged"), slow);
}
