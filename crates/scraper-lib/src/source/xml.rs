//! XML as a stream of elements and text, forgiving where catalogues are careless.

use std::io::{BufRead, BufReader, Read};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use quick_xml::{
    Reader, XmlVersion,
    encoding::DecodingReader,
    events::{BytesStart, Event},
};

/// The XML declaration lies within so many bytes.
const PROLOGUE: usize = 256;
/// Longer text is no field of a product, in bytes; reading it whole could exhaust memory.
const MAX_EVENT: u64 = 4 << 20;
/// No element of a catalogue has more attributes.
const MOST_ATTRIBUTES: usize = 64;
/// How deep elements lie in each other at most; feeds and sitemaps need six.
const MAX_DEPTH: usize = 256;
/// The names of all elements that are open, in bytes: they are held for their ends.
const MAX_NAMES: usize = 64 << 10;

/// One step through a document.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Open {
        /// Without the namespace prefix.
        name: String,
        attributes: Attributes,
    },
    Text(String),
    Close {
        name: String,
    },
}

/// Attributes in their order: name without the namespace prefix, and value.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// The first of this name, in any case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Reads a document of any common encoding. Entities of its own are not expanded, so none can
/// explode.
pub(super) struct Xml<R: BufRead> {
    reader: Reader<DecodingReader<Metered<R>>>,
    buffer: Vec<u8>,
    /// Lengths of the names of the elements that are open, and their sum.
    open: Vec<usize>,
    names: usize,
}

impl<R: BufRead> Xml<R> {
    pub(super) fn new(source: R) -> Result<Self, String> {
        let mut source = Metered { inner: source, left: u64::MAX };
        let prologue = source.fill_buf().map_err(|e| e.to_string())?;
        let encoding = encoding(prologue.get(..PROLOGUE).unwrap_or(prologue));
        let mut source = DecodingReader::new(source);
        if let Some(encoding) = encoding {
            source.set_encoding(encoding); // before anything is read, as it must be
        }
        let mut reader = Reader::from_reader(source);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        Ok(Xml { reader, buffer: Vec::new(), open: Vec::new(), names: 0 })
    }

    /// The next step; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Node>, String> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().get_mut().left = MAX_EVENT;
            let event = self.reader.read_event_into(&mut self.buffer);
            let position = self.reader.buffer_position();
            let event = match event {
                Ok(event) => event,
                Err(e) => return Err(format!("broken XML at byte {position}: {e}")),
            };
            return Ok(Some(match event {
                Event::Start(start) => {
                    let length = start.name().into_inner().len();
                    self.open.push(length);
                    self.names += length;
                    if self.open.len() > MAX_DEPTH || self.names > MAX_NAMES {
                        return Err(format!(
                            "at byte {position}, elements lie more than {MAX_DEPTH} deep in each \
                             other, or have names that are too long"
                        ));
                    }
                    Node::Open {
                    name: start.local_name().into_inner().to_owned(),
                        attributes: attributes(&start),
                    }
                }
                Event::End(end) => {
                    self.names -= self.open.pop().unwrap_or(0);
                    Node::Close { name: end.local_name().into_inner().to_owned() }
                }
                Event::Text(text) => Node::Text(text.xml10_content().into()),
                Event::CData(text) => Node::Text(text.xml10_content().into()),
                Event::GeneralRef(entity) => {
                    let name = entity.xml10_content();
                    let known = match entity.resolve_char_ref() {
                        Ok(Some(c)) => Some(c.to_string()),
                        _ => predefined(&name).map(str::to_owned),
                    };
                    Node::Text(known.unwrap_or_else(|| format!("&{name};")))
                }
                Event::Eof => return Ok(None),
                Event::Empty(_) // expanded
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_) => continue,
            }));
        }
    }
}

/// Those that can be read; careless ones (`a=1`, `a` alone, twice the same) do no harm.
fn attributes(start: &BytesStart<'_>) -> Attributes {
    let mut all = start.html_attributes();
    let found = all.with_checks(false).flatten().take(MOST_ATTRIBUTES).map(|attribute| {
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_or_else(|_| attribute.value.to_string(), |value| value.into());
        (attribute.key.local_name().into_inner().to_owned(), value)
    });
    Attributes(found.collect())
}

fn predefined(name: &str) -> Option<&'static str> {
    // HTML's most common one too: feeds are written by people who write HTML.
    match name {
        "nbsp" => Some("\u{a0}"),
        _ => quick_xml::escape::resolve_xml_entity(name),
    }
}

/// What the XML declaration names, where that is not UTF-8.
fn encoding(prologue: &[u8]) -> Option<&'static Encoding> {
    let text = String::from_utf8_lossy(prologue);
    let declaration =
        text.trim_start_matches('\u{feff}').strip_prefix("<?xml")?.split("?>").next()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let label = rest.trim_start_matches(['"', '\'']).split(['"', '\'']).next()?;
    let encoding = Encoding::for_label(label.as_bytes())?;
    // UTF-16 is told by its bytes: who can read its declaration need not be told.
    encoding.is_ascii_compatible().then_some(encoding)
}

/// Ends a single event that is longer than any should be.
pub(super) struct Metered<R> {
    inner: R,
    left: u64,
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..n), available.get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.left == 0 {
            return Err(std::io::Error::other("an element is longer than 4 MiB"));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount as u64);
        self.inner.consume(amount);
    }
}

/// Bytes as text: by the byte order mark, the declaration, the server's `Content-Type`, else UTF-8,
/// or Windows-1252 where they are mostly none.
pub(super) fn decoded(bytes: &[u8], content_type: Option<&str>) -> String {
    let charset = |text: &str| {
        let text = text.to_ascii_lowercase();
        let (_, label) = text.split_once("charset=")?;
        Encoding::for_label(label.split(';').next()?.trim_matches(['"', '\'', ' ']).as_bytes())
    };
    let wide = match bytes {
        [b'<', 0, ..] => Some(UTF_16LE),
        [0, b'<', ..] => Some(UTF_16BE),
        _ => None,
    };
    let told = || {
        let start = bytes.trim_ascii_start();
        encoding(start.get(..PROLOGUE).unwrap_or(start)).or_else(|| content_type.and_then(charset))
    };
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None => wide.or_else(told).unwrap_or(UTF_8),
    };
    let (text, used, damaged) = encoding.decode(bytes);
    if damaged && used == UTF_8 {
        let broken = text.matches('\u{fffd}').count();
        if 2 * broken > text.chars().filter(|c| !c.is_ascii()).count() {
            return WINDOWS_1252.decode(bytes).0.into_owned();
        }
    }
    text.into_owned()
}

/// Bytes in memory as a source.
pub(super) fn of(bytes: &[u8]) -> Result<Xml<BufReader<&[u8]>>, String> {
    Xml::new(BufReader::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<String, String> {
        let (mut xml, mut all) = (of(bytes)?, String::new());
        while let Some(node) = xml.next()? {
            match node {
                Node::Open { name, attributes } => {
                    all += &format!("<{name}{}>", attributes.get("href").unwrap_or_default())
                }
                Node::Text(text) => all += &text,
                Node::Close { name } => all += &format!("</{name}>"),
            }
        }
        Ok(all)
    }

    #[test]
    fn elements_entities_and_cdata() {
        let xml = b"<?xml version='1.0'?><!DOCTYPE r [<!ENTITY x 'y'>]><g:r a='1'>\
            A &amp; B&#233;&nbsp;&x; &own; R&D <![CDATA[<b>]]><link href='u?a=1&amp;b'/></g:r>";
        assert_eq!(
            text(xml).unwrap(),
            "<r>A & B\u{e9}\u{a0}&x; &own; R&D <b><linku?a=1&b></link></r>"
        );
        assert!(text(b"<a><b></a>").is_err());
        assert!(text(b"<a b").is_err());
    }

    #[test]
    fn what_would_take_memory_without_end_is_an_error() {
        let deep = |depth: usize| text("<a>".repeat(depth).as_bytes());
        assert!(deep(256).is_ok() && deep(257).unwrap_err().contains("256 deep"));
        let names = format!("<{}>", "n".repeat(1000)).repeat(100);
        assert!(text(names.as_bytes()).unwrap_err().contains("too long"));
        let flat = "<b/>".repeat(10_000);
        assert!(text(format!("<a>{flat}</a>").as_bytes()).is_ok());
        for endless in ["<a>", "<a><!--", "<a b='", "<", "<a><![CDATA[", "<?", "<!DOCTYPE "] {
            let reader = endless.as_bytes().chain(std::io::repeat(b'x').take(1 << 40));
            let mut xml = Xml::new(BufReader::new(reader)).unwrap();
            let error = loop {
                match xml.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{endless} ended"),
                    Err(e) => break e,
                }
            };
            assert!(error.contains("4 MiB"), "{endless}: {error}");
        }
    }

    #[test]
    fn encodings() {
        let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>caf\xe9</a>";
        assert_eq!(text(latin).unwrap(), "<a>caf\u{e9}</a>");
        let wide: Vec<u8> = "\u{feff}<?xml version='1.0' encoding='UTF-16'?><a>caf\u{e9}</a>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(text(&wide).unwrap(), "<a>caf\u{e9}</a>");
        assert_eq!(text("\u{feff}<a>é</a>".as_bytes()).unwrap(), "<a>é</a>");
        let late =
            format!("<?xml version='1.0'?>{}<?xml encoding='ISO-8859-1'?><a/>", " ".repeat(9000));
        let _ = text(late.as_bytes()); // an error or not, but no panic
    }
}
