//! A Vulkan device whose multiply-add is fused, in software: lavapipe of a newer Debian than many machines run, unpacked
//! below `target` with a C library of its own. Nothing on the machine is changed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::process::{Cmd, Tests, cargo, root};

/// Mesa 26.2 fuses; 22.3 of Debian 12, 25.0 of Debian 13 and 26.1 of its backports round twice.
const SUITE: &str = "sid";
const PACKAGES: &str = "mesa-vulkan-drivers libvulkan1 libc6 libstdc++6 libgcc-s1";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// Tells a Vulkan loader which drivers there are.
const DRIVER: &str = "VK_DRIVER_FILES";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The device, unpacked: what a program needs to run on it.
pub(crate) struct Lavapipe {
    /// Runs a program with the libraries that came along.
    loader: PathBuf,
    libraries: PathBuf,
    /// What a Vulkan loader reads.
    driver: PathBuf,
}

impl Lavapipe {
    /// `None`, with a message, where it cannot be had.
    pub(crate) fn fetch() -> Option<Self> {
        let folder = unpacked()
            .inspect_err(|e| eprintln!("skipped: no Vulkan device in software that fuses: {e:#}"))
            .ok()?;
        let libraries = folder.join("root").join(LIBRARIES);
        let loader = libraries.join("ld-linux-x86-64.so.2");
        Some(Lavapipe { loader, libraries, driver: folder.join("lavapipe.json") })
    }

    /// `program`, which is a path, on this device and no other.
    pub(crate) fn run(&self, program: &Path) -> Cmd {
        let cmd = Cmd::new(&self.loader).arg("--library-path").arg(&self.libraries);
        cmd.arg(program).env(DRIVER, &self.driver)
    }
}

/// clip-gpu's tests of a device that fuses, on it. `None`, with a message, where it cannot be had, or where the
/// suite's driver does not fuse any more.
pub(crate) fn tests() -> Result<Option<Tests>> {
    let Some(Lavapipe { loader, libraries, driver }) = Lavapipe::fetch() else { return Ok(None) };
    let runner = format!("{} --library-path {}", loader.display(), libraries.display());
    // All of the workspace, as the tests before: its parts alone have other features.
    let test = |name: &str| {
        cargo()
            .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", &runner)
            .env(DRIVER, &driver)
            .env("CLIP_GPU_MUST_FUSE", "1")
            .args("test --workspace --test goldens")
            .arg(name)
    };
    if test("a_fetched_device_rounds_once").probe().is_none() {
        eprintln!("skipped: lavapipe of Debian's {SUITE} does not fuse");
        return Ok(None);
    }
    test("vit_b_32_where_the_device_fuses").run_tests().map(Some)
}

/// Fetches and unpacks it, once.
fn unpacked() -> Result<PathBuf> {
    if std::env::consts::ARCH != "x86_64" || std::env::consts::OS != "linux" {
        bail!("it is known for x86-64 Linux");
    }
    if !Path::new(KEYRING).is_file() {
        bail!("this is no Debian ({KEYRING} is missing)");
    }
    let folder = root().join("target/lavapipe");
    let marker = folder.join("unpacked.txt");
    if fs::read_to_string(&marker).is_ok_and(|suite| suite == SUITE) {
        return Ok(folder);
    }
    let _ = fs::remove_dir_all(&folder);
    for part in ["root", "state/lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(part)).context("target/lavapipe")?;
    }
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).with_context(|| format!("could not write {name}"))
    };
    let mirror = mirror();
    write(
        "debian.sources",
        format!(
            "Types: deb\nURIs: {mirror}\nSuites: {SUITE}\nComponents: main\nSigned-By: {KEYRING}\n"
        ),
    )?;
    // Nothing is installed there, so apt fetches whatever the packages need.
    write("status", String::new())?;
    let here = folder.display();
    write(
        "apt.conf",
        format!(
            "Dir::State \"{here}/state\";\nDir::State::status \"{here}/status\";\n\
             Dir::Cache \"{here}/cache\";\nDir::Etc::SourceList \"{here}/debian.sources\";\n\
             Dir::Etc::SourceParts \"/dev/null\";\nDir::Etc::Parts \"/dev/null\";\n\
             Acquire::Check-Valid-Until \"false\";\n"
        ),
    )?;
    let apt = || Cmd::new("apt-get").env("APT_CONFIG", folder.join("apt.conf")).args("-qq");
    apt().arg("update").run_shown()?;
    let install = apt().args("-y --no-install-recommends --download-only install");
    install.args(PACKAGES).run_shown()?;
    let archives = folder.join("cache/archives");
    for entry in fs::read_dir(&archives).context("apt has left nothing")?.flatten() {
        if entry.path().extension().is_some_and(|e| e == "deb") {
            let into = folder.join("root");
            let unpack = Cmd::new("dpkg-deb").arg("-x").arg(entry.path()).arg(into).probe();
            unpack.with_context(|| format!("could not unpack {}", entry.path().display()))?;
        }
    }
    let _ = fs::remove_dir_all(&archives);
    let driver = folder.join("root").join(LIBRARIES).join("libvulkan_lvp.so");
    let icd = serde_json::json!({
        "file_format_version": "1.0.0",
        "ICD": { "library_path": driver, "api_version": "1.3.0" },
    });
    write("lavapipe.json", icd.to_string())?;
    fs::write(&marker, SUITE).context("could not write the marker")?;
    Ok(folder)
}

/// The one that this machine gets its packages from, else Debian's.
fn mirror() -> String {
    let lists = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    let texts: Vec<String> =
        lists.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    texts
        .iter()
        .flat_map(|text| text.split_whitespace())
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"))
        .unwrap_or("http://deb.debian.org/debian")
        .to_owned()
}
