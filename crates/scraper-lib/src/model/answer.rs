//! What the headers of a hub's answer say.

use std::time::Duration;

use reqwest::{
    StatusCode, Url,
    header::{self, HeaderMap},
};

use crate::fetch::retry_after;

/// Characters of a server's message that are shown.
const SHOWN: usize = 300;

/// Worth asking again.
pub(super) fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=526 | 530)
}

/// How long the server asks to wait: `Retry-After`, or the reset of the limit that is used up, the
/// hub's `RateLimit: "api";r=0;t=172` (draft-ietf-httpapi-ratelimit-headers-10: `r` requests are
/// left for `t` seconds).
pub(super) fn wait_asked(headers: &HeaderMap) -> Option<Duration> {
    retry_after(headers).or_else(|| {
        let limits = headers.get_all("ratelimit").iter().filter_map(|value| value.to_str().ok());
        limits.flat_map(|limits| limits.split(',')).filter_map(reset).max()
    })
}

/// Of one limit, if it is used up.
fn reset(limit: &str) -> Option<Duration> {
    let number = |name: &str| {
        let mut parts = limit.split(';').filter_map(|part| part.trim().split_once('='));
        parts.find(|(found, _)| *found == name)?.1.parse::<u64>().ok()
    };
    let seconds = number("t")?;
    (number("r").unwrap_or(0) == 0).then_some(Duration::from_secs(seconds))
}

/// Whether the body is a web page, which no file of a model is.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    let media = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    media.trim().to_ascii_lowercase().starts_with("text/html")
}

/// A header's value, if it is plain text.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// A message in a header, for people: no control characters, and not endless.
pub(super) fn clean(headers: &HeaderMap, name: &str) -> String {
    let Some(value) = headers.get(name) else { return String::new() };
    let text = String::from_utf8_lossy(value.as_bytes());
    let shown = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect::<String>();
    shown.trim().to_owned()
}

/// Without the query, which on a CDN holds a signature, and without a password.
pub(super) fn plain(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_are_used_up_are_waited_for() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect()
        };
        let wait = |pairs| wait_asked(&headers(pairs)).map(|wait| wait.as_secs());
        assert_eq!(wait(&[("ratelimit", "\"resolvers\";r=0;t=172")]), Some(172));
        assert_eq!(wait(&[("ratelimit", "\"api\";r=5;t=9, \"resolvers\";r=0;t=3")]), Some(3));
        assert_eq!(wait(&[("ratelimit", "\"resolvers\";r=2998;t=172")]), None);
        assert_eq!(wait(&[("ratelimit", "\"r\";r=0;t=9"), ("retry-after", "4")]), Some(4));
        assert_eq!(wait(&[("ratelimit", "nonsense;t=-1;t")]), None);
    }

    #[test]
    fn messages_are_shown_without_control_characters() {
        let mut headers = HeaderMap::new();
        let value = format!("gone\t{}", "x".repeat(1000));
        headers.insert("x-error-message", value.parse().unwrap());
        let shown = clean(&headers, "x-error-message");
        assert!(shown.starts_with("gonex") && shown.len() == SHOWN, "{shown}");
    }
}
