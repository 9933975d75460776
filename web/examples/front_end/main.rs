//! A front end in Rust: loads the text tower of a packed model, and shows the digest of the vector of
//! what is typed. Plain `web-sys`; in Leptos, Yew or Dioxus the two async functions are the same.
//!
//! The page's `?model=` is the address of a folder made by `scraper model pack`. Esc gives the download
//! up. On a real page this runs in a worker: embedding takes some milliseconds in which nothing else does.

use clip_web::{Loader, Model, Precision, Towers, sha256};
use js_sys::{Reflect, Uint8Array};
use serde_json::Value;
use wasm_bindgen::{JsCast, JsError, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    AbortController, AbortSignal, Document, HtmlInputElement, HtmlProgressElement, KeyboardEvent,
    ReadableStreamDefaultReader, RequestInit, Response, UrlSearchParams, Window, window,
};

fn main() {
    spawn_local(async {
        let page = Page::open();
        if let Err(error) = page.run().await {
            page.show("status", &format!("{error:?}"));
        }
    });
}

/// The page's elements by their ids.
struct Page {
    window: Window,
    document: Document,
}

impl Page {
    fn open() -> Page {
        let window = window().expect("a page has a window");
        let document = window.document().expect("a page has a document");
        Page { window, document }
    }

    fn element<T: JsCast>(&self, id: &str) -> T {
        self.document.get_element_by_id(id).expect(id).dyn_into().unwrap_or_else(|_| panic!("{id}"))
    }

    fn show(&self, id: &str, text: &str) {
        self.element::<web_sys::Element>(id).set_text_content(Some(text));
    }

    async fn run(&self) -> Result<(), JsValue> {
        let search = self.window.location().search()?;
        let folder = UrlSearchParams::new_with_str(&search)?.get("model").unwrap_or_default();
        let given_up = AbortController::new()?;
        let signal = given_up.signal();
        let on_key = Closure::<dyn Fn(KeyboardEvent)>::new(move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                given_up.abort();
            }
        });
        self.document.set_onkeydown(Some(on_key.as_ref().unchecked_ref()));
        let progress: HtmlProgressElement = self.element("progress");
        let model = load(&folder, &signal, |part| progress.set_value(part)).await?;
        self.document.set_onkeydown(None);

        let text: HtmlInputElement = self.element("text");
        let (input, page) = (text.clone(), Page::open());
        let on_input = Closure::<dyn Fn()>::new(move || match digest(&model, &input.value()) {
            Ok(digest) => page.show("digest", &digest),
            Err(error) => page.show("status", &error.to_string()),
        });
        text.set_oninput(Some(on_input.as_ref().unchecked_ref()));
        // The page keeps it.
        on_input.forget();
        text.set_disabled(false);
        self.show("status", "ready");
        Ok(())
    }
}

/// SHA-256 over the little-endian bytes of a text's raw vector, as `scraper embed --trace` writes it.
fn digest(model: &Model, text: &str) -> Result<String, clip_web::Failure> {
    let vectors = model.embed_texts(&model.tokenize(vec![text.to_owned()]))?;
    let (raw, _unit) = vectors.split_at(vectors.len() / 2);
    Ok(sha256(&raw.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()))
}

/// Loads the text tower; `progress` is told which part of it has come.
async fn load(
    folder: &str,
    signal: &AbortSignal,
    progress: impl Fn(f64),
) -> Result<Model, JsValue> {
    let manifest = fetch(&format!("{folder}manifest.json"), signal, |_| ()).await?;
    let manifest: Value = serde_json::from_slice(&manifest).map_err(JsError::from)?;
    let [text, tokens] = ["text", "tokens"].map(|name| &manifest["parts"][name]);
    let number = |part: &Value, name: &str| part[name].as_u64().unwrap_or_default() as usize;
    let total = number(text, "size") + number(tokens, "size");

    let weights = manifest["weights"].as_str().unwrap_or_default().to_owned();
    let config = manifest["config"].to_string();
    let mut loader = Loader::new(&config, weights, Towers::Text, Precision::Exact)?;
    loader.token_blocks(number(tokens, "rows"));
    let mut come = 0;
    let part = |part: &Value| format!("{folder}{}", part["file"].as_str().unwrap_or_default());
    let count = |come: usize| progress(come as f64 / total as f64);
    let file = fetch(&part(text), signal, count).await?;
    for (_, chunk) in chunks(text, &file)? {
        loader.push(chunk)?;
    }
    come += file.len();
    let mut model = loader.finish()?;
    let file = fetch(&part(tokens), signal, |more| count(come + more)).await?;
    for (index, chunk) in chunks(tokens, &file)? {
        model.add_block(index, number(tokens, "bits") as u32, chunk)?;
    }
    Ok(model)
}

/// The chunks of a file of a packed model, checked against the digests of its manifest.
fn chunks<'a>(part: &Value, file: &'a [u8]) -> Result<Vec<(usize, &'a [u8])>, JsError> {
    let start = part["start"].as_u64().unwrap_or_default() as usize;
    let size = part["chunk"].as_u64().unwrap_or_default().max(1) as usize;
    let chunks: Vec<_> = file.get(start..).unwrap_or_default().chunks(size).enumerate().collect();
    let sound = |(index, chunk): &(usize, &[u8])| part["sha256"][index] == sha256(chunk);
    match chunks.iter().all(sound) {
        true => Ok(chunks),
        false => Err(JsError::new("a file of the model is not what its manifest promises")),
    }
}

/// A file, as it arrives; `progress` is told its bytes so far.
async fn fetch(
    url: &str,
    signal: &AbortSignal,
    progress: impl Fn(usize),
) -> Result<Vec<u8>, JsValue> {
    let init = RequestInit::new();
    init.set_signal(Some(signal));
    let window = window().ok_or_else(|| JsError::new("not in a page"))?;
    let answer = JsFuture::from(window.fetch_with_str_and_init(url, &init)).await?;
    let response: Response = answer.dyn_into()?;
    if !response.ok() {
        return Err(JsError::new(&format!("{url}: status {}", response.status())).into());
    }
    let mut bytes = Vec::new();
    let Some(body) = response.body() else { return Ok(bytes) };
    let reader: ReadableStreamDefaultReader = body.get_reader().dyn_into()?;
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        if Reflect::get(&piece, &"done".into())?.is_truthy() {
            return Ok(bytes);
        }
        let piece: Uint8Array = Reflect::get(&piece, &"value".into())?.dyn_into()?;
        bytes.extend(piece.to_vec());
        progress(bytes.len());
    }
}
