//! A check: images are sampled, their bytes fetched, and both sides' vectors collected.

use std::{path::Path, sync::Arc};

use clip_core::{image::Limits, trace::sha256};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{Candidate, Comparison, Endpoint, Golden, Reference, Sample};
use crate::{
    Error,
    embed::blocking,
    fetch::Fetcher,
    model::{LoadedModel, ModelFiles, configs},
    report::{Progress, Unit},
    source::{Base, Location, Source},
    store::StoreTarget,
};

/// The images to compare, where others' vectors come from, and how to get the bytes.
#[derive(Debug)]
pub struct Check<'a> {
    fetcher: &'a Fetcher,
    progress: &'a Progress,
    references: Vec<Reference>,
    skipped: Vec<String>,
}

impl<'a> Check<'a> {
    /// Nothing to compare yet.
    pub fn new(fetcher: &'a Fetcher, progress: &'a Progress) -> Self {
        Check { fetcher, progress, references: Vec::new(), skipped: Vec::new() }
    }

    /// The bytes of an image, where they are still those that a vector is known of; else it is told
    /// why they are left out.
    async fn bytes(
        &mut self,
        address: &str,
        base: &Base,
        is_same: impl FnOnce(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let fetched = match Location::parse(address, base) {
            Ok(location) => self.fetcher.fetch(&location).await,
            Err(e) => Err(e),
        };
        let why = match fetched {
            Ok(fetched) if is_same(&fetched.bytes) => return Some(fetched.bytes),
            Ok(_) => format!("{address}: its bytes have changed since"),
            Err(e) => e.to_string(),
        };
        self.skipped.push(why);
        None
    }

    /// Pairs at most `size` recorded vectors of the file `path` with the bytes they are of. What
    /// cannot be had, or has changed since, is left out and told.
    ///
    /// # Errors
    /// The recording cannot be read.
    pub async fn recorded(&mut self, path: &Path, size: usize) -> Result<(), Error> {
        let owned = path.to_owned();
        let goldens = blocking(move || Golden::read(&owned, size)).await?;
        let base = Base::Local(path.parent().unwrap_or(Path::new("")).to_owned());
        for golden in goldens.map_err(|e| Error::Usage(e.to_string()))? {
            let Golden { image, sha256: recorded, values } = golden;
            let is_same = |bytes: &[u8]| recorded.is_none_or(|recorded| recorded == sha256(bytes));
            if let Some(bytes) = self.bytes(&image, &base, is_same).await {
                self.references.push(Reference { image, bytes, values });
            }
        }
        Ok(())
    }

    /// Sends the bytes of `sample` to an endpoint that gives vectors of `dim` values. An image that
    /// cannot be had, has changed since, or is refused, is left out and told.
    ///
    /// # Errors
    /// The endpoint cannot be reached, or answers with something else.
    pub async fn ask(
        &mut self,
        endpoint: &mut Endpoint,
        sample: Vec<Candidate>,
        dim: usize,
    ) -> Result<(), Error> {
        let task = self.progress.task("endpoint", Some(sample.len() as u64), Unit::Items);
        for Candidate { address, base, hash } in sample {
            let is_same = |bytes: &[u8]| hash.is_none_or(|hash| hash == *Sha256::digest(bytes));
            if let Some(bytes) = self.bytes(&address, &base, is_same).await {
                match endpoint.embed(&bytes, dim).await {
                    Ok(values) => {
                        self.references.push(Reference { image: address, bytes, values });
                    }
                    Err(e) if e.is_about_the_image() => {
                        self.skipped.push(format!("{address}: {e}"));
                    }
                    Err(e) => return Err(e.into()),
                }
            }
            task.inc(1);
        }
        task.finish();
        Ok(())
    }

    /// Compares what was collected with the vectors of `model`, whose files are `files`.
    ///
    /// # Errors
    /// Those of [`Comparison::of`].
    pub async fn compare(
        self,
        model: Arc<LoadedModel>,
        files: &ModelFiles,
        limits: Limits,
        tolerance: f64,
    ) -> Result<Comparison, Error> {
        let (_, preprocess) = configs(files)?;
        let Check { references, skipped, .. } = self;
        blocking(move || {
            Comparison::of(&model, &preprocess, limits, &references, tolerance, skipped)
        })
        .await?
    }
}

impl Sample {
    /// At most `size` images of what a source lists.
    ///
    /// # Errors
    /// The source cannot be read.
    pub async fn of_source(source: Box<dyn Source>, size: usize) -> Result<Vec<Candidate>, Error> {
        let base = source.base();
        let (out, mut items) = mpsc::channel(64);
        let mut sample = Sample::new(size);
        let add = async {
            while let Some(item) = items.recv().await {
                if let Ok(product) = item {
                    sample.add_product(&product, &base);
                }
            }
        };
        let (read, ()) = tokio::join!(source.run(out), add);
        read?;
        Ok(sample.into_candidates())
    }

    /// At most `size` images of what a store holds.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn of_store(target: &StoreTarget, size: usize) -> Result<Vec<Candidate>, Error> {
        let target = target.clone();
        blocking(move || {
            let mut sample = Sample::new(size);
            sample.add_store(target.open_existing()?.as_ref())?;
            Ok(sample.into_candidates())
        })
        .await?
    }
}
