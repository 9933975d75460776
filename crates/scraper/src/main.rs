use std::process::ExitCode;

fn main() -> ExitCode {
    scraper::cli::main()
}
