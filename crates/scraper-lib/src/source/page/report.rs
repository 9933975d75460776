//! Where each field of a product came from, and what was refused.

use serde::{Deserialize, Serialize};

/// A sort of evidence on a page; the earlier is believed before the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// `<script type="application/ld+json">`.
    JsonLd,
    /// `itemscope`, `itemprop`.
    Microdata,
    /// `typeof`, `property`.
    Rdfa,
    /// What the page's script starts with: `__NEXT_DATA__`, Shopify's product JSON …
    State,
    /// `<meta property="og:…">`.
    OpenGraph,
    /// `<meta name="twitter:…">`.
    Twitter,
    /// Elements that people see.
    Html,
    /// `[source.select]` of the settings.
    Select,
}

impl Origin {
    /// As people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::JsonLd => "JSON-LD",
            Origin::Microdata => "microdata",
            Origin::Rdfa => "RDFa",
            Origin::State => "embedded state",
            Origin::OpenGraph => "OpenGraph",
            Origin::Twitter => "Twitter card",
            Origin::Html => "page",
            Origin::Select => "selector",
        }
    }
}

/// Something the page says that was not taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    pub field: String,
    pub origin: Origin,
    /// What was written, shortened.
    pub text: String,
    pub reason: String,
}

/// How a page was read.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The field and where it came from, in the order of a product's fields.
    pub fields: Vec<(String, Origin)>,
    pub refused: Vec<Refusal>,
}

/// Refusals that are kept; a page may have any number.
const MOST: usize = 50;

impl Report {
    pub(super) fn refuse(&mut self, field: &str, origin: Origin, text: &str, reason: &str) {
        if self.refused.len() < MOST {
            let text = text.chars().take(80).collect();
            let (field, reason) = (field.to_owned(), reason.to_owned());
            let refused = Refusal { field, origin, text, reason };
            if !self.refused.contains(&refused) {
                self.refused.push(refused);
            }
        }
    }
}
