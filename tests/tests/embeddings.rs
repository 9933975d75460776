//! End to end: file bytes to normalised embedding, against `transformers` on the whole corpus
//! (made by `reference/embeddings.py`).

use std::{fs, io::Read, path::Path};

use clip_tests::goldens::Golden;
use serde::Deserialize;

/// The promise, on L2-normalised embeddings.
const TOLERANCE: f32 = 1e-5;

#[derive(Deserialize)]
struct Facts {
    preset: String,
    files: Vec<String>,
}

#[test]
fn corpus_files_embed_as_in_transformers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let facts: Facts =
        serde_json::from_slice(&fs::read(root.join("goldens/embeddings.json")).unwrap()).unwrap();
    assert!(facts.files.len() >= 150);
    let mut bytes = Vec::new();
    let packed = fs::File::open(root.join("goldens/embeddings.f32.zz")).unwrap();
    flate2::read::ZlibDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    let floats: Vec<f32> =
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(floats.len(), facts.files.len() * 512);

    let clip = Golden::vit_b_32().load(None);
    assert_eq!(clip.processor().profile().to_string(), facts.preset);
    let mut worst = (0.0f32, "");
    for (names, goldens) in facts.files.chunks(8).zip(floats.chunks(8 * 512)) {
        let pixels: Vec<_> = names
            .iter()
            .map(|name| {
                clip.processor().process(&fs::read(root.join("corpus").join(name)).unwrap())
            })
            .collect::<Result<_, _>>()
            .unwrap();
        let vectors = clip.embed_pixels(&pixels).unwrap();
        for ((name, vector), golden) in names.iter().zip(vectors).zip(goldens.chunks(512)) {
            let unit = vector.normalized();
            let pairs = unit.values().iter().zip(golden);
            let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference <= TOLERANCE, "{name}: {difference:e}");
            if difference > worst.0 {
                worst = (difference, name);
            }
        }
    }
    println!("{} files, max |Δ| {:.2e} ({})", facts.files.len(), worst.0, worst.1);
}
