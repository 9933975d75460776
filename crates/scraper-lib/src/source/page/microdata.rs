//! Microdata (<https://html.spec.whatwg.org/#microdata>) and RDFa lite
//! (<https://www.w3.org/TR/rdfa-lite/>): two spellings of items in elements.

use std::{collections::HashMap, rc::Rc};

use super::{
    budget::Blown,
    dom::{Dom, Node},
    graph::{Datum, Graph, Item, local},
    image,
    report::Origin,
};

/// The names of attributes in one of the two spellings.
struct Spelling {
    origin: Origin,
    property: &'static str,
    id: &'static str,
}

const MICRODATA: Spelling =
    Spelling { origin: Origin::Microdata, property: "itemprop", id: "itemid" };
const RDFA: Spelling = Spelling { origin: Origin::Rdfa, property: "property", id: "resource" };

impl Spelling {
    fn is_scope(&self, node: Node<'_>) -> bool {
        match self.origin {
            Origin::Microdata => node.has("itemscope"),
            _ => node.has("typeof"),
        }
    }

    /// Many write `itemtype` without `itemscope` beside it, or the scope's type in any case.
    fn types<'a>(&self, node: Node<'a>) -> &'a str {
        let name = if self.origin == Origin::Microdata { "itemtype" } else { "typeof" };
        node.attribute(name).unwrap_or_default()
    }
}

/// Adds the items of a page; of RDFa only where it is used at all.
pub(super) fn add(graph: &mut Graph<'_>, dom: &Dom) -> Result<(), Blown> {
    let (mut microdata, mut rdfa) = (false, false);
    for node in dom.elements() {
        microdata |= node.has("itemscope");
        rdfa |= node.has("typeof");
    }
    if microdata {
        walk(graph, dom, &MICRODATA)?;
    }
    if rdfa {
        walk(graph, dom, &RDFA)?;
    }
    Ok(())
}

/// One pass over the page: each element belongs to the scope around it, and to those that name it
/// in `itemref`.
fn walk(graph: &mut Graph<'_>, dom: &Dom, spelling: &Spelling) -> Result<(), Blown> {
    // The item whose scope an element is.
    let mut scopes: HashMap<u32, usize> = HashMap::new();
    // Elements that items elsewhere name.
    let mut referred: HashMap<&str, Vec<usize>> = HashMap::new();
    for node in dom.elements().filter(|node| spelling.is_scope(*node)) {
        let mut item = Item::of(spelling.origin);
        spelling.types(node).split_whitespace().for_each(|kind| item.add_type(kind));
        item.id = node.attribute(spelling.id).map(|id| graph.absolute(id));
        let at = graph.add(item)?;
        scopes.insert(node.id(), at);
        for id in node.attribute("itemref").unwrap_or_default().split_whitespace() {
            graph.meter.value()?;
            referred.entry(id).or_default().push(at);
        }
    }
    // The elements around the current one, each with the items that its properties are of.
    let nobody: Rc<[usize]> = Rc::default();
    let mut around: Vec<(u32, Rc<[usize]>)> = Vec::new();
    for node in dom.elements() {
        let parent = node.parent().map(|parent| parent.id());
        while around.last().is_some_and(|(open, _)| Some(*open) != parent) {
            around.pop();
        }
        let own = scopes.get(&node.id()).copied();
        let mut owners = around.last().map_or_else(|| nobody.clone(), |(_, owners)| owners.clone());
        if !referred.is_empty()
            && let Some(named) = node.attribute("id").and_then(|id| referred.get(id))
        {
            let more = named.iter().filter(|at| own != Some(**at) && !owners.contains(at));
            owners = owners.iter().chain(more).copied().collect();
        }
        match (node.attribute(spelling.property), own) {
            (Some(names), _) if !owners.is_empty() => {
                let value = match own {
                    Some(at) => Some(Datum::Item(at)),
                    None if is_name(names) => name(graph, node)?,
                    None => value(graph, node)?,
                };
                let names = names.split_whitespace().filter(|name| known(name));
                for (name, value) in names.flat_map(|name| Some((name, value.clone()?))) {
                    for owner in owners.iter() {
                        if let Datum::Item(at) = value {
                            graph.set_parent(at, *owner, name);
                        }
                        graph.set(*owner, name, value.clone())?;
                    }
                }
            }
            // In another item, yet none of its properties.
            (None, Some(at)) => {
                if let Some(owner) = owners.first() {
                    graph.set_parent(at, *owner, "");
                }
            }
            _ => {}
        }
        around.push((node.id(), own.map_or(owners, |at| Rc::from([at]))));
    }
    Ok(())
}

/// Properties that are read; all others may be as many as they like.
fn known(name: &str) -> bool {
    super::product::KNOWN.contains(&local(name).as_str())
}

/// Whether it is meant for people: `<a itemprop="brand" href="/b">Brand</a>` is no address.
fn is_name(names: &str) -> bool {
    let is =
        |name: &str| matches!(local(name).as_str(), "brand" | "name" | "manufacturer" | "category");
    names.split_whitespace().any(is)
}

fn name(graph: &Graph<'_>, node: Node<'_>) -> Result<Option<Datum>, Blown> {
    let shown = |node: Node<'_>| {
        let text = ["alt", "title"].iter().find_map(|name| node.attribute(name));
        text.map(str::trim).filter(|text| !text.is_empty()).map(|text| Datum::Text(text.to_owned()))
    };
    match node.name() {
        "a" | "span" | "div" | "h1" | "h2" | "p" if !node.has("content") => {
            let text = node.text(graph.meter)?;
            if !text.trim().is_empty() {
                return Ok(Some(Datum::Text(text.trim().to_owned())));
            }
            let inner = node.descendants().find(|node| node.name() == "img");
            Ok(inner.and_then(shown).or_else(|| shown(node)))
        }
        "img" => Ok(shown(node)),
        _ => value(graph, node),
    }
}

fn value(graph: &Graph<'_>, node: Node<'_>) -> Result<Option<Datum>, Blown> {
    let attribute = match node.name() {
        "img" | "source" => {
            return Ok(image::address(node).map(|address| Datum::Text(address.to_owned())));
        }
        "audio" | "embed" | "iframe" | "video" => "src",
        "a" | "area" | "link" => "href",
        "data" | "meter" | "input" => "value",
        "time" => "datetime",
        "object" => "data",
        "meta" => "content",
        _ => "",
    };
    let content = node.attribute("content").filter(|text| !text.trim().is_empty());
    if let Some(text) = content.or_else(|| node.attribute(attribute)) {
        return Ok(Some(Datum::Text(text.trim().to_owned())));
    }
    if matches!(node.name(), "meta" | "link" | "input") {
        return Ok(None);
    }
    // A price that is struck through is the one from before.
    let text = node.text_without(graph.meter, &["del", "s", "strike"])?;
    if text.trim().is_empty() {
        // The picture in `<a itemprop="image"><img></a>` and the like.
        let inner = node.descendants().find(|node| node.name() == "img");
        return Ok(inner.and_then(image::address).map(|address| Datum::Text(address.to_owned())));
    }
    Ok(Some(Datum::Text(text.trim().to_owned())))
}
