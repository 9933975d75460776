//! The program: a command line around [`scraper_lib`].

mod cli;
mod hints;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
