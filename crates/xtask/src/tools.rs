//! What the stages need on a machine: how to see whether it is there, and how to get it.

use std::{
    path::Path,
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    cross,
    process::{Cmd, cargo},
};

/// Something a stage cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Rustc,
    Rustfmt,
    Clippy,
    /// A C compiler and linker for the host (SQLite is built from source).
    Cc,
    /// A standard library for a target.
    Std(&'static str),
    /// The standard library's source, to build it for a target with other features.
    StdSource(&'static str),
    /// Linker and C library for aarch64 Linux.
    Aarch64Gcc,
    /// qemu-user: runs aarch64 programs.
    Qemu,
    /// Runs wasm.
    Node,
    /// Gets the browser package's tools.
    Npm,
    Chromium,
    Firefox,
    /// WebKitGTK, its driver, and a screen that is not there.
    WebKit,
    /// A GPU in software, for the tests of the shaders.
    Vulkan,
    /// Makes environments for PyPI's Postgres server, readers of exports and clients of the server.
    Python,
    /// Runs the lines of the documentation.
    Curl,
    /// Runs Spark.
    Java,
}

impl Need {
    pub(crate) fn name(self) -> String {
        match self {
            Need::Rustc => "Rust compiler".to_owned(),
            Need::Rustfmt => "rustfmt".to_owned(),
            Need::Clippy => "clippy".to_owned(),
            Need::Cc => "C compiler".to_owned(),
            Need::Std(target) => format!("Rust for {target}"),
            Need::StdSource(target) => format!("Rust's source for {target}"),
            Need::Aarch64Gcc => "aarch64 C library and linker".to_owned(),
            Need::Qemu => "qemu-user for aarch64".to_owned(),
            Need::Node => "Node 20 or newer".to_owned(),
            Need::Npm => "npm".to_owned(),
            Need::Chromium => "Chromium".to_owned(),
            Need::Firefox => "Firefox".to_owned(),
            Need::WebKit => "WebKitGTK with its driver, and Xvfb".to_owned(),
            Need::Vulkan => "Vulkan in software (lavapipe)".to_owned(),
            Need::Python => "Python 3.10 or newer, with venv".to_owned(),
            Need::Curl => "curl 7.82 or newer, with HTTP/2".to_owned(),
            Need::Java => "Java 17 or newer".to_owned(),
        }
    }

    /// What was found, if it is there and usable.
    pub(crate) fn found(self) -> Option<String> {
        let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
        match self {
            Need::Rustc => {
                let version = Cmd::new("rustc").arg("-V").probe()?;
                (cross::version(&version)? >= cross::minimum()).then_some(version)
            }
            Need::Rustfmt => cargo().args("fmt --version").probe(),
            Need::Clippy => cargo().args("clippy --version").probe(),
            Need::Cc => Cmd::new("cc").arg("--version").probe().map(first_line),
            Need::Std(target) => cross::find(target).map(|std| std.describe()),
            Need::StdSource(_) => cross::source().map(|std| std.describe()),
            Need::Aarch64Gcc => {
                let gcc = Cmd::new("aarch64-linux-gnu-gcc").arg("--version").probe()?;
                // Debian's gcc only recommends the C library's development files.
                let libc = Path::new("/usr/aarch64-linux-gnu/lib/crt1.o").exists();
                libc.then(|| first_line(gcc))
            }
            Need::Qemu => Cmd::new("qemu-aarch64").arg("--version").probe().map(first_line),
            Need::Node => {
                let version = Cmd::new("node").arg("--version").probe()?;
                let number = cross::version(version.trim_start_matches('v'))?;
                (number >= (20, 0)).then_some(version)
            }
            Need::Npm => Cmd::new("npm").arg("--version").probe(),
            Need::Chromium => ["chromium", "google-chrome", "chromium-browser"]
                .into_iter()
                .find_map(|name| Cmd::new(name).arg("--version").probe()),
            Need::Firefox => ["firefox-esr", "firefox"]
                .into_iter()
                .find_map(|name| Cmd::new(name).arg("--version").probe()),
            Need::WebKit => {
                // It knows no question for its version.
                Cmd::new("Xvfb").arg("-help").probe()?;
                Cmd::new("WebKitWebDriver")
                    .arg("--help")
                    .probe()
                    .map(|_| "WebKitWebDriver".to_owned())
            }
            Need::Curl => {
                let told = Cmd::new("curl").arg("--version").probe()?;
                let number = cross::version(told.split(' ').nth(1)?)?;
                (number >= (7, 82) && told.contains("HTTP2")).then(|| first_line(told))
            }
            Need::Vulkan => {
                let drivers = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].into_iter();
                let mut drivers = drivers.filter_map(|folder| std::fs::read_dir(folder).ok());
                let name = drivers.find_map(|folder| {
                    let mut names = folder.flatten().map(|entry| entry.file_name());
                    names.find(|name| name.to_string_lossy().starts_with("lvp_icd"))
                })?;
                let libraries = Cmd::new("/sbin/ldconfig").arg("-p").probe()?;
                let found = libraries.contains("libvulkan.so.1");
                found.then(|| name.to_string_lossy().into_owned())
            }
            Need::Python => {
                let version = "import ensurepip, sys, venv; print(*sys.version_info[:2], sep='.')";
                let version = Cmd::new("python3").arg("-c").arg(version).probe()?;
                (cross::version(&version)? >= (3, 10)).then(|| format!("Python {version}"))
            }
            Need::Java => {
                // "openjdk 17.0.15 2025-04-15", "openjdk 21 2023-09-19"
                let line = first_line(Cmd::new("java").arg("--version").probe()?);
                let number = |word: &str| word.split('.').next()?.parse::<u32>().ok();
                let major = line.split_whitespace().find_map(number)?;
                (major >= 17).then_some(line)
            }
        }
    }

    /// Gets it.
    fn install(self) -> Result<()> {
        match self {
            Need::Rustc => bail!(
                "rustc {} or newer is needed: install it from https://rustup.rs or update it with \
                 `rustup update stable`",
                env!("CARGO_PKG_RUST_VERSION")
            ),
            Need::Rustfmt => rustup("component add rustfmt"),
            Need::Clippy => rustup("component add clippy"),
            Need::Cc => apt(&["gcc", "libc6-dev"]),
            Need::Std(target) => {
                // A toolchain of rustup gets the target; where rustup is missing or has been told
                // not to install by itself, Debian's compiler builds the library from its source.
                let by_rustup = rustup(&format!("target add {target}"));
                if by_rustup.is_ok() && self.found().is_some() {
                    return Ok(());
                }
                either(by_rustup, apt(&WEB_RUSTC))
            }
            Need::StdSource(_) => {
                let by_rustup = rustup("component add rust-src");
                if by_rustup.is_ok() && self.found().is_some() {
                    return Ok(());
                }
                either(by_rustup, apt(&WEB_RUSTC))
            }
            Need::Aarch64Gcc => apt(&["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"]),
            Need::Qemu => apt(&["qemu-user"]),
            Need::Node => apt(&["nodejs"]),
            Need::Npm => apt(&["npm"]),
            Need::Chromium => apt(&["chromium"]),
            Need::Firefox => apt(&["firefox-esr"]).or_else(|_| apt(&["firefox"])),
            Need::WebKit => apt(&["webkit2gtk-driver", "xvfb"]),
            Need::Vulkan => apt(&["libvulkan1", "mesa-vulkan-drivers"]),
            Need::Python => apt(&["python3", "python3-venv"]),
            Need::Curl => apt(&["curl"]),
            Need::Java => apt(&["default-jre-headless"]),
        }
    }

    /// Finds it or gets it; says which.
    pub(crate) fn ensure(self) -> Result<String> {
        if let Some(found) = self.found() {
            return Ok(found);
        }
        eprintln!("{} is missing; installing it", self.name());
        self.install()?;
        match self.found() {
            Some(found) => Ok(found),
            None => bail!("{} is still not usable after its installation", self.name()),
        }
    }
}

/// Debian's compiler for the web, with source.
const WEB_RUSTC: [&str; 3] = ["rustc-web", "rust-web-src", "lld-19"];

/// What a second try made of a failure.
fn either(first: Result<()>, second: Result<()>) -> Result<()> {
    match (first, second) {
        (_, Ok(())) => Ok(()),
        (Err(first), Err(second)) => bail!("{first:#}; {second:#}"),
        (Ok(()), Err(second)) => Err(second),
    }
}

/// `rustup …`, unless its user has switched installing by itself off.
fn rustup(args: &str) -> Result<()> {
    if std::env::var("RUSTUP_AUTO_INSTALL").is_ok_and(|v| v == "0") {
        bail!("RUSTUP_AUTO_INSTALL=0 says not to run `rustup {args}`");
    }
    if Cmd::new("rustup").arg("--version").probe().is_none() {
        bail!("there is no rustup to run `rustup {args}` with");
    }
    Cmd::new("rustup").args(args).run()
}

/// Installs Debian packages as root, or through sudo where it asks for no password.
fn apt(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if Cmd::new("apt-get").arg("--version").probe().is_none() {
        bail!("install these by this system's means (their Debian names: {list})");
    }
    let prefix: &[&str] = if Cmd::new("id").arg("-u").probe().is_some_and(|id| id == "0") {
        &[]
    } else if Cmd::new("sudo").args("-n true").probe().is_some() {
        &["sudo", "-n"]
    } else {
        bail!("run as root: apt-get install {list}");
    };
    let apt_get = |args: &str| {
        let words = prefix.iter().copied().chain(["env", "DEBIAN_FRONTEND=noninteractive"]);
        // A machine that has just started often installs updates by itself.
        let wait = format!("DPkg::Lock::Timeout={}", BUSY.as_secs());
        let words = words.chain(["apt-get", "-qq", "-o", &wait]);
        let words: Vec<&str> = words.collect();
        let mut words = words.into_iter();
        let program = Cmd::new(words.next().unwrap_or("apt-get"));
        words.fold(program, Cmd::arg).args(args)
    };
    // Once per run: package lists of a fresh machine are empty or old.
    static UPDATED: OnceLock<bool> = OnceLock::new();
    UPDATED.get_or_init(|| patiently(BUSY, PAUSE, || apt_get("update").run_shown()).is_ok());
    let install = || apt_get(&format!("install -y --no-install-recommends {list}")).run_shown();
    patiently(BUSY, PAUSE, install)
}

/// Longest wait for a package manager that is busy with something else …
const BUSY: Duration = Duration::from_secs(600);
/// … which is asked so often whether it still is: its own waiting does not cover every lock.
const PAUSE: Duration = Duration::from_secs(5);

/// Runs `attempt` again and again while it fails because another process holds a lock.
fn patiently(
    longest: Duration,
    pause: Duration,
    mut attempt: impl FnMut() -> Result<()>,
) -> Result<()> {
    let start = Instant::now();
    loop {
        let error = match attempt() {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let text = format!("{error:#}");
        let busy = ["Could not get lock", "Unable to lock", "is held by process"];
        if !busy.iter().any(|words| text.contains(words)) || start.elapsed() >= longest {
            return Err(error);
        }
        eprintln!("the package manager is busy; waiting for it");
        std::thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_package_manager_is_waited_for_and_nothing_else_is() {
        let lock = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt)";
        let none = Duration::ZERO;
        let (mut left, hour) = (3, Duration::from_secs(3600));
        let end = patiently(hour, none, || {
            left -= 1;
            if left > 0 { bail!("`apt-get` ended: {lock}") } else { Ok(()) }
        });
        assert!(end.is_ok() && left == 0, "{end:?}");
        let mut tries = 0;
        let mut fail = |longest, text: &'static str| {
            let end = patiently(longest, none, || {
                tries += 1;
                bail!(text)
            });
            (end.unwrap_err().to_string(), std::mem::take(&mut tries))
        };
        assert_eq!(fail(none, lock), (lock.to_owned(), 1), "not for ever");
        let missing = "E: Unable to locate package firefox-esr";
        assert_eq!(fail(hour, missing), (missing.to_owned(), 1));
    }
}
