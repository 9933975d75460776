//! The licences of the crates in the wasm modules, which the npm package has to hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{cross::WASM, process::cargo};

/// How the files begin that licences stand in.
const FILES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "UNLICENSE"];

/// What `package` is linked with for wasm32: a list of crates with their licences, then the texts.
pub(crate) fn third_party(package: &str) -> Result<String> {
    let metadata = cargo()
        .args("metadata --format-version 1 --all-features --filter-platform")
        .arg(WASM)
        .probe()
        .context("cargo metadata failed")?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let mut names = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in linked(&metadata, &packages, package) {
        let Some(found) = packages.get(id).filter(|found| !found["source"].is_null()) else {
            continue;
        };
        let text = |key: &str| found[key].as_str().unwrap_or_default();
        let name = format!("{} {}", text("name"), text("version"));
        names += &format!("- {name}: {}\n", text("license"));
        for file in licence_files(Path::new(text("manifest_path")))? {
            let text = fs::read_to_string(&file)
                .with_context(|| format!("could not read {}", file.display()))?;
            texts.entry(text.trim().to_owned()).or_default().push(name.clone());
        }
    }
    let mut all = format!(
        "The wasm modules of this package hold code of Rust's standard library (MIT OR Apache-2.0) \
         and of these crates:\n\n{names}"
    );
    for (text, names) in texts {
        all += &format!("\n{}\n{}\n\n{text}\n", "-".repeat(80), names.join(", "));
    }
    Ok(all)
}

/// Ids of the packages that `root` needs at run time.
fn linked<'a>(
    metadata: &'a Value,
    packages: &BTreeMap<&str, &Value>,
    root: &str,
) -> BTreeSet<&'a str> {
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> =
        nodes.keys().filter(|id| packages[**id]["name"] == root).copied().collect();
    while let Some(id) = open.pop() {
        let runs = |kind: &Value| kind["kind"].is_null();
        let macros = list(&packages[id]["targets"])
            .any(|target| list(&target["kind"]).any(|kind| kind == "proc-macro"));
        if macros || !found.insert(id) {
            continue;
        }
        let needed = list(&nodes[id]["deps"]).filter(|dep| list(&dep["dep_kinds"]).any(runs));
        open.extend(needed.filter_map(|dep| dep["pkg"].as_str()));
    }
    found
}

/// Of a choice that includes MIT, its text alone.
fn licence_files(manifest: &Path) -> Result<Vec<PathBuf>> {
    let folder = manifest.parent().unwrap_or(manifest);
    let entries =
        fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    files.retain(|file| file.is_file() && FILES.iter().any(|start| name(file).starts_with(start)));
    if let Some(mit) = files.iter().find(|file| name(file).contains("MIT")) {
        return Ok(vec![mit.clone()]);
    }
    files.sort();
    Ok(files)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::third_party;

    #[test]
    fn holds_what_is_linked_and_no_macros() {
        let all = third_party("clip-web").expect("cargo knows its packages");
        for name in ["serde", "wasm-bindgen", "image-webp", "rayon"] {
            assert!(all.contains(&format!("\n- {name} ")), "{name} is missing");
        }
        assert!(!all.contains("\n- syn "), "syn runs in the compiler");
        assert!(!all.contains("\n- clip-core "), "its licences are the package's own");
        assert!(all.matches("Permission is hereby granted").count() > 5, "no texts");
    }
}
