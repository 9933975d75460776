//! The command line: one file per subcommand.

mod args;
mod completions;
mod doctor;
mod dry_run;
mod embed;
mod engine;
mod export;
mod floor;
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
mod serve;
mod settings;
mod values;
mod verify;
mod work;

use std::{
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{
    CommandFactory, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue},
};
use tracing_subscriber::EnvFilter;

use crate::hints;
use args::{
    ModelArgs, OutputArgs, PreprocessingArgs, StoreArgs, create, keep, output_error, spec,
    unreadable,
};
use scraper_lib::{
    Error,
    config::Environment,
    report::{
        EXIT_ERROR, EXIT_OK, Progress,
        console::{self, tell},
        shown,
    },
    threads,
};
use settings::settings;

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
    /// More log messages on standard error; twice for every request. For finer control set RUST_LOG.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Format of log messages.
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: LogFormat,
    /// Settings file. [default: scraper.toml, if it is in this folder]
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
    Search(Box<search::SearchArgs>),
    Serve(Box<serve::ServeArgs>),
    Export(export::ExportArgs),
    Retry(retry::RetryArgs),
    Work(work::WorkArgs),
    Merge(merge::MergeArgs),
    Index(index::IndexArgs),
    Completions(completions::CompletionsArgs),
    Doctor(doctor::DoctorArgs),
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
            Command::Serve(args) => args.run(&context).await,
            Command::Export(args) => args.run(&context).await,
            Command::Merge(args) => args.run().await,
            Command::Retry(args) => args.run(&context).await,
            Command::Work(args) => args.run(&context).await,
            Command::Index(args) => args.run(&context).await,
            Command::Completions(args) => args.run(Cli::command()),
            Command::Doctor(args) => args.run().await,
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
            if let Some(hint) = hints::of_error(&e) {
                tell!("hint: {hint}");
            }
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
    !matches!(
        command,
        Command::Init(_) | Command::Completions(_) | Command::Doctor(_) | Command::Inspect(_)
    )
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
