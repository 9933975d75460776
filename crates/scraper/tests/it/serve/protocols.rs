//! Embeddings: every form of every protocol gives the bits of `scraper embed`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::Serving;
use crate::{
    shop::Shop,
    support::{DIM, png, ran},
};

const TEXT: &str = "a red dress";

/// The vectors that `scraper embed` gives for `00.png` and the text, with these flags.
fn expected(shop: &Shop, flags: &[&str]) -> (Vec<f32>, Vec<f32>) {
    let args = ["embed", "shop/00.png", "--text", TEXT, "--format", "jsonl"];
    let lines = ran(&mut shop.command(&[&args, flags].concat())).expect(0).lines();
    let [image, text] = &lines[..] else { panic!("{lines:?}") };
    (vector(&image["embedding"]), vector(&text["embedding"]))
}

fn vector(json: &Value) -> Vec<f32> {
    let vector: Vec<f32> = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(vector.len(), DIM);
    vector
}

#[test]
fn verify_finds_no_difference_in_any_form() {
    let shop = Shop::new();
    shop.folder(0..5);
    let serving = Serving::start(&shop, &[]);
    let openai = format!("{}/v1/embeddings", serving.url());
    for (url, form) in [
        (serving.url(), "auto"),
        (serving.url(), "raw"),
        (serving.url(), "json"),
        (serving.url(), "image"),
        (serving.url(), "image-text"),
        (openai.clone(), "auto"),
        (openai, "embeddings"),
    ] {
        let args = ["verify", "shop", "--endpoint", &url, "--request", form, "--tolerance", "0"];
        let text = ran(&mut shop.command(&args)).expect(0).text();
        assert!(text.contains("max |difference|  0.000e0"), "{form}: {text}");
        assert!(text.contains("5 images"), "{form}: {text}");
    }
}

#[test]
fn inputs_of_inference_endpoints() {
    let shop = Shop::new();
    shop.folder(0..2);
    let (image, text) = expected(&shop, &[]);
    let raw = expected(&shop, &["--raw"]);
    let serving = Serving::start(&shop, &[]);
    let encoded = BASE64_STANDARD.encode(png(0));
    let one = |body: Value| serving.json("/", &body).send().expect(200).json();

    assert_eq!(vector(&one(json!({"inputs": TEXT}))), text);
    assert_eq!(vector(&one(json!({"inputs": encoded}))), image);
    assert_eq!(vector(&one(json!({"inputs": format!("data:image/png;base64,{encoded}")}))), image);
    let list = one(json!({"inputs": [TEXT, encoded, {"text": TEXT}, {"image": encoded}]}));
    let list: Vec<_> = list.as_array().unwrap().iter().map(vector).collect();
    assert_eq!(list, [&text, &image, &text, &image].map(Clone::clone));
    assert_eq!(one(json!({"inputs": []})), json!([]));
    let pair = one(json!({"inputs": {"image": encoded, "text": TEXT}}));
    assert_eq!(vector(&pair["image_embedding"]), image);
    assert_eq!(vector(&pair["text_embedding"]), text);
    let pair = one(json!({"inputs": {"image": encoded, "text": ""}}));
    assert!(pair.get("text_embedding").is_none() && vector(&pair["image_embedding"]) == image);
    // As projected.
    for body in [
        json!({"inputs": TEXT, "normalize": false}),
        json!({"inputs": TEXT, "parameters": {"normalize": false}}),
    ] {
        assert_eq!(vector(&one(body)), raw.1);
    }
    let post =
        |target: &str, media: &str| serving.post(target, media, png(0)).send().expect(200).json();
    assert_eq!(vector(&post("/?normalize=false", "image/png")), raw.0);
    for media in ["image/png", "image/jpeg", "application/octet-stream"] {
        assert_eq!(vector(&post("/", media)), image, "{media}");
    }
    // As curl says by itself.
    let form = "application/x-www-form-urlencoded";
    let said = serving.post("/", form, json!({"inputs": TEXT}).to_string()).send().expect(200);
    assert_eq!(vector(&said.json()), text);
}

#[test]
fn embeddings_of_openai() {
    let shop = Shop::new();
    shop.folder(0..2);
    let (image, text) = expected(&shop, &[]);
    let serving = Serving::start(&shop, &[]);
    let encoded = BASE64_STANDARD.encode(png(0));
    let uri = format!("data:image/png;base64,{encoded}");
    let ask = |body: &Value| serving.json("/v1/embeddings", body).send().expect(200).json();

    let answer = ask(&json!({"model": "tiny", "input": [TEXT, uri], "user": "x"}));
    assert_eq!(answer["object"], "list");
    assert_eq!(answer["model"], "tiny");
    let items = answer["data"].as_array().unwrap();
    for (index, (item, expected)) in items.iter().zip([&text, &image]).enumerate() {
        assert_eq!(item["object"], "embedding");
        assert_eq!(item["index"], index);
        assert_eq!(vector(&item["embedding"]), *expected);
    }
    // Begin, three words, end.
    assert_eq!(answer["usage"], json!({"prompt_tokens": 5, "total_tokens": 5}));
    for body in [
        json!({"input": encoded, "modality": "image"}),
        json!({"input": uri, "modality": "image", "dimensions": DIM}),
        json!({"input": {"image": encoded}}),
    ] {
        assert_eq!(vector(&ask(&body)["data"][0]["embedding"]), image, "{body}");
    }
    let packed = ask(&json!({"input": TEXT, "encoding_format": "base64"}));
    let bytes = BASE64_STANDARD.decode(packed["data"][0]["embedding"].as_str().unwrap()).unwrap();
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    assert_eq!(values, text);
    let infinity = serving.json("/embeddings", &json!({"input": TEXT})).send().expect(200).json();
    assert_eq!(vector(&infinity["data"][0]["embedding"]), text);
    assert_eq!(serving.get("/v1/models").send().expect(200).json()["data"][0]["id"], "tiny");

    for (body, status, code) in [
        (json!({"input": TEXT, "model": "other"}), 404, "model_not_found"),
        (json!({"input": TEXT, "dimensions": 8}), 400, "request.form"),
        (json!({"input": []}), 400, "request.form"),
        (json!({"input": [[1, 2]]}), 400, "request.form"),
        (json!({"input": ""}), 400, "request.form"),
        (json!({"input": TEXT, "modality": "audio"}), 400, "request.form"),
        (json!({"text": TEXT}), 400, "request.form"),
        (json!({"input": "not base64", "modality": "image"}), 400, "image.base64"),
        (json!({"input": {"image": "AAAA"}}), 415, "image.not_an_image"),
    ] {
        let error = serving.json("/v1/embeddings", &body).send().expect(status).json();
        assert_eq!(error["error"]["code"], code, "{body}: {error}");
        assert!(error["error"]["message"].is_string() && error["error"]["type"].is_string());
    }
}

#[test]
fn many_at_once_get_what_each_gets_alone() {
    let shop = Shop::new();
    shop.folder(0..24);
    let alone = ran(&mut shop.command(&["embed", "shop", "--format", "jsonl"])).expect(0).lines();
    let serving = Serving::start(&shop, &["--batch", "5"]);
    std::thread::scope(|scope| {
        for line in &alone {
            let (serving, shop) = (&serving, &shop);
            scope.spawn(move || {
                let file = shop.path().join(line["input"].as_str().unwrap());
                let file = std::fs::read(file).unwrap();
                let answer = serving.post("/", "image/png", file).send().expect(200).json();
                assert_eq!(vector(&answer), vector(&line["embedding"]));
            });
        }
    });
    let metrics = serving.get("/metrics").send().expect(200).text();
    assert!(metrics.contains("clip_inputs_total{kind=\"image\"} 24"), "{metrics}");
    assert!(metrics.contains("clip_requests_total{route=\"/\",status=\"200\"} 24"), "{metrics}");
    assert!(metrics.contains("clip_batch_inputs_sum 24.0"), "{metrics}");
}
