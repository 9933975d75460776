//! How fast one host is asked: a token bucket and a cap on concurrency, both of which follow what
//! the host can bear.
//!
//! Additive increase, multiplicative decrease, as in TCP: a host that answers quickly is slowly
//! asked more at once, up to the configured number; one that becomes slow, fails, or says 429 or
//! 503 is at once asked less, and in the latter case left alone for the time that it names.
//!
//! All of that waiting has a budget. A host that gives no good answer for [`Caps::host_patience`], or
//! that costs more than it brings over the whole run, is set aside: whatever waits for it fails at
//! once, to be tried again by a later run.
//!
//! [`Caps::host_patience`]: super::Caps::host_patience

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::cost::{Cost, Ended};

/// So many requests in a row without any answer, and the host counts as down …
const DOWN_AFTER: u32 = 20;
/// … for so long; then it gets another chance.
const DOWN_FOR: Duration = Duration::from_secs(60);
/// Distance of requests to a host without a configured rate, once it said 429 or 503; doubled
/// each further time.
const SLOW_STEP: Duration = Duration::from_millis(20);
const SLOWEST: f64 = 256.0;
/// An answer that takes so many times longer than the fastest shows that the host is at work.
const SLUGGISH: u32 = 3;
/// Differences below this are noise.
const JITTER: Duration = Duration::from_millis(50);

/// The state of one host.
#[derive(Debug)]
pub(super) struct Pace {
    /// First come, first served: only the first in line waits for time and room.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    freed: Notify,
    silent: AtomicU32,
}

#[derive(Debug)]
struct State {
    running: usize,
    /// How many may run; moves between 1 and `most`.
    limit: f64,
    most: f64,
    /// Distance of two requests; zero without a rate.
    interval: Duration,
    /// Requests that may come at once after a pause.
    burst: u32,
    /// Grows with each 429 or 503, shrinks with each answer; 1 is normal.
    slowdown: f64,
    /// When the bucket will be full again (the "theoretical arrival time" of GCRA).
    full_at: Option<Instant>,
    closed_until: Option<Instant>,
    fastest: Option<Duration>,
    cost: Cost,
}

/// Why a host is not asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Closed {
    /// It is down; it is asked again after this time.
    Down(Duration),
    /// For this run, for this reason.
    Aside(String),
}

/// One request in progress; dropping it is [`Ended::Unsent`].
#[derive(Debug)]
pub(super) struct Running {
    pace: Arc<Pace>,
    begun: Instant,
    ended: Ended,
}

impl Pace {
    /// `rate` in requests per second, 0 for no limit; at most `most` requests at once; `patience` as
    /// in [`Caps::host_patience`](super::Caps::host_patience).
    pub(super) fn new(rate: f64, most: usize, patience: Duration) -> Self {
        let most = most.max(1) as f64;
        let limited = rate.is_finite() && rate > 0.0;
        let state = State {
            running: 0,
            limit: most.min(4.0),
            most,
            interval: match limited {
                true => Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX),
                false => Duration::ZERO,
            },
            burst: (rate / 4.0).clamp(1.0, 8.0) as u32,
            slowdown: 1.0,
            full_at: None,
            closed_until: None,
            fastest: None,
            cost: Cost::new(patience),
        };
        Pace {
            turn: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
            freed: Notify::new(),
            silent: AtomicU32::new(0),
        }
    }

    /// What `robots.txt` asks for: requests one by one, so far apart, where that is slower.
    pub(super) fn crawl_delay(&self, delay: Duration) {
        let mut state = self.state();
        if delay > state.interval {
            (state.interval, state.burst) = (delay, 1);
            (state.most, state.limit) = (1.0, 1.0);
        }
    }

    /// Waits until the host may be asked again.
    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Running, Closed> {
        let _turn = self.turn.lock().await;
        loop {
            let freed = self.freed.notified();
            let now = Instant::now();
            let wait = match self.state().admit(now, self.is_down()) {
                Admission::Now => {
                    return Ok(Running { pace: self.clone(), begun: now, ended: Ended::Unsent });
                }
                Admission::Closed(why) => return Err(why),
                Admission::At(wait) => Some(wait),
                Admission::WhenFreed => None,
            };
            match wait {
                // What ends meanwhile may set the host aside.
                Some(wait) => {
                    let _ = tokio::time::timeout(wait, freed).await;
                }
                None => freed.await,
            }
        }
    }

    /// Whether its last answer was a bad one, or it is set aside.
    pub(super) fn in_trouble(&self) -> bool {
        self.state().cost.in_trouble()
    }

    fn is_down(&self) -> bool {
        self.silent.load(Ordering::Relaxed) >= DOWN_AFTER
    }

    fn ended(&self, ended: Ended, begun: Instant) {
        match ended {
            Ended::Answered(_) | Ended::Busy(_) | Ended::Broken | Ended::Slow => {
                self.silent.store(0, Ordering::Relaxed)
            }
            Ended::Failed => {
                let failures = self.silent.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                if failures >= DOWN_AFTER {
                    self.state().close(Instant::now() + DOWN_FOR);
                }
            }
            Ended::Unsent => {}
        }
        let now = Instant::now();
        let mut state = self.state();
        state.learn(ended, now);
        let limit = state.limit;
        state.cost.add(ended, limit, begun, now);
        drop(state);
        self.freed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Admission {
    Now,
    At(Duration),
    WhenFreed,
    Closed(Closed),
}

impl State {
    fn admit(&mut self, now: Instant, down: bool) -> Admission {
        if let Some(why) = self.cost.aside() {
            return Admission::Closed(Closed::Aside(why.to_owned()));
        }
        if let Some(until) = self.closed_until {
            match until.checked_duration_since(now) {
                Some(left) if !left.is_zero() && down => {
                    return Admission::Closed(Closed::Down(left));
                }
                Some(left) if !left.is_zero() => return Admission::At(left),
                _ => self.closed_until = None,
            }
        }
        if self.running as f64 >= self.limit.floor().max(1.0) {
            return Admission::WhenFreed;
        }
        let interval = self.distance();
        if !interval.is_zero() {
            let full_at = self.full_at.unwrap_or(now).max(now);
            let ahead = interval.saturating_mul(self.burst.saturating_sub(1));
            let early = full_at.saturating_duration_since(now).saturating_sub(ahead);
            if !early.is_zero() {
                return Admission::At(early);
            }
            self.full_at = full_at.checked_add(interval);
        }
        self.running += 1;
        Admission::Now
    }

    /// The distance of requests that is kept now.
    fn distance(&self) -> Duration {
        match self.slowdown > 1.0 {
            true => self.interval.max(SLOW_STEP).mul_f64(self.slowdown),
            false => self.interval,
        }
    }

    fn learn(&mut self, ended: Ended, now: Instant) {
        self.running = self.running.saturating_sub(1);
        match ended {
            Ended::Unsent => {}
            Ended::Failed | Ended::Broken | Ended::Slow => {
                self.limit = (self.limit * 0.7).max(1.0);
            }
            Ended::Busy(wait) => {
                self.limit = (self.limit / 2.0).max(1.0);
                self.slowdown = (self.slowdown * 2.0).min(SLOWEST);
                self.close(now + wait);
            }
            Ended::Answered(latency) => {
                // The fastest answer is forgotten over some hundred requests: networks change.
                let fastest = self.fastest.map_or(latency, |f| f.mul_f64(1.005).min(latency));
                self.fastest = Some(fastest);
                if latency > fastest.saturating_mul(SLUGGISH) + JITTER {
                    self.limit = (self.limit * 0.95).max(1.0);
                } else {
                    self.limit = (self.limit + 1.0 / self.limit).min(self.most);
                }
                self.slowdown = (self.slowdown * 0.97).max(1.0);
            }
        }
    }

    fn close(&mut self, until: Instant) {
        self.closed_until = Some(self.closed_until.map_or(until, |known| known.max(until)));
    }
}

impl Running {
    pub(super) fn ended(mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pace.ended(self.ended, self.begun);
    }
}

#[cfg(test)]
mod tests;
