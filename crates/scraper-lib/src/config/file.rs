//! `scraper.toml`: what a nightly run does.

use std::{
    collections::{BTreeMap, HashSet},
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use reqwest::Url;
use serde::Deserialize;
use toml::de::DeTable;

use crate::{
    fetch::Guard,
    report::MaxFailures,
    source::{ImageOptions, Kind, Options, Select, SourceSpec},
    store::PostgresUrl,
};

/// The file that `scraper run` reads where no source is given.
pub const SETTINGS_FILE: &str = "scraper.toml";
/// What `scraper init` writes.
pub const TEMPLATE: &str = include_str!("scraper.toml");

/// The file's content; what it does not say is `None` or empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Like `--store`; a relative path starts at the file's folder.
    pub store: Option<String>,
    /// Like `--model`.
    pub model: Option<String>,
    /// Like `--max-vanished`.
    pub max_vanished: Option<MaxFailures>,
    /// `[fetch]`.
    pub fetch: FetchSettings,
    /// `[verify_before_publish]`: what must hold before a run counts.
    pub verify_before_publish: Option<VerifySettings>,
    /// `[[source]]`, in order.
    #[serde(rename = "source")]
    pub sources: Vec<SourceSettings>,
    /// The file's folder: relative paths start here.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// How servers are asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FetchSettings {
    /// E-mail address or web page, sent to every server.
    pub contact: Option<String>,
    /// Concurrent downloads.
    pub connections: Option<usize>,
    /// Concurrent downloads from one host.
    pub per_host: Option<usize>,
    /// Requests per second to one host; 0 for no limit.
    pub rate: Option<f64>,
    /// Seconds that a host may refuse, fail or stall until it is set aside for the run.
    pub host_patience: Option<f64>,
    /// Longest silence of a server, in seconds.
    pub idle_timeout: Option<f64>,
    /// Longest download of an image or page, in seconds.
    pub total_timeout: Option<f64>,
    /// Lowest speed of an image or page, in bytes per second.
    pub min_speed: Option<u64>,
    /// Which addresses besides public ones may be connected to.
    pub allow_private: AllowPrivate,
    /// Whether `robots.txt` is obeyed.
    pub robots: Option<bool>,
}

/// The Inference Endpoint whose vectors a run's must be, like `--verify-endpoint`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifySettings {
    /// Its address.
    pub endpoint: String,
    /// Name of the environment variable that holds its token.
    pub token_env: Option<String>,
    /// Images to compare.
    pub sample: Option<NonZeroUsize>,
    /// Largest difference of any value.
    pub tolerance: Option<f64>,
}

impl VerifySettings {
    /// # Errors
    /// Why it is no address.
    pub fn url(&self) -> Result<Url, String> {
        Url::parse(&self.endpoint).map_err(|e| e.to_string())
    }
}

/// Which addresses besides the public ones may be connected to.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "true, false, or a list of networks such as \"10.1.0.0/16\"")]
pub enum AllowPrivate {
    /// Every address, or only public ones.
    All(bool),
    /// Public ones and those of these networks.
    Networks(Vec<IpNet>),
}

impl Default for AllowPrivate {
    fn default() -> Self {
        AllowPrivate::All(false)
    }
}

impl AllowPrivate {
    /// What a fetcher is to be given.
    pub fn guard(&self) -> Guard {
        match self {
            AllowPrivate::All(true) => Guard::any(),
            AllowPrivate::All(false) => Guard::public(),
            AllowPrivate::Networks(networks) => Guard::with(networks.clone()),
        }
    }
}

/// One `[[source]]`. What else may be said depends on its kind ([`Options`]).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// Part of the key of its products in the store.
    pub name: String,
    /// Told from the place if `None`.
    pub kind: Option<Kind>,
    /// `https://…`; either this or `path`.
    pub url: Option<String>,
    /// A file or folder; a relative one starts at the settings' folder.
    pub path: Option<String>,
    include: Option<Vec<String>>,
    currency: Option<String>,
    follow_symlinks: Option<bool>,
    max_unpacked_gib: Option<NonZeroU32>,
    store: Option<String>,
    item: Option<String>,
    columns: Option<BTreeMap<String, String>>,
    select: Option<Select>,
    images: Option<ImageOptions>,
}

impl SourceSettings {
    fn spec(&self) -> Result<SourceSpec, String> {
        let place = match (&self.url, &self.path) {
            (Some(url), None) if url.contains("://") => url,
            (Some(url), None) => return Err(format!("url = {url:?} is no https://… address")),
            (None, Some(path)) => path,
            _ => return Err("needs either url = … or path = …".into()),
        };
        Ok(SourceSpec { kind: self.kind, place: place.clone(), options: self.options() })
    }

    fn options(&self) -> Options {
        Options {
            include: self.include.clone(),
            currency: self.currency.clone(),
            follow_symlinks: self.follow_symlinks,
            max_unpacked_gib: self.max_unpacked_gib,
            store: self.store.clone(),
            item: self.item.clone(),
            columns: self.columns.clone(),
            select: self.select.clone(),
            images: self.images.clone(),
        }
    }
}

/// The line of a setting of the source with this index; 0 where it is not found.
fn line(text: &str, source: usize, setting: &str) -> usize {
    let position = || {
        let file = DeTable::parse(text).ok()?;
        let source = file.get_ref().get("source")?.get_ref().get(source)?;
        text.get(..source.get_ref().get(setting)?.span().start)
    };
    position().map_or(0, |before| before.matches('\n').count() + 1)
}

/// Why a settings file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The message shows line and column.
    #[error("the settings {} are not valid:\n{reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// A source cannot be as it is described.
    #[error("the settings {}: source {name:?} {reason}", .path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// Its `name`.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Settings {
    /// # Errors
    /// The file is not there, or not valid.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// The settings of the current folder, where there are any.
    ///
    /// # Errors
    /// The file is there, but not valid.
    pub fn find() -> Result<Option<Self>, SettingsError> {
        match Self::read(Path::new(SETTINGS_FILE)) {
            Ok(settings) => Ok(Some(settings)),
            Err(SettingsError::Read { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// # Errors
    /// Not valid, as TOML or in what it says; `path` is for messages and for relative paths.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let mut settings: Settings = toml::from_str(text)
            .map_err(|e| SettingsError::Format { path: path.to_owned(), reason: e.to_string() })?;
        settings.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        if let Some(Err(e)) = settings.verify_before_publish.as_ref().map(VerifySettings::url) {
            let reason = format!("verify_before_publish.endpoint is no address: {e}");
            return Err(SettingsError::Format { path: path.to_owned(), reason });
        }
        let mut names = HashSet::new();
        for (index, source) in settings.sources.iter().enumerate() {
            let wrong = |reason: &str| {
                let (path, name) = (path.to_owned(), source.name.clone());
                SettingsError::Source { path, name, reason: reason.to_owned() }
            };
            if source.name.trim().is_empty() || source.name.chars().any(char::is_control) {
                return Err(wrong("needs a name"));
            }
            if !names.insert(&source.name) {
                return Err(wrong("is there twice: names must differ"));
            }
            let spec = source.spec().map_err(|reason| wrong(&reason))?;
            // A kind that only the place itself tells is checked when it is opened.
            let checked = spec.named_kind().map_or(Ok(()), |kind| spec.options.check(kind));
            checked.map_err(|refused| {
                wrong(&format!("(line {}): {refused}", line(text, index, refused.setting)))
            })?;
        }
        Ok(settings)
    }

    /// `store`, relative to the file's folder where it is a path.
    pub fn store(&self) -> Option<String> {
        let store = self.store.as_ref()?;
        // Slips such as postgres:/… included: they are told as what they are meant to be.
        Some(match store.contains("://") || PostgresUrl::is_meant(store) {
            true => store.clone(),
            false => self.folder.join(store).to_string_lossy().into_owned(),
        })
    }

    /// `model`, likewise, where it is a folder.
    pub fn model(&self) -> Option<String> {
        let model = self.model.as_ref()?;
        let folder = self.folder.join(model);
        Some(match folder.is_dir() {
            true => folder.to_string_lossy().into_owned(),
            false => model.clone(),
        })
    }

    /// Name and place of each source.
    pub fn sources(&self) -> impl Iterator<Item = (&str, SourceSpec)> {
        // Checked when the file was read.
        self.sources.iter().filter_map(|source| Some((source.name.as_str(), source.spec().ok()?)))
    }
}

#[cfg(test)]
mod tests;
