//! A folder with a tiny model, in which the program runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    server::{Request, Server},
    support::{png, ran, scraper, tiny_model},
};

/// The servers of the tests are on this machine.
pub(crate) const SETTINGS: &str = "[fetch]\nallow_private = true\nrate = 0.0\n";

pub(crate) struct Shop {
    dir: tempfile::TempDir,
    pub(crate) model: PathBuf,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let model = tiny_model(dir.path());
        fs::write(dir.path().join("scraper.toml"), SETTINGS).unwrap();
        Shop { dir, model }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = scraper(self.path());
        command.args(args).arg("--model").arg(&self.model);
        command
    }

    /// Runs `source` into `s.db` and gives the summary.
    pub(crate) fn run(&self, source: &str, code: i32) -> Value {
        self.run_into(source, "s.db", code)
    }

    /// The same into another store.
    pub(crate) fn run_into(&self, source: &str, store: &str, code: i32) -> Value {
        let args = ["run", source, "--store", store, "--summary-json", "summary.json"];
        ran(&mut self.command(&args)).expect(code);
        serde_json::from_slice(&fs::read(self.path().join("summary.json")).unwrap()).unwrap()
    }

    /// Images `00.png` … below `shop`.
    pub(crate) fn folder(&self, seeds: std::ops::Range<u32>) {
        for i in seeds {
            self.write(&format!("shop/{i:02}.png"), png(i));
        }
    }

    pub(crate) fn export(&self, store: &str) -> String {
        ran(scraper(self.path()).args(["export", "--store", store])).expect(0).text()
    }
}

/// `n` products whose images the server has under `/N.png`.
pub(crate) fn feed(server: &Server, n: u32) -> String {
    (0..n)
        .map(|i| {
            format!(
                "{{\"id\":\"p{i:03}\",\"title\":\"T{i}\",\"image\":\"{}/{i}.png\"}}\n",
                server.url
            )
        })
        .collect()
}

pub(crate) fn number(request: &Request) -> u32 {
    request.path.trim_start_matches('/').trim_end_matches(".png").parse().unwrap()
}
