//! Why a model could not be found, downloaded or loaded, and what to do.

use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    #[error(
        "{0:?} is neither a folder nor a model id: give a folder with config.json and weights, an \
         id such as openai/clip-vit-base-patch32 or org/name@revision, or tiny, the small model \
         that comes with this program"
    )]
    Spec(String),
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    #[error(
        "{} has no {missing}: a model folder needs config.json and model.safetensors (or \
         pytorch_model.bin)",
        .folder.display()
    )]
    Incomplete { folder: PathBuf, missing: &'static str },
    #[error(
        "{place} has its weights in several files (model.safetensors.index.json), which is not \
         supported: save them as one model.safetensors"
    )]
    Sharded { place: String },
    #[error(
        "{model} has neither preprocessor_config.json nor a processor_config.json with \
         image_processor: one of them says how pictures are prepared. {}", complete(.model, *.hub)
    )]
    NoSettings { model: String, hub: bool },
    #[error(
        "{model} has no tokenizer.json (nor vocab.json and merges.txt), and its vocabulary of \
         {tokens} tokens may not be CLIP's own. {}", complete(.model, *.hub)
    )]
    NoTokenizer { model: String, tokens: usize, hub: bool },
    #[error("cannot read {}: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}{}", .path.display(), no_space(.source))]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{repo} is not in the cache {} and HF_HUB_OFFLINE is set: unset it, or run \
         `scraper model pull {repo}` where there is a network and copy the cache",
        .cache.display()
    )]
    Offline { repo: String, cache: PathBuf },
    #[error(
        "cannot reach the hub at {endpoint}: {reason}. Check the network (proxies: HTTPS_PROXY; \
         a mirror: HF_ENDPOINT), or give a local folder with --model"
    )]
    Unreachable { endpoint: String, reason: String },
    #[error("{url} answered {status}, {attempts} times; try again later{}", limit(*.status, *.token_sent))]
    Busy { url: String, status: u16, attempts: u32, token_sent: bool },
    #[error("{url} answered {status}, which was not expected{}", says(.said))]
    Status { url: String, status: u16, said: String },
    #[error("{repo} may not be read: {}{}", access(*.token_sent), says(.said))]
    Access { repo: String, token_sent: bool, said: String },
    #[error("{repo} is gated: {}{}", gate(.endpoint, .repo, *.token_sent), says(.said))]
    Gated { repo: String, endpoint: String, token_sent: bool, said: String },
    #[error(
        "{endpoint} does not know the token in HF_TOKEN (or in the file that `hf auth login` \
         leaves): make a new one, or unset it for models that need none{}", says(.said)
    )]
    Token { endpoint: String, said: String },
    #[error("there is no model {repo} on {endpoint} (or it is private, and {})", private(*.token_sent))]
    NoRepo { repo: String, endpoint: String, token_sent: bool },
    #[error(
        "{url} answered with a web page instead of a file: a captive portal or a proxy may want a \
         login. Open it in a browser, or name the right hub with HF_ENDPOINT"
    )]
    Portal { url: String },
    #[error("{repo} has no revision {revision:?}")]
    NoRevision { repo: String, revision: String },
    #[error("{repo} at revision {revision} has no file {file}")]
    NoFile { repo: String, revision: String, file: String },
    #[error("{repo} has neither model.safetensors nor pytorch_model.bin at revision {revision}")]
    NoWeights { repo: String, revision: String },
    #[error("{url} does not speak the hub's protocol: {reason}")]
    Protocol { url: String, reason: String },
    #[error(
        "the download of {url} was cut {attempts} times in a row without progress: {reason}. The \
         part at hand is kept: run the command again to resume"
    )]
    Cut { url: String, attempts: u32, reason: String },
    #[error(
        "{what} is damaged: its {property} is {found}, expected {expected}. \
         `scraper model pull {model}` downloads it again"
    )]
    Damaged { what: String, property: &'static str, found: String, expected: String, model: String },
    #[error(
        "{url} is not the expected file: its {property} is {found}, expected {expected}. Nothing \
         of it was kept; a proxy or mirror may be altering it (see HF_ENDPOINT)"
    )]
    Corrupt { url: String, property: &'static str, found: String, expected: String },
    #[error("{} is not a PyTorch checkpoint that can be read: {reason}", .path.display())]
    Pytorch { path: PathBuf, reason: String },
    #[error("{model} cannot be packed for the browser: {reason}")]
    Unpackable { model: String, reason: String },
    #[error("{}: {source}", .path.display())]
    Load { path: PathBuf, source: Box<clip_core::Error> },
}

impl ModelError {
    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            ModelError::Spec(_) => "model.spec",
            ModelError::NoFolder(_) => "model.no_folder",
            ModelError::Incomplete { .. }
            | ModelError::NoWeights { .. }
            | ModelError::NoSettings { .. }
            | ModelError::NoTokenizer { .. } => "model.incomplete",
            ModelError::Sharded { .. } => "model.sharded",
            ModelError::Read { .. } => "model.read",
            ModelError::Write { .. } => "model.write",
            ModelError::Offline { .. } => "model.offline",
            ModelError::Unreachable { .. } | ModelError::Portal { .. } => "model.unreachable",
            ModelError::Busy { .. } | ModelError::Status { .. } => "model.status",
            ModelError::Access { .. } | ModelError::Gated { .. } | ModelError::Token { .. } => {
                "model.access"
            }
            ModelError::NoRepo { .. }
            | ModelError::NoRevision { .. }
            | ModelError::NoFile { .. } => "model.not_found",
            ModelError::Protocol { .. } => "model.protocol",
            ModelError::Cut { .. } => "model.cut",
            ModelError::Damaged { .. } | ModelError::Corrupt { .. } => "model.damaged",
            ModelError::Pytorch { .. } => "model.pytorch",
            ModelError::Unpackable { .. } => "model.unpackable",
            ModelError::Load { source, .. } => source.kind(),
        }
    }
}

fn no_space(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". Free some space, or point HF_HOME to a larger disk; the part at hand is kept"
        }
        _ => "",
    }
}

fn access(token_sent: bool) -> &'static str {
    if token_sent {
        "the token in HF_TOKEN does not open it; use one with read access"
    } else {
        "set HF_TOKEN to a token with read access (https://huggingface.co/settings/tokens)"
    }
}

fn gate(endpoint: &str, repo: &str, token_sent: bool) -> String {
    let terms = format!("accept its terms at {endpoint}/{repo}");
    match token_sent {
        true => format!("{terms} with the account of the token in HF_TOKEN"),
        false => format!("{terms}, then set HF_TOKEN to a token of that account"),
    }
}

fn private(token_sent: bool) -> &'static str {
    if token_sent { "the token in HF_TOKEN does not open it" } else { "HF_TOKEN is not set" }
}

fn limit(status: u16, token_sent: bool) -> &'static str {
    if status == 429 && !token_sent { ", or set HF_TOKEN, which raises the limit" } else { "" }
}

/// What the server says about it.
fn says(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" ({said:?})") }
}

/// Where the missing file is to be had.
fn complete(model: &str, hub: bool) -> String {
    match hub {
        true => format!(
            "`scraper model pull {model}` downloads what the cache lacks, if the hub has it"
        ),
        false => "Copy it from where the model is from, or save it there with \
                  `AutoProcessor.from_pretrained(…).save_pretrained(…)`"
            .into(),
    }
}
