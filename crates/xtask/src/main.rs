//! The project's chores. `cargo xtask help` lists them; each has a file here.

#![forbid(unsafe_code)]

mod architecture;
mod bench;
mod bench_decode;
mod bench_export;
mod bench_queue;
mod bench_scrape;
mod bench_search;
mod bench_serve;
mod compare;
mod conformance;
mod cross;
mod demo;
mod draw_shop;
mod fuzz;
mod goldens;
mod http;
mod lavapipe;
mod licences;
mod model;
mod mutants;
mod postgres;
mod process;
mod program;
mod python;
mod setup;
mod test;
mod tools;
mod web;
mod web_shop;
mod www;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of this workspace: run the demo, the tests, the benchmarks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Setup(setup::Arguments),
    Demo(demo::Arguments),
    Test(test::Arguments),
    Bench(bench::Arguments),
    Web(web::Arguments),
    Www(www::Arguments),
    Goldens(goldens::Arguments),
    Compare(compare::Arguments),
    Architecture(architecture::Arguments),
    DrawShop(draw_shop::Arguments),
    Fuzz(fuzz::Arguments),
    Python(python::Arguments),
    Conformance(conformance::Arguments),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Web(arguments) => web::run(&arguments),
        Command::Www(arguments) => www::run(&arguments),
        Command::Goldens(arguments) => goldens::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Architecture(arguments) => architecture::run(&arguments),
        Command::DrawShop(arguments) => draw_shop::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Python(arguments) => python::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
