//! What one page may cost. A page is written by strangers: 1 kB can ask for gigabytes.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Limits of one page, far above what real pages need. A page that passes one is not read: its
/// error names the limit, and the others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageBudget {
    /// Elements and texts; real pages have up to 60,000.
    pub nodes: usize,
    /// How deep elements lie in each other, once parsed; browsers stop at 512.
    pub depth: usize,
    /// Bytes that are copied out of the page: a text counts as often as the page has it repeated.
    pub bytes: usize,
    /// Values of structured data that are looked at, with every repetition by reference.
    pub values: usize,
    /// Images of its product.
    pub images: usize,
    /// From its first byte to its product.
    pub time: Duration,
}

impl Default for PageBudget {
    fn default() -> Self {
        PageBudget {
            nodes: 400_000,
            depth: 2048,
            bytes: 32 << 20,
            values: 200_000,
            images: 2000,
            time: Duration::from_secs(3),
        }
    }
}

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::source) enum Blown {
    #[error("it has more than {0} elements and texts (page budget `nodes`)")]
    Nodes(usize),
    #[error("its elements lie more than {0} deep in each other (page budget `depth`)")]
    Depth(usize),
    #[error("its texts, with their repetitions, are more than {0} bytes (page budget `bytes`)")]
    Bytes(usize),
    #[error(
        "its structured data is more than {0} values with their repetitions (page budget `values`)"
    )]
    Values(usize),
    #[error("its product has more than {0} images (page budget `images`)")]
    Images(usize),
    #[error("reading it took more than {0:?} (page budget `time`)")]
    Time(Duration),
}

/// How often the clock is looked at, in values.
const CLOCK: usize = 1024;

/// What one page has cost so far.
#[derive(Debug)]
pub(in crate::source) struct Meter {
    pub(super) budget: PageBudget,
    started: Instant,
    bytes: Cell<usize>,
    values: Cell<usize>,
}

impl Meter {
    pub(in crate::source) fn new(budget: PageBudget) -> Self {
        Meter { budget, started: Instant::now(), bytes: Cell::new(0), values: Cell::new(0) }
    }

    /// Another account with the same clock, for what may be left out.
    pub(super) fn aside(&self) -> Self {
        Meter { started: self.started, ..Meter::new(self.budget) }
    }

    /// Counts bytes that are copied.
    pub(in crate::source) fn bytes(&self, more: usize) -> Result<(), Blown> {
        self.bytes.set(self.bytes.get().saturating_add(more));
        if self.bytes.get() > self.budget.bytes {
            return Err(Blown::Bytes(self.budget.bytes));
        }
        Ok(())
    }

    /// Counts a value that is looked at.
    pub(in crate::source) fn value(&self) -> Result<(), Blown> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > self.budget.values {
            return Err(Blown::Values(self.budget.values));
        }
        if self.values.get().is_multiple_of(CLOCK) { self.time() } else { Ok(()) }
    }

    /// Looks at the clock.
    pub(in crate::source) fn time(&self) -> Result<(), Blown> {
        match self.started.elapsed() > self.budget.time {
            true => Err(Blown::Time(self.budget.time)),
            false => Ok(()),
        }
    }

    pub(in crate::source) fn images(&self, count: usize) -> Result<(), Blown> {
        match count > self.budget.images {
            true => Err(Blown::Images(self.budget.images)),
            false => Ok(()),
        }
    }
}
