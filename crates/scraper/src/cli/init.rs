//! `scraper init`: a `scraper.toml` to start from.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    path::PathBuf,
};

use clap::Args;

use scraper_lib::{
    Error,
    config::{SETTINGS_FILE, TEMPLATE},
    report::{EXIT_OK, console::say},
};

/// Writes a commented scraper.toml with all settings.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// File to write; an existing file is not overwritten.
    #[arg(default_value = SETTINGS_FILE)]
    file: PathBuf,
}

impl InitArgs {
    pub(super) fn run(self) -> Result<u8, Error> {
        let what = self.file.display().to_string();
        match OpenOptions::new().write(true).create_new(true).open(&self.file) {
            Ok(mut file) => {
                file.write_all(TEMPLATE.as_bytes())
                    .map_err(|source| Error::Output { what: what.clone(), source })?;
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::Usage(format!("{what} exists already; it is left as it is")));
            }
            Err(source) => return Err(Error::Output { what, source }),
        }
        say!("Wrote {what}. Name your shop in it, then: scraper run --dry-run")?;
        Ok(EXIT_OK)
    }
}
