//! Builds the tree from what html5ever tells, within the budget.

use std::{
    borrow::Cow,
    cell::{Cell, Ref, RefCell},
};

use html5ever::{
    Attribute, QualName,
    tendril::StrTendril,
    tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink},
};

use super::{DOCUMENT, Data, Entry, IGNORED, NONE};
use crate::source::page::budget::{Blown, PageBudget};

/// What html5ever builds with.
pub(super) struct Builder {
    nodes: RefCell<Vec<Entry>>,
    budget: PageBudget,
    too_deep: Cell<bool>,
}

impl Builder {
    pub(super) fn new(budget: PageBudget) -> Self {
        let builder = Builder { nodes: RefCell::default(), budget, too_deep: Cell::new(false) };
        builder.add(Data::None);
        builder.add(Data::None);
        builder
    }

    /// Whether the budget is used up.
    pub(super) fn check(&self) -> Result<(), Blown> {
        if self.nodes.borrow().len() > self.budget.nodes {
            return Err(Blown::Nodes(self.budget.nodes));
        }
        match self.too_deep.get() {
            true => Err(Blown::Depth(self.budget.depth)),
            false => Ok(()),
        }
    }

    pub(super) fn into_nodes(self) -> Vec<Entry> {
        self.nodes.into_inner()
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
