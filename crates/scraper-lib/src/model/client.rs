//! A connection to the hub: the token, retries, and what its refusals mean.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header, redirect};

use super::{
    ModelError, PinnedFile,
    answer::{clean, is_busy, plain, text, wait_asked},
    pinned::pinned,
};
use crate::{
    config::HubConfig,
    fetch::{Retry, client_builder, describe},
};

/// A connection to the hub, or to a mirror of it.
#[derive(Debug, Clone)]
pub struct Hub {
    pub(super) config: HubConfig,
    /// Follows no redirect: the answer to a HEAD is in the first response.
    pub(super) head: Client,
    /// Follows redirects to the CDN; reqwest drops the token when the host changes.
    pub(super) get: Client,
    /// Applies to each request; a download that makes progress starts counting anew.
    pub retry: Retry,
    /// Files that are there already are compared with what the hub says of them, and replaced if
    /// they are damaged.
    pub thorough: bool,
    /// The files of models that are known to the byte, weights last: [`pinned`], or others in tests.
    pub pins: fn(&str) -> Option<&'static [PinnedFile]>,
}

impl Hub {
    /// # Errors
    /// [`ModelError::Unreachable`] if HTTP cannot be set up.
    pub fn new(config: &HubConfig) -> Result<Self, ModelError> {
        let build = |policy| {
            client_builder()
                .connect_timeout(Duration::from_secs(10))
                .read_timeout(Duration::from_secs(60))
                .https_only(config.endpoint.starts_with("https://"))
                .redirect(policy)
                .build()
                .map_err(|e| unreachable(config, describe(&e)))
        };
        Ok(Hub {
            config: config.clone(),
            head: build(redirect::Policy::none())?,
            get: build(redirect::Policy::limited(10))?,
            retry: Retry { attempts: 5, ..Retry::default() },
            thorough: false,
            pins: pinned,
        })
    }

    /// Sends a request with the token, again after a pause where that may help.
    pub(super) async fn send(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response, ModelError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let sent = self.authorized(request()).send().await;
            let wait = match &sent {
                Ok(response) if is_busy(response.status()) => {
                    let asked = wait_asked(response.headers());
                    self.tell_limit(response.status(), asked);
                    asked
                }
                Ok(_) => None,
                Err(e) if e.is_builder() || e.is_redirect() => {
                    return Err(unreachable(&self.config, describe(e)));
                }
                Err(_) => None,
            };
            match sent {
                Ok(response) if !is_busy(response.status()) => return Ok(response),
                Ok(response) if attempt >= self.retry.attempts => {
                    let (url, status) = (plain(response.url()), response.status().as_u16());
                    let token_sent = self.config.token.is_some();
                    return Err(ModelError::Busy { url, status, attempts: attempt, token_sent });
                }
                Err(e) if attempt >= self.retry.attempts => {
                    return Err(unreachable(&self.config, describe(&e)));
                }
                _ => tokio::time::sleep(self.retry.wait(attempt, wait)).await,
            }
        }
    }

    /// A wait of minutes is not for nothing.
    pub(super) fn tell_limit(&self, status: StatusCode, asked: Option<Duration>) {
        if status != StatusCode::TOO_MANY_REQUESTS {
            return;
        }
        let wait = asked.unwrap_or_default().min(self.retry.longest);
        let advice = match &self.config.token {
            Some(_) => "",
            None => " (a token in HF_TOKEN raises its limit)",
        };
        tracing::warn!(
            "{} limits the number of requests: going on in {} s{advice}",
            self.config.endpoint,
            wait.as_secs()
        );
    }

    /// The token goes to the hub alone, whoever it redirects to.
    pub(super) fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        // A compressed body would make sizes and ranges mean something else.
        let request = request.header(header::ACCEPT_ENCODING, "identity");
        let Some(token) = &self.config.token else { return request };
        let hub = Url::parse(&self.config.endpoint).ok().map(|url| url.origin());
        let to = request.try_clone().and_then(|r| r.build().ok()).map(|r| r.url().origin());
        if to.is_some() && to == hub { request.bearer_auth(token) } else { request }
    }

    /// The sentence for an answer that is neither success nor worth a retry.
    pub(super) fn refused(
        &self,
        response: &Response,
        repo: &str,
        revision: &str,
        file: Option<&str>,
    ) -> ModelError {
        let (repo, revision) = (repo.to_owned(), revision.to_owned());
        let endpoint = self.config.endpoint.clone();
        let token_sent = self.config.token.is_some();
        let headers = response.headers();
        let said = clean(headers, "x-error-message");
        let code = text(headers, "x-error-code");
        match (response.status(), code.as_deref(), file) {
            (_, Some("RevisionNotFound"), _) => ModelError::NoRevision { repo, revision },
            (_, Some("RepoNotFound"), _) => ModelError::NoRepo { repo, endpoint, token_sent },
            (_, Some("GatedRepo"), _) => ModelError::Gated { repo, endpoint, token_sent, said },
            (StatusCode::UNAUTHORIZED, ..) if token_sent => ModelError::Token { endpoint, said },
            (StatusCode::NOT_FOUND, _, Some(file)) => {
                ModelError::NoFile { repo, revision, file: file.to_owned() }
            }
            (StatusCode::NOT_FOUND, _, None) => ModelError::NoRepo { repo, endpoint, token_sent },
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, ..) => {
                ModelError::Access { repo, token_sent, said }
            }
            (status, ..) => {
                let url = plain(response.url());
                ModelError::Status { url, status: status.as_u16(), said }
            }
        }
    }
}

pub(super) fn unreachable(config: &HubConfig, reason: String) -> ModelError {
    ModelError::Unreachable { endpoint: config.endpoint.clone(), reason }
}
