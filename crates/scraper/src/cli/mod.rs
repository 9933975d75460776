//! The command line: one file per subcommand.

mod embed;
mod export;
mod inspect;
mod model;
mod run;
mod search;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use clip_core::{
    Towers,
    image::{Limits, Profile},
};
use tracing_subscriber::EnvFilter;

use crate::{
    Error,
    config::Environment,
    embed::blocking,
    model::{LoadOptions, LoadedModel, ModelSpec},
    report::{EXIT_ERROR, Progress},
};

/// CLIP embeddings of every product image of a fashion shop.
///
/// Exit codes: 0 all well; 1 could not run; 2 finished, but some inputs failed; 130 ended by
/// Ctrl-C.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    /// No progress on standard error.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// More on standard error; twice for every request. RUST_LOG says it in detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Embed(embed::EmbedArgs),
    Run(run::RunArgs),
    Search(search::SearchArgs),
    Export(export::ExportArgs),
    Inspect(inspect::InspectArgs),
    #[command(subcommand)]
    Model(model::ModelCommand),
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = match cli.verbose {
        0 => "warn",
        1 => "warn,scraper=info",
        _ => "info,scraper=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();

    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: cannot start: {e}");
            return ExitCode::from(EXIT_ERROR);
        }
    };
    let context = Context { environment: Environment::load(), progress: Progress::new(cli.quiet) };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Embed(args) => args.run(&context).await,
            Command::Run(args) => args.run(&context).await,
            Command::Search(args) => args.run(&context).await,
            Command::Export(args) => args.run(),
            Command::Inspect(args) => args.run(&context).await,
            Command::Model(command) => command.run(&context).await,
        }
    });
    // A download that hangs must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(code) => ExitCode::from(code),
        // `scraper export | head` is no failure.
        Err(Error::Output { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(EXIT_ERROR)
        }
    }
}

/// What every subcommand needs.
struct Context {
    environment: Environment,
    progress: Progress,
}

/// Flags about the model.
#[derive(Debug, Args)]
struct ModelArgs {
    /// A model id (org/name, org/name@revision), a folder with config.json and weights, or tiny:
    /// the small model that comes with this program, for first looks and tests.
    /// [default: EMBEDDINGS_MODEL, else openai/clip-vit-base-patch32]
    #[arg(long, value_name = "ID|DIR")]
    model: Option<String>,
    /// Threads for the engine; changes no bit of any result. [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    preprocessing: PreprocessingArgs,
}

/// Flags about how pictures are prepared.
#[derive(Debug, Args)]
struct PreprocessingArgs {
    /// Whose preprocessing to reproduce: hf-endpoint, transformers4, transformers5,
    /// transformers5-pil, or parts such as exif=ignore,alpha=white.
    #[arg(long, default_value_t)]
    profile: Profile,
    /// Largest image file, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    max_bytes: u32,
    /// Largest picture, in megapixels.
    #[arg(long, value_name = "MP", default_value_t = 100)]
    max_pixels: u32,
}

impl PreprocessingArgs {
    fn limits(&self) -> Limits {
        Limits {
            max_bytes: usize::try_from(self.bytes()).unwrap_or(usize::MAX),
            max_pixels: u64::from(self.max_pixels) * 1_000_000,
        }
    }

    fn bytes(&self) -> u64 {
        u64::from(self.max_bytes) << 20
    }
}

impl ModelArgs {
    async fn load(&self, context: &Context, towers: Towers) -> Result<LoadedModel, Error> {
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads.get())
                .build_global()
                .map_err(|e| Error::Usage(format!("--threads {threads}: {e}")))?;
        }
        let spec = spec(self.model.as_deref(), context)?;
        let files = crate::model::find(&spec, &context.environment.hub, &context.progress).await?;
        let (profile, limits) = (self.preprocessing.profile, self.preprocessing.limits());
        let options = LoadOptions { towers, profile, limits };
        Ok(blocking(move || crate::model::load(&files, &options)).await??)
    }
}

/// The model that a flag or the environment names.
fn spec(model: Option<&str>, context: &Context) -> Result<ModelSpec, Error> {
    Ok(ModelSpec::parse(model.unwrap_or(&context.environment.model))?)
}

/// Standard output, or the file that `--output` names.
fn output(path: Option<&Path>) -> Result<Box<dyn Write>, Error> {
    match path {
        None => Ok(Box::new(BufWriter::new(io::stdout().lock()))),
        Some(path) if path == Path::new("-") => Ok(Box::new(BufWriter::new(io::stdout().lock()))),
        Some(path) => match File::create(path) {
            Ok(file) => Ok(Box::new(BufWriter::new(file))),
            Err(source) => Err(Error::Output { what: path.display().to_string(), source }),
        },
    }
}

fn output_error(path: Option<&PathBuf>) -> impl Fn(io::Error) -> Error + use<> {
    let what = path.map_or_else(|| "standard output".into(), |path| path.display().to_string());
    move |source| Error::Output { what: what.clone(), source }
}
