//! `scraper embed`, with good files and bad ones.

use std::{fs, io::Write, path::Path, process::Stdio};

use crate::{
    server::{Reply, Server},
    support::{DIM, finished, png, ran, scraper, tiny_model},
};

/// `name` and the kind of error it must give.
fn bad_files(folder: &Path) -> Vec<(&'static str, &'static str)> {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("text.jpg", b"<html><body>404 not found</body></html>");
    write("empty.jpg", b"");
    let whole = png(1);
    write("cut.png", &whole[..whole.len() / 2]);
    write("vector.svg", br#"<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>"#);
    let mut bomb = Vec::new();
    drop(png::Encoder::new(&mut bomb, 30_000, 30_000).write_header().unwrap());
    write("bomb.png", &bomb);
    vec![
        ("text.jpg", "image.not_an_image"),
        ("empty.jpg", "image.empty"),
        ("cut.png", "image.truncated"),
        ("vector.svg", "image.unsupported"),
        ("bomb.png", "image.too_large"),
        ("missing.png", "file.missing"),
    ]
}

fn animated_gif() -> Vec<u8> {
    let mut bytes = Vec::new();
    let palette = [255, 0, 0, 0, 0, 255];
    let mut encoder = gif::Encoder::new(&mut bytes, 40, 40, &palette).unwrap();
    for color in [0, 1] {
        encoder
            .write_frame(&gif::Frame::from_indexed_pixels(40, 40, vec![color; 1600], None))
            .unwrap();
    }
    drop(encoder);
    bytes
}

#[test]
fn bad_files_are_named_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    let bad = bad_files(dir.path());
    fs::write(dir.path().join("good.png"), png(2)).unwrap();
    fs::write(dir.path().join("moving.gif"), animated_gif()).unwrap();

    let mut command = scraper(dir.path());
    command.args(["embed", "--format", "jsonl", "--model"]).arg(&model);
    command.arg("good.png").args(bad.iter().map(|(name, _)| name)).arg("moving.gif");
    let lines = ran(&mut command).expect(2).lines();

    assert_eq!(lines.len(), bad.len() + 2);
    for good in [&lines[0], &lines[lines.len() - 1]] {
        assert_eq!(good["dim"], DIM, "{good}");
        assert_eq!(good["embedding"].as_array().unwrap().len(), DIM);
    }
    for ((name, kind), line) in bad.iter().zip(&lines[1..]) {
        assert_eq!(line["input"], *name);
        assert_eq!(line["error"]["kind"], *kind, "{line}");
        assert!(line["error"]["message"].as_str().unwrap().len() > 10);
        assert!(line.get("embedding").is_none());
    }
}

#[test]
fn a_folder_is_read_in_order_and_the_vector_is_of_unit_length() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    let shop = dir.path().join("shop");
    fs::create_dir_all(shop.join("b/.hidden")).unwrap();
    for (name, seed) in [("c.png", 3), ("a.PNG", 1), ("b/z.png", 2), ("b/.hidden/x.png", 9)] {
        fs::write(shop.join(name), png(seed)).unwrap();
    }
    fs::write(shop.join("readme.txt"), "not an image").unwrap();
    let embed = |extra: &[&str]| {
        let mut command = scraper(dir.path());
        command.args(["embed", "shop", "--format", "jsonl", "--model"]).arg(&model).args(extra);
        ran(&mut command).expect(0).lines()
    };
    let lines = embed(&[]);
    let inputs: Vec<_> = lines.iter().map(|line| line["input"].as_str().unwrap()).collect();
    assert_eq!(inputs, ["shop/a.PNG", "shop/b/z.png", "shop/c.png"]);
    let values = |line: &serde_json::Value| -> Vec<f32> {
        serde_json::from_value(line["embedding"].clone()).unwrap()
    };
    for line in &lines {
        let norm: f32 = values(line).iter().map(|v| v * v).sum();
        assert!((norm - 1.0).abs() < 1e-5, "{norm}");
        assert_eq!(line["normalized"], true);
        assert_eq!(line["kind"], "image");
        assert_eq!(line["provenance"]["model"], "tiny");
    }
    assert_ne!(values(&lines[0]), values(&lines[1]));
    let raw = embed(&["--raw", "--threads", "1"]);
    assert_eq!(raw[0]["normalized"], false);
    let norm: f32 = values(&raw[0]).iter().map(|v| v * v).sum::<f32>().sqrt();
    for (raw, unit) in values(&raw[0]).iter().zip(values(&lines[0])) {
        assert!((raw / norm - unit).abs() < 1e-5);
    }
}

#[test]
fn standard_input_an_address_and_a_text_agree_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    fs::write(dir.path().join("a.png"), png(5)).unwrap();
    let server = Server::start(|_| Reply::ok(png(5)));

    let mut command = scraper(dir.path());
    command.args(["embed", "a.png", "-", "--text", "red dress", "--format", "json", "--model"]);
    command.arg(&model).arg(format!("{}/a.png", server.url));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&png(5)).unwrap();
    let ran = finished(child.wait_with_output().unwrap()).expect(0);
    let array: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let array = array.as_array().unwrap();
    assert_eq!(array.len(), 4);
    assert_eq!(array[0]["embedding"], array[1]["embedding"]);
    assert_eq!(array[0]["embedding"], array[2]["embedding"]);
    assert_eq!(array[3]["kind"], "text");
    assert_ne!(array[0]["embedding"], array[3]["embedding"]);
}

#[test]
fn people_see_dimension_values_and_timing() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    fs::write(dir.path().join("a.png"), png(5)).unwrap();
    let mut command = scraper(dir.path());
    command.args(["embed", "a.png", "gone.png", "--trace"]).env("EMBEDDINGS_MODEL", &model);
    let ran = ran(&mut command).expect(2);
    let text = ran.text();
    assert!(text.contains("16 dimensions (normalised): "), "{text}");
    assert!(text.contains(" ms") && text.contains("pixel_values"), "{text}");
    assert!(ran.stderr.contains("cannot read gone.png"), "{}", ran.stderr);
}

#[test]
fn numpy_gets_the_rows_that_could_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    fs::write(dir.path().join("a.png"), png(5)).unwrap();
    fs::write(dir.path().join("b.jpg"), "no").unwrap();
    let mut command = scraper(dir.path());
    command.args(["embed", "a.png", "b.jpg", "a.png", "--format", "npy", "--output", "v.npy"]);
    let ran = ran(command.arg("--model").arg(&model)).expect(2);
    assert!(ran.stderr.contains("b.jpg"), "{}", ran.stderr);
    let bytes = fs::read(dir.path().join("v.npy")).unwrap();
    assert_eq!(bytes.len(), 128 + 2 * DIM * 4);
    assert!(String::from_utf8_lossy(&bytes[..128]).contains("'shape': (2, 16)"));
    let (first, second) = bytes[128..].split_at(DIM * 4);
    assert_eq!(first, second);
    assert!(first.iter().any(|&b| b != 0));
}

#[test]
fn without_weights_it_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.png"), png(5)).unwrap();
    let embed = |model: &str| ran(scraper(dir.path()).args(["embed", "a.png", "--model", model]));
    let offline = embed("openai/clip-vit-base-patch32").expect(1).stderr;
    assert!(offline.contains("HF_HUB_OFFLINE") && offline.contains("model pull"), "{offline}");
    let folder = embed("./nowhere").expect(1).stderr;
    assert!(folder.contains("there is no folder ./nowhere"), "{folder}");
    let nonsense = embed("clip").expect(1).stderr;
    assert!(nonsense.contains("neither a folder nor a model id"), "{nonsense}");
}

#[tokio::test]
async fn the_library_call_gives_a_result_and_never_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let model = scraper_lib::model::ModelFiles::in_folder(&tiny_model(dir.path())).unwrap();
    let options = scraper_lib::model::LoadOptions::new(clip_core::Towers::Vision);
    let model = scraper_lib::model::load(&model, &options).unwrap();
    let embedder = scraper_lib::embed::Embedder::new(model).unwrap();
    let path = dir.path().join("a.png");
    fs::write(&path, png(5)).unwrap();
    let location = |text: &Path| scraper_lib::source::Location::File(text.to_owned());
    let embedded = embedder.embed_location(&location(&path)).await.unwrap();
    assert_eq!(embedded.embedding.values().len(), DIM);
    assert!(embedded.embedding.values().iter().any(|&v| v != 0.0));
    fs::write(&path, "broken").unwrap();
    let error = embedder.embed_location(&location(&path)).await.unwrap_err();
    assert_eq!(error.kind(), "image.not_an_image");
}
