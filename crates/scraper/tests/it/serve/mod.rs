//! `scraper serve` as its clients see it.

mod client;
mod clients;
mod limits;
mod lives;
mod products;
mod protocols;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use crate::shop::Shop;
use client::Ask;

/// The program in the middle of serving; killed when dropped.
pub(crate) struct Serving {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
}

impl Serving {
    /// `scraper serve` in the folder of `shop`, on a free port.
    pub(crate) fn start(shop: &Shop, args: &[&str]) -> Self {
        let listen: &[&str] = &["serve", "--listen", "127.0.0.1:0"];
        Self::spawn(shop.command(&[listen, args].concat()))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some((_, address)) = line.trim_end().split_once("http://") else {
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("it does not serve: {line}{errors}");
        };
        Serving { address: address.to_owned(), child }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn get(&self, target: &str) -> Ask {
        Ask::new(&self.address, "GET", target)
    }

    pub(crate) fn post(&self, target: &str, media: &str, body: impl Into<Vec<u8>>) -> Ask {
        Ask::new(&self.address, "POST", target).header("content-type", media).body(body)
    }

    pub(crate) fn json(&self, target: &str, body: &serde_json::Value) -> Ask {
        self.post(target, "application/json", body.to_string())
    }

    /// Until so many requests besides the one that asks are under way.
    pub(crate) fn in_progress(&self, requests: usize) {
        let line = format!("clip_requests_in_progress {}", requests + 1);
        while !self.get("/metrics").send().expect(200).text().contains(&line) {
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
