//! `scraper verify` against stand-ins for an Inference Endpoint.

use std::{
    collections::HashMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use clip_core::synthetic::{self, Dtype};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    server::{Reply, Request, Server},
    shop::Shop,
    support::{Ran, png, ran, scraper},
};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests");

/// Files of the corpus, in several formats, one with EXIF orientation.
const FILES: [&str; 6] = [
    "jpeg/photo-420-q75.jpg",
    "jpeg/photo-444-q95.jpg",
    "jpeg/exif-6.jpg",
    "jpeg/cmyk.jpg",
    "gif/plain.gif",
    "bmp/rgb24.bmp",
];

/// The vectors that `transformers` computed for the corpus, by the SHA-256 of the file.
fn goldens() -> HashMap<[u8; 32], Vec<f32>> {
    let read = |name: &str| fs::read(Path::new(TESTS).join("goldens").join(name)).unwrap();
    let facts: Value = serde_json::from_slice(&read("embeddings.json")).unwrap();
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(&read("embeddings.f32.zz")[..]).read_to_end(&mut bytes).unwrap();
    let names = facts["files"].as_array().unwrap();
    let vectors = bytes.chunks_exact(4 * 512);
    names
        .iter()
        .zip(vectors)
        .filter(|(name, _)| FILES.contains(&name.as_str().unwrap()))
        .map(|(name, vector)| {
            let file = fs::read(Path::new(TESTS).join("corpus").join(name.as_str().unwrap()));
            let values = vector.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
            (Sha256::digest(file.unwrap()).into(), values)
        })
        .collect()
}

/// The checkpoint that the goldens were made with.
fn vit_b_32() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("synthetic-vit-b-32");
        fs::create_dir_all(&folder).unwrap();
        let config = synthetic::vit_b_32();
        fs::write(folder.join("config.json"), config.to_json()).unwrap();
        let preprocessor = r#"{"size": 224, "crop_size": 224}"#;
        fs::write(folder.join("preprocessor_config.json"), preprocessor).unwrap();
        let weights = folder.join("model.safetensors");
        let bytes = synthetic::safetensors(&config, 1, Dtype::F16).unwrap();
        // Not twice while another process may read it.
        if fs::metadata(&weights).map_or(0, |meta| meta.len()) != bytes.len() as u64 {
            fs::write(&weights, bytes).unwrap();
        }
        folder
    })
}

/// Answers with the goldens, changed by `change` (which gets the number of the image).
fn endpoint(change: impl Fn(usize, &mut Vec<f32>) + Send + Sync + 'static) -> Server {
    let goldens = goldens();
    assert_eq!(goldens.len(), FILES.len());
    Server::start(move |request| {
        assert_eq!(request.method, "POST");
        let Some(values) = goldens.get(&*Sha256::digest(&request.body)) else {
            return Reply::status(400);
        };
        let mut values = values.clone();
        let media = request.header("content-type").unwrap();
        assert!(["image/jpeg", "image/gif", "image/bmp"].contains(&media), "{media}");
        let cmyk = fs::read(Path::new(TESTS).join("corpus/jpeg/cmyk.jpg")).unwrap();
        change(usize::from(request.body == cmyk), &mut values);
        Reply::ok(json!([values]).to_string())
    })
}

fn corpus() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("images")).unwrap();
    for name in FILES {
        let to = dir.path().join("images").join(Path::new(name).file_name().unwrap());
        fs::copy(Path::new(TESTS).join("corpus").join(name), to).unwrap();
    }
    dir
}

fn verify(dir: &Path, model: &Path, args: &[&str]) -> Ran {
    let mut command = scraper(dir);
    ran(command.arg("verify").args(args).arg("--model").arg(model))
}

#[test]
fn an_endpoint_of_transformers_passes_and_a_drifted_one_fails() {
    let dir = corpus();
    let good = endpoint(|_, _| {});
    let args = ["images", "--endpoint", &good.url];
    let text = verify(dir.path(), vit_b_32(), &args).expect(0).text();
    assert!(text.contains("6 images compared"), "{text}");
    assert!(text.contains("unit length"), "{text}");
    assert!(text.contains("hf-endpoint fits best"), "{text}");

    let drifted = endpoint(|which, values| values[100] += 0.0002 + 0.005 * which as f32);
    let args = ["images", "--endpoint", &drifted.url, "--format", "json"];
    let report = verify(dir.path(), vit_b_32(), &args).expect(3).stdout;
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["own"]["worst"], "cmyk.jpg", "{report}");
    let delta = report["own"]["max_delta"].as_f64().unwrap();
    assert!((0.0051..0.0053).contains(&delta), "{delta}");
    let loose = ["images", "--endpoint", &drifted.url, "--tolerance", "0.01"];
    verify(dir.path(), vit_b_32(), &loose).expect(0);

    let short = endpoint(|_, values| values.truncate(384));
    let failed = verify(dir.path(), vit_b_32(), &["images", "--endpoint", &short.url]).expect(1);
    assert!(failed.stderr.contains("returned 384 values, this model has 512"), "{}", failed.stderr);
}

/// A tiny model's own vectors, as an endpoint with `profile` would give them.
fn tiny(shop: &Shop, profile: &str) -> HashMap<[u8; 32], Vec<f32>> {
    let args = ["embed", "shop", "--raw", "--format", "jsonl", "--profile", profile];
    let lines = ran(&mut shop.command(&args)).expect(0).lines();
    lines
        .iter()
        .map(|line| {
            let file = fs::read(shop.path().join(line["input"].as_str().unwrap())).unwrap();
            let values = serde_json::from_value(line["embedding"].clone()).unwrap();
            (Sha256::digest(file).into(), values)
        })
        .collect()
}

fn inputs(request: &Request) -> Option<Vec<u8>> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    BASE64_STANDARD.decode(body["inputs"].as_str()?).ok()
}

#[test]
fn json_requests_raw_vectors_a_cold_start_and_a_token() {
    let shop = Shop::new();
    shop.folder(0..5);
    let vectors = tiny(&shop, "hf-endpoint");
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        match asked.fetch_add(1, Ordering::SeqCst) {
            0 => return Reply::ok(r#"{"estimated_time": 0.2}"#).code(503),
            1 => {
                assert_eq!(request.header("x-wait-for-model"), Some("true"));
                return Reply::status(429).header("retry-after", "0");
            }
            _ => {}
        }
        if request.header("authorization") != Some("Bearer hf_secret") {
            return Reply::status(401);
        }
        match inputs(request) {
            Some(bytes) => {
                let values = &vectors[&<[u8; 32]>::from(Sha256::digest(bytes))];
                Reply::ok(json!({ "embeddings": [values] }).to_string())
            }
            None => Reply::ok(r#"{"error": "send JSON"}"#).code(415),
        }
    });
    let args = ["verify", "shop", "--endpoint", &server.url, "--token-env", "MY_TOKEN"];
    let text = ran(shop.command(&args).env("MY_TOKEN", "hf_secret")).expect(0).text();
    assert!(text.contains("raw (not normalised)") && text.contains("5 images"), "{text}");
    assert!(text.contains("max |difference|  0.000e0"), "{text}");
    let refused = ran(shop.command(&args).env("MY_TOKEN", "other")).expect(1).stderr;
    assert!(refused.contains("401") && refused.contains("--token-env"), "{refused}");
    let unset = ran(&mut shop.command(&args)).expect(1).stderr;
    assert!(unset.contains("MY_TOKEN holds no token"), "{unset}");
}

#[test]
fn silence_endless_cold_starts_and_nonsense_are_named() {
    let shop = Shop::new();
    shop.folder(0..2);
    let fails = |server: Server, extra: &[&str]| {
        let mut command = shop.command(&["verify", "shop", "--endpoint", &server.url]);
        ran(command.args(extra)).expect(1).stderr
    };
    let silent = Server::start(|_| Reply::ok("[1]").delay(Duration::from_secs(5)));
    let text = fails(silent, &["--timeout", "1"]);
    assert!(
        text.contains("did not answer within 1 s") && text.contains("hint: --timeout"),
        "{text}"
    );
    let endless = Server::start(|_| Reply::ok(vec![b'['; 40 << 20]));
    let text = fails(endless, &[]);
    assert!(text.contains("larger than 16 MiB"), "{text}");
    let cold = Server::start(|_| Reply::status(503));
    let text = fails(cold, &["--endpoint-wait", "1"]);
    assert!(text.contains("still not ready") && text.contains("503"), "{text}");
    let starts = Server::start(|_| Reply::ok(r#"{"error": "Endpoint is initializing"}"#).code(400));
    let text = fails(starts, &["--endpoint-wait", "1"]);
    assert!(text.contains("still not ready") && text.contains("400"), "{text}");
    let other = Server::start(|_| Reply::ok(r#"{"error": "send tea"}"#).code(422));
    let text = fails(other, &[]);
    assert!(text.contains("to raw, json, image, image-text, embeddings 422 (send tea)"), "{text}");
    let page = Server::start(|_| Reply::ok("<html>"));
    assert!(fails(page, &[]).contains("it is a web page (HTML)"));
    let overflow = Server::start(|_| Reply::ok("[NaN, NaN]"));
    assert!(fails(overflow, &[]).contains("it holds NaN or Infinity"));
    let hidden = Server::start(|_| Reply::ok(json!([vec![vec![0.5; 16]; 50]]).to_string()));
    assert!(fails(hidden, &[]).contains("50 rows of 16 values: hidden states"));
    let broken = Server::start(|_| Reply::ok(r#"{"error": "CUDA oom"}"#).code(500));
    assert!(fails(broken, &[]).contains("CUDA oom"));
}

/// The image in a request, if it has the form that this server wants.
fn image_in(request: &Request, path: &str) -> Option<Vec<u8>> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    let text = body.pointer(path)?.as_str()?;
    BASE64_STANDARD.decode(text.rsplit(',').next()?).ok()
}

#[test]
fn the_form_that_an_endpoint_takes_is_found() {
    let shop = Shop::new();
    shop.folder(0..3);
    let vectors = tiny(&shop, "hf-endpoint");
    type Wrap = fn(&Vec<f32>) -> Value;
    let forms: [(&str, &str, &str, u16, Wrap); 4] = [
        ("json", "", "/inputs", 500, |v| json!({ "vectors": [v], "model": "x" })),
        ("image", "", "/inputs/image", 400, |v| json!({ "feature_vector": v, "dim": v.len() })),
        (
            "embeddings",
            "/embeddings",
            "/input/0",
            422,
            |v| json!({ "object": "list", "data": [{ "embedding": v, "index": 0 }] }),
        ),
        ("embeddings", "/v1", "/input/0", 415, |v| json!({ "data": [{ "embedding": v }] })),
    ];
    for (form, path, place, refusal, wrap) in forms {
        let vectors = vectors.clone();
        let server = Server::start(move |request| match image_in(request, place) {
            Some(bytes) => {
                Reply::ok(wrap(&vectors[&<[u8; 32]>::from(Sha256::digest(bytes))]).to_string())
            }
            None => Reply::ok(r#"{"error": "unexpected"}"#).code(refusal),
        });
        let url = format!("{}{path}", server.url);
        let done = ran(&mut shop.command(&["verify", "shop", "--endpoint", &url])).expect(0);
        assert!(done.text().contains("3 images compared"), "{}", done.text());
        assert!(done.stderr.contains(&format!("--request {form}")), "{}", done.stderr);
        let asked = server.requests().len();
        let wrong = asked - 3;
        assert!(wrong <= 4, "{form}: found once, and kept to; {asked} requests");
        let args = ["verify", "shop", "--endpoint", &url, "--request", form];
        ran(&mut shop.command(&args)).expect(0);
        assert_eq!(server.requests().len(), asked + 3);
    }
}

#[test]
fn half_precision_is_named_and_judged_by_its_cosine() {
    let shop = Shop::new();
    shop.folder(0..3);
    let vectors = tiny(&shop, "hf-endpoint");
    let serve = |change: fn(f32) -> f32| {
        let vectors = vectors.clone();
        Server::start(move |request| {
            let values = &vectors[&<[u8; 32]>::from(Sha256::digest(&request.body))];
            let values: Vec<f32> = values.iter().map(|&value| change(value)).collect();
            Reply::ok(json!(values).to_string())
        })
    };
    let verify = |server: &Server, code| {
        let args = ["verify", "shop", "--endpoint", &server.url, "--tolerance", "1e-4"];
        ran(&mut shop.command(&args)).expect(code).text()
    };
    // bfloat16, towards zero: every value is off by up to 2^-8 of itself.
    let text = verify(&serve(|x| f32::from_bits(x.to_bits() & 0xffff_0000)), 0);
    assert!(text.contains("half precision (bf16)") && !text.contains("other weights"), "{text}");
    let text = verify(&serve(|x| f32::from_bits((-x + 0.5).to_bits() & 0xffff_0000)), 3);
    assert!(text.contains("half precision (bf16)"), "{text}");
}

#[test]
fn recordings_are_compared_and_the_preprocessing_that_fits_is_found() {
    let shop = Shop::new();
    shop.folder(0..8);
    let args = ["run", "shop", "--store", "s.db", "--profile", "transformers5"];
    ran(&mut shop.command(&args)).expect(0);
    for (format, file) in [("jsonl", "shop/golden.jsonl"), ("npy", "shop/golden.npy")] {
        let args = ["export", "--store", "s.db", "--format", format, "--output", file];
        ran(scraper(shop.path()).args(args)).expect(0);
        let verify = |profile: &str| {
            let args = ["verify", "--golden", file, "--profile", profile, "--tolerance", "1e-6"];
            ran(&mut shop.command(&args))
        };
        let same = verify("transformers5").expect(0).text();
        assert!(same.contains("8 images compared"), "{same}");
        let other = verify("hf-endpoint").expect(3).text();
        assert!(other.contains("--profile transformers5"), "{other}");
    }
    shop.write("shop/03.png", png(99));
    let args = ["verify", "--golden", "shop/golden.jsonl", "--profile", "transformers5"];
    let text = ran(&mut shop.command(&args)).expect(0).text();
    assert!(text.contains("03.png: its bytes have changed since"), "{text}");
    shop.write("g.jsonl", "{\"image\": \"x\"}\n");
    let error = ran(&mut shop.command(&["verify", "--golden", "g.jsonl"])).expect(1).stderr;
    assert!(error.contains("line 1") && error.contains("embedding"), "{error}");
}

#[test]
fn a_run_ends_with_the_gate() {
    let shop = Shop::new();
    shop.folder(0..6);
    let gate = |profile: &str, code| {
        let vectors = tiny(&shop, profile);
        let server = Server::start(move |request| {
            let values = &vectors[&<[u8; 32]>::from(Sha256::digest(&request.body))];
            Reply::ok(json!(values).to_string())
        });
        let args = ["run", "shop", "--store", "s.db", "--tolerance", "1e-5"];
        ran(shop.command(&args).args(["--verify-endpoint", &server.url])).expect(code).text()
    };
    let vectors = tiny(&shop, "transformers5");
    let server = Server::start(move |request| {
        let values = &vectors[&<[u8; 32]>::from(Sha256::digest(&request.body))];
        Reply::ok(json!(values).to_string())
    });
    let settings = format!(
        "[verify_before_publish]\nendpoint = {:?}\nsample = 4\ntolerance = 1e-5\n",
        server.url
    );
    shop.write("gate.toml", settings);
    let args = ["run", "shop", "--store", "s.db", "--config", "gate.toml"];
    assert!(ran(&mut shop.command(&args)).expect(3).text().contains("4 images compared"));
    assert!(gate("hf-endpoint", 0).contains("6 images compared"));
    assert!(gate("transformers5", 3).contains("Do not publish"));
}
