//! What people see of a run: progress bars (plain lines when not a terminal), summary, exit codes.

pub mod console;
mod failures;
pub mod secrets;
pub mod shown;
pub mod step;
mod summary;

use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{
    HumanBytes, HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle,
};

pub use failures::{MaxFailures, MaxFailuresError};
pub use summary::{FailureNote, KeptSource, Summary};

/// Everything was done.
pub const EXIT_OK: u8 = 0;
/// The command could not run.
pub const EXIT_ERROR: u8 = 1;
/// The command finished, and more inputs failed than are allowed.
pub const EXIT_FAILURES: u8 = 2;
/// The vectors are not those of the endpoint or recording that they were compared with.
pub const EXIT_UNVERIFIED: u8 = 3;
/// Ended by Ctrl-C, as shells count it (128 + SIGINT).
pub const EXIT_INTERRUPTED: u8 = 130;

/// Plain lines come at most this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows progress on standard error, or nowhere.
#[derive(Debug, Clone)]
pub struct Progress(Mode);

#[derive(Debug, Clone)]
enum Mode {
    Hidden,
    Lines,
    Bars(MultiProgress),
}

/// What a [`Task`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Items,
}

impl Progress {
    /// Bars on a terminal, lines elsewhere, nothing when `quiet`.
    pub fn new(quiet: bool) -> Self {
        Progress(match quiet {
            true => Mode::Hidden,
            false if std::io::stderr().is_terminal() => {
                Mode::Bars(MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
            }
            false => Mode::Lines,
        })
    }

    pub fn hidden() -> Self {
        Progress(Mode::Hidden)
    }

    /// A task of `total` units, where known.
    pub fn task(&self, label: &str, total: Option<u64>, unit: Unit) -> Task {
        let bar = match &self.0 {
            Mode::Bars(bars) => bars.add(ProgressBar::new(total.unwrap_or(0))),
            _ => ProgressBar::hidden(),
        };
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_style(style(unit, total.is_some()));
        bar.set_prefix(label.to_owned());
        let lines = matches!(self.0, Mode::Lines).then(|| Mutex::new(Instant::now()));
        Task { bar, label: label.to_owned(), unit, started: Instant::now(), lines }
    }

    /// One sentence, above the bars; what others wrote in it cannot act on the terminal.
    pub fn note(&self, text: &str) {
        let text = shown::shown(text, shown::LONG);
        match &self.0 {
            Mode::Hidden => {}
            Mode::Lines => console::tell!("{text}"),
            Mode::Bars(bars) => {
                if bars.println(&*text).is_err() {
                    console::tell!("{text}");
                }
            }
        }
    }
}

/// A running task; dropping it removes its bar.
#[derive(Debug)]
pub struct Task {
    bar: ProgressBar,
    label: String,
    unit: Unit,
    started: Instant,
    /// When the last plain line was printed.
    lines: Option<Mutex<Instant>>,
}

impl Task {
    pub fn set(&self, position: u64) {
        self.bar.set_position(position);
        self.line(false);
    }

    pub fn inc(&self, by: u64) {
        self.set(self.bar.position().saturating_add(by));
    }

    pub fn set_total(&self, total: u64) {
        self.bar.set_length(total);
    }

    pub fn message(&self, text: String) {
        self.bar.set_message(text);
    }

    pub fn finish(&self) {
        self.line(true);
        self.bar.finish_and_clear();
    }

    fn line(&self, last: bool) {
        let Some(lines) = &self.lines else { return };
        let mut at = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if !last && at.elapsed() < LINE_EVERY {
            return;
        }
        *at = Instant::now();
        let show = |n: u64| match self.unit {
            Unit::Bytes => HumanBytes(n).to_string(),
            Unit::Items => n.to_string(),
        };
        let (done, total) = (self.bar.position(), self.bar.length().filter(|&n| n > 0));
        let rate = done as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        let eta = match total {
            Some(total) if done > 0 && done < total => {
                let left = Duration::from_secs_f64((total - done) as f64 / rate.max(1e-9));
                format!(", {} left", HumanDuration(left))
            }
            _ => String::new(),
        };
        let rate = match self.unit {
            Unit::Bytes => format!("{}/s", HumanBytes(rate as u64)),
            Unit::Items => format!("{rate:.1}/s"),
        };
        let total = total.map_or_else(String::new, |n| format!(" of {}", show(n)));
        let message = self.bar.message();
        let done = show(done);
        console::tell!("{}: {done}{total}, {rate}{eta} {message}", self.label);
    }
}

fn style(unit: Unit, known: bool) -> ProgressStyle {
    let template = match (unit, known) {
        (Unit::Bytes, true) => {
            "{prefix} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} eta {eta} {msg}"
        }
        (Unit::Bytes, false) => "{prefix} {spinner} {binary_bytes} {binary_bytes_per_sec} {msg}",
        (Unit::Items, true) => "{prefix} {wide_bar} {pos}/{len} {per_sec} eta {eta} {msg}",
        (Unit::Items, false) => "{prefix} {spinner} {pos}/{len} {per_sec} {msg}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
