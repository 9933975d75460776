//! Replays everything that fuzzing found in the readers, and the seeds that it starts from.

use std::{fs, path::Path};

use scraper_lib::source::fuzz::TARGETS;

#[test]
fn the_readers_take_what_fuzzing_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz");
    for (name, target) in TARGETS {
        let mut count = 0;
        for kind in ["seeds", "regressions"] {
            // No finding yet: no folder.
            let Ok(entries) = fs::read_dir(root.join(kind).join(name)) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                eprintln!("{}", path.display());
                target(&fs::read(&path).unwrap());
                count += 1;
            }
        }
        assert!(count > 0, "{name} has no seed");
    }
}
