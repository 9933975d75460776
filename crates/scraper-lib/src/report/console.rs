//! The two streams of the program. Whoever reads them may have gone (`scraper … | head`), and a
//! disk behind them may be full: neither ends in a panic, as `println!` does.

use std::{
    fmt::Arguments,
    io::{self, ErrorKind, IsTerminal, Write},
};

use tracing_subscriber::fmt::MakeWriter;

use super::shown;
use crate::Error;

/// Writes a text for people and a line feed to standard output.
///
/// # Errors
/// [`Error::Output`]; of kind [`ErrorKind::BrokenPipe`] where nobody reads any more.
pub fn say_line(text: Arguments<'_>) -> Result<(), Error> {
    print(&format!("{}\n", shown::lines(&text.to_string(), usize::MAX)))
}

/// Writes `text` as it is to standard output.
///
/// # Errors
/// Those of [`say_line`].
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|source| Error::Output { what: "standard output".into(), source })
}

/// Writes a line for people to standard error, if somebody reads it.
pub fn tell_line(text: Arguments<'_>) {
    let text = text.to_string();
    let _ = writeln!(io::stderr().lock(), "{}", shown::lines(&text, 4 * shown::LONG));
}

/// [`say_line`] with a format.
#[macro_export]
macro_rules! say {
    ($($format:tt)*) => { $crate::report::console::say_line(format_args!($($format)*)) };
}

/// [`tell_line`] with a format.
#[macro_export]
macro_rules! tell {
    ($($format:tt)*) => { $crate::report::console::tell_line(format_args!($($format)*)) };
}

pub use crate::{say, tell};

/// A text for people is done without when nobody reads it, or when it cannot be written: what the
/// command did counts. That it could not be written is told.
pub fn done_without(said: Result<(), Error>) {
    match said {
        Err(Error::Output { source, .. }) if source.kind() == ErrorKind::BrokenPipe => {}
        Err(e) => tell!("error: {e}"),
        Ok(()) => {}
    }
}

/// Whether standard error shows colours.
pub fn colours() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !no_color
}

/// Where log messages go: standard error, one write a message, without secrets, and never a
/// failure.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    pub colours: bool,
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = LogWriter;

    fn make_writer(&'a self) -> LogWriter {
        LogWriter { colours: self.colours, text: Vec::new() }
    }
}

#[derive(Debug)]
pub struct LogWriter {
    colours: bool,
    text: Vec<u8>,
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.text).into_owned();
        // Colours are escapes of our own; tracing has escaped those of others.
        let safe = match self.colours {
            true => super::secrets::redact(&text),
            false => shown::lines(&text, 8 * shown::LONG),
        };
        let _ = io::stderr().lock().write_all(safe.as_bytes());
        self.text.clear();
        Ok(())
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            let _ = self.flush();
        }
    }
}
