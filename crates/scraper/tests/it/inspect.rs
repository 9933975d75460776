//! `scraper inspect`.

use std::{fs, io::BufReader};

use serde_json::Value;

use crate::support::{png, ran, scraper, tiny_model};

#[test]
fn the_saved_crop_is_what_the_digest_says() {
    use sha2::{Digest, Sha256};
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    fs::write(dir.path().join("a.png"), png(4)).unwrap();
    let mut command = scraper(dir.path());
    command.args(["inspect", "a.png", "--save", "crop.png", "--format", "json", "--model"]);
    let report: Value = serde_json::from_slice(&ran(command.arg(model)).expect(0).stdout).unwrap();
    assert_eq!((&report["format"], &report["mode"]), (&"PNG".into(), &"RGB".into()));
    assert_eq!((&report["width"], &report["height"]), (&48.into(), &40.into()));
    assert_eq!(report["profile"], "hf-endpoint");
    let stages = report["stages"].as_array().unwrap();
    let names: Vec<_> = stages.iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["decoded", "resized", "cropped", "pixel_values"]);

    let file = BufReader::new(fs::File::open(dir.path().join("crop.png")).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (32, 32));
    let sha256: String = Sha256::digest(&pixels).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(stages[2]["sha256"], sha256.as_str());
}

#[test]
fn it_needs_no_model_and_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.png"), png(4)).unwrap();
    fs::write(dir.path().join("b.jpg"), "<html>").unwrap();
    let text = ran(scraper(dir.path()).args(["inspect", "a.png"])).expect(0).text();
    assert!(text.contains("a.png: PNG, 48x40, RGB") && text.contains("224x224"), "{text}");
    let error = ran(scraper(dir.path()).args(["inspect", "b.jpg"])).expect(1).stderr;
    assert!(error.contains("not an image"), "{error}");
}
