//! A page as a tree, made by html5ever as browsers make it, within a [`PageBudget`].
//!
//! The tree is an arena: neither reading nor dropping it recurses.
//!
//! [`PageBudget`]: super::budget::PageBudget

use std::{
    borrow::Cow,
    cell::{Cell, Ref, RefCell},
};

use html5ever::{
    Attribute, QualName,
    buffer_queue::BufferQueue,
    tendril::StrTendril,
    tokenizer::{Tokenizer, TokenizerOpts},
    tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeBuilder, TreeBuilderOpts, TreeSink},
};

use super::budget::{Blown, Meter, PageBudget};

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
        Ok(Dom { nodes: tokenizer.sink.sink.nodes.into_inner() })
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

/// What html5ever builds with.
struct Builder {
    nodes: RefCell<Vec<Entry>>,
    budget: PageBudget,
    too_deep: Cell<bool>,
}

impl Builder {
    fn new(budget: PageBudget) -> Self {
        let builder = Builder { nodes: RefCell::default(), budget, too_deep: Cell::new(false) };
        builder.add(Data::None);
        builder.add(Data::None);
        builder
    }

    fn check(&self) -> Result<(), Blown> {
        if self.nodes.borrow().len() > self.budget.nodes {
            return Err(Blown::Nodes(self.budget.nodes));
        }
        match self.too_deep.get() {
            true => Err(Blown::Depth(self.budget.depth)),
            false => Ok(()),
        }
    }

    fn add(&self, data: Data) -> u32 {
        let mut nodes = self.nodes.borrow_mut();
        let id = u32::try_from(nodes.len()).unwrap_or(NONE);
        let (parent, depth) = (NONE, 0);
        nodes.push(Entry {
            parent,
            previous: NONE,
            next: NONE,
            first: NONE,
            last: NONE,
            depth,
            data,
        });
        id
    }

    /// Text joins a text that ends where it begins.
    fn joins(&self, previous: u32, text: &StrTendril) -> bool {
        let mut nodes = self.nodes.borrow_mut();
        match nodes.get_mut(previous as usize) {
            Some(Entry { data: Data::Text(known), .. }) => {
                known.push_tendril(text);
                true
            }
            _ => false,
        }
    }

    /// Puts a node without a parent between two neighbours.
    fn insert(&self, parent: u32, child: u32, before: u32) {
        if child == IGNORED {
            return;
        }
        let mut nodes = self.nodes.borrow_mut();
        let get = |nodes: &Vec<Entry>, id: u32, field: fn(&Entry) -> u32| {
            nodes.get(id as usize).map_or(NONE, field)
        };
        let previous = match before {
            NONE => get(&nodes, parent, |entry| entry.last),
            before => get(&nodes, before, |entry| entry.previous),
        };
        let depth = get(&nodes, parent, |entry| entry.depth).saturating_add(1);
        if depth as usize > self.budget.depth {
            self.too_deep.set(true);
        }
        if let Some(entry) = nodes.get_mut(child as usize) {
            (entry.parent, entry.previous, entry.next) = (parent, previous, before);
            entry.depth = depth;
        }
        match nodes.get_mut(previous as usize) {
            Some(entry) => entry.next = child,
            None => {
                if let Some(entry) = nodes.get_mut(parent as usize) {
                    entry.first = child;
                }
            }
        }
        match nodes.get_mut(before as usize) {
            Some(entry) => entry.previous = child,
            None => {
                if let Some(entry) = nodes.get_mut(parent as usize) {
                    entry.last = child;
                }
            }
        }
    }

    fn get(&self, id: u32, field: fn(&Entry) -> u32) -> u32 {
        self.nodes.borrow().get(id as usize).map_or(NONE, field)
    }

    fn put(&self, parent: u32, child: NodeOrText<u32>, before: u32) {
        match child {
            NodeOrText::AppendNode(node) => {
                self.remove_from_parent(&node);
                self.insert(parent, node, before);
            }
            NodeOrText::AppendText(text) => {
                let previous = match before {
                    NONE => self.get(parent, |entry| entry.last),
                    before => self.get(before, |entry| entry.previous),
                };
                if !self.joins(previous, &text) {
                    let node = self.add(Data::Text(text));
                    self.insert(parent, node, before);
                }
            }
        }
    }
}

impl TreeSink for Builder {
    type Handle = u32;
    type Output = ();
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) {}

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> u32 {
        DOCUMENT
    }

    fn elem_name<'a>(&'a self, target: &'a u32) -> Ref<'a, QualName> {
        Ref::map(self.nodes.borrow(), |nodes| match nodes.get(*target as usize) {
            Some(Entry { data: Data::Element { name, .. }, .. }) => name,
            _ => unreachable!("html5ever asks for names of elements only"),
        })
    }

    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, flags: ElementFlags) -> u32 {
        let template = if flags.template { self.add(Data::None) } else { NONE };
        let annotation = flags.mathml_annotation_xml_integration_point;
        self.add(Data::Element { name, attributes: attrs, template, annotation })
    }

    fn create_comment(&self, _: StrTendril) -> u32 {
        IGNORED
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> u32 {
        IGNORED
    }

    fn append(&self, parent: &u32, child: NodeOrText<u32>) {
        self.put(*parent, child, NONE);
    }

    fn append_based_on_parent_node(&self, element: &u32, previous: &u32, child: NodeOrText<u32>) {
        match self.get(*element, |entry| entry.parent) {
            NONE => self.append(previous, child),
            _ => self.append_before_sibling(element, child),
        }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &u32) -> u32 {
        let nodes = self.nodes.borrow();
        match nodes.get(*target as usize) {
            Some(Entry { data: Data::Element { template, .. }, .. }) if *template != NONE => {
                *template
            }
            _ => IGNORED,
        }
    }

    fn same_node(&self, x: &u32, y: &u32) -> bool {
        x == y
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &u32, child: NodeOrText<u32>) {
        let parent = self.get(*sibling, |entry| entry.parent);
        self.put(parent, child, *sibling);
    }

    fn add_attrs_if_missing(&self, target: &u32, attrs: Vec<Attribute>) {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(Entry { data: Data::Element { attributes, .. }, .. }) =
            nodes.get_mut(*target as usize)
        {
            for attribute in attrs {
                if !attributes.iter().any(|known| known.name == attribute.name) {
                    attributes.push(attribute);
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &u32) {
        let mut nodes = self.nodes.borrow_mut();
        let Some(entry) = nodes.get_mut(*target as usize) else { return };
        let (parent, previous, next) = (entry.parent, entry.previous, entry.next);
        (entry.parent, entry.previous, entry.next) = (NONE, NONE, NONE);
        if parent == NONE {
            return;
        }
        match nodes.get_mut(previous as usize) {
            Some(entry) => entry.next = next,
            None => {
                if let Some(entry) = nodes.get_mut(parent as usize) {
                    entry.first = next;
                }
            }
        }
        match nodes.get_mut(next as usize) {
            Some(entry) => entry.previous = previous,
            None => {
                if let Some(entry) = nodes.get_mut(parent as usize) {
                    entry.last = previous;
                }
            }
        }
    }

    fn reparent_children(&self, node: &u32, new_parent: &u32) {
        loop {
            let child = self.get(*node, |entry| entry.first);
            if child == NONE {
                return;
            }
            self.remove_from_parent(&child);
            self.insert(*new_parent, child, NONE);
        }
    }

    fn is_mathml_annotation_xml_integration_point(&self, handle: &u32) -> bool {
        let nodes = self.nodes.borrow();
        matches!(
            nodes.get(*handle as usize),
            Some(Entry { data: Data::Element { annotation: true, .. }, .. })
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(html: &str) -> Result<Dom, Blown> {
        Dom::parse(html, &Meter::new(PageBudget::default()))
    }

    #[test]
    fn a_tree_as_browsers_make_it() {
        let html = "<title>T</title><p>a<b>b<p>c</b>d<table><tr><td>e</table><!-- no -->f\
                    <template><i>hidden</i></template><script>if(a<b){}</script>";
        let dom = parse(html).unwrap();
        let names: Vec<&str> = dom.elements().map(Node::name).collect();
        assert_eq!(
            names,
            [
                "html", "head", "title", "body", "p", "b", "p", "b", "table", "tbody", "tr", "td",
                "template", "script"
            ]
        );
        let meter = Meter::new(PageBudget::default());
        let body = dom.elements().find(|node| node.name() == "body").unwrap();
        assert_eq!(body.text(&meter).unwrap().replace(' ', ""), "abcdef");
        let script = dom.elements().find(|node| node.name() == "script").unwrap();
        assert_eq!(script.text(&meter).unwrap(), "if(a<b){}");
    }

    #[test]
    fn depth_is_that_of_the_tree() {
        let svg = format!("<svg>{}</svg><p>after", "<path/>".repeat(5000));
        assert!(parse(&svg).is_ok());
        let script = format!("<script>{}</script>", "if(a<b){}".repeat(5000));
        assert!(parse(&script).is_ok());
        let unclosed = format!("<ul>{}</ul>", "<li><img><p>".repeat(5000));
        assert!(parse(&unclosed).is_ok());
        assert_eq!(parse(&"<div></x>".repeat(100_000)).err(), Some(Blown::Depth(2048)));
    }

    #[test]
    fn nodes_and_time_are_counted() {
        let budget = PageBudget { nodes: 1000, ..PageBudget::default() };
        let many = "<br>".repeat(6000);
        assert_eq!(Dom::parse(&many, &Meter::new(budget)).err(), Some(Blown::Nodes(1000)));
        let budget = PageBudget { time: std::time::Duration::ZERO, ..budget };
        let page = "<br>".repeat(10);
        assert!(matches!(Dom::parse(&page, &Meter::new(budget)), Err(Blown::Time(_))));
    }
}
