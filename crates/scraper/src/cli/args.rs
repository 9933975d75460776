//! Flags that several subcommands have.

use std::{
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use clap::Args;
use clip_core::{
    Towers,
    image::{Limits, Profile},
};

use super::{
    Context,
    settings::{default_store, settings},
};
use scraper_lib::{
    Error,
    embed::blocking,
    model::{LoadOptions, LoadedModel, ModelFiles, ModelSpec},
    output::{Output, is_stdout, same_file},
    store::StoreTarget,
    threads,
};

/// Flags about the model.
#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// A model id (org/name, org/name@revision), a folder with config.json and weights, or tiny:
    /// the small model that comes with this program, for first looks and tests.
    /// [default: EMBEDDINGS_MODEL, else openai/clip-vit-base-patch32]
    #[arg(long, value_name = "ID|DIR")]
    pub(super) model: Option<String>,
    /// Number of threads; results are the same to the last bit. [default: all cores]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) preprocessing: PreprocessingArgs,
}

/// Flags about how images are prepared.
#[derive(Debug, Args)]
pub(super) struct PreprocessingArgs {
    /// Whose preprocessing to reproduce: hf-endpoint, transformers4, transformers5,
    /// transformers5-pil, or parts such as exif=ignore,alpha=white.
    #[arg(long, default_value_t)]
    pub(super) profile: Profile,
    /// Largest image file, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    pub(super) max_bytes: u32,
    /// Largest image, in megapixels.
    #[arg(long, value_name = "MP", default_value_t = 100)]
    pub(super) max_pixels: u32,
}

impl PreprocessingArgs {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_bytes: usize::try_from(self.bytes()).unwrap_or(usize::MAX),
            max_pixels: u64::from(self.max_pixels) * 1_000_000,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.max_bytes) << 20
    }
}

impl ModelArgs {
    pub(super) async fn load(
        &self,
        context: &Context,
        towers: Towers,
    ) -> Result<LoadedModel, Error> {
        Ok(self.load_files(context, towers).await?.0)
    }

    /// The model, and where it came from.
    pub(super) async fn load_files(
        &self,
        context: &Context,
        towers: Towers,
    ) -> Result<(LoadedModel, ModelFiles), Error> {
        // Where threads are few, the engine has one.
        if let (Some(threads), None) = (self.threads, threads::spare()) {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads.get())
                .build_global()
                .map_err(|e| Error::Usage(format!("--threads {threads}: {e}")))?;
        }
        let spec = spec(self.model.as_deref(), context)?;
        let files =
            scraper_lib::model::find(&spec, &context.environment.hub, &context.progress).await?;
        let (profile, limits) = (self.preprocessing.profile, self.preprocessing.limits());
        let options = LoadOptions { towers, profile, limits };
        let load = move || {
            let model = scraper_lib::model::load(&files, &options)?;
            Ok::<_, Error>((model, files))
        };
        blocking(load).await?
    }
}

/// The model that a flag or the environment names.
pub(super) fn spec(model: Option<&str>, context: &Context) -> Result<ModelSpec, Error> {
    let environment = &context.environment;
    let set = if environment.model_is_set { None } else { settings()?.model() };
    Ok(ModelSpec::parse(model.or(set.as_deref()).unwrap_or(&environment.model))?)
}

/// Where results go.
#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// Output file, or folder where the format is a folder. [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

impl OutputArgs {
    /// The file, unless it is standard output.
    pub(super) fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }

    pub(super) fn open(&self) -> Result<Output, Error> {
        match self.file() {
            Some(path) => create(path),
            None => Ok(Output::stdout()),
        }
    }

    /// Refuses to write over what is read.
    pub(super) fn keep<'a>(&self, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
        match self.file() {
            Some(file) => keep(file, read),
            None => match read.into_iter().find(|path| is_stdout(path)) {
                None => Ok(()),
                Some(path) => Err(Error::Usage(format!(
                    "standard output goes to {}, which is read: name another file",
                    path.display()
                ))),
            },
        }
    }

    pub(super) fn error(&self) -> impl Fn(io::Error) -> Error + use<> {
        output_error(self.file())
    }
}

pub(super) fn create(path: &Path) -> Result<Output, Error> {
    Output::create(path).map_err(output_error(Some(path)))
}

/// Refuses to write `file` where it is one of those that are read, under whatever name.
pub(super) fn keep<'a>(file: &Path, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
    match read.into_iter().find(|path| same_file(file, path)) {
        None => Ok(()),
        Some(path) if path == file => Err(Error::Usage(format!(
            "{} is read and would be written over: name another file for the output",
            file.display()
        ))),
        Some(path) => Err(Error::Usage(format!(
            "{} is {}, which is read and would be written over: name another file for the output",
            file.display(),
            path.display()
        ))),
    }
}

/// A file of the user's that cannot be read.
pub(super) fn unreadable(path: &Path, e: &std::io::Error) -> Error {
    Error::Usage(format!("{}: {e}", path.display()))
}

pub(super) fn output_error(path: Option<&Path>) -> impl Fn(io::Error) -> Error + use<> {
    let what = path.map_or_else(|| "standard output".into(), |path| path.display().to_string());
    move |source| Error::Output { what: what.clone(), source }
}

/// Which store.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// The store: an SQLite file, or a Postgres database with pgvector.
    /// [default: that of scraper.toml, else scraper.db]
    #[arg(
        long,
        value_name = "FILE|postgres://…",
        default_value = default_store(),
        hide_default_value = true
    )]
    pub(super) store: StoreTarget,
}
