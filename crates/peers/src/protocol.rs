//! One process per peer, driven line by line, so that all peers can take turns in one run.
//!
//! A peer prints `ready MS` once loaded (to its first embedding), then answers each request
//! `image BATCH` or `text TOKENS` with the milliseconds it took, and `memory` with its peak
//! resident kilobytes.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

/// A peer that takes requests.
#[derive(Debug)]
pub struct Peer {
    /// As in the table.
    pub name: String,
    /// Milliseconds from the start of loading to the first embedding.
    pub load_ms: f64,
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `command` and waits until it is loaded.
    ///
    /// # Errors
    /// It does not start, or ends before it is ready.
    pub fn start(name: &str, command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        let stdout = BufReader::new(stdout);
        let mut peer = Peer { name: name.into(), load_ms: 0.0, child, stdin, stdout };
        let line = peer.read()?;
        peer.load_ms = number(line.strip_prefix("ready ").unwrap_or("not ready"))?;
        Ok(peer)
    }

    /// Sends a request and reads the number it is answered with.
    ///
    /// # Errors
    /// The peer ended, or answered something else.
    pub fn ask(&mut self, request: &str) -> io::Result<f64> {
        writeln!(self.stdin, "{request}")?;
        let line = self.read()?;
        number(&line)
    }

    fn read(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err(io::Error::other(format!("{} ended", self.name)));
        }
        Ok(line.trim().to_string())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(text: &str) -> io::Result<f64> {
    text.parse().map_err(|_| io::Error::other(format!("expected a number, got {text:?}")))
}

/// Serves requests on stdin until it closes. `run` does the work of one request; loading began at
/// `started`.
///
/// # Errors
/// A request that is not understood, or fails.
pub fn serve(
    started: Instant,
    mut run: impl FnMut(&str, usize) -> Result<(), String>,
) -> Result<(), String> {
    run("image", 1)?;
    println!("ready {}", milliseconds(started));
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|e| e.to_string())?;
        match line.split_once(' ') {
            Some((kind, count)) => {
                let count = count.parse().map_err(|_| format!("bad request {line:?}"))?;
                let start = Instant::now();
                run(kind, count)?;
                println!("{}", milliseconds(start));
            }
            None => println!("{}", peak_memory()),
        }
    }
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Peak resident kilobytes of this process, 0 where the system does not tell.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
