//! How a run ends for those who started it.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{keep, output_error};
use scraper_lib::{
    Error, output,
    report::{
        MaxFailures, Summary,
        console::{done_without, say, tell},
        step::{STEP_LIMIT, fit},
    },
    store::StoreTarget,
};

/// What to tell of a run, and when it counts as failed.
#[derive(Debug, Args)]
pub(super) struct OutcomeArgs {
    /// Exit code 2 only if more failed: a number, or a share of the images such as 2%.
    #[arg(long, value_name = "N|PERCENT", default_value_t)]
    max_failures: MaxFailures,
    /// Writes the summary as JSON.
    #[arg(long, value_name = "FILE")]
    summary_json: Option<PathBuf>,
    /// Writes the summary as Markdown. It also goes to the file that GITHUB_STEP_SUMMARY names.
    #[arg(long, value_name = "FILE")]
    summary_markdown: Option<PathBuf>,
}

impl OutcomeArgs {
    /// Refuses summaries in the place of the store or of a file that is read, before anything is
    /// done.
    pub(super) fn keep(&self, store: &StoreTarget, read: &[PathBuf]) -> Result<(), Error> {
        let files = store.files();
        let all = || files.iter().chain(read).map(PathBuf::as_path);
        if let Some(path) = &self.summary_json {
            keep(path, all())?;
        }
        if let Some(path) = &self.summary_markdown {
            keep(path, all().chain(self.summary_json.as_deref()))?;
        }
        Ok(())
    }

    /// Tells the summary; gives the exit code.
    pub(super) fn tell(&self, title: &str, summary: &Summary) -> Result<u8, Error> {
        done_without(say!("{summary}"));
        if summary.interrupted {
            done_without(say!(
                "Interrupted. What is done is stored; run the same command again to go on."
            ));
        } else if summary.failed > 0 {
            done_without(say!("`scraper retry --failed` fetches what failed once more."));
        }
        if let Some(path) = &self.summary_json {
            let mut json =
                serde_json::to_vec_pretty(summary).map_err(|e| Error::Internal(e.to_string()))?;
            json.push(b'\n');
            output::write(path, &json).map_err(output_error(Some(path)))?;
        }
        let markdown = summary.markdown(title);
        if let Some(path) = &self.summary_markdown {
            output::write(path, markdown.as_bytes()).map_err(output_error(Some(path)))?;
        }
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())
        {
            let path = Path::new(&path);
            step_summary(path, markdown).map_err(output_error(Some(path)))?;
        }
        Ok(summary.exit_code(self.max_failures))
    }
}

/// Appends to what the job's earlier commands wrote, as far as GitHub shows it.
fn step_summary(path: &Path, markdown: String) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let taken = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    match fit(markdown, STEP_LIMIT.saturating_sub(taken)) {
        Some(markdown) => file.write_all(markdown.as_bytes()),
        None => {
            tell!("The step summary {} is full: nothing is added to it.", path.display());
            Ok(())
        }
    }
}
