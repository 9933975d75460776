//! Clients that others wrote: those of the documentation, and the description read by its reader.

use std::{fs, process::Command};

use super::Serving;
use crate::{
    python,
    shop::Shop,
    support::{png, ran},
};

const README: &str = include_str!("../../../README.md");

/// A store whose first product is that of the documentation.
fn shop() -> Shop {
    let shop = Shop::new();
    shop.write("photo.jpg", png(1));
    let product = |id: &str, image: u32| {
        shop.write(&format!("{id}.png"), png(image));
        format!(
            "{{\"id\":\"{id}\",\"title\":\"Red dress\",\"price\":20,\"availability\":\"in_stock\",\"image\":\"{id}.png\"}}\n"
        )
    };
    let feed = product("DS-00001", 1) + &product("DS-00002", 2);
    shop.write("feed.jsonl", feed);
    shop.run("feed.jsonl", 0);
    shop
}

/// The lines of the README's section that begin so.
fn lines(begin: &str) -> Vec<&'static str> {
    let (_, section) = README.split_once("\n## A server\n").unwrap();
    section.lines().filter(|line| line.starts_with(begin)).collect()
}

#[test]
fn the_lines_of_the_documentation_run() {
    let shop = shop();
    let serving = Serving::start(&shop, &["--store", "s.db"]);
    let lines = lines("curl ");
    assert!(lines.len() >= 10, "{lines:?}");
    for line in lines {
        let line = line.replace("127.0.0.1:8080", &serving.address);
        let line = line.replacen("curl", "curl --silent --show-error --fail-with-body", 1);
        let mut shell = Command::new("sh");
        let said = ran(shell.current_dir(shop.path()).args(["-c", &line])).expect(0).text();
        assert!(said.len() > 20, "{line}: {said}");
        if line.contains("/similar/") || line.contains("/search") {
            assert!(said.contains("DS-0000"), "{line}: {said}");
        }
    }
}

#[test]
fn clients_of_hugging_face_and_openai() {
    let shop = shop();
    shop.write("tokens", "my-token");
    let serving = Serving::start(&shop, &["--store", "s.db", "--token-file", "tokens"]);
    let args = ["embed", "photo.jpg", "--text", "a red dress", "--format", "jsonl"];
    let expected = ran(&mut shop.command(&args)).expect(0).lines();
    let expected = serde_json::to_string(&expected).unwrap();
    shop.write("expected.json", expected);
    // The README's own lines, and what it says of them.
    let readme =
        lines("InferenceClient(")[0].replace("127.0.0.1:8080\"", "ADDRESS\", token=\"my-token\"");
    let openai = lines("client = OpenAI")[0]
        .replace("127.0.0.1:8080", "ADDRESS")
        .replace("\"none\"", "\"my-token\"");
    let create = lines("client.embeddings.create")[0];
    let program = format!(
        r#"
import base64, json, math
import numpy as np
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from openai import OpenAI, AuthenticationError, NotFoundError, BadRequestError

image, text = [np.array(line["embedding"], dtype="float32") for line in json.load(open("expected.json"))]
photo = open("photo.jpg", "rb").read()
encoded = base64.b64encode(photo).decode()
same = lambda got, expected: np.array_equal(np.asarray(got, dtype="float32").ravel(), expected)

assert same({readme}, text)
hub = InferenceClient(model="http://ADDRESS", token="my-token")
assert same(hub.feature_extraction(encoded), image)
raw = hub.feature_extraction("a red dress", normalize=False)
assert not same(raw, text) and np.allclose(raw / np.linalg.norm(raw), text, atol=1e-6)
try:
    InferenceClient(model="http://ADDRESS", token="other").feature_extraction("x")
    raise SystemExit("a wrong token was taken")
except HfHubHTTPError as e:
    assert e.response.status_code == 401, e

{openai}
answer = {create}
assert same(answer.data[0].embedding, text) and answer.usage.prompt_tokens == 5
# The client asks for base64 unless told otherwise.
name = client.models.list().data[0].id
uri = "data:image/jpeg;base64," + encoded
for form in ["float", "base64"]:
    answer = client.embeddings.create(model=name, input=["a red dress", uri], encoding_format=form)
    vectors = [item.embedding for item in answer.data]
    if form == "base64":
        vectors = [np.frombuffer(base64.b64decode(v), dtype="<f4") if isinstance(v, str) else v for v in vectors]
    assert same(vectors[0], text) and same(vectors[1], image), form
answer = client.embeddings.create(model=name, input=encoded, extra_body={{"modality": "image"}})
assert same(answer.data[0].embedding, image)
for error, call in [
    (AuthenticationError, lambda: OpenAI(base_url="http://ADDRESS/v1", api_key="x").embeddings.create(model=name, input="x")),
    (NotFoundError, lambda: client.embeddings.create(model="other", input="x")),
    (BadRequestError, lambda: client.embeddings.create(model=name, input="x", dimensions=3)),
]:
    try:
        call()
        raise SystemExit("no error: " + error.__name__)
    except error as e:
        assert e.code and e.body["message"], e.body
print("done")
"#
    );
    let program = program.replace("ADDRESS", &serving.address);
    assert_eq!(python::run_in("serve", shop.path(), &program).trim(), "done");
}

#[test]
fn the_description_is_one_of_openapi_and_the_answers_are_as_described() {
    let shop = shop();
    let serving = Serving::start(&shop, &["--store", "s.db"]);
    let document = serving.get("/openapi.json").send().expect(200);
    fs::write(shop.path().join("openapi.json"), &document.body).unwrap();
    assert_eq!(document.json()["info"]["version"], env!("CARGO_PKG_VERSION"));
    let answers = serde_json::json!([
        ["Found", serving.get("/search?text=dress").send().expect(200).json()],
        ["Found", serving.get("/similar/DS-00001").send().expect(200).json()],
        [
            "Embeddings",
            serving.json("/v1/embeddings", &serde_json::json!({"input": "a"})).send().json()
        ],
        ["Pair", serving.json("/", &serde_json::json!({"inputs": {"text": "a"}})).send().json()],
        ["Error", serving.get("/nowhere").send().expect(404).json()],
        [
            "OpenAIError",
            serving.json("/v1/embeddings", &serde_json::json!({})).send().expect(400).json()
        ],
    ]);
    fs::write(shop.path().join("answers.json"), answers.to_string()).unwrap();
    let program = "
import json
from openapi_spec_validator import validate
from jsonschema import Draft202012Validator
document = json.load(open('openapi.json'))
validate(document)
for name, answer in json.load(open('answers.json')):
    schema = {'$ref': '#/components/schemas/' + name, 'components': document['components']}
    Draft202012Validator(schema).validate(answer)
print(document['openapi'])
";
    assert_eq!(python::run_in("serve", shop.path(), program).trim(), "3.1.0");
}
