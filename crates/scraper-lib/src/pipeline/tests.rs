//! No order of events loses an image.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use clip_core::{Embedding, Encoder, Towers, config::ClipConfig, image::PixelValues, trace::Trace};
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::sync::{mpsc, watch};

use super::*;
use crate::{
    fetch::Fetcher,
    model::{self, Accelerator, LoadOptions, ModelFiles},
    store::SqliteStore,
};

/// A PNG of 4x4 pixels of one colour.
fn picture(colour: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 4, 4);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[colour; 16]).unwrap();
    bytes
}

fn model() -> Arc<LoadedModel> {
    let options = LoadOptions::new(Towers::Vision);
    Arc::new(model::load(&ModelFiles::builtin(), &options).unwrap())
}

fn setup(model: &Arc<LoadedModel>) -> Setup {
    let options = RunOptions { batch: 2, decoders: 3, ..RunOptions::default() };
    let (fetcher, model) = (Fetcher::unguarded(Default::default()).unwrap(), model.clone());
    let (_, cancel) = watch::channel(false);
    Setup { fetcher, model, options, progress: Progress::hidden(), cancel }
}

fn store(folder: &Path, setup: &Setup) -> Box<dyn Store> {
    let mut store = SqliteStore::open(&folder.join("s.db")).unwrap();
    store.begin(&setup.model.provenance, setup.dim(), false).unwrap();
    Box::new(store)
}

/// Products whose images are `files` of `folder`; what became of them.
async fn run(folder: &Path, setup: &Setup, products: &[Vec<String>]) -> Result<Summary, Error> {
    let (out, inputs) = mpsc::channel(64);
    let (base, products) = (Arc::new(Base::Local(folder.to_owned())), products.to_vec());
    tokio::spawn(async move {
        for (number, images) in products.into_iter().enumerate() {
            let product = Product { id: number.to_string(), images, ..Product::default() };
            pause::wait("").await;
            out.send(Input::Product(product, base.clone())).await.unwrap();
        }
    });
    let (summary, store) = process(inputs, store(folder, setup), setup).await?;
    assert_eq!(store.unsettled()?, 0, "{summary:?}");
    Ok(summary)
}

/// Files that share bytes, differ, are broken, are missing, and one that a defect meets.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => Just("same.png"),
        6 => Just("copy.png"),
        4 => Just("other.png"),
        3 => Just("broken.png"),
        3 => Just("broken too.png"),
        1 => Just("missing.png"),
        1 => Just(pause::chosen::PANICS),
    ]
    .prop_map(str::to_owned)
}

#[test]
fn whatever_the_delays_each_image_has_a_vector_or_a_failure() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let model = model();
    let setup = setup(&model);
    let products = prop::collection::vec(prop::collection::vec(names(), 1..4), 40..120);
    let cases = std::env::var("PIPELINE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        max_shrink_iters: 0, // another order of events is another case
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&(products, 1..8000_u64), |(products, longest)| {
            let folder = tempfile::tempdir().unwrap();
            let write = |name: &str, bytes: &[u8]| {
                std::fs::write(folder.path().join(name), bytes).unwrap();
            };
            for (name, colour) in [("same.png", 1), ("copy.png", 1), ("other.png", 2)] {
                write(name, &picture(colour));
            }
            write("broken.png", b"no picture");
            write("broken too.png", b"no picture");
            pause::chosen::LONGEST.store(longest, Ordering::Relaxed);
            let ran = runtime.block_on(run(folder.path(), &setup, &products));
            pause::chosen::LONGEST.store(0, Ordering::Relaxed);
            let summary = ran.map_err(|e| TestCaseError::fail(e.to_string()))?;
            let images = products.iter().flatten();
            let bad = images
                .clone()
                .filter(|name| !matches!(name.as_str(), "same.png" | "copy.png" | "other.png"));
            prop_assert_eq!(summary.images, images.count() as u64);
            prop_assert_eq!(summary.failed, bad.count() as u64);
            prop_assert!(summary.embedded <= 2, "each picture once: {summary:?}");
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_download_that_panics_is_a_failure_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.png"), picture(1)).unwrap();
    let products = [vec!["a.png".to_owned(), pause::chosen::PANICS.to_owned()]];
    let setup = setup(&model());
    let summary = run(folder.path(), &setup, &products).await.unwrap();
    assert_eq!((summary.embedded, summary.failed), (1, 1), "{summary:?}");
    let failures = store(folder.path(), &setup).failures().unwrap();
    assert_eq!((failures.len(), failures[0].kind.as_str()), (1, "internal"));
    assert!(failures[0].message.contains("report"), "{}", failures[0].message);
}

/// The CPU, but for one bit of each vector.
struct Wrong(Arc<clip_core::Clip>);

impl Encoder for Wrong {
    fn config(&self) -> &ClipConfig {
        self.0.config()
    }

    fn embed_pixels(&self, batch: &[PixelValues]) -> Result<Vec<Embedding>, clip_core::Error> {
        let vectors = self.0.embed_pixels(batch)?.into_iter().map(|vector| {
            let mut values = vector.into_values();
            values[0] = f32::from_bits(values[0].to_bits() ^ 1);
            Embedding::from_raw(values)
        });
        Ok(vectors.collect())
    }

    fn embed_tokens(&self, batch: &[Vec<u32>]) -> Result<Vec<Embedding>, clip_core::Error> {
        self.0.embed_tokens(batch)
    }

    fn trace_pixels(&self, pixels: &PixelValues) -> Result<(Embedding, Trace), clip_core::Error> {
        self.0.trace_pixels(pixels)
    }

    fn device(&self) -> &str {
        clip_core::EXACT
    }
}

#[tokio::test]
async fn a_device_with_other_bits_stops_the_run_and_stores_nothing_of_them() {
    let shop = tempfile::tempdir().unwrap();
    std::fs::write(shop.path().join("a.png"), picture(7)).unwrap();
    let options = LoadOptions::new(Towers::Vision);
    let mut model = model::load(&ModelFiles::builtin(), &options).unwrap();
    let wrong = Box::new(Wrong(model.clip.clone()));
    model.accelerator = Some(Accelerator::new(wrong, "a card".into()));
    let setup = setup(&Arc::new(model));
    let error = run(shop.path(), &setup, &[vec!["a.png".into()]]).await.unwrap_err();
    assert_eq!(error.kind(), "device");
    assert!(error.to_string().contains("a card: image 1 of this run"), "{error}");
    let again =
        run(shop.path(), &self::setup(&self::model()), &[vec!["a.png".into()]]).await.unwrap();
    assert_eq!((again.embedded, again.reused), (1, 0), "nothing was kept: {again:?}");
}
