//! A process that decodes for a whole night holds as much as one that begins.

use std::{fs, path::Path};

use clip_core::{
    config::PreprocessConfig,
    image::{Limits, Processor, Profile},
};
use clip_tests::files;

/// Of each picture, good or bad, nothing is left: not even the few bytes that keep an allocator from
/// putting its blocks together again.
#[test]
fn decoding_leaves_nothing_behind() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let profile = Profile::PRESETS[0].1;
    let processor = Processor::new(&PreprocessConfig::clip(224), profile, Limits::default());
    let folders =
        ["corpus", "fuzz/regressions/decode"].map(|folder| files::below(&root.join(folder)));
    let mut count = 0;
    for path in folders.concat() {
        let bytes = fs::read(&path).unwrap();
        // What is made once and kept is made now.
        let _ = processor.decode(&bytes);
        let again = allocation_counter::measure(|| drop(processor.decode(&bytes)));
        let held = (again.count_current, again.bytes_current);
        assert_eq!(held, (0, 0), "blocks and bytes, of {}", path.display());
        count += usize::from(again.count_total > 0);
    }
    assert!(count > 500, "{count} files");
}
