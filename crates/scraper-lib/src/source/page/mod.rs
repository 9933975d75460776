//! A product page, read as a careful person does: every sort of evidence tells what it knows, and
//! the better sort is believed, field by field.
//!
//! JSON-LD, microdata and RDFa name the product; of several the page's own is found by address,
//! name and place. What they leave open is filled from the page's state, OpenGraph, Twitter cards,
//! what people see, and the selectors of the settings. What cannot be decided stays empty.

mod breadcrumbs;
pub(super) mod budget;
mod decode;
pub(super) mod dom;
mod gallery;
mod graph;
mod image;
mod jsonld;
mod lenient;
mod merge;
mod meta;
mod microdata;
mod offers;
mod own;
mod picture;
mod place;
mod product;
mod report;
mod same;
pub(super) mod select;
mod state;
mod survey;
mod visible;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use self::{
    budget::{Blown, Meter},
    dom::Dom,
    graph::Graph,
    merge::Merged,
    own::{Choice, Own},
    place::{Match, Place},
    product::{Images, Told},
    survey::Survey,
};
use super::{
    Product,
    web::{Keep, Keepable},
};

pub use self::{
    budget::PageBudget,
    report::{Origin, Refusal, Report},
    same::{Reason, SameAs},
    select::Select,
};

/// Names what this reading makes of a page; changed whenever it makes something else.
const VERSION: &str = "page-5";

/// What a page told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// Its id is yet to be given.
    pub product: Option<Product>,
    /// What could not be read.
    pub notes: Vec<String>,
    /// `<link rel="canonical">`, where it is on the page's own site.
    pub canonical: Option<String>,
    /// Another page of the site that stands for this one's product, as this one says.
    pub same_as: Option<SameAs>,
    /// The page is a list of products.
    pub is_listing: bool,
    /// Where each field came from.
    pub report: Report,
    /// The clock ended the reading, on a machine that may have more time tomorrow.
    #[serde(skip)]
    pub(in crate::source) hurried: bool,
}

impl Keepable for Found {
    fn keep(&self) -> Keep {
        match &self.product {
            _ if self.hurried => Keep::Never,
            // A shop that is being repaired, or that takes us for a robot, shows another page with 200.
            None if !self.is_listing => Keep::Asked,
            Some(_) if self.same_as.is_some() => Keep::Always,
            _ => Keep::Settled,
        }
    }
}

/// How pages are read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PageReader {
    /// What reading one page may cost.
    pub budget: PageBudget,
    /// Selectors for what the page's data does not tell.
    pub select: Select,
}

impl PageReader {
    /// Names this reading; what other selectors or budgets made of a page is not used again.
    pub(super) fn version(&self) -> String {
        match *self == PageReader::default() {
            true => VERSION.to_owned(),
            false => format!("{VERSION} {self:?}"),
        }
    }

    /// Reads a page that was at `page`.
    ///
    /// ```
    /// use scraper_lib::source::{Availability, PageReader};
    ///
    /// let html = br#"<title>Shop</title><script type="application/ld+json">
    ///     {"@type": "Product", "name": "Red dress", "image": "/d-1.jpg",
    ///      "offers": {"price": "19.95", "priceCurrency": "EUR", "availability": "InStock"}}
    /// </script>"#;
    /// let address = url::Url::parse("https://shop.example/dress")?;
    /// let found = PageReader::default().read(html, Some("text/html; charset=utf-8"), &address);
    ///
    /// let product = found.product.ok_or("no product")?;
    /// assert_eq!(product.title.as_deref(), Some("Red dress"));
    /// assert_eq!((product.price, product.currency.as_deref()), (Some(19.95), Some("EUR")));
    /// assert_eq!(product.availability, Some(Availability::InStock));
    /// assert_eq!(product.images, ["https://shop.example/d-1.jpg"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self, bytes: &[u8], content_type: Option<&str>, page: &Url) -> Found {
        let html = decode::text(bytes, content_type);
        let mut found = Found::default();
        let meter = Meter::new(self.budget);
        match self.product(&html, page, &meter, &mut found) {
            Ok(product) => found.product = product,
            Err(blown) => {
                found.hurried = matches!(blown, Blown::Time(_));
                found.notes.push(blown.to_string());
            }
        }
        found
    }

    fn product(
        &self,
        html: &str,
        page: &Url,
        meter: &Meter,
        found: &mut Found,
    ) -> Result<Option<Product>, Blown> {
        let dom = Dom::parse(html, meter)?;
        let survey = Survey::of(&dom, page, meter)?;
        found.canonical = place::canonical(&survey, page).map(String::from);
        let place = Place::of(&survey, page);
        let mut graph = Graph::new(meter, &survey.base);
        for script in &survey.linked {
            if let Err(e) = jsonld::add(&mut graph, script)? {
                found.notes.push(format!("a JSON-LD block cannot be read: {e}"));
            }
        }
        microdata::add(&mut graph, &dom)?;
        graph.link();
        let report = &mut found.report;
        let mut merged = Merged::default();
        for origin in [Origin::JsonLd, Origin::Microdata, Origin::Rdfa] {
            match own::choose(&graph, origin, &place, report)? {
                Choice::None => {}
                Choice::Listing => found.is_listing = true,
                Choice::Own(Own { at, variants }) => {
                    let own = |url: &str| place.address(url, graph.base) == Match::Exact;
                    let told = product::read(&graph, at, &variants, origin, &own, report)?;
                    merged.structured(told, origin, &place);
                }
            }
        }
        let open_graph = meta::open_graph(&survey, &graph, report)?;
        let twitter = meta::twitter(&survey, &graph)?;
        let mut is_product = merged.is_structured();
        let state = match merged.is_complete() {
            true => None,
            false => state::read(&survey, &graph, &place)?,
        };
        let open = !found.is_listing || meta::is_surely_product(&survey);
        let has_picture = !open_graph.images.is_empty() || !twitter.images.is_empty();
        if !is_product && open {
            let said = meta::is_product(&survey) && has_picture;
            is_product =
                said || state.as_ref().is_some_and(|told| has_picture || !told.images.is_empty());
        }
        if let Some(state) = state
            && (is_product || open)
        {
            merged.fill(state, Origin::State);
        }
        merged.fill(open_graph, Origin::OpenGraph);
        merged.fill(twitter, Origin::Twitter);
        let told = &merged.told;
        let holes = told.offered.price.is_none()
            || told.offered.availability.is_none()
            || told.brand.is_none();
        let seen = match is_product && !holes || !open && !is_product {
            true => visible::Seen::default(),
            // What it cannot find within a budget of its own is not to be seen.
            false => visible::read(&survey, &meter.aside(), report).unwrap_or_else(|blown| {
                found.hurried = matches!(blown, Blown::Time(_));
                visible::Seen::default()
            }),
        };
        // A page that shows one price beside its heading and a button to buy.
        if !is_product && open && seen.can_be_bought && seen.price.is_some() {
            let mut images = Images::default();
            if !has_picture {
                let title = survey.headings.first().map(String::as_str);
                gallery::main_picture(&mut images, &survey, &graph, title)?;
            }
            is_product = has_picture || !images.list.is_empty();
        }
        let mut told =
            Told { title: survey.headings.first().cloned(), brand: seen.brand, ..Told::default() };
        told.offered.availability = seen.availability;
        if let Some(money) = seen.price {
            (told.offered.price, told.offered.currency) = (Some(money.amount), money.currency);
        }
        merged.fill(told, Origin::Html);
        if !self.select.is_empty() {
            let told = select::read(&self.select, html, &graph)?;
            is_product |= told.title.is_some() && !told.images.is_empty();
            merged.fill(told, Origin::Select);
        }
        if !is_product {
            return Ok(None);
        }
        self.pictures(&mut merged, &survey, &graph, &place)?;
        let title = merged.told.title.clone();
        if let Some((path, origin)) =
            breadcrumbs::category(&graph, &survey, &place, title.as_deref())?
        {
            merged.category(path, origin);
        }
        if merged.told.title.is_none() && merged.told.images.is_empty() {
            found.notes.push("its product has neither a name nor an image".into());
            return Ok(None);
        }
        let url = found.canonical.as_deref().and_then(|url| Url::parse(url).ok());
        found.report.fields = merged.fields();
        found.same_as = same::same_as(&survey, page, merged.told.is_variant());
        Ok(Some(merged.finish(page, url, graph.base)))
    }

    fn pictures(
        &self,
        merged: &mut Merged,
        survey: &Survey<'_>,
        graph: &Graph<'_>,
        place: &Place,
    ) -> Result<(), Blown> {
        if merged.told.images.len() > 1 {
            return Ok(());
        }
        let mut images = Images::default();
        for address in &merged.told.images {
            images.add(graph, address)?;
        }
        if images.list.is_empty() {
            gallery::main_picture(&mut images, survey, graph, merged.told.title.as_deref())?;
        }
        gallery::extend(&mut images, survey, graph, place)?;
        merged.pictures(images.list, Origin::Html);
        Ok(())
    }
}

/// The same for all sizes of one picture.
pub(super) fn picture_key(address: &str) -> String {
    picture::key(address)
}

/// Whether two titles are those of one product.
pub(super) fn alike(a: &str, b: &str) -> bool {
    place::names(&place::words(a), &place::words(b)) >= Match::Weak
}

#[cfg(test)]
mod tests;
