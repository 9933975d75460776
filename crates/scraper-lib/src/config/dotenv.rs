//! `.env` files, read as `python-dotenv` reads them, for the two share their files.
//!
//! One `NAME=value` per line; `export ` may stand before it, and `#` begins a comment line. A value
//! without quotes is what stands up to the end of its line, without the blanks around it and without a
//! comment: ` #` and what follows. In single quotes only `\\` and `\'` are escapes, in double quotes
//! also `\"` and those of C (`\n` …); quoted values may span lines. Unlike in a shell, `$` means nothing.
//!
//! Values are secrets as often as not: no error shows any of the text.

use std::{
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

/// The file's name.
pub const ENV_FILE: &str = ".env";
/// Larger files are something else.
const LIMIT: u64 = 1 << 20;

/// Why a `.env` cannot be used. Never shows what is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvFileError {
    #[error("cannot read {}: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}, line {line}: {reason}; write NAME=value, or remove the line", .path.display())]
    Line { path: PathBuf, line: usize, reason: &'static str },
}

/// Names and values of the file `.env` in `folder`, in order; none where there is no such file.
///
/// # Errors
/// The file cannot be read, or a line of it makes no sense.
pub(super) fn read(folder: &Path) -> Result<Vec<(String, String)>, EnvFileError> {
    let path = folder.join(ENV_FILE);
    let failed = |source| EnvFileError::Read { path: path.clone(), source };
    match std::fs::metadata(&path) {
        // A folder may be a virtual environment of Python's; a pipe could wait for ever.
        Ok(found) if !found.is_file() => return Ok(Vec::new()),
        Ok(_) => {}
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(failed(e)),
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&path).map_err(failed)?;
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(failed(std::io::Error::other("it is larger than 1 MiB")));
    }
    parse(&bytes).map_err(|(line, reason)| EnvFileError::Line { path, line, reason })
}

type Bad = (usize, &'static str);
type Entry = (String, String);

/// Line (from 1) and reason of what makes no sense.
fn parse(bytes: &[u8]) -> Result<Vec<Entry>, Bad> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}'),
        Err(e) => {
            let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
            return Err((1 + newlines(before), "it is not UTF-8"));
        }
    };
    if let Some(at) = text.find('\0') {
        return Err((1 + newlines(&text.as_bytes()[..at]), "it holds a NUL"));
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut found = Vec::new();
    let (mut rest, mut line) = (text.as_str(), 1);
    while !rest.is_empty() {
        let (entry, after) = entry(rest).map_err(|reason| (line, reason))?;
        found.extend(entry);
        line += newlines(&rest.as_bytes()[..rest.len() - after.len()]);
        rest = after;
    }
    Ok(found)
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| matches!(b, b'\n')).count()
}

/// What the first line says, with the lines that a quoted value goes on over; and what follows.
fn entry(text: &str) -> Result<(Option<Entry>, &str), &'static str> {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok((None, after));
    }
    // As in shells.
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let Some((before, _)) = exported.unwrap_or(line).split_once('=') else {
        // `export NAME` hands on a variable of the shell.
        return match exported.and_then(name) {
            Some(_) => Ok((None, after)),
            None => Err("there is no = in it"),
        };
    };
    let name = name(before).ok_or("what stands before = is no name")?;
    // Of the whole text: a quoted value may have lines.
    let value = text.split_once('=').map_or("", |(_, value)| value);
    let trimmed = value.trim_start_matches([' ', '\t']);
    match trimmed.chars().next() {
        Some(quote @ ('\'' | '"')) => {
            let (value, after) = quoted(&trimmed[1..], quote)?;
            Ok((Some((name, value)), after))
        }
        _ => {
            let value = value.split_once('\n').map_or(value, |(value, _)| value);
            Ok((Some((name, without_comment(value).to_owned())), after))
        }
    }
}

/// A name as variables have, perhaps in single quotes.
fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).unwrap_or(text);
    let good =
        !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "'\"#".contains(c));
    good.then(|| text.to_owned())
}

fn without_comment(value: &str) -> &str {
    let comment = value
        .char_indices()
        .find(|(at, c)| *c == '#' && value[..*at].ends_with(char::is_whitespace));
    comment.map_or(value, |(at, _)| &value[..at]).trim()
}

/// The value up to the quote that closes it, and what follows its line.
fn quoted(text: &str, quote: char) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            let rest = &text[at + 1..];
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            let line = line.trim();
            return match line.is_empty() || line.starts_with('#') {
                true => Ok((value, after)),
                false => Err("something follows the quote that closes the value"),
            };
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        let Some((_, escaped)) = chars.next() else { break };
        match (escaped, quote) {
            ('\\' | '\'', _) => value.push(escaped),
            ('"', '"') => value.push('"'),
            ('n', '"') => value.push('\n'),
            ('r', '"') => value.push('\r'),
            ('t', '"') => value.push('\t'),
            ('a', '"') => value.push('\u{7}'),
            ('b', '"') => value.push('\u{8}'),
            ('f', '"') => value.push('\u{c}'),
            ('v', '"') => value.push('\u{b}'),
            (other, _) => value.extend(['\\', other]),
        }
    }
    Err("the quote that opens the value is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_python_dotenv() {
        for (text, expected) in [
            ("A=b", "b"),
            ("  export A = b \t", "b"),
            ("export\tA=b", "b"),
            ("'A'=b", "b"),
            ("A=", ""),
            ("A= # nothing yet", ""),
            ("A=two words, and more", "two words, and more"),
            ("A=b # a comment", "b"),
            ("A=b#c", "b#c"),
            ("A=#b", "#b"),
            ("A=p$ss\\word${X}=y", "p$ss\\word${X}=y"),
            ("A=it's \"so\"", "it's \"so\""),
            ("A='b # c'", "b # c"),
            ("A='it\\'s' # comment", "it's"),
            ("A='\\n\\\\'", "\\n\\"),
            ("A=\"a\\tb\\\"c\\\\ \\w $X\"", "a\tb\"c\\ \\w $X"),
            ("A=\"two\nlines\"", "two\nlines"),
            ("A=größe 👗", "größe 👗"),
        ] {
            for text in [text.to_owned(), format!("\u{feff}# hello\r\n\r\n{text}\r\nB=c\r\n")] {
                let found = parse(text.as_bytes()).expect(&text);
                assert_eq!(found[0], ("A".to_owned(), expected.to_owned()), "{text:?}");
                assert!(found.len() == 1 || found[1].1 == "c", "{text:?}: {found:?}");
            }
        }
        assert_eq!(parse(b"A=b\rB=c\nexport A\n").unwrap().len(), 2, "old Macs; a bare export");
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn what_makes_no_sense_is_named_by_its_line_and_not_shown() {
        for (text, line) in [
            (&b"A=b\n\nhf_secret\n"[..], 3),
            (b"HF_TOKEN hf_secret", 1),
            (b"A=b\r\n=hf_secret\r\n", 2),
            (b"A B=hf_secret", 1),
            (b"A=\"x\ny\"\nB='hf_secret\nC=d", 3),
            (b"A='hf_secret' more", 1),
            (b"A=b\nB=\xff hf_secret", 2),
            (b"A=b\nB=c\0", 2),
        ] {
            let (found, reason) = parse(text).unwrap_err();
            assert_eq!(found, line, "{}", String::from_utf8_lossy(text));
            let path = PathBuf::from(".env");
            let message = EnvFileError::Line { path, line, reason }.to_string();
            assert!(message.contains(&format!(".env, line {line}")), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn folders_and_missing_files_say_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), []);
        std::fs::create_dir(dir.path().join(ENV_FILE)).unwrap();
        assert_eq!(read(dir.path()).unwrap(), [], "a virtual environment");
        assert_eq!(read(&dir.path().join("gone")).unwrap(), []);
    }
}
