//! The command line: one file per subcommand.

mod completions;
mod dry_run;
mod embed;
mod engine;
mod export;
mod index;
mod init;
mod inspect;
mod interruption;
mod merge;
mod model;
mod network;
mod outcome;
mod probe;
mod probe_pages;
mod retry;
mod run;
mod search;
mod settings;
mod values;
mod verify;
mod work;

use std::{
    io::{self, ErrorKind, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{
    Args, CommandFactory, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue},
};
use clip_core::{
    Towers,
    image::{Limits, Profile},
};
use tracing_subscriber::EnvFilter;

use scraper_lib::{
    Error,
    config::Environment,
    embed::blocking,
    model::{LoadOptions, LoadedModel, ModelFiles, ModelSpec},
    output::{Output, is_stdout, same_file},
    report::{
        EXIT_ERROR, EXIT_OK, Progress,
        console::{self, tell},
        shown,
    },
    store::StoreTarget,
    threads,
};
use settings::{default_store, settings};

/// CLIP embeddings of every product image of a fashion shop.
///
/// Exit codes: 0 all well; 1 could not run; 2 finished, but more inputs failed than --max-failures
/// allows; 3 the vectors are not those that `verify` compared them with; 130 ended by Ctrl-C or
/// SIGTERM. Where the reader of standard output goes away (scraper search … | head), a command ends
/// quietly with 0; a run ends with the code of the run.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    /// No progress on standard error.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// More on standard error; twice for every request. RUST_LOG says it in detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// How messages of the log look.
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: LogFormat,
    /// The settings to use. [default: scraper.toml, if it is in this folder]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum LogFormat {
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Embed(embed::EmbedArgs),
    Init(init::InitArgs),
    Run(Box<run::RunArgs>),
    Search(search::SearchArgs),
    Export(export::ExportArgs),
    Retry(retry::RetryArgs),
    Work(work::WorkArgs),
    Merge(merge::MergeArgs),
    Index(index::IndexArgs),
    Completions(completions::CompletionsArgs),
    Verify(verify::VerifyArgs),
    Inspect(inspect::InspectArgs),
    Probe(probe::ProbeArgs),
    #[command(subcommand)]
    Model(model::ModelCommand),
}

/// Parses the command line and runs it.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return ExitCode::from(usage(e)),
    };
    let level = match cli.verbose {
        0 => "warn",
        1 => "warn,scraper=info",
        _ => "info,scraper=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = console::colours();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .log_internal_errors(false)
        .with_writer(console::Log { colours: colours && cli.log_format == LogFormat::Text });
    match cli.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }

    let runtime = match threads::runtime() {
        Ok(runtime) => runtime,
        Err(e) => {
            tell!("error: cannot start: {e}");
            return ExitCode::from(EXIT_ERROR);
        }
    };
    if let (true, Err(e)) = (reads_settings(&cli.command), settings()) {
        tell!("error: {e}");
        return ExitCode::from(EXIT_ERROR);
    }
    let environment = match environment(&cli.command) {
        Ok(environment) => environment,
        Err(e) => {
            eprintln!("error: {e}");
            return ExitCode::from(EXIT_ERROR);
        }
    };
    let context = Context { environment, progress: Progress::new(cli.quiet) };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Embed(args) => args.run(&context).await,
            Command::Init(args) => args.run(),
            Command::Run(args) => args.run(&context).await,
            Command::Search(args) => args.run(&context).await,
            Command::Export(args) => args.run().await,
            Command::Merge(args) => args.run().await,
            Command::Retry(args) => args.run(&context).await,
            Command::Work(args) => args.run(&context).await,
            Command::Index(args) => args.run(&context).await,
            Command::Completions(args) => args.run(Cli::command()),
            Command::Verify(args) => args.run(&context).await,
            Command::Inspect(args) => args.run(&context).await,
            Command::Probe(args) => args.run(&context).await,
            Command::Model(command) => command.run(&context).await,
        }
    });
    // A download that hangs must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(code) => ExitCode::from(code),
        // `scraper export | head` is no failure.
        Err(Error::Output { source, .. }) if source.kind() == ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(e) => {
            tell!("error: {e}");
            ExitCode::from(EXIT_ERROR)
        }
    }
}

/// Tells what is wrong with the command line, or what was asked about it; gives the exit code.
fn usage(mut e: clap::Error) -> u8 {
    // A mistyped address of a database may hold its password.
    if let Some(ContextValue::String(flag)) = e.get(ContextKind::InvalidArg)
        && flag.starts_with("--store")
    {
        e.insert(ContextKind::InvalidValue, ContextValue::String("…".into()));
    }
    let text = e.render();
    if e.use_stderr() {
        let safe = shown::lines(&text.to_string(), usize::MAX).into_owned();
        match safe == text.to_string() {
            // In colour, where that is wanted.
            true => drop(e.print()),
            false => tell!("{safe}"),
        }
        // clap would exit with 2, which means something else here.
        return EXIT_ERROR;
    }
    match e.print().and_then(|()| io::stdout().flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            tell!("error: cannot write standard output: {e}");
            EXIT_ERROR
        }
        _ => EXIT_OK,
    }
}

/// Whether what `scraper.toml` says matters to the command.
fn reads_settings(command: &Command) -> bool {
    !matches!(command, Command::Init(_) | Command::Completions(_) | Command::Inspect(_))
}

/// With the `.env` of the working folder, and that of the folder of `scraper.toml` where it is read.
fn environment(command: &Command) -> Result<Environment, Error> {
    let mut folders = vec![Path::new("")];
    match command {
        Command::Init(_) | Command::Completions(_) => folders.clear(),
        command if reads_settings(command) => folders.push(&settings()?.folder),
        _ => {}
    }
    Environment::load_from(&folders).map_err(|e| Error::Usage(e.to_string()))
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
        Ok(self.load_files(context, towers).await?.0)
    }

    /// The model, and where it came from.
    async fn load_files(
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
fn spec(model: Option<&str>, context: &Context) -> Result<ModelSpec, Error> {
    let environment = &context.environment;
    let set = if environment.model_is_set { None } else { settings()?.model() };
    Ok(ModelSpec::parse(model.or(set.as_deref()).unwrap_or(&environment.model))?)
}

/// Where results go.
#[derive(Debug, Args)]
struct OutputArgs {
    /// Where to write; a folder where the format is one. [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl OutputArgs {
    /// The file, unless it is standard output.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }

    fn open(&self) -> Result<Output, Error> {
        match self.file() {
            Some(path) => create(path),
            None => Ok(Output::stdout()),
        }
    }

    /// Refuses to write over what is read.
    fn keep<'a>(&self, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
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

    fn error(&self) -> impl Fn(io::Error) -> Error + use<> {
        output_error(self.file())
    }
}

fn create(path: &Path) -> Result<Output, Error> {
    Output::create(path).map_err(output_error(Some(path)))
}

/// Refuses to write `file` where it is one of those that are read, under whatever name.
fn keep<'a>(file: &Path, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
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

fn output_error(path: Option<&Path>) -> impl Fn(io::Error) -> Error + use<> {
    let what = path.map_or_else(|| "standard output".into(), |path| path.display().to_string());
    move |source| Error::Output { what: what.clone(), source }
}

/// Which store.
#[derive(Debug, Args)]
struct StoreArgs {
    /// What holds the results: an SQLite file, or a Postgres database with pgvector.
    /// [default: that of scraper.toml, else scraper.db]
    #[arg(
        long,
        value_name = "FILE|postgres://…",
        default_value = default_store(),
        hide_default_value = true
    )]
    store: StoreTarget,
}
