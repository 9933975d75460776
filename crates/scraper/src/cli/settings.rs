//! `scraper.toml` as the defaults of the flags.

use std::{ffi::OsString, path::PathBuf, sync::LazyLock};

use scraper_lib::{
    Error,
    config::{Settings, SettingsError},
};

/// Read before the flags are parsed, because they default to what it says.
static SETTINGS: LazyLock<Result<Settings, SettingsError>> =
    LazyLock::new(|| match named(std::env::args_os()) {
        Some(path) => Settings::read(&path),
        None => Ok(Settings::find()?.unwrap_or_default()),
    });

/// # Errors
/// The file that `--config` names cannot be read, or a settings file is not valid.
pub(super) fn settings() -> Result<&'static Settings, Error> {
    SETTINGS.as_ref().map_err(|e| Error::Usage(e.to_string()))
}

/// Where results are kept if no flag says it.
pub(super) fn default_store() -> &'static str {
    static STORE: LazyLock<String> = LazyLock::new(|| {
        // What is wrong with the settings is told when a command asks for them.
        let set = SETTINGS.as_ref().ok().and_then(Settings::store);
        set.unwrap_or_else(|| "scraper.db".to_owned())
    });
    &STORE
}

/// The value of `--config`.
fn named(args: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut args = args.skip(1).take_while(|arg| arg != "--");
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(value) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some(value.into());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_flag_is_found() {
        let find = |args: &[&str]| named(args.iter().map(OsString::from));
        assert_eq!(find(&["scraper", "run", "--config", "a.toml"]), Some("a.toml".into()));
        assert_eq!(find(&["scraper", "--config=b.toml", "run"]), Some("b.toml".into()));
        assert_eq!(find(&["scraper", "run", "--", "--config", "c"]), None);
        assert_eq!(find(&["scraper", "run", "--config"]), None);
    }
}
