//! What a host costs in time, and when that is too much: then it is set aside for the run.

use std::time::{Duration, Instant};

/// Fewer bad answers in a row are bad luck, however long they take.
const TROUBLE: u32 = 3;
/// A host may ask for this many times the patience with one `Retry-After` …
const ONE_WAIT: u32 = 2;
/// … and cost this many times the patience in all, in seconds that were waited in vain …
const ALL_WAITS: u32 = 20;
/// … besides what each good answer pays for.
const PAYS: Duration = Duration::from_secs(3);
/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended {
    /// The status line came after this time.
    Answered(Duration),
    /// 429 or 503: not before this time has passed.
    Busy(Duration),
    /// A broken answer, or a server error.
    Broken,
    /// The body came too slowly.
    Slow,
    /// No answer.
    Failed,
    /// It was not even sent.
    Unsent,
}

/// The books of one host.
#[derive(Debug)]
pub(super) struct Cost {
    patience: Duration,
    /// Since the last good answer.
    trouble: Option<Trouble>,
    /// Time that was waited in vain, less what good answers paid for.
    lost: Duration,
    aside: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Trouble {
    /// Start of the first request that brought nothing.
    since: Instant,
    count: u32,
}

impl Cost {
    /// `patience` as in [`Caps::host_patience`](super::Caps::host_patience).
    pub(super) fn new(patience: Duration) -> Self {
        Cost { patience, trouble: None, lost: Duration::ZERO, aside: None }
    }

    /// Why it is asked no more, if it is not.
    pub(super) fn aside(&self) -> Option<&str> {
        self.aside.as_deref()
    }

    /// Whether its last answer was a bad one, or it is set aside.
    pub(super) fn in_trouble(&self) -> bool {
        self.trouble.is_some() || self.aside.is_some()
    }

    /// Adds a request that began at `begun` and ended so at `now`; `limit` requests may run at once.
    pub(super) fn add(&mut self, ended: Ended, limit: f64, begun: Instant, now: Instant) {
        let spent = now.saturating_duration_since(begun);
        let (what, cost) = match ended {
            Ended::Unsent => return,
            Ended::Answered(_) => {
                self.trouble = None;
                self.lost = self.lost.saturating_sub(PAYS);
                return;
            }
            // The pause that it asks for is one for all requests that run.
            Ended::Busy(wait) => ("refuses requests (429 or 503)", wait.div_f64(limit.max(1.0))),
            Ended::Broken => ("gives only errors or broken answers", spent),
            Ended::Slow => ("sends too slowly", spent),
            Ended::Failed => ("does not answer", spent),
        };
        let trouble = self.trouble.get_or_insert(Trouble { since: begun, count: 0 });
        (trouble.since, trouble.count) = (trouble.since.min(begun), trouble.count + 1);
        let (lasts, count) = (now.saturating_duration_since(trouble.since), trouble.count);
        self.lost += cost;
        let longest = self.patience.saturating_mul(ONE_WAIT);
        let reason = match ended {
            Ended::Busy(wait) if wait > longest => {
                format!(
                    "it refuses requests (429 or 503) and asks for {} s of patience",
                    wait.as_secs()
                )
            }
            _ if count >= TROUBLE && lasts >= self.patience => {
                format!("it {what} for {} s", lasts.as_secs())
            }
            _ if self.lost > self.patience.saturating_mul(ALL_WAITS) => {
                format!("it {what} time and again: {} s were lost", self.lost.as_secs())
            }
            _ => return,
        };
        self.aside.get_or_insert(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost() -> Cost {
        Cost::new(Duration::from_secs(30))
    }

    /// Requests of `each` seconds that end so, one after the other, until the host is set aside.
    fn until_aside(cost: &mut Cost, ended: Ended, each: f64, most: u32) -> Option<(u32, f64)> {
        let start = Instant::now();
        let mut now = start;
        for n in 1..=most {
            let begun = now;
            now += Duration::from_secs_f64(each);
            cost.add(ended, 1.0, begun, now);
            if cost.aside().is_some() {
                return Some((n, (now - start).as_secs_f64()));
            }
        }
        None
    }

    #[test]
    fn a_host_that_never_gives_anything_is_set_aside_after_a_bounded_time() {
        let busy = Ended::Busy(Duration::from_secs(3));
        for (ended, each) in [(busy, 3.0), (Ended::Slow, 15.0), (Ended::Failed, 10.0)] {
            let (_, after) = until_aside(&mut cost(), ended, each, 1000).unwrap();
            assert!((30.0..=46.0).contains(&after), "{ended:?}: {after}");
        }
        assert_eq!(until_aside(&mut cost(), Ended::Failed, 20.0, 2), None, "twice is bad luck");
        let mut host = cost();
        let hour = Ended::Busy(Duration::from_secs(3600));
        assert_eq!(until_aside(&mut host, hour, 0.1, 9).unwrap().0, 1, "nobody waits so long");
        assert!(host.in_trouble() && host.aside().unwrap().contains("3600"), "{host:?}");
        let minute = Ended::Busy(Duration::from_secs(60));
        assert_eq!(until_aside(&mut cost(), minute, 0.1, 1), None, "a minute is fine");
    }

    #[test]
    fn good_answers_pay_for_some_waiting_and_not_for_all() {
        let now = Instant::now();
        let rounds = |good: u32, busy: u64, rounds: u32| {
            let mut cost = cost();
            for round in 1..=rounds {
                for _ in 0..good {
                    cost.add(Ended::Answered(Duration::ZERO), 1.0, now, now);
                }
                cost.add(Ended::Busy(Duration::from_secs(busy)), 1.0, now, now);
                if cost.aside().is_some() {
                    return round;
                }
            }
            rounds + 1
        };
        assert_eq!(rounds(20, 60, 10_000), 10_001, "a shop with a limit per minute");
        assert!(rounds(1, 60, 10_000) < 20, "one picture a minute is not worth a night");
    }
}
