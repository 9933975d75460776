//! The program: a command line around [`scraper_lib`].

#![forbid(unsafe_code)]

mod cli;
mod hints;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
