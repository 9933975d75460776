//! Columns of numbers and texts in one run of bytes, which are read where they lie: a file that is
//! mapped into memory is ready at once.
//!
//! `columns` and a version, the number of sections and where each begins and the last ends (from the
//! beginning, u64), the sections. Numbers are u32; all is little-endian. Texts are two sections: where
//! each begins and the last ends, and their UTF-8.

use std::{fmt, ops::Range};

const MAGIC: [u8; 8] = *b"columns\x01";

/// Where columns lie.
type Bytes = Box<dyn AsRef<[u8]> + Send + Sync>;

/// Collects sections.
#[derive(Debug, Default)]
pub struct Writer(Vec<Vec<u8>>);

/// Collects texts, which become two sections.
#[derive(Debug, Default)]
pub struct TextsWriter {
    ends: Vec<u8>,
    bytes: Vec<u8>,
}

impl TextsWriter {
    /// Adds the next one.
    pub fn push(&mut self, text: &str) {
        self.bytes.extend(text.as_bytes());
        // More than 4 GiB are noticed by `Writer::texts`.
        self.ends.extend((self.bytes.len() as u32).to_le_bytes());
    }
}

impl<'a> FromIterator<&'a str> for TextsWriter {
    fn from_iter<T: IntoIterator<Item = &'a str>>(texts: T) -> Self {
        let mut writer = TextsWriter::default();
        texts.into_iter().for_each(|text| writer.push(text));
        writer
    }
}

impl Writer {
    /// Adds a section of bytes.
    pub fn bytes(&mut self, bytes: Vec<u8>) {
        self.0.push(bytes);
    }

    /// Adds a section of numbers.
    pub fn numbers(&mut self, numbers: impl IntoIterator<Item = u32>) {
        self.bytes(numbers.into_iter().flat_map(u32::to_le_bytes).collect());
    }

    /// Adds the two sections of texts; `None` if they are longer than can be counted.
    #[must_use]
    pub fn texts(&mut self, texts: TextsWriter) -> Option<()> {
        u32::try_from(texts.bytes.len()).ok()?;
        self.bytes([&[0; 4][..], &texts.ends].concat());
        self.bytes(texts.bytes);
        Some(())
    }

    /// Gives all of it, part after part.
    pub fn finish(self) -> impl Iterator<Item = Vec<u8>> {
        let count = self.0.len() as u64;
        let mut end = 8 * (3 + count);
        let mut head = [MAGIC, count.to_le_bytes(), end.to_le_bytes()].concat();
        for section in &self.0 {
            end += section.len() as u64;
            head.extend(end.to_le_bytes());
        }
        std::iter::once(head).chain(self.0)
    }
}

/// Columns, open to be read.
pub struct Flat {
    bytes: Bytes,
    sections: Vec<Range<usize>>,
}

impl fmt::Debug for Flat {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Flat({} bytes, {} sections)", self.bytes().len(), self.sections.len())
    }
}

impl Flat {
    /// Opens what [`Writer::finish`] gave; `None` if it is something else, or not whole.
    pub fn open(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Option<Self> {
        let bytes: Bytes = Box::new(bytes);
        let all = (*bytes).as_ref();
        let number = |at: usize| {
            let number = all.get(8 * at..)?.first_chunk()?;
            usize::try_from(u64::from_le_bytes(*number)).ok()
        };
        let count = number(1).filter(|&count| all.starts_with(&MAGIC) && count < all.len() / 8)?;
        let sections = (0..count).map(|n| Some(number(2 + n)?..number(3 + n)?));
        let sections = sections.collect::<Option<Vec<_>>>()?;
        let whole = sections.iter().all(|section| all.get(section.clone()).is_some())
            && sections.last().is_none_or(|last| last.end == all.len());
        whole.then_some(Flat { bytes, sections })
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// How many sections there are.
    pub fn sections(&self) -> usize {
        self.sections.len()
    }

    /// A section; empty if there is none of this number.
    pub fn section(&self, number: usize) -> &[u8] {
        let section = self.sections.get(number).cloned().unwrap_or_default();
        self.bytes().get(section).unwrap_or_default()
    }

    /// A section of numbers.
    pub fn numbers(&self, number: usize) -> Numbers<'_> {
        Numbers(self.section(number).as_chunks().0)
    }

    /// Two sections of texts.
    pub fn texts(&self, number: usize) -> Texts<'_> {
        Texts { starts: self.numbers(number), bytes: self.section(number + 1) }
    }
}

/// A column of numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbers<'a>(&'a [[u8; 4]]);

impl<'a> Numbers<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them.
    pub fn get(&self, at: usize) -> Option<u32> {
        self.0.get(at).map(|&bytes| u32::from_le_bytes(bytes))
    }

    /// Those of a range; none if it is not whole.
    pub fn range(&self, range: Range<usize>) -> Numbers<'a> {
        Numbers(self.0.get(range).unwrap_or_default())
    }

    /// All.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + Clone + use<'a> {
        self.0.iter().map(|&bytes| u32::from_le_bytes(bytes))
    }
}

/// A column of texts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Texts<'a> {
    starts: Numbers<'a>,
    bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    pub fn get(&self, at: usize) -> Option<&'a str> {
        let (start, end) = (self.starts.get(at)?, self.starts.get(at + 1)?);
        std::str::from_utf8(self.bytes.get(start as usize..end as usize)?).ok()
    }

    /// All.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let texts = *self;
        (0..self.len()).map(move |at| texts.get(at).unwrap_or_default())
    }

    /// The number of the first of these sorted texts for which `before` does not hold.
    pub fn partition_point(&self, before: impl Fn(&str) -> bool) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from + (to - from) / 2;
            match before(self.get(middle).unwrap_or_default()) {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::default();
        writer.numbers([7, u32::MAX]);
        writer.texts(["", "a", "äö"].into_iter().collect()).unwrap();
        writer.bytes(vec![1, 2, 3]);
        writer.finish().flatten().collect()
    }

    #[test]
    fn columns_come_back() {
        let flat = Flat::open(sample()).unwrap();
        assert_eq!(flat.sections(), 4);
        assert_eq!(flat.numbers(0).iter().collect::<Vec<_>>(), [7, u32::MAX]);
        assert_eq!(flat.texts(1).iter().collect::<Vec<_>>(), ["", "a", "äö"]);
        assert_eq!(flat.texts(1).partition_point(|text| text < "b"), 2);
        assert_eq!((flat.section(3), flat.section(4)), (&[1, 2, 3][..], &[][..]));
        assert!(flat.numbers(9).is_empty() && flat.texts(9).is_empty());
    }

    #[test]
    fn what_is_cut_is_refused() {
        let whole = sample();
        for end in 0..whole.len() {
            assert!(Flat::open(whole[..end].to_vec()).is_none(), "{end}");
        }
        assert!(Flat::open([&whole[..], &[0]].concat()).is_none());
    }
}
