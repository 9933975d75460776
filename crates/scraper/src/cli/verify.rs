//! `scraper verify`: are these the vectors that the endpoint gives?

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Args, ValueEnum};
use clip_core::{Towers, image::Limits};
use reqwest::Url;

use super::{Context, ModelArgs, StoreArgs, network::NetworkArgs, values};
use crate::hints;
use scraper_lib::{
    Error,
    config::VerifySettings,
    model::{LoadedModel, ModelFiles},
    pipeline::Setup,
    report::{
        EXIT_OK, EXIT_UNVERIFIED, Progress,
        console::{self, say},
        secrets::redact,
        shown,
    },
    source::{SourceSpec, Web},
    store::StoreTarget,
    verify::{Candidate, Check, Comparison, Endpoint, RequestForm, Sample},
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
    /// Source of the images: a folder or a feed, as in `scraper run` [default: the store].
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
    /// Largest difference allowed in any value. [default: 0.001]
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

impl VerifyArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let (model, files) = self.model.load_files(context, Towers::Vision).await?;
        let fetcher = self.network.fetcher(&self.model)?;
        let mut check = Check::new(&fetcher, &context.progress);
        match (&self.golden, &self.endpoint) {
            (Some(path), _) => check.recorded(path, self.how.sample()).await?,
            (None, Some(url)) => {
                let sample = match &self.source {
                    Some(path) => {
                        let spec = SourceSpec::of(&path.to_string_lossy(), None);
                        let source = spec.open(Path::new(""), &Web::new(fetcher.clone(), None))?;
                        Sample::of_source(source, self.how.sample()).await?
                    }
                    None => Sample::of_store(&self.store.store, self.how.sample()).await?,
                };
                self.how.ask(&mut check, url, sample, &model, &context.progress).await?;
            }
            (None, None) => return Err(Error::Usage("--endpoint or --golden is needed".into())),
        }
        let limits = self.model.preprocessing.limits();
        let comparison =
            check.compare(Arc::new(model), &files, limits, self.how.tolerance()).await?;
        match self.format {
            Format::Text => tell(&comparison)?,
            Format::Json => {
                let json = serde_json::to_string_pretty(&comparison)
                    .map_err(|e| Error::Internal(e.to_string()))?;
                console::print(&format!("{}\n", shown::json(redact(&json).into_owned())))?;
            }
        }
        Ok(if comparison.passed() { EXIT_OK } else { EXIT_UNVERIFIED })
    }
}

/// For people.
fn tell(comparison: &Comparison) -> Result<(), Error> {
    say!("{comparison}")?;
    hints::of_comparison(comparison).map_or(Ok(()), |hint| say!("hint: {hint}"))
}

impl EndpointArgs {
    async fn ask(
        &self,
        check: &mut Check<'_>,
        url: &Url,
        sample: Vec<Candidate>,
        model: &LoadedModel,
        progress: &Progress,
    ) -> Result<(), Error> {
        let mut endpoint = Endpoint::new(
            url.clone(),
            self.token()?,
            self.request,
            model.provenance.model.clone(),
            Duration::from_secs(self.timeout.get().into()),
            Duration::from_secs(self.endpoint_wait.into()),
        )?;
        check.ask(&mut endpoint, sample, model.clip.config().projection_dim).await?;
        if self.request == RequestForm::Auto && endpoint.form() != RequestForm::Auto {
            let form = endpoint.form().name();
            progress.note(&format!("The endpoint accepts images in the form --request {form}."));
        }
        Ok(())
    }

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

/// The gate after a run, which tells what it finds: whether what the store holds now may be
/// published.
pub(super) async fn gate(
    url: &Url,
    how: &EndpointArgs,
    target: &StoreTarget,
    setup: &Setup,
    files: &ModelFiles,
    limits: Limits,
) -> Result<bool, Error> {
    let sample = Sample::of_store(target, how.sample()).await?;
    let mut check = Check::new(&setup.fetcher, &setup.progress);
    how.ask(&mut check, url, sample, &setup.model, &setup.progress).await?;
    let comparison = check.compare(setup.model.clone(), files, limits, how.tolerance()).await?;
    console::done_without(tell(&comparison));
    Ok(comparison.passed())
}
