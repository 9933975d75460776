//! `scraper completions`: for the shell.

use clap::{Args, Command};
use clap_complete::Shell;

use scraper_lib::{
    Error,
    report::{EXIT_OK, console},
};

/// Prints a script that completes this program's commands and flags.
///
/// Examples:
///   scraper completions bash > ~/.local/share/bash-completion/completions/scraper
///   scraper completions zsh > ~/.zfunc/_scraper
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CompletionsArgs {
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self, mut command: Command) -> Result<u8, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "scraper", &mut script);
        console::print(&String::from_utf8_lossy(&script))?;
        Ok(EXIT_OK)
    }
}
