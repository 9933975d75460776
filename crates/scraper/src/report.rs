//! What people see of a run: progress bars (plain lines when not a terminal), summary, exit codes.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// Everything was done.
pub const EXIT_OK: u8 = 0;
/// The command could not run.
pub const EXIT_ERROR: u8 = 1;
/// The command finished, and some inputs failed.
pub const EXIT_FAILURES: u8 = 2;
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
        Task { bar, label: label.to_owned(), unit, lines }
    }

    /// One sentence, above the bars.
    pub fn note(&self, text: &str) {
        match &self.0 {
            Mode::Hidden => {}
            Mode::Lines => eprintln!("{text}"),
            Mode::Bars(bars) => {
                if bars.println(text).is_err() {
                    eprintln!("{text}");
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
        let total = self.bar.length().filter(|&n| n > 0);
        let total = total.map_or_else(String::new, |n| format!(" of {}", show(n)));
        eprintln!("{}: {}{total} {}", self.label, show(self.bar.position()), self.bar.message());
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

/// At most so many failures are told one by one; the store's quarantine has them all.
const TOLD: usize = 20;

/// One failure, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureNote {
    pub product: String,
    pub image: String,
    pub kind: String,
    pub message: String,
}

impl std::fmt::Display for FailureNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.product.is_empty() {
            return write!(f, "{}", self.message);
        }
        if self.message.contains(&self.image) {
            return write!(f, "product {}: {}", self.product, self.message);
        }
        write!(f, "product {}, {}: {}", self.product, self.image, self.message)
    }
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    pub products: u64,
    pub images: u64,
    /// Vectors computed in this run.
    pub embedded: u64,
    /// Images whose bytes had a vector already.
    pub reused: u64,
    /// Of those, images that the server vouched for without sending them (304).
    pub not_modified: u64,
    /// Images that failed; they are in the quarantine with the reason.
    pub failed: u64,
    /// Records of the source that could not be read.
    pub bad_records: u64,
    /// Failures and unreadable records by kind.
    pub failures_by_kind: BTreeMap<String, u64>,
    /// The first of them.
    pub first_failures: Vec<FailureNote>,
    /// Bytes of all images that were read or downloaded.
    pub bytes: u64,
    pub seconds: f64,
    /// Ended early on request.
    pub interrupted: bool,
    #[serde(skip)]
    announced: usize,
}

impl Summary {
    pub(crate) fn note(&mut self, failure: FailureNote) {
        *self.failures_by_kind.entry(failure.kind.clone()).or_default() += 1;
        if self.first_failures.len() < TOLD {
            self.first_failures.push(failure);
        }
    }

    /// The failures noted since the last call.
    pub(crate) fn new_failures(&mut self) -> &[FailureNote] {
        let from = std::mem::replace(&mut self.announced, self.first_failures.len());
        self.first_failures.get(from..).unwrap_or_default()
    }

    /// The exit code of the run.
    pub fn exit_code(&self) -> u8 {
        match self {
            Summary { interrupted: true, .. } => EXIT_INTERRUPTED,
            Summary { failed: 0, bad_records: 0, .. } => EXIT_OK,
            _ => EXIT_FAILURES,
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = self.embedded as f64 / self.seconds.max(1e-9);
        writeln!(f, "{} products, {} images", self.products, self.images)?;
        writeln!(f, "  embedded {:>8}   {rate:.1} per second", self.embedded)?;
        writeln!(f, "  reused   {:>8}   {} of them not modified", self.reused, self.not_modified)?;
        writeln!(f, "  failed   {:>8}", self.failed)?;
        if self.bad_records > 0 {
            writeln!(f, "  unreadable records: {}", self.bad_records)?;
        }
        for (kind, count) in &self.failures_by_kind {
            writeln!(f, "    {count:>8} x {kind}")?;
        }
        write!(f, "{} read in {:.1} s", HumanBytes(self.bytes), self.seconds)
    }
}
