//! How a run ends for those who started it.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;

use super::output_error;
use crate::{
    Error,
    report::{MaxFailures, Summary},
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
    /// Tells the summary; gives the exit code.
    pub(super) fn tell(&self, title: &str, summary: &Summary) -> Result<u8, Error> {
        println!("{summary}");
        if summary.interrupted {
            println!("Interrupted. What is done is stored; run the same command again to go on.");
        } else if summary.failed > 0 {
            println!("`scraper retry --failed` fetches what failed once more.");
        }
        if let Some(path) = &self.summary_json {
            let mut json =
                serde_json::to_vec_pretty(summary).map_err(|e| Error::Internal(e.to_string()))?;
            json.push(b'\n');
            std::fs::write(path, json).map_err(output_error(Some(path)))?;
        }
        let markdown = summary.markdown(title);
        if let Some(path) = &self.summary_markdown {
            std::fs::write(path, &markdown).map_err(output_error(Some(path)))?;
        }
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())
        {
            let path = Path::new(&path);
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .and_then(|mut file| file.write_all(markdown.as_bytes()))
                .map_err(output_error(Some(path)))?;
        }
        Ok(summary.exit_code(self.max_failures))
    }
}
