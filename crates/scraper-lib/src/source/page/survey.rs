//! What lies on a page, found in one pass over its elements.

use std::collections::HashMap;

use reqwest::Url;

use super::{
    budget::{Blown, Meter},
    dom::{Dom, Node},
};
use crate::source::text;

/// Elements and texts that readers look at.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    pub(super) dom: &'a Dom,
    /// Texts of `<script type="application/ld+json">`.
    pub(super) linked: Vec<String>,
    /// Other scripts, which may hold the state of the page.
    pub(super) scripts: Vec<Node<'a>>,
    /// `<meta property|name content>` in their order, names in lower case.
    metas: Vec<(String, &'a str)>,
    links: HashMap<String, &'a str>,
    /// `hreflang` and address of the same page in other languages.
    pub(super) alternates: Vec<(&'a str, &'a str)>,
    pub(super) headings: Vec<String>,
    pub(super) title: Option<String>,
    /// Against it addresses are read.
    pub(super) base: Url,
}

/// Headings that are looked at.
const HEADINGS: usize = 4;
/// Languages that are looked at.
const ALTERNATES: usize = 500;

impl<'a> Survey<'a> {
    pub(super) fn of(dom: &'a Dom, page: &Url, meter: &Meter) -> Result<Self, Blown> {
        let mut survey = Survey {
            dom,
            linked: Vec::new(),
            scripts: Vec::new(),
            metas: Vec::new(),
            links: HashMap::new(),
            alternates: Vec::new(),
            headings: Vec::new(),
            title: None,
            base: page.clone(),
        };
        let mut has_base = false;
        for node in dom.elements() {
            match node.name() {
                "script" => {
                    let kind = node.attribute("type").unwrap_or_default().to_ascii_lowercase();
                    match kind.contains("ld+json") {
                        true => survey.linked.push(node.text(meter)?),
                        false => survey.scripts.push(node),
                    }
                }
                "meta" => {
                    let key = node.attribute("property").or_else(|| node.attribute("name"));
                    if let (Some(key), Some(content)) = (key, node.attribute("content")) {
                        survey.metas.push((key.trim().to_ascii_lowercase(), content));
                    }
                }
                "link" => {
                    if let (Some(rel), Some(href)) = (node.attribute("rel"), node.attribute("href"))
                    {
                        let rel = rel.trim().to_ascii_lowercase();
                        if let Some(language) = node.attribute("hreflang")
                            && rel == "alternate"
                            && survey.alternates.len() < ALTERNATES
                        {
                            survey.alternates.push((language.trim(), href));
                        }
                        survey.links.entry(rel).or_insert(href);
                    }
                }
                "base" if !has_base => {
                    if let Some(base) = node.attribute("href").and_then(|href| page.join(href).ok())
                    {
                        survey.base = base;
                        has_base = true;
                    }
                }
                "h1" if survey.headings.len() < HEADINGS => {
                    survey.headings.extend(text::some(&node.text(meter)?));
                }
                "title" if survey.title.is_none() => {
                    survey.title = text::some(&node.text(meter)?);
                }
                _ => {}
            }
        }
        Ok(survey)
    }

    /// The first value of the first of these names that has one.
    pub(super) fn meta(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| {
            let mut values = self.metas.iter().filter(|(known, _)| known == name);
            values.find_map(|(_, value)| text::meaningful(&text::unescaped(value)))
        })
    }

    /// All values of a name.
    pub(super) fn metas(&self, names: &[&str]) -> impl Iterator<Item = &'a str> {
        let known = self.metas.iter().filter(move |(known, _)| names.contains(&known.as_str()));
        known.map(|(_, value)| *value)
    }

    pub(super) fn link(&self, rel: &str) -> Option<&'a str> {
        self.links.get(rel).copied()
    }
}
