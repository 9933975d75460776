//! How long to wait before asking again.

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, SystemTime},
};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Exponential backoff with full jitter; a server's `Retry-After` counts as the least wait.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The wait before the second attempt is drawn from 0.5 to 1 times this; it then doubles.
    pub base: Duration,
    /// No wait is longer, whatever a server asks for.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Retry { attempts: 4, base: Duration::from_millis(500), longest: Duration::from_secs(300) }
    }
}

impl Retry {
    /// The wait after `failed` attempts (at least 1), `asked` being the server's wish.
    pub fn wait(&self, failed: u32, asked: Option<Duration>) -> Duration {
        let backoff = self.base.saturating_mul(1 << failed.saturating_sub(1).min(16));
        // Half fixed, half random: clients that failed together do not come back together.
        let random = RandomState::new().hash_one(failed) as f64 / u64::MAX as f64;
        let backoff = backoff.min(self.longest).mul_f64(0.5 + 0.5 * random);
        backoff.max(asked.unwrap_or_default()).min(self.longest)
    }
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds or a date; also "2.0", as Shopify writes it.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            Some(date.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_capped() {
        let retry = Retry::default();
        let ms = |failed, asked| retry.wait(failed, asked).as_millis();
        assert!((250..=500).contains(&ms(1, None)));
        assert!((1000..=2000).contains(&ms(3, None)));
        assert!(ms(1000, None) <= 300_000);
        assert_eq!(ms(1, Some(Duration::from_secs(7))), 7000);
        assert_eq!(ms(1, Some(Duration::from_secs(7000))), 300_000);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let parse =
            |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(parse(" 12 "), Some(Duration::from_secs(12)));
        assert_eq!(parse("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        let soon = SystemTime::now() + Duration::from_secs(60);
        let wait = parse(&httpdate::fmt_http_date(soon)).unwrap();
        assert!((58..=60).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(parse("2.0"), Some(Duration::from_secs(2)), "Shopify");
        assert_eq!(parse("later"), None);
        assert_eq!(parse("NaN"), None);
        assert_eq!(parse("-1"), None);
    }
}
