//! `scraper.toml`: what a nightly run does.

use std::{
    collections::{BTreeMap, HashSet},
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use reqwest::Url;
use serde::Deserialize;
use toml::Spanned;

use crate::{
    fetch::Guard,
    report::MaxFailures,
    source::{Kind, Options, SourceSpec},
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
    pub fetch: FetchSettings,
    pub verify_before_publish: Option<VerifySettings>,
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
    /// A mail address or a page, told to every server.
    pub contact: Option<String>,
    pub connections: Option<usize>,
    pub per_host: Option<usize>,
    /// Requests per second to one host; 0 for no limit.
    pub rate: Option<f64>,
    /// Seconds that a host may refuse, fail or stall until it is set aside for the run.
    pub host_patience: Option<f64>,
    /// Longest silence of a server, in seconds.
    pub idle_timeout: Option<f64>,
    /// Longest download of a picture or page, in seconds.
    pub total_timeout: Option<f64>,
    /// Least bytes per second of a picture or page.
    pub min_speed: Option<u64>,
    pub allow_private: AllowPrivate,
    /// Whether `robots.txt` is obeyed.
    pub robots: Option<bool>,
}

/// The Inference Endpoint whose vectors a run's must be, like `--verify-endpoint`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifySettings {
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
    All(bool),
    Networks(Vec<IpNet>),
}

impl Default for AllowPrivate {
    fn default() -> Self {
        AllowPrivate::All(false)
    }
}

impl AllowPrivate {
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
    pub kind: Option<Kind>,
    pub url: Option<String>,
    pub path: Option<String>,
    include: Option<Spanned<Vec<String>>>,
    currency: Option<Spanned<String>>,
    follow_symlinks: Option<Spanned<bool>>,
    max_unpacked_gib: Option<Spanned<NonZeroU32>>,
    store: Option<Spanned<String>>,
    item: Option<Spanned<String>>,
    columns: Option<Spanned<BTreeMap<String, String>>>,
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
            include: self.include.clone().map(Spanned::into_inner),
            currency: self.currency.clone().map(Spanned::into_inner),
            follow_symlinks: self.follow_symlinks.clone().map(Spanned::into_inner),
            max_unpacked_gib: self
                .max_unpacked_gib
                .clone()
                .map(|gib| gib.into_inner().get().into()),
            store: self.store.clone().map(Spanned::into_inner),
            item: self.item.clone().map(Spanned::into_inner),
            columns: self.columns.clone().map(Spanned::into_inner),
        }
    }

    /// Where in the file a setting is.
    fn position(&self, setting: &str) -> Option<usize> {
        let span = match setting {
            "include" => self.include.as_ref()?.span(),
            "currency" => self.currency.as_ref()?.span(),
            "follow_symlinks" => self.follow_symlinks.as_ref()?.span(),
            "max_unpacked_gib" => self.max_unpacked_gib.as_ref()?.span(),
            "store" => self.store.as_ref()?.span(),
            "item" => self.item.as_ref()?.span(),
            "columns" => self.columns.as_ref()?.span(),
            _ => return None,
        };
        Some(span.start)
    }
}

/// Why a settings file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    #[error("cannot read the settings {}: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The message shows line and column.
    #[error("the settings {} are not valid:\n{reason}", .path.display())]
    Format { path: PathBuf, reason: String },
    #[error("the settings {}: source {name:?} {reason}", .path.display())]
    Source { path: PathBuf, name: String, reason: String },
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
        for source in &settings.sources {
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
                let start = source.position(refused.setting).and_then(|at| text.get(..at));
                let line = start.map_or(0, |before| before.matches('\n').count() + 1);
                wrong(&format!("(line {line}): {refused}"))
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
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(text, Path::new("/etc/shop/scraper.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn the_template_is_valid_as_it_is_and_with_all_that_is_commented_out() {
        let settings = parse(TEMPLATE).unwrap();
        assert_eq!(settings.sources.len(), 1);
        let all: String = TEMPLATE
            .lines()
            // "#name = value" is an example; "# text" is a comment.
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let settings = parse(&all).unwrap();
        assert!(settings.sources.len() >= 6, "{}", settings.sources.len());
        assert!(settings.fetch.contact.is_some() && settings.store.is_some());
        assert!(settings.verify_before_publish.is_some());
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let error = parse("[fetch]\nrobot = true\n").unwrap_err();
        assert!(error.contains("robot") && error.contains("line 2"), "{error}");
        let error = parse("[[source]]\nname = \"a\"\nkind = \"mangento\"\nurl = \"https://x\"")
            .unwrap_err();
        assert!(error.contains("mangento") && error.contains("shopify"), "{error}");
        let twice = "[[source]]\nname = \"a\"\npath = \"x.csv\"\n".repeat(2);
        assert!(parse(&twice).unwrap_err().contains("twice"));
        let csv = "[[source]]\nname = \"a\"\npath = \"x.csv\"\n";
        let error = parse(&format!("{csv}\ninclude = [\n\"/p/\"]\n")).unwrap_err();
        for part in ["\"a\"", "line 5", "include", "csv", "sitemap"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(parse(&format!("{csv}currency = \"EUR\"")).unwrap_err().contains("shopify"));
        assert!(parse(&format!("{csv}max_unpacked_gib = 2")).is_ok());
        let photos = "[[source]]\nname = \"a\"\npath = \"photos\"\nfollow_symlinks = true";
        let settings = parse(photos).unwrap();
        assert_eq!(settings.sources().next().unwrap().1.options.follow_symlinks, Some(true));
        let error = parse("[[source]]\nname = \"a\"\n").unwrap_err();
        assert!(error.contains("url") && error.contains("path"), "{error}");
        assert!(parse("[fetch]\nallow_private = \"10.0.0.0/8\"").is_err());
        let networks = parse("[fetch]\nallow_private = [\"10.0.0.0/8\"]").unwrap();
        assert!(networks.fetch.allow_private.guard().permits("10.1.1.1".parse().unwrap()));
    }
}
