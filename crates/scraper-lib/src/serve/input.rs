//! Texts and images as protocols write them.

use axum::{body::Bytes, http::StatusCode};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use clip_core::{Embedding, image::Format};
use reqwest::Url;
use serde_json::Value;

use super::{Service, refusal::Refusal};
use crate::{
    Error,
    fetch::{Fetched, Location},
};

/// Bytes of a text. The model reads 77 tokens.
const TEXT: usize = 64 << 10;
/// A base64 of fewer characters is no image, whatever it begins with.
const SHORTEST: usize = 44;
/// A word of so many characters is no text.
const LONGEST_WORD: usize = 512;

/// Padding is often left out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is to be embedded.
#[derive(Debug, PartialEq)]
pub(super) enum Input {
    Text(String),
    /// An image file.
    Image(Bytes),
    /// Where an image file is.
    Address(Url),
}

/// What a string means that says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// An image if it is one in base64, or an address; else a text.
    Either,
    /// A text, unless it is a data URI.
    Text,
    /// An image: base64, data URI, or address.
    Image,
}

impl Input {
    /// A string, or an object with `text` or `image`.
    pub(super) fn of(value: &Value, plain: Plain) -> Result<Self, Refusal> {
        match value {
            Value::String(text) => Input::of_string(text, plain),
            Value::Object(fields) => {
                match (fields.get("image"), fields.get("text"), fields.len()) {
                    (Some(Value::String(image)), None, 1) => Input::image(image),
                    (None, Some(Value::String(text)), 1) => Input::text(text),
                    _ => Err(Refusal::bad(
                        "an input that is an object holds either `image` or `text`",
                    )),
                }
            }
            _ => Err(Refusal::bad(
                "an input is a string, or an object with `image` or `text`; token ids are not taken",
            )),
        }
    }

    fn of_string(text: &str, plain: Plain) -> Result<Self, Refusal> {
        if text.starts_with("data:") {
            return Input::image(text);
        }
        match plain {
            Plain::Image => Input::image(text),
            Plain::Text => Input::text(text),
            Plain::Either => match guessed(text) {
                Some(image) => Ok(Input::Image(image)),
                None if address(text).is_some() => Input::image(text),
                None => Input::text(text),
            },
        }
    }

    /// Words.
    pub(super) fn text(text: &str) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Refusal::bad("an input is empty"));
        }
        if text.len() > TEXT {
            let message = format!("a text is larger than {} KiB", TEXT >> 10);
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "text.too_large", message));
        }
        Ok(Input::Text(text.to_owned()))
    }

    /// Base64, a data URI (RFC 2397), or an address.
    pub(super) fn image(text: &str) -> Result<Self, Refusal> {
        if let Some(url) = address(text) {
            return Ok(Input::Address(url));
        }
        let no = |what: &str| Refusal::new(StatusCode::BAD_REQUEST, "image.base64", what);
        let encoded = match text.strip_prefix("data:") {
            None => text,
            Some(rest) => match rest.split_once(',') {
                Some((media, data)) if media.trim_end().ends_with(";base64") => data,
                _ => return Err(no("a data URI must have the form data:image/jpeg;base64,…")),
            },
        };
        match decode(encoded) {
            Some(bytes) => Ok(Input::Image(bytes)),
            None => Err(no("an image is not valid base64")),
        }
    }
}

fn address(text: &str) -> Option<Url> {
    let known = text.starts_with("http://") || text.starts_with("https://");
    if !known || text.contains(char::is_whitespace) { None } else { Url::parse(text).ok() }
}

/// With line breaks, as many encoders put them in.
fn decode(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let broken = text.contains(['\r', '\n']);
    let decoded = match broken {
        true => BASE64.decode(text.replace(['\r', '\n'], "")),
        false => BASE64.decode(text),
    };
    decoded.ok().map(Bytes::from)
}

/// The image file in a string that may as well be a text. What is base64 and too long for a word is
/// taken for a file of an unknown kind, which the decoder names: better than the vector of its letters.
fn guessed(text: &str) -> Option<Bytes> {
    if text.len() < SHORTEST || text.trim().contains(' ') {
        return None;
    }
    let bytes = decode(text)?;
    (Format::of(&bytes).is_some() || text.len() > LONGEST_WORD).then_some(bytes)
}

impl Service {
    /// The vector of one input.
    pub(super) async fn embed(&self, input: &Input) -> Result<Embedding, Refusal> {
        match input {
            Input::Text(text) => {
                self.metrics.input("text");
                self.engine.text(text).await
            }
            Input::Image(bytes) => {
                self.metrics.input("image");
                self.engine.image(bytes.clone()).await
            }
            Input::Address(url) => {
                let Some(fetcher) = &self.options.fetcher else {
                    let message = "this server fetches no images: send their bytes, in base64";
                    return Err(Refusal::new(StatusCode::FORBIDDEN, "image.address", message));
                };
                self.metrics.input("address");
                let fetched = fetcher.fetch(&Location::Url(url.clone())).await;
                // The slot bounds how many files are in memory.
                let Fetched { bytes, slot: _slot, .. } = fetched.map_err(Error::from)?;
                self.engine.image(bytes.into()).await
            }
        }
    }

    /// The vectors of all inputs of a request, in their order; the first refusal is that of all.
    pub(super) async fn embed_all(
        self: &std::sync::Arc<Self>,
        inputs: Vec<Input>,
    ) -> Result<Vec<Embedding>, Refusal> {
        let (count, most) = (inputs.len(), self.options.inputs);
        if count > most {
            let message = format!("{count} inputs, the most this server takes at once is {most}");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request.inputs", message));
        }
        // Ends with the request, if that is given up.
        let mut tasks = tokio::task::JoinSet::new();
        for (place, input) in inputs.into_iter().enumerate() {
            let service = self.clone();
            tasks.spawn(async move { (place, service.embed(&input).await) });
        }
        let mut found: Vec<Option<Embedding>> = vec![None; count];
        while let Some(done) = tasks.join_next().await {
            let (place, embedding) = done.map_err(|e| Refusal::internal("internal", &e))?;
            if let Some(slot) = found.get_mut(place) {
                *slot = Some(embedding?);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use serde_json::json;

    use super::*;

    fn png() -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.resize(60, 7);
        bytes
    }

    #[test]
    fn strings_are_images_where_they_can_be_nothing_else() {
        let image = Input::Image(Bytes::from(png()));
        let encoded = BASE64_STANDARD.encode(png());
        let of = |text: &str, plain| Input::of(&json!(text), plain);
        for text in [
            encoded.clone(),
            encoded.trim_end_matches('=').to_owned(),
            format!("{}\n{}\n", &encoded[..40], &encoded[40..]),
            format!("data:image/png;base64,{encoded}"),
        ] {
            assert_eq!(of(&text, Plain::Either).unwrap(), image, "{text}");
            assert_eq!(of(&text, Plain::Image).unwrap(), image, "{text}");
        }
        assert_eq!(of(&format!("data:;base64,{encoded}"), Plain::Text).unwrap(), image);
        assert!(matches!(of(&encoded, Plain::Text).unwrap(), Input::Text(_)));
        // Base64 of something else, too long for a word.
        let other = BASE64_STANDARD.encode([1; 600]);
        assert!(matches!(of(&other, Plain::Either).unwrap(), Input::Image(_)));
        for text in ["red dress", "dress", "Qk1Q", "BM", "iVBORw0KGgo", "a/b", "https://a b"] {
            assert_eq!(of(text, Plain::Either).unwrap(), Input::Text(text.into()), "{text}");
        }
        let url = "https://shop.example/a.jpg";
        assert_eq!(of(url, Plain::Either).unwrap(), Input::Address(url.parse().unwrap()));
        assert_eq!(of(url, Plain::Text).unwrap(), Input::Text(url.into()));
    }

    #[test]
    fn what_is_neither_is_refused() {
        for (value, plain) in [
            (json!(""), Plain::Either),
            (json!("file:///etc/passwd"), Plain::Image),
            (json!("data:image/png,abc"), Plain::Either),
            (json!({"image": "a", "text": "b"}), Plain::Either),
            (json!({}), Plain::Either),
            (json!([1, 2]), Plain::Text),
            (json!(null), Plain::Text),
        ] {
            let refusal = Input::of(&value, plain).unwrap_err();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{value}");
        }
        let long = json!("a ".repeat(40_000));
        let refusal = Input::of(&long, Plain::Either).unwrap_err();
        assert_eq!(refusal.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
