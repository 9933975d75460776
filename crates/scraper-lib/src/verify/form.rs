//! How an image is sent to an endpoint.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

/// The forms: variant, name on the command line and in settings, and what it is; those behind `Auto`
/// in the order in which it tries them.
macro_rules! forms {
    ($($form:ident $name:literal $about:literal,)*) => {
        /// How an image is sent.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum RequestForm {
            $(#[doc = $about] $form,)*
        }

        impl RequestForm {
            /// All of them.
            pub const ALL: &[RequestForm] = &[$(RequestForm::$form),*];

            /// Its name on the command line and in settings.
            pub fn name(self) -> &'static str {
                match self { $(RequestForm::$form => $name),* }
            }

            /// What it is, in a line.
            pub fn about(self) -> &'static str {
                match self { $(RequestForm::$form => $about),* }
            }
        }
    };
}

forms! {
    Auto "auto" "The first of the others that the endpoint does not refuse",
    Raw "raw" "The bytes of the file as the body",
    Json "json" r#"`{"inputs": "<base64>"}`"#,
    Image "image"
        r#"`{"inputs": {"image": "<base64>"}}`, as many handlers of Inference Endpoints want it"#,
    ImageText "image-text"
        r#"`{"inputs": {"image": "<base64>", "text": ""}}`, for those that want both"#,
    Embeddings "embeddings" r#"`{"model": …, "input": ["data:image/jpeg;base64,…"], "modality": "image"}`, what Infinity's `/embeddings` takes"#,
}

impl RequestForm {
    /// What `Auto` tries, in this order.
    pub(super) fn tried() -> Vec<RequestForm> {
        Self::ALL.iter().copied().filter(|form| *form != RequestForm::Auto).collect()
    }

    /// The body of a request, and its media type.
    pub(super) fn body(self, image: &[u8], model: &str) -> (&'static str, Vec<u8>) {
        let base64 = || BASE64_STANDARD.encode(image);
        let json = match self {
            RequestForm::Raw | RequestForm::Auto => return (media_type(image), image.to_vec()),
            RequestForm::Json => json!({ "inputs": base64() }),
            RequestForm::Image => json!({ "inputs": { "image": base64() } }),
            RequestForm::ImageText => json!({ "inputs": { "image": base64(), "text": "" } }),
            RequestForm::Embeddings => {
                let uri = format!("data:{};base64,{}", media_type(image), base64());
                json!({ "model": model, "input": [uri], "modality": "image" })
            }
        };
        ("application/json", json.to_string().into_bytes())
    }
}

/// Endpoints choose the decoder by it.
fn media_type(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => "application/octet-stream",
    }
}
