//! Rows of CSV (RFC 4180) and of tab-separated files, as people write them.
//!
//! A quote that nobody closes costs its own row and no other: CSV reads on at the next line, and
//! in a tab-separated file a quote is a quote, unless a field both opens and closes with one.

mod row;

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

use encoding_rs::WINDOWS_1252;

use super::lines::{Ends, Line, Lines, MAX_LINE, TOO_LONG};
use row::{Quoted, is_address, literal, split};

/// More columns than any table of products has.
const MAX_COLUMNS: usize = 4096;
/// Lines that the names of the columns may take.
const HEADER_LINES: usize = 64;

/// How fields are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: char,
    /// Whether a quoted field may hold line ends as a matter of course.
    pub(super) multiline: bool,
}

impl Dialect {
    pub(super) const CSV: Dialect = Dialect { delimiter: ',', multiline: true };
    pub(super) const TSV: Dialect = Dialect { delimiter: '\t', multiline: false };

    fn of(delimiter: char) -> Self {
        Dialect { delimiter, multiline: delimiter != '\t' }
    }

    /// The one by which the first line names the columns of products; `usual` where several do, or
    /// none does.
    fn fitting(usual: Dialect, first: &str, fits: &dyn Fn(&[String]) -> bool) -> Self {
        let others = [',', ';', '\t', '|'].map(Dialect::of);
        let mut all = std::iter::once(usual).chain(others);
        all.find(|dialect| fits(&unquoted_names(first, dialect.delimiter))).unwrap_or(usual)
    }
}

/// Names of columns, whatever quotes are about them.
fn unquoted_names(first: &str, delimiter: char) -> Vec<String> {
    let mut quoted = Quoted::new(delimiter);
    quoted.feed(first);
    match !quoted.is_open() && quoted.is_sound() && !quoted.is_bare() {
        true => quoted.finish(),
        false => literal(first, delimiter).into_iter().map(|n| n.replace('"', "")).collect(),
    }
}

/// `sep=;` on a line of its own.
fn separator(line: &str) -> Option<char> {
    let line = line.trim_matches(['\u{feff}', '"']);
    let named = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep="));
    let mut rest = line.get(4..).filter(|_| named)?.chars();
    let delimiter = rest.next()?;
    rest.all(|c| c == delimiter || c == ',').then_some(delimiter)
}

fn is_remark(line: &str) -> bool {
    let line = line.trim_start_matches(['\u{feff}', '"', ' ']);
    line.starts_with("# ") || line == "#"
}

/// The fields of a row by column, or why it cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Where it begins, from 1.
    pub(super) line: u64,
    pub(super) fields: Result<Vec<String>, String>,
}

/// A table after its first line.
#[derive(Debug)]
pub(super) struct Table<R> {
    lines: Lines<R>,
    /// Lines that were looked at and are yet to be read; one that is too long is `None`.
    ahead: VecDeque<(u64, Option<String>)>,
    dialect: Dialect,
    /// A line was UTF-8 and not just ASCII: bytes that are not are damage, not another encoding.
    is_utf8: bool,
    names: Vec<String>,
    /// The column of the image, which tells a whole row from half of one.
    image: usize,
    /// Columns that a row must reach.
    needed: usize,
}

impl<R: BufRead> Table<R> {
    /// Reads the names of the columns. `fits` tells whether names can be those of a table of
    /// products.
    ///
    /// # Errors
    /// The reader's, or why there is no first line.
    pub(super) fn open(
        reader: R,
        dialect: Dialect,
        fits: &dyn Fn(&[String]) -> bool,
    ) -> io::Result<Result<Self, String>> {
        let lines = Lines::new(reader, Ends::Either);
        let mut table = Table {
            lines,
            ahead: VecDeque::new(),
            dialect,
            is_utf8: false,
            names: Vec::new(),
            image: 0,
            needed: 0,
        };
        let mut sniffed = None;
        let first = loop {
            match table.take()? {
                None => return Ok(Err("it is empty".into())),
                Some((_, None)) => return Ok(Err(format!("the first line: {TOO_LONG}"))),
                Some((_, Some(line))) if line.trim().is_empty() => {}
                // Excel's way to name the delimiter; remarks, as in Facebook's template.
                Some((_, Some(line))) if separator(&line).is_some() => sniffed = separator(&line),
                Some((_, Some(line))) if is_remark(&line) => {}
                Some((_, Some(line))) => break line.trim_start_matches('\u{feff}').to_owned(),
            }
        };
        let dialect = match sniffed {
            Some(delimiter) => Dialect::of(delimiter),
            None => Dialect::fitting(dialect, &first, fits),
        };
        table.dialect = dialect;
        let delimiter = dialect.delimiter;
        let plain = unquoted_names(&first, delimiter);
        let mut quoted = Quoted::new(delimiter);
        quoted.feed(&first);
        let mut more = 0;
        while quoted.is_open() && !fits(&plain) && more < HEADER_LINES {
            let Some(line) = table.peek(more)? else { break };
            quoted.feed(line);
            more += 1;
        }
        let whole = !quoted.is_open() && quoted.is_sound();
        table.names = match whole && (fits(quoted.fields()) || (more == 0 && !fits(&plain))) {
            true => {
                table.ahead.drain(..more);
                quoted.finish()
            }
            false => plain,
        };
        if table.names.len() > MAX_COLUMNS {
            return Ok(Err(format!("it has more than {MAX_COLUMNS} columns")));
        }
        Ok(Ok(table))
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Tells in which columns an id and an image are.
    pub(super) fn key_columns(&mut self, id: usize, image: usize) {
        (self.image, self.needed) = (image, id.max(image) + 1);
    }

    /// The next row that is not empty; `None` at the end.
    ///
    /// # Errors
    /// The reader's.
    pub(super) fn next(&mut self) -> io::Result<Option<Row>> {
        loop {
            let Some((line, text)) = self.take()? else { return Ok(None) };
            let fields = match text {
                None => Err(TOO_LONG.to_owned()),
                Some(text) if self.dialect.multiline => self.csv(&text)?,
                Some(text) => self.tsv(&text)?,
            };
            let fields = fields.and_then(|fields| self.complete(fields));
            match fields {
                Ok(fields) if fields.iter().all(String::is_empty) => {}
                fields => return Ok(Some(Row { line, fields })),
            }
        }
    }

    /// Half a row is none: it may be the rest of another.
    fn complete(&self, fields: Vec<String>) -> Result<Vec<String>, String> {
        let empty = fields.iter().all(String::is_empty);
        if fields.len() >= self.needed || empty {
            return Ok(fields);
        }
        let (found, all) = (fields.len(), self.names.len());
        Err(format!("the row ends after {found} of {all} columns"))
    }

    /// A row of CSV, which may go on over the next lines.
    fn csv(&mut self, first: &str) -> io::Result<Result<Vec<String>, String>> {
        let mut row = Quoted::new(self.dialect.delimiter);
        row.feed(first);
        if !row.is_open() {
            let fits =
                row.is_sound() || (row.is_harmless() && row.fields().len() <= self.names.len());
            return Ok(if fits { Ok(row.finish()) } else { Err(self.unpaired(&row)) });
        }
        let column = row.fields().len(); // of the quote
        let (mut more, mut length) = (0, first.len());
        let whole = loop {
            // A row of its own that would be swallowed.
            if more == 0
                && self.image > column
                && self.is_row(&literal(first, self.dialect.delimiter))
            {
                break false;
            }
            self.peek(more)?;
            let Some(line) = self.ahead(more) else { break false };
            length += line.len() + 1;
            if length > MAX_LINE || self.swallows(line, column) {
                break false;
            }
            more += 1;
            row.feed(line);
            if !row.is_open() {
                break row.is_sound() && row.fields().len() <= self.names.len();
            }
        };
        if !whole {
            return Ok(Err(self.unpaired(&row)));
        }
        self.ahead.drain(..more);
        Ok(Ok(row.finish()))
    }

    /// Whether a line within an open quote of `column` is a row of its own.
    fn swallows(&self, line: &str, column: usize) -> bool {
        let mut alone = Quoted::new(self.dialect.delimiter);
        alone.feed(line);
        if !alone.is_open() && alone.is_sound() && !alone.is_bare() && self.is_row(&alone.finish())
        {
            return true;
        }
        self.image < column && self.is_row(&literal(line, self.dialect.delimiter))
    }

    /// Whether fields are all of a row, with an address where the image is.
    fn is_row(&self, fields: &[String]) -> bool {
        fields.len() == self.names.len() && fields.get(self.image).is_some_and(|f| is_address(f))
    }

    fn unpaired(&self, row: &Quoted) -> String {
        let name = row.opened().and_then(|at| self.names.get(at));
        let column = name.map(|name| format!(" in the column {name:?}")).unwrap_or_default();
        format!("a quote{column} has no counterpart; the row is left out")
    }

    /// A row of a tab-separated file.
    fn tsv(&mut self, first: &str) -> io::Result<Result<Vec<String>, String>> {
        let (delimiter, all) = (self.dialect.delimiter, self.names.len());
        let plain = split(first, delimiter);
        if plain.len() == all || !first.contains('"') {
            return Ok(Ok(plain));
        }
        // Spreadsheets quote fields that hold tabs or line ends. That is believed where it makes
        // a row of just the right length, out of lines that are none.
        let mut row = Quoted::new(delimiter);
        row.feed(first);
        let mut more = 0;
        let mut length = first.len();
        while row.is_open() && row.is_sound() && plain.len() < all {
            let Some(line) = self.peek(more)? else { break };
            length += line.len() + 1;
            if length > MAX_LINE || line.matches(delimiter).count() + 1 >= all {
                break;
            }
            more += 1;
            row.feed(line);
        }
        if row.is_open() || !row.is_sound() || row.fields().len() != all {
            return Ok(Ok(plain));
        }
        self.ahead.drain(..more);
        Ok(Ok(row.finish()))
    }

    fn take(&mut self) -> io::Result<Option<(u64, Option<String>)>> {
        match self.ahead.pop_front() {
            Some(line) => Ok(Some(line)),
            None => self.read(),
        }
    }

    /// The line after `skipped` others, which all stay to be read; `None` where there is none of
    /// a sane length.
    fn peek(&mut self, skipped: usize) -> io::Result<Option<&str>> {
        while self.ahead.len() <= skipped {
            match self.read()? {
                Some(line) => self.ahead.push_back(line),
                None => return Ok(None),
            }
        }
        Ok(self.ahead(skipped))
    }

    fn ahead(&self, skipped: usize) -> Option<&str> {
        self.ahead.get(skipped)?.1.as_deref()
    }

    fn read(&mut self) -> io::Result<Option<(u64, Option<String>)>> {
        Ok(match self.lines.next()? {
            Some((number, Line::Text(bytes))) => Some((number, Some(self.text(&bytes)))),
            Some((number, Line::TooLong)) => Some((number, None)),
            None => None,
        })
    }

    /// Bytes as text: UTF-8, else what Excel writes in the West.
    fn text(&mut self, line: &[u8]) -> String {
        match std::str::from_utf8(line) {
            Ok(text) => {
                self.is_utf8 |= !text.is_ascii();
                text.to_owned()
            }
            Err(_) if self.is_utf8 => String::from_utf8_lossy(line).into_owned(),
            Err(_) => WINDOWS_1252.decode_without_bom_handling(line).0.into_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
