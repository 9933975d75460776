//! Flags about the network, over what `scraper.toml` says.

use std::num::NonZeroUsize;

use clap::Args;
use ipnet::IpNet;

use super::{ModelArgs, settings::settings};
use crate::{
    Error,
    config::{AllowPrivate, USER_AGENT, user_agent},
    fetch::{Caps, FetchOptions, Fetcher, Retry},
};

/// How servers are asked. Proxies (`HTTPS_PROXY`, `NO_PROXY` …) and certificates
/// (`SSL_CERT_FILE`) come from the environment.
#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// Downloads at once. [default: 16]
    #[arg(long, value_name = "N")]
    connections: Option<NonZeroUsize>,
    /// Downloads at once from one host, while it answers quickly. [default: 8]
    #[arg(long, value_name = "N")]
    per_host: Option<NonZeroUsize>,
    /// Requests per second to one host; 0 for no limit. [default: 30]
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// A mail address or a page, told to every server in the User-Agent.
    #[arg(long, value_name = "TEXT")]
    contact: Option<String>,
    /// Lets addresses lead to hosts that are not on the public internet: to all of them, or to
    /// these networks (10.1.0.0/16,192.168.0.0/24).
    #[arg(
        long,
        value_name = "NETWORKS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "any",
        value_parser = private
    )]
    allow_private: Option<AllowPrivate>,
    /// Fetches what robots.txt forbids; for shops that are yours.
    #[arg(long)]
    ignore_robots: bool,
}

impl NetworkArgs {
    pub(super) fn fetcher(&self, model: &ModelArgs) -> Result<Fetcher, Error> {
        self.fetcher_of(model.preprocessing.bytes())
    }

    /// For files of at most so many bytes.
    pub(super) fn fetcher_of(&self, bytes: u64) -> Result<Fetcher, Error> {
        let settings = &settings()?.fetch;
        let usual = Caps::default();
        let number = |flag: Option<NonZeroUsize>, set: Option<usize>, usual: usize| {
            flag.map(NonZeroUsize::get).or(set).unwrap_or(usual)
        };
        let caps = Caps {
            bytes,
            connections: number(self.connections, settings.connections, usual.connections),
            per_host: number(self.per_host, settings.per_host, usual.per_host),
            rate: self.rate.or(settings.rate).unwrap_or(usual.rate),
            ..usual
        };
        let contact = self.contact.as_deref().or(settings.contact.as_deref());
        Ok(Fetcher::with(FetchOptions {
            caps,
            retry: Retry::default(),
            guard: self.allow_private.as_ref().unwrap_or(&settings.allow_private).guard(),
            robots: settings.robots.unwrap_or(true) && !self.ignore_robots,
            user_agent: contact.map_or_else(|| USER_AGENT.to_owned(), user_agent),
            resolver: None,
        })?)
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "a number such as 30 or 0.5".to_owned())?;
    if rate.is_finite() && rate >= 0.0 { Ok(rate) } else { Err("not below 0".into()) }
}

fn private(text: &str) -> Result<AllowPrivate, String> {
    if text == "any" {
        return Ok(AllowPrivate::All(true));
    }
    let networks: Result<Vec<IpNet>, String> = text
        .split(',')
        .map(|net| {
            net.trim().parse().map_err(|_| format!("{net:?} is no network like 10.1.0.0/16"))
        })
        .collect();
    networks.map(AllowPrivate::Networks)
}
