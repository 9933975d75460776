//! One place knows the names of a checkpoint's tensors.

use std::{fs, path::Path};

use clip_tests::files;

/// Beginnings of names, as they would stand in a string.
const NAMES: [&str; 6] = [
    "text_model.",
    "vision_model.",
    "text_projection",
    "visual_projection",
    "logit_scale\"",
    "self_attn",
];
/// Product code.
const ROOTS: [&str; 6] = [
    "crates/clip-core/src",
    "crates/clip-kernels/src",
    "crates/scraper/src",
    "crates/scraper-lib/src",
    "crates/peers/src",
    "web/src",
];
const TABLE: &str = "crates/clip-core/src/tensors.rs";

#[test]
fn only_the_table_knows_the_names_of_tensors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files: Vec<_> =
        ROOTS.iter().flat_map(|folder| files::below(&root.join(folder))).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    assert!(files.len() > 100, "only {} files", files.len());
    let mut table = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file can be read");
        // A file's own tests may name tensors.
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let strings = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let found = strings
            .filter(|line| NAMES.iter().any(|name| line.contains(&format!("\"{name}"))))
            .count();
        let shown = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
        if shown == TABLE {
            table = found;
        } else {
            assert_eq!(found, 0, "{shown} names a tensor: ask {TABLE}");
        }
    }
    assert!(table > 5, "the names are in {TABLE}");
}
