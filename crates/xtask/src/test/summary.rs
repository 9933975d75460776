//! How the stages ended.

use anyhow::{Result, bail};

use super::turns::{Ended, Outcome};
use crate::process::seconds;

/// What all stages leave in `target` and `web`, in GB.
const SPACE: u64 = 20;

/// Says so if the disk has less room than that: a build may then end in the middle.
pub(super) fn short_of_space() -> Option<String> {
    let disk = rustix::fs::statvfs(".").ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / 1_000_000_000;
    (free < SPACE).then(|| {
        format!("{free} GB are free on this disk; all stages from a fresh clone take about {SPACE}")
    })
}

/// How the failed commands ended, the table, and a last line that says it all. A stage that could
/// not run has shown nothing: it fails the run unless it was skipped by name.
pub(super) fn print(results: &[Ended], skipped: &[String]) -> Result<()> {
    for (stage, outcome, _) in results {
        if let Outcome::Failed(why) = outcome {
            println!("\n== {} FAILED: {why:#}", stage.name);
        }
    }
    println!("\n{:<9} {:<8} {:>12}  note", "stage", "result", "time");
    let (mut failed, mut not_run) = (Vec::new(), Vec::new());
    for (stage, outcome, time) in results {
        let (word, note) = match outcome {
            Outcome::Passed(note) => ("passed", note.clone()),
            Outcome::Failed(why) => {
                failed.push(stage.name);
                ("FAILED", why.to_string())
            }
            Outcome::NotRun(why) => {
                not_run.push(stage.name);
                ("NOT RUN", why.clone())
            }
        };
        println!("{:<9} {word:<8} {:>12}  {note}", stage.name, seconds(*time));
    }
    println!();
    if results.is_empty() {
        bail!("no stage is left to run");
    }
    let all = results.len();
    let mut wrong = Vec::new();
    if !failed.is_empty() {
        wrong.push(format!("{} of {all} stages ({})", failed.len(), failed.join(", ")));
    }
    if !not_run.is_empty() {
        let names = not_run.join(", ");
        wrong.push(format!("NOT RUN: {names} (--skip leaves a stage out by name)"));
    }
    if !wrong.is_empty() {
        wrong.extend(short_of_space());
        bail!("FAILED: {}", wrong.join("; "));
    }
    match skipped {
        [] => println!("PASSED: all {all} stages"),
        skipped => println!("PASSED: {all} stages; skipped: {}", skipped.join(", ")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::test::STAGES;

    fn ends(outcomes: Vec<Outcome>, skipped: &[String]) -> Result<()> {
        let results: Vec<_> =
            STAGES.iter().zip(outcomes).map(|(s, o)| (s, o, Duration::ZERO)).collect();
        print(&results, skipped)
    }

    #[test]
    fn a_stage_that_could_not_run_fails_the_run_unless_it_is_skipped_by_name() {
        let passed = || Outcome::Passed(String::new());
        let missing = Outcome::NotRun("Firefox is missing".into());
        let error = ends(vec![passed(), missing], &[]).unwrap_err().to_string();
        assert!(error.contains("NOT RUN: clippy"), "{error}");
        let both = vec![Outcome::Failed(anyhow::anyhow!("x")), Outcome::NotRun("y".into())];
        let error = ends(both, &[]).unwrap_err().to_string();
        assert!(error.contains("1 of 2 stages (fmt); NOT RUN: clippy"), "{error}");
        ends(vec![passed()], &["web".into()]).expect("what was skipped is no failure");
        assert!(ends(vec![], &["fmt".into()]).is_err(), "nothing ran");
    }
}
