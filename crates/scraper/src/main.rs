//! The program: a command line around [`scraper_lib`].

#![forbid(unsafe_code)]
// The doc comments of the command line are its help texts: an address is to be typed as it stands.
#![allow(rustdoc::bare_urls)]

mod cli;
mod hints;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
