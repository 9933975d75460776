//! A loaded model.

use std::panic::{AssertUnwindSafe, catch_unwind};

use clip_core::{
    Clip, Embedding, Towers,
    image::{Limits, PixelValues, Profile},
};
use numpy::{IntoPyArray, PyArray2, PyArrayDyn, PyArrayMethods};
use pyo3::{exceptions::PyValueError, prelude::*};
use rayon::prelude::*;
use scraper_lib::{
    Error,
    config::Environment,
    model::{self, LoadOptions, LoadedModel, ModelSpec},
    report::Progress,
};

use crate::{
    failure::Failure,
    input::Image,
    workers::{Threads, Workers},
};

/// Texts between two looks at what the interpreter wants (Ctrl-C).
const TEXTS: usize = 256;

/// A model, its threads, and how images are prepared.
#[pyclass(module = "clip_everywhere._native", frozen)]
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) model: LoadedModel,
    workers: Workers,
}

/// Name, shape and SHA-256 of a stage.
type Stage = (String, Vec<usize>, String);

/// Vectors of all inputs (NaN where there is none), and why some have none.
type Outcome<'py> = (Bound<'py, PyArray2<f32>>, Vec<(usize, Py<PyAny>)>);

#[pymethods]
impl Engine {
    /// Finds the model, downloads what is missing of it, and loads it.
    #[staticmethod]
    fn load(
        py: Python<'_>,
        model: Option<&str>,
        towers: &str,
        profile: &str,
        threads: usize,
        max_bytes: usize,
        max_pixels: u64,
    ) -> PyResult<Self> {
        let invalid = |message: String| PyValueError::new_err(message);
        let towers = match towers {
            "both" => Towers::Both,
            "image" => Towers::Vision,
            "text" => Towers::Text,
            other => return Err(invalid(format!("towers is both, image or text, not {other:?}"))),
        };
        let profile: Profile = profile.parse().map_err(|e| invalid(format!("{e}")))?;
        let options = LoadOptions { towers, profile, limits: Limits { max_bytes, max_pixels } };
        let workers = Workers::new(threads);
        let loaded = py.detach(|| find_and_load(model, &options, &workers));
        let model = loaded.map_err(|failure| failure.exception(py))?;
        Ok(Engine { model, workers })
    }

    /// Length of a vector.
    #[getter]
    fn dim(&self) -> usize {
        self.model.clip.config().projection_dim
    }

    /// Width and height that the model sees.
    #[getter]
    fn image_size(&self) -> usize {
        self.model.clip.config().vision.image_size
    }

    /// `exp(logit_scale)`.
    #[getter]
    fn logit_scale(&self) -> f32 {
        self.model.clip.logit_scale()
    }

    /// Whether transparency is composited on white, and whether orientation counts.
    #[getter]
    fn rules(&self) -> (bool, bool) {
        use clip_core::image::{Alpha, Exif};
        let profile = self.model.clip.processor().profile();
        (profile.alpha == Alpha::White, profile.exif == Exif::Apply)
    }

    /// Largest file in bytes, and largest image in pixels.
    #[getter]
    fn limits(&self) -> (usize, u64) {
        let Limits { max_bytes, max_pixels } = self.model.clip.processor().limits();
        (max_bytes, max_pixels)
    }

    /// What the vectors are labelled with, as the columns of an export are.
    #[getter]
    fn provenance(&self) -> (&str, Option<&str>, &str, Option<&str>, &str, u32, &str) {
        let p = &self.model.provenance;
        let (revision, tokenizer) = (p.revision.as_deref(), p.tokenizer.as_deref());
        (&p.model, revision, &p.weights, tokenizer, &p.preprocessing, p.numerics, &p.device)
    }

    /// One vector per image; with `stop`, none after the first that fails.
    fn embed_images<'py>(
        &self,
        py: Python<'py>,
        images: Vec<Image>,
        normalize: bool,
        batch: usize,
        stop: bool,
    ) -> PyResult<Outcome<'py>> {
        let prepare = |image: &Image, threads: &Threads| {
            image.prepare(&self.model.clip, threads.runtime.handle())
        };
        let vectors = self.images(py, &images, batch, stop, prepare)?;
        self.outcome(py, vectors, normalize)
    }

    /// One vector per text.
    fn embed_texts<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        normalize: bool,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let vectors = self.texts(py, &texts)?;
        Ok(self.outcome(py, vectors.into_iter().map(Ok).collect(), normalize)?.0)
    }

    /// Token ids, truncated to the model's length.
    fn tokenize(&self, py: Python<'_>, texts: Vec<String>) -> Vec<Vec<u32>> {
        py.detach(|| texts.iter().map(|text| self.model.clip.tokenize(text)).collect())
    }

    /// `[images, 3, size, size]`.
    fn pixel_values<'py>(
        &self,
        py: Python<'py>,
        images: Vec<Image>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let threads = self.threads(py)?;
        let prepared: Result<Vec<_>, _> = py.detach(|| {
            threads
                .pool
                .install(|| images.par_iter().map(|image| self.prepared(image, &threads)).collect())
        });
        let prepared = prepared.map_err(|failure| failure.exception(py))?;
        let size = self.image_size();
        let all: Vec<f32> = prepared.into_iter().flat_map(|pixels| pixels.data).collect();
        all.into_pyarray(py).reshape(vec![images.len(), 3, size, size])
    }

    /// The stages of an image on its way to the vector.
    fn trace_image(&self, py: Python<'_>, image: Image) -> PyResult<Vec<Stage>> {
        let threads = self.threads(py)?;
        let trace = py.detach(|| {
            let files = threads.runtime.handle();
            threads.pool.install(|| caught(|| image.trace(&self.model.clip, files)))
        });
        trace.map(stages).map_err(|failure| failure.exception(py))
    }

    /// The stages of a text on its way to the vector.
    fn trace_text(&self, py: Python<'_>, text: &str) -> PyResult<Vec<Stage>> {
        let threads = self.threads(py)?;
        let trace = py.detach(|| threads.pool.install(|| self.model.clip.trace_text(text)));
        trace.map(|(_, trace)| stages(trace)).map_err(|e| Failure::from(e).exception(py))
    }

    /// See `arrow.rs`.
    fn embed_arrow_images<'py>(
        &self,
        py: Python<'py>,
        column: &Bound<'py, PyAny>,
        normalize: bool,
        batch: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        crate::arrow::images(self, py, column, normalize, batch)
    }

    /// See `arrow.rs`.
    fn embed_arrow_texts<'py>(
        &self,
        py: Python<'py>,
        column: &Bound<'py, PyAny>,
        normalize: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        crate::arrow::texts(self, py, column, normalize)
    }
}

impl Engine {
    fn threads(&self, py: Python<'_>) -> PyResult<std::sync::Arc<Threads>> {
        self.workers.threads().map_err(|e| Failure::from(e).exception(py))
    }

    fn prepared(&self, image: &Image, threads: &Threads) -> Result<PixelValues, Failure> {
        caught(|| image.prepare(&self.model.clip, threads.runtime.handle()))
    }

    /// Prepares and embeds `batch` images at a time, without the interpreter's lock.
    pub(crate) fn images<T: Sync>(
        &self,
        py: Python<'_>,
        images: &[T],
        batch: usize,
        stop: bool,
        prepare: impl Fn(&T, &Threads) -> Result<PixelValues, Failure> + Sync,
    ) -> PyResult<Vec<Result<Embedding, Failure>>> {
        let threads = self.threads(py)?;
        let mut all = Vec::with_capacity(images.len());
        for chunk in images.chunks(batch.max(1)) {
            py.check_signals()?;
            let vectors = py.detach(|| {
                threads.pool.install(|| {
                    let prepared =
                        chunk.par_iter().map(|image| caught(|| prepare(image, &threads)));
                    embed(&self.model.clip, prepared.collect())
                })
            });
            let vectors = vectors.map_err(|failure| failure.exception(py))?;
            if let Some(Err(failure)) = vectors.iter().find(|v| stop && v.is_err()) {
                return Err(failure.exception(py));
            }
            all.extend(vectors);
        }
        Ok(all)
    }

    pub(crate) fn texts<T: AsRef<str> + Sync>(
        &self,
        py: Python<'_>,
        texts: &[T],
    ) -> PyResult<Vec<Embedding>> {
        let (threads, clip) = (self.threads(py)?, &self.model.clip);
        let mut all = Vec::with_capacity(texts.len());
        for chunk in texts.chunks(TEXTS) {
            py.check_signals()?;
            let vectors = py.detach(|| {
                threads.pool.install(|| {
                    let ids: Vec<_> =
                        chunk.par_iter().map(|text| clip.tokenize(text.as_ref())).collect();
                    clip.embed_tokens(&ids)
                })
            });
            all.extend(vectors.map_err(|e| Failure::from(e).exception(py))?);
        }
        Ok(all)
    }

    fn outcome<'py>(
        &self,
        py: Python<'py>,
        vectors: Vec<Result<Embedding, Failure>>,
        normalize: bool,
    ) -> PyResult<Outcome<'py>> {
        let (rows, dim) = (vectors.len(), self.dim());
        let mut values = Vec::with_capacity(rows * dim);
        let mut failures = Vec::new();
        for (index, vector) in vectors.into_iter().enumerate() {
            match vector {
                Ok(embedding) => values.extend(finished(embedding, normalize)),
                Err(failure) => {
                    values.extend(std::iter::repeat_n(f32::NAN, dim));
                    failures.push((index, failure.exception(py).into_value(py).into_any()));
                }
            }
        }
        Ok((values.into_pyarray(py).reshape([rows, dim])?, failures))
    }
}

/// The vector as it is handed out.
pub(crate) fn finished(embedding: Embedding, normalize: bool) -> Vec<f32> {
    match normalize {
        true => embedding.normalized().into_values(),
        false => embedding.into_values(),
    }
}

/// On threads of its own: those that the engine shares by default would be missing after a fork.
fn find_and_load(
    model: Option<&str>,
    options: &LoadOptions,
    workers: &Workers,
) -> Result<LoadedModel, Failure> {
    let threads = workers.threads()?;
    let environment = Environment::load().map_err(|e| Error::Usage(e.to_string()))?;
    let spec = ModelSpec::parse(model.unwrap_or(&environment.model))?;
    let progress = Progress::hidden();
    let files = threads.runtime.block_on(model::find(&spec, &environment.hub, &progress))?;
    Ok(threads.pool.install(|| model::load(&files, options))?)
}

fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Failure::panicked()))
}

/// The vectors of those that could be prepared, in their places.
fn embed(
    clip: &Clip,
    prepared: Vec<Result<PixelValues, Failure>>,
) -> Result<Vec<Result<Embedding, Failure>>, Failure> {
    let mut pixels = Vec::with_capacity(prepared.len());
    let places: Vec<Result<(), Failure>> =
        prepared.into_iter().map(|image| image.map(|image| pixels.push(image))).collect();
    let mut vectors = clip.embed_pixels(&pixels)?.into_iter();
    // One per image, as many as there are places for.
    Ok(places
        .into_iter()
        .map(|place| place.and_then(|()| vectors.next().ok_or_else(Failure::panicked)))
        .collect())
}

fn stages(trace: clip_core::trace::Trace) -> Vec<Stage> {
    trace.stages.into_iter().map(|stage| (stage.name, stage.shape, stage.sha256)).collect()
}
