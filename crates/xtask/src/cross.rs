//! Compiling for another target: with a ready standard library (rustup), or with one built from
//! source by the system's compiler (Debian: rustc-web, rust-web-src).

use std::path::{Path, PathBuf};

use crate::process::{Cmd, cargo, root};

pub(crate) const WASM: &str = "wasm32-unknown-unknown";
pub(crate) const AARCH64: &str = "aarch64-unknown-linux-gnu";

/// Where a target's standard library comes from.
#[derive(Debug, Clone)]
pub(crate) enum Std {
    /// The active toolchain has it.
    Ready,
    /// This compiler has the library's source.
    Source { rustc: PathBuf, version: String },
}

/// The best way to compile for `target` on this machine, if there is one.
pub(crate) fn find(target: &str) -> Option<Std> {
    let libdir = Cmd::new("rustc").args("--print target-libdir --target").arg(target).probe();
    if libdir.is_some_and(|dir| Path::new(&dir).is_dir()) {
        return Some(Std::Ready);
    }
    source()
}

/// A compiler with the library's source: libraries with other target features than the ready one
/// (wasm32 with atomics) can be built from it.
pub(crate) fn source() -> Option<Std> {
    // The system's compiler, then the toolchain's own (rustup component rust-src).
    ["/usr/bin/rustc", "rustc"].into_iter().find_map(|rustc| {
        let version = Cmd::new(rustc).arg("-V").probe()?;
        let sysroot = Cmd::new(rustc).args("--print sysroot").probe()?;
        let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.lock");
        let new_enough = self::version(&version)? >= minimum();
        (source.is_file() && new_enough).then(|| Std::Source { rustc: rustc.into(), version })
    })
}

impl Std {
    pub(crate) fn describe(&self) -> String {
        match self {
            Std::Ready => "the active toolchain has it".to_owned(),
            Std::Source { version, .. } => format!("built from source with {version}"),
        }
    }

    /// A program of a debug build for `target`.
    pub(crate) fn built(&self, target: &str, name: &str) -> PathBuf {
        self.target_dir().join(target).join("debug").join(name)
    }

    fn target_dir(&self) -> PathBuf {
        match self {
            Std::Ready => target_dir(),
            Std::Source { .. } => target_dir().join("source-std"),
        }
    }

    /// `cargo SUBCOMMAND` for `target`; arguments follow.
    pub(crate) fn cargo(&self, subcommand: &str, target: &str) -> Cmd {
        let cmd = cargo().arg(subcommand).args("--target").arg(target);
        match self {
            Std::Ready => cmd,
            Std::Source { rustc, .. } => {
                // Without `backtrace`, which only names functions in a panic.
                let (crates, features) = match (target, subcommand) {
                    (WASM, _) => ("std,panic_abort", ""),
                    (_, "test") => ("std,test", "panic-unwind"),
                    _ => ("std", "panic-unwind"),
                };
                let cmd = cmd
                    .arg(format!("-Zbuild-std={crates}"))
                    .arg(format!("-Zbuild-std-features={features}"))
                    .env("RUSTC", rustc)
                    // Building std needs -Z flags, which this lets a stable compiler take.
                    .env("RUSTC_BOOTSTRAP", "1")
                    // Two compilers in one folder would rebuild each other's work.
                    .env("CARGO_TARGET_DIR", self.target_dir());
                // Debian's compiler comes without rust-lld.
                let lld = Cmd::new("wasm-ld-19").arg("--version").probe().is_some();
                if target == WASM && lld {
                    cmd.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19")
                } else {
                    cmd
                }
            }
        }
    }
}

/// Cargo's target folder.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// "rustc 1.95.0 (5980…)" to (1, 95).
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let number = text.split_whitespace().find(|w| w.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The oldest compiler that this workspace accepts.
pub(crate) fn minimum() -> (u32, u32) {
    version(env!("CARGO_PKG_RUST_VERSION")).unwrap_or((u32::MAX, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert!(version("rustc 1.100.1") > version("rustc 1.95.0"));
        assert_eq!(version("no number"), None);
        assert!(minimum() >= (1, 90) && minimum() < (2, 0));
    }
}
