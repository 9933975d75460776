//! A page as a tree, made by html5ever as browsers make it, within a [`PageBudget`].
//!
//! The tree is an arena: neither reading nor dropping it recurses.
//!
//! [`PageBudget`]: super::budget::PageBudget

mod builder;

use html5ever::{
    Attribute, QualName,
    buffer_queue::BufferQueue,
    tendril::StrTendril,
    tokenizer::{Tokenizer, TokenizerOpts},
    tree_builder::{TreeBuilder, TreeBuilderOpts},
};

use super::budget::{Blown, Meter};
use builder::Builder;

/// Bytes after which the budget is looked at; elements that lie deep make each tag dear.
const CHUNK: usize = 16 << 10;
const NONE: u32 = u32::MAX;
const DOCUMENT: u32 = 0;
/// Stands for comments and processing instructions, which nobody reads.
const IGNORED: u32 = 1;

/// A parsed page.
pub(in crate::source) struct Dom {
    nodes: Vec<Entry>,
}

impl std::fmt::Debug for Dom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dom of {} nodes", self.nodes.len())
    }
}

#[derive(Debug)]
struct Entry {
    parent: u32,
    previous: u32,
    next: u32,
    first: u32,
    last: u32,
    depth: u32,
    data: Data,
}

#[derive(Debug)]
enum Data {
    /// The document, the contents of a template, or what is ignored.
    None,
    Element {
        name: QualName,
        attributes: Vec<Attribute>,
        /// The fragment with a template's contents.
        template: u32,
        annotation: bool,
    },
    Text(StrTendril),
}

/// An element or a text of a page.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct Node<'a> {
    dom: &'a Dom,
    id: u32,
}

impl Dom {
    /// Parses a page. Scripts do not run: what `<noscript>` holds is there.
    ///
    /// # Errors
    /// The budget is used up.
    pub(in crate::source) fn parse(html: &str, meter: &Meter) -> Result<Self, Blown> {
        let options = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
        let builder = TreeBuilder::new(Builder::new(meter.budget), options);
        let tokenizer = Tokenizer::new(builder, TokenizerOpts::default());
        let input = BufferQueue::default();
        let mut rest = html;
        while !rest.is_empty() {
            let end = (CHUNK..CHUNK + 4).find(|at| rest.is_char_boundary(*at));
            let (chunk, after) = rest.split_at(end.unwrap_or(rest.len()).min(rest.len()));
            rest = after;
            input.push_back(StrTendril::from(chunk));
            // It stops after each script, which does not run.
            while !input.is_empty() {
                let _ = tokenizer.feed(&input);
            }
            tokenizer.sink.sink.check()?;
            meter.time()?;
        }
        tokenizer.end();
        tokenizer.sink.sink.check()?;
        Ok(Dom { nodes: tokenizer.sink.sink.into_nodes() })
    }

    /// All elements, in the order of the page.
    pub(in crate::source) fn elements(&self) -> impl Iterator<Item = Node<'_>> {
        self.root().descendants().filter(|node| node.is_element())
    }

    pub(in crate::source) fn root(&self) -> Node<'_> {
        Node { dom: self, id: DOCUMENT }
    }
}

impl<'a> Node<'a> {
    fn entry(self) -> Option<&'a Entry> {
        self.dom.nodes.get(self.id as usize)
    }

    fn at(self, id: u32) -> Option<Self> {
        (id != NONE).then_some(Node { dom: self.dom, id })
    }

    /// Tells nodes of one page apart.
    pub(in crate::source) fn id(self) -> u32 {
        self.id
    }

    pub(in crate::source) fn is_element(self) -> bool {
        matches!(self.entry(), Some(Entry { data: Data::Element { .. }, .. }))
    }

    /// The name of an element in lower case; empty for a text.
    pub(in crate::source) fn name(self) -> &'a str {
        match self.entry() {
            Some(Entry { data: Data::Element { name, .. }, .. }) => &name.local,
            _ => "",
        }
    }

    pub(in crate::source) fn attributes(self) -> &'a [Attribute] {
        match self.entry() {
            Some(Entry { data: Data::Element { attributes, .. }, .. }) => attributes,
            _ => &[],
        }
    }

    /// The value of an attribute, named in lower case.
    pub(in crate::source) fn attribute(self, name: &str) -> Option<&'a str> {
        let found = self.attributes().iter().find(|attribute| &*attribute.name.local == name);
        found.map(|attribute| &*attribute.value)
    }

    pub(in crate::source) fn has(self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub(in crate::source) fn parent(self) -> Option<Self> {
        self.at(self.entry()?.parent)
    }

    fn next(self) -> Option<Self> {
        self.at(self.entry()?.next)
    }

    pub(in crate::source) fn children(self) -> impl Iterator<Item = Self> {
        let first = self.entry().and_then(|entry| self.at(entry.first));
        std::iter::successors(first, |node| node.next())
    }

    /// What lies in it, at any depth, in the order of the page.
    pub(in crate::source) fn descendants(self) -> Descendants<'a> {
        Descendants { top: self, at: Some(self), skip: false }
    }

    /// The texts in it, without those of scripts and styles unless it is one.
    pub(in crate::source) fn text(self, meter: &Meter) -> Result<String, Blown> {
        self.text_without(meter, &[])
    }

    /// The same, without what lies in elements of these names.
    pub(in crate::source) fn text_without(
        self,
        meter: &Meter,
        names: &[&str],
    ) -> Result<String, Blown> {
        let mut text = String::new();
        let mut nodes = self.descendants();
        while let Some(node) = nodes.next() {
            match node.entry().map(|entry| &entry.data) {
                Some(Data::Text(more)) => {
                    meter.bytes(more.len())?;
                    text.push_str(more);
                }
                Some(Data::Element { name, .. }) => match &*name.local {
                    "script" | "style" | "noscript" | "template" => nodes.leave(),
                    name if names.contains(&name) => nodes.leave(),
                    "br" | "p" | "div" | "li" | "td" | "tr" | "sup" => text.push(' '),
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(text)
    }
}

/// See [`Node::descendants`].
#[derive(Debug)]
pub(in crate::source) struct Descendants<'a> {
    top: Node<'a>,
    at: Option<Node<'a>>,
    skip: bool,
}

impl Descendants<'_> {
    /// Leaves out what lies in the last node.
    pub(in crate::source) fn leave(&mut self) {
        self.skip = true;
    }
}

impl<'a> Iterator for Descendants<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let mut node = self.at?;
        let first = node.entry().map_or(NONE, |entry| entry.first);
        let down = node.at(first).filter(|_| !std::mem::take(&mut self.skip));
        self.at = down.or_else(|| {
            loop {
                if node.id == self.top.id {
                    return None;
                }
                if let Some(next) = node.next() {
                    return Some(next);
                }
                node = node.parent()?;
            }
        });
        self.at
    }
}

#[cfg(test)]
mod tests;
