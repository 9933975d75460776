//! The program: a command line around [`scraper_lib`].

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
