//! Settings from `scraper.toml`, the environment and `.env`; flags of the command line win over all.
//!
//! The `HF_*` variables mean what they mean in Python's `huggingface_hub`
//! (<https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>).

mod dotenv;
mod file;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

pub use dotenv::{ENV_FILE, EnvFileError};
pub use file::{
    AllowPrivate, FetchSettings, SETTINGS_FILE, Settings, SettingsError, SourceSettings, TEMPLATE,
    VerifySettings,
};

/// The model used when neither `--model` nor `EMBEDDINGS_MODEL` names one.
pub const DEFAULT_MODEL: &str = "openai/clip-vit-base-patch32";
/// Names this program to servers and, where the workspace's `repository` is set, where to read about
/// it.
pub const USER_AGENT: &str = match env!("CARGO_PKG_REPOSITORY").is_empty() {
    true => concat!("clip-scraper/", env!("CARGO_PKG_VERSION")),
    false => {
        concat!(
            "clip-scraper/",
            env!("CARGO_PKG_VERSION"),
            " (+",
            env!("CARGO_PKG_REPOSITORY"),
            ")"
        )
    }
};

/// The same with somebody to talk to: a mail address or a page of whoever runs the program.
pub fn user_agent(contact: &str) -> String {
    concat!("clip-scraper/", env!("CARGO_PKG_VERSION")).to_owned() + &format!(" (+{contact})")
}

/// What the environment says about the model and the hub.
#[derive(Clone)]
pub struct Environment {
    /// `EMBEDDINGS_MODEL`: a hub id (`org/name`, `org/name@revision`), a folder, or `tiny`.
    pub model: String,
    /// Whether `EMBEDDINGS_MODEL` is set: else `model` is [`DEFAULT_MODEL`].
    pub model_is_set: bool,
    /// Where the hub and its cache are.
    pub hub: HubConfig,
}

/// Where the hub and its cache are.
#[derive(Clone)]
pub struct HubConfig {
    /// `HF_ENDPOINT`, without a trailing slash.
    pub endpoint: String,
    /// `HF_TOKEN`, or the file `huggingface-cli login` leaves.
    pub token: Option<String>,
    /// `HF_HUB_CACHE`, else `$HF_HOME/hub`.
    pub cache: PathBuf,
    /// `HF_HUB_OFFLINE`: never open a connection to the hub.
    pub offline: bool,
}

/// Tokens do not belong into logs.
impl std::fmt::Debug for HubConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubConfig")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .finish()
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("model", &self.model).field("hub", &self.hub).finish()
    }
}

impl Environment {
    /// The process environment; variables it lacks are taken from `.env` in the working folder. No
    /// parent's is read: whoever may write there is not who runs this.
    ///
    /// # Errors
    /// A `.env` that cannot be read; without it, another model might be taken in silence.
    pub fn load() -> Result<Self, EnvFileError> {
        Self::load_from(&[Path::new("")])
    }

    /// The same with `.env` of each of `folders`, of which the first has the first word.
    ///
    /// # Errors
    /// Those of [`Environment::load`].
    pub fn load_from(folders: &[&Path]) -> Result<Self, EnvFileError> {
        let mut vars: HashMap<String, String> = HashMap::new();
        for folder in folders.iter().rev() {
            vars.extend(dotenv::read(folder)?);
        }
        vars.extend(std::env::vars_os().filter_map(|(k, v)| {
            Some((k.into_string().ok()?, v.into_string().ok()?)) // not UTF-8: not ours
        }));
        Ok(Self::from_vars(|name| vars.get(name).cloned()))
    }

    /// The same from any lookup (empty values count as unset).
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&str]| names.iter().find_map(|name| var(name));
        // Without HOME (cron, systemd, containers) the user's entry in the passwd database tells.
        let user_home = first(&["HOME", "USERPROFILE"])
            .map(PathBuf::from)
            .or_else(std::env::home_dir)
            .filter(|home| !home.as_os_str().is_empty())
            .unwrap_or_else(|| ".".into());
        let expand = |path: String| expand_home(&path, &user_home);

        let hf_home = match (var("HF_HOME"), var("XDG_CACHE_HOME")) {
            (Some(home), _) => expand(home),
            (None, Some(cache)) => expand(cache).join("huggingface"),
            (None, None) => user_home.join(".cache").join("huggingface"),
        };
        let token_file = var("HF_TOKEN_PATH").map_or_else(|| hf_home.join("token"), expand);
        let token = first(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
            .or_else(|| std::fs::read_to_string(token_file).ok())
            .map(|token| token.trim().to_owned())
            .filter(|token| !token.is_empty());
        let truthy = |name: &str| {
            var(name).is_some_and(|v| {
                matches!(v.trim().to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
            })
        };
        Environment {
            model_is_set: var("EMBEDDINGS_MODEL").is_some(),
            model: var("EMBEDDINGS_MODEL").unwrap_or_else(|| DEFAULT_MODEL.into()),
            hub: HubConfig {
                endpoint: var("HF_ENDPOINT")
                    .unwrap_or_else(|| "https://huggingface.co".into())
                    .trim_end_matches('/')
                    .to_owned(),
                token,
                cache: first(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
                    .map_or_else(|| hf_home.join("hub"), expand),
                offline: truthy("HF_HUB_OFFLINE") || truthy("TRANSFORMERS_OFFLINE"),
            },
        }
    }
}

fn expand_home(path: &str, home: &Path) -> PathBuf {
    match path.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) if rest.starts_with(['/', '\\']) => home.join(&rest[1..]),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)]) -> Environment {
        Environment::from_vars(|name| {
            vars.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn defaults_are_those_of_huggingface_hub() {
        let e = env(&[("HOME", "/home/u")]);
        assert_eq!(e.model, DEFAULT_MODEL);
        assert_eq!(e.hub.endpoint, "https://huggingface.co");
        assert_eq!(e.hub.cache, Path::new("/home/u/.cache/huggingface/hub"));
        assert!(!e.hub.offline && e.hub.token.is_none());
    }

    #[test]
    fn stronger_variables_win() {
        let e = env(&[
            ("HOME", "/home/u"),
            ("HF_HOME", "~/hf"),
            ("HF_ENDPOINT", "http://mirror/"),
            ("HF_TOKEN", " abc\n"),
            ("HF_HUB_OFFLINE", "true"),
            ("EMBEDDINGS_MODEL", "  "),
        ]);
        assert_eq!(e.hub.cache, Path::new("/home/u/hf/hub"));
        assert_eq!(e.hub.endpoint, "http://mirror");
        assert_eq!(e.hub.token.as_deref(), Some("abc"));
        assert!(e.hub.offline);
        assert_eq!(e.model, DEFAULT_MODEL);
        assert!(!format!("{e:?}").contains("abc"), "the token is not printed");
        let e = env(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/c"), ("HF_HUB_OFFLINE", "0")]);
        assert_eq!(e.hub.cache, Path::new("/c"));
        assert!(!e.hub.offline);
    }

    #[test]
    fn the_token_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "hf_file\n").unwrap();
        let home = dir.path().to_str().unwrap();
        assert_eq!(env(&[("HF_HOME", home)]).hub.token.as_deref(), Some("hf_file"));
    }
}
