//! One request over HTTP/1.1, written by hand: also requests that no client library would send.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// A request.
pub(crate) struct Ask {
    address: String,
    head: String,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(address: &str, method: &str, target: &str) -> Self {
        let head =
            format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
        Ask { address: address.to_owned(), head, body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("content-length", &length)
    }

    /// Bytes after the header, whatever it says of them.
    pub(crate) fn raw(mut self, bytes: Vec<u8>) -> Self {
        self.body = bytes;
        self
    }

    /// The status, and the answer if the server gives one.
    pub(crate) fn send(self) -> Answer {
        let mut half = self.begin(usize::MAX);
        half.rest();
        half.answer()
    }

    /// Sends the header and so many bytes of the body.
    pub(crate) fn begin(self, bytes: usize) -> Half {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let (now, later) = self.body.split_at(bytes.min(self.body.len()));
        // The server may refuse before it has read all.
        let _ = stream.write_all(format!("{}\r\n", self.head).as_bytes());
        let _ = stream.write_all(now);
        Half { stream, later: later.to_vec() }
    }
}

/// A request that is under way.
pub(crate) struct Half {
    stream: TcpStream,
    later: Vec<u8>,
}

impl Half {
    pub(crate) fn rest(&mut self) {
        let _ = self.stream.write_all(&std::mem::take(&mut self.later));
    }

    pub(crate) fn answer(mut self) -> Answer {
        let mut all = Vec::new();
        let read = self.stream.read_to_end(&mut all);
        let end = all.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {read:?} {all:?}"));
        let head = String::from_utf8(all[..end].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: all.split_off(end + 4) }
    }
}

impl Answer {
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.text());
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// `kind` of a refusal.
    pub(crate) fn kind(&self) -> String {
        self.json()["kind"].as_str().unwrap().to_owned()
    }
}
