//! What is refused, and how.

use serde_json::{Value, json};

use super::{Serving, client::Ask};
use crate::{
    server::{Reply, Server},
    shop::Shop,
    support::{png, ran},
};

#[test]
fn what_is_too_large_or_no_question_is_refused_by_name() {
    let shop = Shop::new();
    let args = ["--max-body", "1", "--max-inputs", "3", "--max-pixels", "0"];
    let serving = Serving::start(&shop, &args);
    let large = serving.post("/", "image/png", vec![0; (1 << 20) + 1]).send().expect(413);
    assert_eq!(large.kind(), "request.too_large");
    // Of unknown size: chunks until it is too much.
    let chunk = [b"10000\r\n".as_slice(), &[7; 0x10000], b"\r\n"].concat();
    let chunked = Ask::new(&serving.address, "POST", "/").header("transfer-encoding", "chunked");
    let chunked = chunked.header("content-type", "image/png").raw(chunk.repeat(20));
    assert_eq!(chunked.send().expect(413).kind(), "request.too_large");
    assert_eq!(serving.post("/", "image/png", png(1)).send().expect(413).kind(), "image.too_large");
    for (target, body, status, kind) in [
        ("/", json!({"inputs": ["a", "b", "c", "d"]}), 413, "request.inputs"),
        ("/", json!({"inputs": "a ".repeat(40_000)}), 413, "text.too_large"),
        ("/", json!({"inputs": "x".repeat(600)}), 415, "image.not_an_image"),
        ("/", json!({"input": "a"}), 400, "request.form"),
        ("/", json!({"inputs": {"image": "%%%"}}), 400, "image.base64"),
        ("/", json!({"inputs": {"image": "https://shop.example/a.png"}}), 403, "image.address"),
        ("/", json!({"inputs": "https://shop.example/a.png"}), 403, "image.address"),
        ("/nothing", json!({}), 404, "route"),
        ("/metrics", json!({}), 405, "method"),
        ("/search", json!({"text": "a"}), 404, "store.none"),
        ("/?normalize=perhaps", json!({"inputs": "a"}), 400, "request.form"),
    ] {
        let refused = serving.json(target, &body).send().expect(status);
        assert_eq!(refused.kind(), kind, "{target} {body}");
        assert!(refused.json()["error"].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(serving.json("/", &json!({"inputs": ["a", "b", "c"]})).send().status, 200);
}

#[test]
fn what_others_wrote_is_never_answered_raw() {
    let shop = Shop::new();
    let serving = Serving::start(&shop, &[]);
    let evil = "\u{1b}[2J\u{202e}https://user:secret@host.example/";
    let answers = [
        serving.json("/v1/embeddings", &json!({"input": "a", "model": evil})).send().expect(404),
        serving.post("/?normalize=%1b%5b2J", "image/png", png(1)).send().expect(400),
        serving.post("/", "application/json", "{\"inputs\": \u{1b}[2J}").send().expect(400),
    ];
    for answer in answers {
        assert!(!answer.text().contains(['\u{1b}', '\u{202e}']), "{}", answer.text());
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
    assert_eq!(
        serving.post("/", "image/png", &png(1)[..150]).send().expect(422).kind(),
        "image.truncated"
    );
}

#[test]
fn only_those_with_a_token_may_ask() {
    let shop = Shop::new();
    shop.write("tokens", "first-token\nsecond-token\n");
    let serving = Serving::start(&shop, &["--token-file", "tokens", "--cors", "*"]);
    let ask = || serving.json("/", &json!({"inputs": "a"}));
    for token in ["Bearer first-token", "Bearer second-token"] {
        ask().header("authorization", token).send().expect(200);
    }
    for token in ["Bearer first-toke", "Bearer", "Basic first-token", ""] {
        let refused = ask().header("authorization", token).send().expect(401);
        assert_eq!(refused.header("www-authenticate"), Some("bearer"));
        assert_eq!(refused.kind(), "token");
        // So that a page can tell it from a server that is not there.
        let refused = ask().header("origin", "https://shop.example").send().expect(401);
        assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    }
    for closed in ["/", "/metrics", "/openapi.json", "/search?text=a", "/similar/1", "/v1/models"] {
        serving.get(closed).send().expect(401);
    }
    let openai = serving.json("/v1/embeddings", &json!({"input": "a"})).send().expect(401).json();
    assert_eq!(openai["error"]["type"], "authentication_error");
    for open in ["/healthz", "/health", "/readyz"] {
        serving.get(open).send().expect(200);
    }
    // `verify` sends what it has.
    shop.folder(0..2);
    let url = serving.url();
    let args = ["verify", "shop", "--endpoint", &url, "--token-env", "MINE"];
    ran(shop.command(&args).env("MINE", "second-token")).expect(0);
    ran(shop.command(&args).env("MINE", "third")).expect(1);

    let mut of_env = shop.command(&["serve", "--listen", "127.0.0.1:0", "--token-env", "MINE"]);
    let serving = Serving::spawn({
        of_env.env("MINE", "third");
        of_env
    });
    serving.get("/").header("authorization", "Bearer third").send().expect(200);
    serving.get("/").send().expect(401);
    for (args, told) in [
        (["--token-env", "UNSET"], "the variable UNSET: there is no token in it"),
        (["--token-file", "nowhere"], "nowhere"),
        (["--cors", "https://shop.example/"], "without a path"),
        (["--listen", &serving.address], "--listen takes another address"),
    ] {
        let said = ran(&mut shop.command(&[&["serve"], &args[..]].concat())).expect(1).stderr;
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn pages_of_other_origins_need_leave() {
    let shop = Shop::new();
    let serving = Serving::start(&shop, &["--cors", "https://shop.example"]);
    let preflight = |origin: &str| {
        Ask::new(&serving.address, "OPTIONS", "/")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
            .send()
    };
    let allowed = preflight("https://shop.example").expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://shop.example"));
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("post"));
    assert!(allowed.header("access-control-allow-headers").unwrap().contains("content-type"));
    assert_eq!(preflight("https://evil.example").header("access-control-allow-origin"), None);
    let asked = serving.json("/", &json!({"inputs": "a"})).header("origin", "https://shop.example");
    let asked = asked.send().expect(200);
    assert_eq!(asked.header("access-control-allow-origin"), Some("https://shop.example"));
    let closed = Serving::start(&shop, &[]);
    let asked = closed.get("/").header("origin", "https://shop.example").send().expect(200);
    assert_eq!(asked.header("access-control-allow-origin"), None);
}

#[test]
fn a_full_queue_answers_503_and_a_slow_request_ends() {
    let shop = Shop::new();
    let serving = Serving::start(&shop, &["--queue", "1", "--timeout", "3"]);
    let ask = || serving.post("/", "image/png", png(1));
    // Holds the only place.
    let mut slow = ask().begin(10);
    serving.in_progress(1);
    assert_eq!(ask().send().expect(503).header("retry-after"), Some("1"));
    let openai = serving.json("/v1/embeddings", &json!({"input": "a"})).send().expect(503).json();
    assert_eq!(openai["error"]["code"], "server.full");
    // Those who watch are never refused.
    for open in ["/healthz", "/readyz", "/metrics"] {
        serving.get(open).send().expect(200);
    }
    slow.rest();
    slow.answer().expect(200);
    ask().send().expect(200);
    let stuck = ask().begin(10);
    assert_eq!(stuck.answer().expect(504).kind(), "request.timeout");
    ask().send().expect(200);
    // Bytes of all requests are bounded as well.
    let args = ["--max-body", "1", "--max-bodies", "1"];
    let serving = Serving::start(&shop, &args);
    let _held = serving.post("/", "image/png", vec![0; 1 << 20]).begin(10);
    serving.in_progress(1);
    let refused = serving.post("/", "image/png", png(1)).send().expect(503);
    assert_eq!(refused.kind(), "server.full");
}

#[test]
fn images_are_fetched_only_if_switched_on_and_only_from_where_the_guard_allows() {
    let shop = Shop::new();
    let images = Server::start(|request| match &*request.path {
        "/1.png" => Reply::ok(png(1)),
        _ => Reply::status(404),
    });
    let bytes =
        |serving: &Serving| serving.post("/", "image/png", png(1)).send().expect(200).json();
    let ask = |serving: &Serving, name: &str| {
        serving.json("/", &json!({"inputs": {"image": format!("{}/{name}", images.url)}})).send()
    };
    // The settings of this shop allow private addresses.
    let open = Serving::start(&shop, &["--fetch-urls"]);
    assert_eq!(ask(&open, "1.png").expect(200).json()["image_embedding"], bytes(&open));
    assert_eq!(ask(&open, "2.png").expect(422).kind(), "fetch.status");
    let openai = json!({"input": [format!("{}/1.png", images.url)], "modality": "image"});
    let openai = open.json("/v1/embeddings", &openai).send().expect(200).json();
    assert_eq!(openai["data"][0]["embedding"], bytes(&open));
    std::fs::write(shop.path().join("scraper.toml"), "").unwrap();
    let guarded = Serving::start(&shop, &["--fetch-urls"]);
    assert_eq!(ask(&guarded, "1.png").expect(403).kind(), "fetch.private");
    let metadata = json!({"inputs": "http://169.254.169.254/latest/meta-data/"});
    assert_eq!(guarded.json("/", &metadata).send().expect(403).kind(), "fetch.private");
    let file = json!({"inputs": {"image": "file:///etc/passwd"}});
    assert_eq!(guarded.json("/", &file).send().expect(400).kind(), "image.base64");
}

#[test]
fn the_passwords_of_our_sources_are_not_for_whoever_asks() {
    let shop = Shop::new();
    let images = Server::start(|request| match request.header("authorization") {
        None => Reply::ok(png(1)),
        Some(_) => Reply::status(500),
    });
    let source = images.url.replace("http://", "http://user:secret@");
    let settings = format!(
        "{}[[source]]\nname = \"s\"\nkind = \"list\"\nurl = \"{source}/list.txt\"\n",
        crate::shop::SETTINGS
    );
    shop.write("scraper.toml", settings);
    let serving = Serving::start(&shop, &["--fetch-urls"]);
    let url = format!("{}/1.png", images.url);
    let _: Value = serving.json("/", &json!({"inputs": url})).send().expect(200).json();
}
