//! One question to a server: attempts, redirects, what is allowed, and what its answer means.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use reqwest::{
    StatusCode, Url,
    header::{self, HeaderMap},
};

use super::{
    FetchError, Fetcher, Sent, Validators,
    answer::Answer,
    api,
    body::{self, Budget},
    cost::Ended,
    host,
    pace::{Closed, Running},
    redirect::{self, Trail},
    retry_after,
};

/// What a request is for.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) known: Option<&'a Validators>,
    pub(super) accept: Option<&'static str>,
    /// Largest body, in bytes; `cut` ends it there without an error.
    pub(super) limit: u64,
    pub(super) cut: bool,
    pub(super) robots: bool,
    /// What a programming interface is sent besides; then what it says with an error is kept.
    pub(super) sent: Option<&'a Sent>,
    pub(super) budget: Budget,
}

impl Ask<'_> {
    /// Whether what comes with a status is what was asked for. Who guards a shop against robots sends a riddle
    /// with 202; a part (206) was not asked for.
    fn is_whole(&self, status: StatusCode) -> bool {
        status.is_success() && (self.sent.is_some() || !matches!(status.as_u16(), 202 | 204..=206))
    }
}

/// A failed attempt.
pub(super) struct Failed {
    pub(super) error: FetchError,
    /// Whether another attempt may help.
    pub(super) again: bool,
    /// Whether the host's pace makes the next attempt wait long enough.
    pub(super) paced: bool,
    /// The body that came with an error, where it was asked to be kept.
    pub(super) said: Vec<u8>,
}

impl From<FetchError> for Failed {
    fn from(error: FetchError) -> Self {
        Failed { again: error.is_retryable(), error, paced: false, said: Vec::new() }
    }
}

impl Failed {
    fn for_good(error: FetchError) -> Self {
        Failed { error, again: false, paced: false, said: Vec::new() }
    }
}

enum Exchange {
    Done { body: Option<Vec<u8>>, headers: HeaderMap },
    Redirect { target: String, headers: HeaderMap },
}

impl Fetcher {
    pub(super) async fn ask(&self, url: &Url, ask: &Ask<'_>) -> Result<Answer, FetchError> {
        self.asked(url, ask).await.map_err(|failed| failed.error)
    }

    /// Asks until there is an answer or no hope.
    pub(super) async fn asked(&self, url: &Url, ask: &Ask<'_>) -> Result<Answer, Failed> {
        let retry = &self.options.retry;
        let mut attempt = 1;
        loop {
            let failed = match self.follow(url, ask, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if !failed.again || attempt >= retry.attempts {
                return Err(failed);
            }
            let Failed { error, paced, .. } = failed;
            let wait = if paced { Duration::ZERO } else { retry.wait(attempt, None) };
            tracing::debug!("{error}; attempt {} in {wait:?}", attempt + 1);
            attempt += 1;
            // No slot is held meanwhile: a slow host never stalls the others.
            tokio::time::sleep(wait).await;
        }
    }

    /// One request, and those that it is redirected to.
    async fn follow(&self, url: &Url, ask: &Ask<'_>, attempt: u32) -> Result<Answer, Failed> {
        let mut at = url.clone();
        at.set_fragment(None);
        let (mut seen, mut trail) = (HashSet::new(), Trail::default());
        let limit = self.caps().redirects;
        while seen.len() <= limit && seen.insert(at.clone()) {
            self.permit(&at, ask).await?;
            let running = self.pace(&host(&at)).acquire().await.map_err(|closed| {
                let (url, host) = (at.to_string(), host(&at));
                Failed::for_good(match closed {
                    Closed::Down(again) => FetchError::Down { url, host, again },
                    Closed::Aside(reason) => FetchError::Aside { url, host, reason },
                })
            })?;
            let slot = self.slot().await;
            // What is known of one thing says nothing of another; the same path elsewhere is the same thing
            // (https, www, another host).
            let moved = at.path() != url.path() || at.query() != url.query();
            let ask = &Ask { known: ask.known.filter(|_| !moved), ..*ask };
            match self.exchange(&at, ask, running, attempt).await? {
                Exchange::Done { body, headers } => {
                    return Ok(Answer { body, headers, url: at, moved, slot });
                }
                Exchange::Redirect { target, headers } => {
                    at = trail.next(&at, &target, &headers).map_err(Failed::for_good)?;
                }
            }
        }
        Err(Failed::for_good(trail.circle(url, limit)))
    }

    /// Whether the guard and `robots.txt` let `url` be fetched.
    async fn permit(&self, url: &Url, ask: &Ask<'_>) -> Result<(), Failed> {
        if let Some(refused) = self.options.guard.refused(url, self.routes.proxied(url)) {
            return Err(Failed::for_good(refused.of(url.to_string())));
        }
        if !ask.robots {
            return Ok(());
        }
        let robots = self.robots(url).await.map_err(Failed::for_good)?;
        let path = url.query().map_or_else(|| url.path().into(), |q| format!("{}?{q}", url.path()));
        if robots.allows(&path) {
            return Ok(());
        }
        Err(Failed::for_good(FetchError::Robots { url: url.to_string(), host: host(url) }))
    }

    async fn exchange(
        &self,
        url: &Url,
        ask: &Ask<'_>,
        running: Running,
        attempt: u32,
    ) -> Result<Exchange, Failed> {
        let client = if self.routes.proxied(url) { &self.proxied } else { &self.direct };
        let to = self.authorized(url);
        let request = match ask.sent {
            Some(sent) => sent.request(client, to),
            None => client.get(to),
        };
        let mut request = request.timeout(ask.budget.total);
        if let Some(accept) = ask.accept {
            request = request.header(header::ACCEPT, accept);
        }
        if let Some(known) = ask.known {
            for (name, value) in [
                (header::IF_NONE_MATCH, &known.etag),
                (header::IF_MODIFIED_SINCE, &known.last_modified),
            ] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
        }
        let started = Instant::now();
        let response = match request.send().await {
            Ok(response) => response,
            Err(e) => {
                let error = FetchError::from_reqwest(url, &e, self.caps());
                running.ended(match error {
                    FetchError::Connect { .. } | FetchError::Timeout { .. } => Ended::Failed,
                    _ => Ended::Unsent,
                });
                return Err(error.into());
            }
        };
        let answered = Ended::Answered(started.elapsed());
        let (status, headers) = (response.status(), response.headers().clone());
        let location = redirect::location(&headers);
        match (status, location) {
            (StatusCode::NOT_MODIFIED, _) if ask.known.is_some() => {
                running.ended(answered);
                Ok(Exchange::Done { body: None, headers })
            }
            (status, _) if ask.is_whole(status) => {
                let size = (ask.limit, ask.cut);
                match body::read(url, response, size, &ask.budget, self.caps()).await {
                    Ok(body) => {
                        running.ended(answered);
                        Ok(Exchange::Done { body: Some(body), headers })
                    }
                    Err(error) => {
                        // What took all of its time would take it again.
                        let spent = started.elapsed() >= ask.budget.total;
                        let slow = spent || matches!(error, FetchError::Slow { .. });
                        running.ended(match error.is_retryable() {
                            _ if slow => Ended::Slow,
                            true => Ended::Broken,
                            false => answered,
                        });
                        let failed = Failed::from(error);
                        Err(Failed { again: failed.again && !slow, ..failed })
                    }
                }
            }
            (status, Some(target)) if status.is_redirection() => {
                running.ended(answered);
                Ok(Exchange::Redirect { target, headers })
            }
            (status, _) => {
                let busy = matches!(status.as_u16(), 429 | 430 | 503 | 529);
                running.ended(match status {
                    _ if busy => {
                        Ended::Busy(self.options.retry.wait(attempt, retry_after(&headers)))
                    }
                    status if status.is_server_error() => Ended::Broken,
                    _ => answered,
                });
                let error = FetchError::Status { url: url.to_string(), status: status.as_u16() };
                let said = match ask.sent {
                    Some(_) => self.said(url, response, ask).await,
                    None => Vec::new(),
                };
                let failed = Failed::from(error);
                // An interface that says what is wrong will say so again.
                let again = failed.again && (busy || !api::explains(&said));
                Err(Failed { paced: busy, said, again, ..failed })
            }
        }
    }
}
