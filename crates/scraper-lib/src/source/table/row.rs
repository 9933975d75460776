//! The fields of one row, with and without quotes.

use std::path::Path;

use super::{super::folder, MAX_COLUMNS};

/// Fields of a line in which a quote means nothing, without the space around them.
pub(super) fn literal(line: &str, delimiter: char) -> Vec<String> {
    let fields = line.split(delimiter).take(MAX_COLUMNS + 1);
    fields.map(|field| field.trim().to_owned()).collect()
}

/// The same, but a field that opens and closes with a quote is what lies between.
pub(super) fn split(line: &str, delimiter: char) -> Vec<String> {
    line.split(delimiter).take(MAX_COLUMNS + 1).map(str::trim).map(unquoted).collect()
}

fn unquoted(field: &str) -> String {
    let inner = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        // `"Red" or "blue"` is no quoted field.
        Some(inner) if !inner.replace("\"\"", "").contains('"') => {
            inner.replace("\"\"", "\"").trim().to_owned()
        }
        _ => field.to_owned(),
    }
}

/// Whether a field looks like the address of an image: it has a scheme, or the ending of an
/// image's file name.
pub(super) fn is_address(field: &str) -> bool {
    let field = field.trim_matches(['"', ' ', '[']);
    let first = field.split(['|', ',']).next().unwrap_or_default();
    let path = first.split(['?', '#']).next().unwrap_or_default();
    first.contains("://") || first.starts_with("//") || folder::is_image(Path::new(path))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but space yet.
    Start,
    Plain,
    /// Within quotes.
    Quoted,
    /// A quote came: the end of the field, or half of a doubled one.
    Closed,
}

/// A row that is read with RFC 4180's quotes, line by line.
#[derive(Debug)]
pub(super) struct Quoted {
    delimiter: char,
    state: State,
    fields: Vec<String>,
    field: String,
    lines: usize,
    /// The field in which a quote opened last.
    opened: Option<usize>,
    /// The quotes of this field held a delimiter or the end of a line.
    holds: bool,
    /// Something followed the end of a quoted field.
    rest: bool,
    /// So it did where the quotes held something that parts fields.
    harmful: bool,
    /// A quote stands in a field that did not open with one.
    bare: bool,
}

impl Quoted {
    pub(super) fn new(delimiter: char) -> Self {
        Quoted {
            delimiter,
            state: State::Start,
            fields: Vec::new(),
            field: String::new(),
            lines: 0,
            opened: None,
            holds: false,
            rest: false,
            harmful: false,
            bare: false,
        }
    }

    /// Reads one more line: the first, or one that the row goes on with.
    pub(super) fn feed(&mut self, line: &str) {
        if self.lines > 0 {
            self.field.push('\n');
            self.holds = true;
        }
        self.lines += 1;
        for c in line.chars() {
            self.next(c);
        }
        if self.state != State::Quoted {
            self.end_field();
        }
    }

    fn next(&mut self, c: char) {
        match self.state {
            State::Quoted if c == '"' => self.state = State::Closed,
            State::Quoted => {
                self.holds |= c == self.delimiter;
                self.field.push(c);
            }
            _ if c == self.delimiter => self.end_field(),
            State::Start if c == '"' => {
                self.field.clear();
                (self.state, self.opened, self.holds) =
                    (State::Quoted, Some(self.fields.len()), false);
            }
            State::Start if c.is_whitespace() => {}
            State::Start => {
                self.field.push(c);
                self.state = State::Plain;
            }
            State::Closed if c == '"' => {
                self.field.push('"');
                self.state = State::Quoted;
            }
            State::Closed | State::Plain => {
                self.bare |= c == '"';
                let rest = self.opened == Some(self.fields.len()) && !c.is_whitespace();
                self.rest |= rest;
                self.harmful |= rest && self.holds;
                self.field.push(c);
                self.state = State::Plain;
            }
        }
    }

    fn end_field(&mut self) {
        if self.fields.len() <= MAX_COLUMNS {
            self.fields.push(self.field.trim().to_owned());
        }
        self.field.clear();
        (self.state, self.holds) = (State::Start, false);
    }

    /// Whether a quote is open after the lines so far.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Quoted
    }

    /// Nothing follows the end of a quoted field but the end of the field.
    pub(super) fn is_sound(&self) -> bool {
        !self.rest
    }

    /// What follows the end of quoted fields can be understood: the quotes held one piece.
    pub(super) fn is_harmless(&self) -> bool {
        !self.harmful
    }

    /// Whether there are quotes within fields that did not open with one.
    pub(super) fn is_bare(&self) -> bool {
        self.bare
    }

    /// The field in which a quote opened last.
    pub(super) fn opened(&self) -> Option<usize> {
        self.opened
    }

    /// The fields that are complete.
    pub(super) fn fields(&self) -> &[String] {
        &self.fields
    }

    pub(super) fn finish(self) -> Vec<String> {
        self.fields
    }
}
