//! The body of an answer, under its budgets of size, time and slowness.

use std::time::{Duration, Instant};

use reqwest::{Response, Url};

use super::{Caps, FetchError};

/// Larger documents are feeds or sitemaps, which may take their time.
const SMALL: u64 = 16 << 20;
/// A feed that brings less per second has come to a halt in all but name.
const FEED_SPEED: u64 = 64;

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) total: Duration,
    /// Least bytes per second, on average after `grace`.
    min_speed: u64,
    grace: Duration,
}

impl Budget {
    /// That of a document of at most `limit` bytes.
    pub(super) fn of(caps: &Caps, limit: u64) -> Self {
        match limit > SMALL {
            true => Budget {
                total: caps.feed_total,
                min_speed: caps.min_speed.min(FEED_SPEED),
                grace: caps.grace.saturating_mul(2),
            },
            false => Budget::image(caps),
        }
    }

    pub(super) fn image(caps: &Caps) -> Self {
        Budget { total: caps.total, min_speed: caps.min_speed, grace: caps.grace }
    }

    fn too_slow(&self, bytes: usize, elapsed: Duration) -> bool {
        elapsed >= self.grace && (bytes as f64) < self.min_speed as f64 * elapsed.as_secs_f64()
    }
}

/// Reads it; more than `limit` bytes are an error, or left out where `cut`.
///
/// # Errors
/// It is larger, slower, or cut short.
pub(super) async fn read(
    url: &Url,
    mut response: Response,
    (limit, cut): (u64, bool),
    budget: &Budget,
    caps: &Caps,
) -> Result<Vec<u8>, FetchError> {
    let started = Instant::now();
    let too_large = || FetchError::TooLarge { what: url.to_string(), limit };
    if !cut && response.content_length().is_some_and(|n| n > limit) {
        return Err(too_large());
    }
    let failed = |e| FetchError::from_reqwest(url, &e, &Caps { total: budget.total, ..*caps });
    // The announced length is a claim: start small, grow with what really arrives.
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            if !cut {
                return Err(too_large());
            }
            let room = usize::try_from(limit).unwrap_or(usize::MAX) - bytes.len();
            bytes.extend_from_slice(chunk.get(..room).unwrap_or_default());
            break;
        }
        bytes.extend_from_slice(&chunk);
        let elapsed = started.elapsed();
        if budget.too_slow(bytes.len(), elapsed) {
            return Err(FetchError::Slow {
                url: url.to_string(),
                bytes: bytes.len() as u64,
                elapsed,
            });
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drip_is_too_slow_and_a_steady_feed_is_not() {
        let caps = Caps::default();
        let (image, feed) = (Budget::image(&caps), Budget::of(&caps, 512 << 20));
        let slow = |budget: &Budget, per_second: usize, seconds: u64| {
            budget.too_slow(per_second * seconds as usize, Duration::from_secs(seconds))
        };
        assert!(!slow(&image, 1, 14) && slow(&image, 1, 15), "after some grace");
        assert!(!slow(&image, 2048, 100));
        assert!(
            slow(&feed, 1, 30) && !slow(&feed, 300, 3600),
            "20 short lines a second, for an hour"
        );
        assert!(feed.total >= Duration::from_secs(3600));
        assert!(slow(&Budget::of(&caps, SMALL), 300, 20), "a page is no feed");
    }
}
