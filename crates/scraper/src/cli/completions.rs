//! `scraper completions`: for the shell.

use std::io;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{Error, report::EXIT_OK};

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
        io::Write::write_all(&mut io::stdout(), &script)
            .map_err(|source| Error::Output { what: "standard output".into(), source })?;
        Ok(EXIT_OK)
    }
}
