//! Which weights the demo runs with.

use std::{
    fs,
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::Result;
use clip_core::synthetic::{self, Dtype};

use crate::process::Cmd;

/// How long the hub may take to accept a connection before the demo goes on without it.
const PATIENCE: Duration = Duration::from_secs(4);

/// What `--model` of the scraper shall be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Model {
    /// As the environment says: EMBEDDINGS_MODEL, else the default.
    Configured,
    /// The small one that is part of the scraper.
    Tiny,
}

impl Model {
    /// The configured model where its weights are here or the hub answers; else the small one.
    pub(crate) fn choose(scraper: &Path) -> Self {
        if let Some(info) = Cmd::new(scraper).args("--quiet model info").probe() {
            println!("Model: {}", info.lines().next().unwrap_or_default());
            return Model::Configured;
        }
        let why = match hub() {
            Ok(()) => match Cmd::new(scraper).args("model pull").run() {
                Ok(()) => return Model::Configured,
                Err(_) => "the download did not succeed (its error is above)".to_owned(),
            },
            Err(why) => why,
        };
        println!(
            "The weights of the configured model are not on this machine, and {why}. The demo \
             continues with the small model that comes with the scraper (`--model tiny`). It was \
             trained on drawn garments like these, and knows little else. `scraper model pull` gets real weights."
        );
        Model::Tiny
    }

    /// Adds `--model`, if one is needed.
    pub(crate) fn flag(self, cmd: Cmd) -> Cmd {
        match self {
            Model::Configured => cmd,
            Model::Tiny => cmd.args("--model tiny"),
        }
    }
}

/// The synthetic ViT-B/32 as `save_pretrained` would lay it out. Written anew each time (a second
/// or two), so that it always is what this version of the code makes.
pub(crate) fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let config = synthetic::vit_b_32();
    fs::write(folder.join("config.json"), config.to_json())?;
    fs::write(folder.join("preprocessor_config.json"), r#"{"size": 224, "crop_size": 224}"#)?;
    let weights = synthetic::safetensors(&config, 1, Dtype::F16)?;
    fs::write(folder.join("model.safetensors"), weights)?;
    Ok(())
}

/// Whether the hub accepts connections, or why not.
fn hub() -> Result<(), String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    if variable("HF_HUB_OFFLINE").is_some_and(|v| v != "0") {
        return Err("HF_HUB_OFFLINE says not to ask the hub".to_owned());
    }
    // Through a proxy only the client itself can tell.
    if ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"].iter().any(|name| variable(name).is_some()) {
        return Ok(());
    }
    let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
    let (host, port) = host(&endpoint);
    let (send, receive) = mpsc::channel();
    let target = format!("{host}:{port}");
    // A name server that does not answer would block for longer than our patience.
    thread::spawn(move || {
        let connected = target.to_socket_addrs().is_ok_and(|mut addresses| {
            addresses.any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
        });
        let _ = send.send(connected); // nobody listens any more after the timeout
    });
    match receive.recv_timeout(PATIENCE) {
        Ok(true) => Ok(()),
        _ => Err(format!("the hub ({endpoint}) does not answer")),
    }
}

/// Host and port of an address such as `https://hub.example:8443/path`.
fn host(endpoint: &str) -> (&str, u16) {
    let (default, rest) = match endpoint.split_once("://") {
        Some(("http", rest)) => (80, rest),
        Some((_, rest)) => (443, rest),
        None => (443, endpoint),
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(default)),
        None => (authority, default),
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn endpoints_are_taken_apart() {
        assert_eq!(host("https://huggingface.co"), ("huggingface.co", 443));
        assert_eq!(host("http://127.0.0.1:9/x/"), ("127.0.0.1", 9));
        assert_eq!(host("http://mirror/hf"), ("mirror", 80));
    }
}
