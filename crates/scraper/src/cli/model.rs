//! `scraper model`: weights on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::HumanBytes;

use super::{Context, spec};
use scraper_lib::{
    Error,
    embed::blocking,
    model::{self, BUILTIN, Hub, ModelError, ModelFile, ModelFiles, ModelSpec},
    report::{EXIT_OK, console::say},
};

/// Finds, downloads and checks weights.
#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {
    /// Downloads a model into the Hugging Face cache (HF_HOME), resuming where it was cut, and
    /// replaces what is damaged there.
    Pull(Which),
    /// Shows where a model is and what it is.
    Info(InfoArgs),
    /// Lists the models in the Hugging Face cache.
    List,
    /// Writes a model as files for a static host, from which browsers load it.
    Pack(PackArgs),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// A model id, a folder, or tiny. [default: EMBEDDINGS_MODEL, else openai/clip-vit-base-patch32]
    model: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    which: Which,
    /// Reads all files and compares their SHA-256.
    #[arg(long)]
    verify: bool,
}

#[derive(Debug, Args)]
pub(super) struct PackArgs {
    #[command(flatten)]
    which: Which,
    /// The folder to write; it is created.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl ModelCommand {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        match self {
            ModelCommand::Pull(which) => pull(which, context).await,
            ModelCommand::Info(args) => info(args, context).await,
            ModelCommand::List => list(context),
            ModelCommand::Pack(args) => pack(args, context).await,
        }
    }
}

async fn pull(which: Which, context: &Context) -> Result<u8, Error> {
    let files = match spec(which.model.as_deref(), context)? {
        ModelSpec::Folder(path) => ModelFiles::in_folder(&path)?,
        ModelSpec::Builtin => ModelFiles::builtin(),
        ModelSpec::Hub { repo, revision } => {
            let mut hub = Hub::new(&context.environment.hub)?;
            // What is there may be what is broken.
            hub.thorough = true;
            hub.pull(&repo, revision.as_deref(), &context.progress).await?
        }
    };
    show(&files)?;
    Ok(EXIT_OK)
}

async fn info(args: InfoArgs, context: &Context) -> Result<u8, Error> {
    let spec = spec(args.which.model.as_deref(), context)?;
    // Only looks: `pull` is for downloading.
    let mut local = context.environment.hub.clone();
    local.offline = true;
    let files = match model::find(&spec, &local, &context.progress).await {
        Err(ModelError::Offline { repo, cache }) => {
            return Err(Error::Usage(format!(
                "{repo} is not in the cache {}: run `scraper model pull {repo}`",
                cache.display()
            )));
        }
        found => found?,
    };
    show(&files)?;
    if args.verify {
        let (checked, unknown) = blocking(move || model::verify(&files)).await??;
        say!("SHA-256 of {checked} files matches; {unknown} files have no known SHA-256")?;
    }
    Ok(EXIT_OK)
}

async fn pack(args: PackArgs, context: &Context) -> Result<u8, Error> {
    let spec = spec(args.which.model.as_deref(), context)?;
    let files = model::find(&spec, &context.environment.hub, &context.progress).await?;
    let packed = blocking(move || model::pack(&files, &args.out)).await??;
    for (path, size) in &packed.files {
        say!("{} ({})", path.display(), HumanBytes(*size))?;
    }
    say!("{} tensors stay f32, since f16 would round them", packed.kept_f32.len())?;
    Ok(EXIT_OK)
}

fn show(files: &ModelFiles) -> Result<(), Error> {
    say!("{}", files.model)?;
    let unknown = match files.config {
        ModelFile::Path(_) => "unknown (a local folder)",
        ModelFile::Builtin { .. } => "none (part of this program)",
    };
    say!("  revision {}", files.revision.as_deref().unwrap_or(unknown))?;
    for file in files.files() {
        say!("  {file} ({})", HumanBytes(file.size()))?;
    }
    let config = model::config(files)?;
    let (vision, text) = (&config.vision, &config.text);
    say!(
        "  images: {}x{} in patches of {}, {} layers of {}",
        vision.image_size,
        vision.image_size,
        vision.patch_size,
        vision.layers,
        vision.hidden_size
    )?;
    say!("  texts: {} tokens, {} layers of {}", text.max_positions, text.layers, text.hidden_size)?;
    say!("  vectors: {} dimensions", config.projection_dim)?;
    Ok(())
}

fn list(context: &Context) -> Result<u8, Error> {
    let cache = &context.environment.hub.cache;
    let models = model::list(&context.environment.hub);
    if models.is_empty() {
        say!("no models in {}; `scraper model pull` downloads one", cache.display())?;
    }
    for found in models {
        let file = found.weights.file_name().unwrap_or_default().to_string_lossy();
        say!("{}@{}  {file} {}", found.repo, found.commit, HumanBytes(found.size))?;
    }
    say!("{BUILTIN}  part of this program, for first looks and tests")?;
    Ok(EXIT_OK)
}
