//! Why a model could not be found, downloaded or loaded, and what to do.

use std::{io, path::PathBuf};

/// Why a model could not be found, downloaded, loaded or packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The text names no model.
    #[error(
        "{0:?} is neither a folder nor a model id: give a folder with config.json and weights, an \
         id such as openai/clip-vit-base-patch32 or org/name@revision, or tiny, the small model \
         that comes with this program"
    )]
    Spec(String),
    /// The folder that was named is not there.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// A model folder lacks a file.
    #[error(
        "{} has no {missing}: a model folder needs config.json and model.safetensors (or \
         pytorch_model.bin)",
        .folder.display()
    )]
    Incomplete {
        /// The model folder.
        folder: PathBuf,
        /// Name of the file.
        missing: &'static str,
    },
    /// Weights in several files.
    #[error(
        "{place} has its weights in several files (model.safetensors.index.json), which is not \
         supported: save them as one model.safetensors"
    )]
    Sharded {
        /// Where: a path, or an address.
        place: String,
    },
    /// Neither `preprocessor_config.json` nor its newer form is there: preprocessing is never guessed.
    #[error(
        "{model} has neither preprocessor_config.json nor a processor_config.json with \
         image_processor: one of them says how images are prepared. {}", complete(*.hub)
    )]
    NoSettings {
        /// Hub id, or name of the folder.
        model: String,
        /// Whether it comes from the hub.
        hub: bool,
    },
    /// No tokenizer is there, and the vocabulary is not of the size of CLIP's own.
    #[error(
        "{model} has no tokenizer.json (nor vocab.json and merges.txt), and its vocabulary of \
         {tokens} tokens may not be CLIP's own. {}", complete(*.hub)
    )]
    NoTokenizer {
        /// Hub id, or name of the folder.
        model: String,
        /// Size of the vocabulary.
        tokens: usize,
        /// Whether it comes from the hub.
        hub: bool,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}{}", .path.display(), no_space(.source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not in the cache, and the hub may not be asked.
    #[error(
        "{repo} is not in the cache {} and HF_HUB_OFFLINE is set: unset it, or \
         download the model where there is a network and copy the cache",
        .cache.display()
    )]
    Offline {
        /// `org/name`.
        repo: String,
        /// The folder of the cache.
        cache: PathBuf,
    },
    /// No connection to the hub.
    #[error(
        "cannot reach the hub at {endpoint}: {reason}. Check the network (proxies: HTTPS_PROXY; \
         a mirror: HF_ENDPOINT), or give a local folder"
    )]
    Unreachable {
        /// The hub's address.
        endpoint: String,
        /// Why, in words.
        reason: String,
    },
    /// The hub has too much to do (429, 5xx), again and again.
    #[error("{url} answered {status}, {attempts} times; try again later{}", limit(*.status, *.token_sent))]
    Busy {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// How often it was tried.
        attempts: u32,
        /// Whether a token was sent with it.
        token_sent: bool,
    },
    /// An answer that the protocol does not provide for.
    #[error("{url} answered {status}, which was not expected{}", says(.said))]
    Status {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// What the server said; empty where nothing.
        said: String,
    },
    /// The repository is there, and not for this token (401, 403).
    #[error("{repo} may not be read: {}{}", access(*.token_sent), says(.said))]
    Access {
        /// `org/name`.
        repo: String,
        /// Whether a token was sent with it.
        token_sent: bool,
        /// What the server said; empty where nothing.
        said: String,
    },
    /// The repository wants its terms accepted first.
    #[error("{repo} is gated: {}{}", gate(.endpoint, .repo, *.token_sent), says(.said))]
    Gated {
        /// `org/name`.
        repo: String,
        /// The hub's address.
        endpoint: String,
        /// Whether a token was sent with it.
        token_sent: bool,
        /// What the server said; empty where nothing.
        said: String,
    },
    /// The hub does not know the token.
    #[error(
        "{endpoint} does not know the token in HF_TOKEN (or in the file that `hf auth login` \
         leaves): make a new one, or unset it for models that need none{}", says(.said)
    )]
    Token {
        /// The hub's address.
        endpoint: String,
        /// What the server said; empty where nothing.
        said: String,
    },
    /// No such repository, or a private one (404 for both).
    #[error("there is no model {repo} on {endpoint} (or it is private, and {})", private(*.token_sent))]
    NoRepo {
        /// `org/name`.
        repo: String,
        /// The hub's address.
        endpoint: String,
        /// Whether a token was sent with it.
        token_sent: bool,
    },
    /// A web page came instead of a file.
    #[error(
        "{url} answered with a web page instead of a file: a captive portal or a proxy may want a \
         login. Open it in a browser, or name the right hub with HF_ENDPOINT"
    )]
    Portal {
        /// The address.
        url: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("{repo} has no revision {revision:?}")]
    NoRevision {
        /// `org/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
    },
    /// The repository has no such file at this revision.
    #[error("{repo} at revision {revision} has no file {file}")]
    NoFile {
        /// `org/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
        /// Its path in the repository.
        file: String,
    },
    /// The repository has no weights that can be read.
    #[error("{repo} has neither model.safetensors nor pytorch_model.bin at revision {revision}")]
    NoWeights {
        /// `org/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
    },
    /// An answer of the hub lacks what it must say.
    #[error("{url} does not speak the hub's protocol: {reason}")]
    Protocol {
        /// The address.
        url: String,
        /// Why, in words.
        reason: String,
    },
    /// The download broke off and could not be resumed; the part at hand is kept.
    #[error(
        "the download of {url} was cut {attempts} times in a row without progress: {reason}. The \
         part at hand is kept: run the command again to resume"
    )]
    Cut {
        /// The address.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// Why, in words.
        reason: String,
    },
    /// A file on this machine is not what it was when it came.
    #[error("{what} is damaged: its {property} is {found}, expected {expected}")]
    Damaged {
        /// The file.
        what: String,
        /// In which they differ: size or digest.
        property: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
        /// Hub id; pulling it downloads the file again.
        model: String,
    },
    /// What was downloaded is not what was announced; nothing of it is kept.
    #[error(
        "{url} is not the expected file: its {property} is {found}, expected {expected}. Nothing \
         of it was kept; a proxy or mirror may be altering it (see HF_ENDPOINT)"
    )]
    Corrupt {
        /// The address.
        url: String,
        /// In which they differ: size or digest.
        property: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// `pytorch_model.bin` is none that can be read.
    #[error("{} is not a PyTorch checkpoint that can be read: {reason}", .path.display())]
    Pytorch {
        /// The file.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// The model has no form for the browser.
    #[error("{model} cannot be packed for the browser: {reason}")]
    Unpackable {
        /// Hub id, or name of the folder.
        model: String,
        /// Why, in words.
        reason: String,
    },
    /// The engine refused the weights, the configuration or the tokenizer.
    #[error("{}: {source}", .path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What it refused.
        source: Box<clip_core::Error>,
    },
    /// The device that was asked for cannot be used.
    #[error(transparent)]
    Device(#[from] super::DeviceError),
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
            ModelError::Device(_) => "device",
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
fn complete(hub: bool) -> &'static str {
    match hub {
        true => "Complete the cache, if the hub has it",
        false => {
            "Copy it from where the model is from, or save it there with \
                  `AutoProcessor.from_pretrained(…).save_pretrained(…)`"
        }
    }
}
