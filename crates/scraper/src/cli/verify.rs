//! `scraper verify`: are these the vectors that the endpoint gives?

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use clip_core::{Towers, image::Limits};
use reqwest::Url;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{Context, ModelArgs, StoreArgs, network::NetworkArgs, values};
use scraper_lib::{
    Error,
    config::VerifySettings,
    embed::blocking,
    fetch::Fetcher,
    model::{LoadedModel, ModelFiles, configs, hex},
    pipeline::Setup,
    report::{
        EXIT_OK, EXIT_UNVERIFIED, Progress, Unit,
        console::{self, say},
        secrets::redact,
        shown,
    },
    source::{Base, Location, SourceSpec, Web},
    store::StoreTarget,
    verify::{Candidate, Comparison, Endpoint, Golden, Reference, RequestForm, Sample},
};

/// Compares vectors with those of a Hugging Face Inference Endpoint, or with recorded ones.
///
/// The same image bytes are sent to the endpoint. Exit code 3 if a value differs by more than the
/// tolerance.
///
/// Examples:
///   scraper verify --endpoint https://x.endpoints.huggingface.cloud --token-env HF_TOKEN
///   scraper verify photos/ --endpoint http://localhost:8080 --sample 16
///   scraper verify --golden vectors.jsonl
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct VerifyArgs {
    /// Where the images are from: a folder or a feed, as in `scraper run` [default: the store].
    source: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    /// The endpoint's address.
    #[arg(long, value_name = "URL", required_unless_present = "golden")]
    endpoint: Option<Url>,
    #[command(flatten)]
    how: EndpointArgs,
    /// Recorded vectors: .jsonl with `image` and `embedding`, or .npy with .rows.jsonl beside it,
    /// as `scraper export` writes them. Relative image paths start at the file's folder.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["endpoint", "source"])]
    golden: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// How to ask an endpoint, and how close it must be.
#[derive(Debug, Args)]
pub(super) struct EndpointArgs {
    /// Name of the environment variable that holds the endpoint's token.
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Images to compare: the same ones each time, as long as they are there.
    /// [default: 64]
    #[arg(long, value_name = "N")]
    sample: Option<NonZeroUsize>,
    /// Largest difference of any value. [default: 0.001]
    #[arg(long, value_name = "DELTA")]
    tolerance: Option<f64>,
    /// How images are sent to the endpoint.
    #[arg(long, value_parser = values::request_forms(), default_value = "auto")]
    request: RequestForm,
    /// Longest wait for one answer of the endpoint, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    timeout: NonZeroU32,
    /// How long the endpoint may take to wake up, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    endpoint_wait: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// The images to compare, where others' vectors come from, and how to get the bytes.
struct Check<'a> {
    fetcher: &'a Fetcher,
    progress: &'a Progress,
    references: Vec<Reference>,
    skipped: Vec<String>,
}

impl VerifyArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let (model, files) = self.model.load_files(context, Towers::Vision).await?;
        let fetcher = self.network.fetcher(&self.model)?;
        let mut check = Check::new(&fetcher, &context.progress);
        match (&self.golden, &self.endpoint) {
            (Some(path), _) => check.recorded(path, self.how.sample()).await?,
            (None, Some(url)) => {
                let sample = match &self.source {
                    Some(path) => from_source(path, &fetcher, self.how.sample()).await?,
                    None => from_store(&self.store.store, self.how.sample()).await?,
                };
                check.ask(url, &self.how, sample, &model).await?;
            }
            (None, None) => return Err(Error::Usage("--endpoint or --golden is needed".into())),
        }
        let (_, preprocess) = configs(&files)?;
        let (limits, tolerance) = (self.model.preprocessing.limits(), self.how.tolerance());
        let Check { references, skipped, .. } = check;
        let comparison = blocking(move || {
            Comparison::of(&model, &preprocess, limits, &references, tolerance, skipped)
        });
        let comparison = comparison.await??;
        match self.format {
            Format::Text => say!("{comparison}")?,
            Format::Json => {
                let json = serde_json::to_string_pretty(&comparison)
                    .map_err(|e| Error::Internal(e.to_string()))?;
                console::print(&format!("{}\n", shown::json(redact(&json).into_owned())))?;
            }
        }
        Ok(if comparison.passed() { EXIT_OK } else { EXIT_UNVERIFIED })
    }
}

impl<'a> Check<'a> {
    fn new(fetcher: &'a Fetcher, progress: &'a Progress) -> Self {
        Check { fetcher, progress, references: Vec::new(), skipped: Vec::new() }
    }

    async fn bytes(&self, address: &str, base: &Base) -> Result<Vec<u8>, String> {
        let location = Location::parse(address, base).map_err(|e| e.to_string())?;
        let fetched = self.fetcher.fetch(&location).await;
        fetched.map(|fetched| fetched.bytes).map_err(|e| e.to_string())
    }

    /// Pairs recorded vectors with the bytes they are of.
    async fn recorded(&mut self, path: &Path, size: usize) -> Result<(), Error> {
        let owned = path.to_owned();
        let goldens = blocking(move || Golden::read(&owned, size)).await?;
        let base = Base::Local(path.parent().unwrap_or(Path::new("")).to_owned());
        for Golden { image, sha256, values } in goldens.map_err(|e| Error::Usage(e.to_string()))? {
            match self.bytes(&image, &base).await {
                Ok(bytes) if sha256.is_none_or(|sha256| sha256 == hex(&Sha256::digest(&bytes))) => {
                    self.references.push(Reference { image, bytes, values });
                }
                Ok(_) => self.skipped.push(format!("{image}: its bytes have changed since")),
                Err(e) => self.skipped.push(e),
            }
        }
        Ok(())
    }

    /// Sends the sample to the endpoint.
    async fn ask(
        &mut self,
        url: &Url,
        how: &EndpointArgs,
        sample: Vec<Candidate>,
        model: &LoadedModel,
    ) -> Result<(), Error> {
        let mut endpoint = Endpoint::new(
            url.clone(),
            how.token()?,
            how.request,
            model.provenance.model.clone(),
            Duration::from_secs(how.timeout.get().into()),
            Duration::from_secs(how.endpoint_wait.into()),
        )?;
        let dim = model.clip.config().projection_dim;
        let task = self.progress.task("endpoint", Some(sample.len() as u64), Unit::Items);
        for Candidate { address, base, hash } in sample {
            match self.bytes(&address, &base).await {
                Ok(bytes) if hash.is_none_or(|hash| hash == *Sha256::digest(&bytes)) => {
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
                Ok(_) => self.skipped.push(format!("{address}: its bytes have changed since")),
                Err(e) => self.skipped.push(e),
            }
            task.inc(1);
        }
        task.finish();
        if how.request == RequestForm::Auto && endpoint.form() != RequestForm::Auto {
            let form = endpoint.form().name();
            self.progress.note(&format!("The endpoint takes images in the form --request {form}."));
        }
        Ok(())
    }
}

impl EndpointArgs {
    /// Takes from the settings what no flag says.
    pub(super) fn or(self, settings: &VerifySettings) -> Self {
        EndpointArgs {
            token_env: self.token_env.or_else(|| settings.token_env.clone()),
            sample: self.sample.or(settings.sample),
            tolerance: self.tolerance.or(settings.tolerance),
            ..self
        }
    }

    fn sample(&self) -> usize {
        self.sample.map_or(64, NonZeroUsize::get)
    }

    fn tolerance(&self) -> f64 {
        self.tolerance.unwrap_or(1e-3)
    }

    fn token(&self) -> Result<Option<String>, Error> {
        let Some(name) = &self.token_env else { return Ok(None) };
        match std::env::var(name) {
            Ok(token) if !token.trim().is_empty() => Ok(Some(token.trim().to_owned())),
            _ => Err(Error::Usage(format!("--token-env: the variable {name} holds no token"))),
        }
    }
}

async fn from_source(
    place: &Path,
    fetcher: &Fetcher,
    size: usize,
) -> Result<Vec<Candidate>, Error> {
    let web = Web::new(fetcher.clone(), None);
    let source = SourceSpec::of(&place.to_string_lossy(), None).open(Path::new(""), &web)?;
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

async fn from_store(target: &StoreTarget, size: usize) -> Result<Vec<Candidate>, Error> {
    let target = target.clone();
    blocking(move || {
        let mut sample = Sample::new(size);
        sample.add_store(target.open_existing()?.as_ref())?;
        Ok(sample.into_candidates())
    })
    .await?
}

/// The gate after a run: whether what the store holds now may be published.
pub(super) async fn gate(
    url: &Url,
    how: &EndpointArgs,
    target: &StoreTarget,
    setup: &Setup,
    files: &ModelFiles,
    limits: Limits,
) -> Result<Comparison, Error> {
    let sample = from_store(target, how.sample()).await?;
    let mut check = Check::new(&setup.fetcher, &setup.progress);
    check.ask(url, how, sample, &setup.model).await?;
    let (_, preprocess) = configs(files)?;
    let (model, tolerance) = (setup.model.clone(), how.tolerance());
    let Check { references, skipped, .. } = check;
    blocking(move || Comparison::of(&model, &preprocess, limits, &references, tolerance, skipped))
        .await?
}
