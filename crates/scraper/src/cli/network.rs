//! Flags about the network, over what `scraper.toml` says.

use std::{num::NonZeroUsize, time::Duration};

use clap::Args;
use ipnet::IpNet;
use reqwest::Url;

use super::{ModelArgs, settings::settings};
use scraper_lib::{
    Error,
    config::{AllowPrivate, USER_AGENT, user_agent},
    fetch::{Caps, FetchOptions, Fetcher, Retry},
};

/// How servers are asked. Proxies (`HTTPS_PROXY`, `NO_PROXY` …) and certificates
/// (`SSL_CERT_FILE`) come from the environment.
#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// Concurrent downloads. [default: 16]
    #[arg(long, value_name = "N")]
    connections: Option<NonZeroUsize>,
    /// Concurrent downloads from one host, while it answers quickly. [default: 8]
    #[arg(long, value_name = "N")]
    per_host: Option<NonZeroUsize>,
    /// Requests per second to one host; 0 for no limit. [default: 30]
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// How long a host may refuse, fail or stall, in seconds, until it is set aside for this run; its
    /// images can be retried. [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    host_patience: Option<f64>,
    /// Longest time without data from a server, in seconds. [default: 20]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    idle_timeout: Option<f64>,
    /// Longest download of an image or page, in seconds; feeds have six hours. [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    total_timeout: Option<f64>,
    /// Lowest speed of an image or page, in bytes per second, on average after 15 seconds; 0 for no
    /// limit.
    /// [default: 1024]
    #[arg(long, value_name = "BYTES")]
    min_speed: Option<u64>,
    /// E-mail address or web page, sent to every server in the User-Agent.
    #[arg(long, value_name = "TEXT")]
    contact: Option<String>,
    /// Allows hosts that are not on the public internet: all of them, or these networks
    /// (10.1.0.0/16,192.168.0.0/24). The metadata services of clouds stay refused
    /// unless a network of their own is named (169.254.169.254/32).
    #[arg(
        long,
        value_name = "NETWORKS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "any",
        value_parser = private
    )]
    allow_private: Option<AllowPrivate>,
    /// Ignores robots.txt; for your own shops.
    #[arg(long)]
    ignore_robots: bool,
}

impl NetworkArgs {
    pub(super) fn fetcher(&self, model: &ModelArgs) -> Result<Fetcher, Error> {
        self.fetcher_of(model.preprocessing.bytes())
    }

    /// For files of at most so many bytes.
    pub(super) fn fetcher_of(&self, bytes: u64) -> Result<Fetcher, Error> {
        let fetcher = self.anonymous(bytes)?;
        // A retry fetches with the user and the password of its source too.
        for (_, spec) in settings()?.sources() {
            if let Ok(url) = Url::parse(&spec.place) {
                fetcher.authorize(url);
            }
        }
        Ok(fetcher)
    }

    /// The same, for addresses of people who must not use the passwords of the sources.
    pub(super) fn anonymous(&self, bytes: u64) -> Result<Fetcher, Error> {
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
            host_patience: time(self.host_patience, settings.host_patience, usual.host_patience)?,
            idle: time(self.idle_timeout, settings.idle_timeout, usual.idle)?,
            total: time(self.total_timeout, settings.total_timeout, usual.total)?,
            min_speed: self.min_speed.or(settings.min_speed).unwrap_or(usual.min_speed),
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

/// Seconds of a flag, else of the settings, else the usual ones.
fn time(flag: Option<f64>, set: Option<f64>, usual: Duration) -> Result<Duration, Error> {
    let Some(seconds) = flag.or(set) else { return Ok(usual) };
    let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
    time.ok_or_else(|| Error::Usage(format!("{seconds} is no number of seconds above 0")))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>().ok().filter(|s| *s > 0.0 && Duration::try_from_secs_f64(*s).is_ok()) {
        Some(seconds) => Ok(seconds),
        None => Err("a number of seconds above 0".into()),
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
