//! The library says what failed; what to type is the program's.

use std::{fs, path::Path};

use regex::Regex;
use walkdir::WalkDir;

#[test]
fn the_library_knows_no_flag_and_no_command() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let typed = Regex::new(r"[^<!-]--[a-z]{2}|`scraper ").unwrap();
    let mut found = Vec::new();
    for entry in WalkDir::new(root.join("src")).into_iter().map(Result::unwrap) {
        if entry.path().extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in product.lines().enumerate() {
            if !line.trim_start().starts_with("//") && typed.is_match(line) {
                found.push(format!("{}:{}: {line}", entry.path().display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "for crates/scraper/src/hints.rs:\n{}", found.join("\n"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("clap"), "flags are the program's");
}
