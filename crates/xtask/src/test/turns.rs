//! Stages one after the other, and beside others.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::Stage;
use crate::process::{Cmd, Tests};

/// A stage, how it ended, and after what time.
pub(super) type Ended = (&'static Stage, Outcome, Duration);

pub(super) enum Outcome {
    Passed(String),
    Failed(anyhow::Error),
    NotRun(String),
}

pub(super) fn in_turn(stages: &[&'static Stage]) -> Vec<Ended> {
    let run = |stage: &'static Stage| {
        eprintln!("\n== {}: {}", stage.name, stage.about);
        timed(stage, stage.run)
    };
    stages.iter().copied().map(run).collect()
}

/// Runs `stages` in turn, and meanwhile `others`, each in a process of its own.
pub(super) fn beside(stages: &[&'static Stage], others: &[&'static Stage]) -> Vec<Ended> {
    thread::scope(|scope| {
        let others = scope.spawn(|| others.iter().copied().map(alone).collect::<Vec<_>>());
        let mut ended = in_turn(stages);
        eprintln!("\n== waiting for the stages beside these");
        // Of a thread that panics there is a message; the panic goes on.
        match others.join() {
            Ok(others) => ended.extend(others),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        ended
    })
}

/// A stage in a process of its own: its output is shown in one piece when it has ended.
fn alone(stage: &'static Stage) -> Ended {
    eprintln!("\n== {} runs beside what follows", stage.name);
    timed(stage, || {
        let this = std::env::current_exe().context("this program has no path")?;
        let this = Cmd::new(this).args("test --only").arg(stage.name);
        let tests = this.run_tests_aside()?;
        Ok(if tests == Tests::default() { String::new() } else { tests.to_string() })
    })
}

fn timed(stage: &'static Stage, run: impl FnOnce() -> Result<String>) -> Ended {
    let start = Instant::now();
    let outcome = outcome(stage, run);
    (stage, outcome, start.elapsed())
}

fn outcome(stage: &Stage, run: impl FnOnce() -> Result<String>) -> Outcome {
    for need in stage.needs {
        if let Err(why) = need.ensure() {
            let reason = format!("{} is missing: {why:#}", need.name());
            eprintln!("{reason}");
            return Outcome::NotRun(reason);
        }
    }
    match run() {
        Ok(note) => Outcome::Passed(note),
        Err(why) => {
            eprintln!("error: {why}");
            Outcome::Failed(why)
        }
    }
}
