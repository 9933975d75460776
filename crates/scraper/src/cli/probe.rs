//! `scraper probe`: what is read from a page, where each field came from, and what was refused.

use std::path::PathBuf;

use clap::Args;
use reqwest::Url;
use serde_json::{Value, json};

use super::{Context, network::NetworkArgs, probe_pages, unreadable, values};
use scraper_lib::{
    Error,
    embed::blocking,
    report::{EXIT_FAILURES, EXIT_OK, console::print},
    source::{Found, PageReader, Web},
};

/// Shows what is read from a product page: every field and its origin, the images, and what was
/// refused and why.
///
/// Examples:
///   scraper probe https://shop.example/p/red-dress
///   scraper probe saved.html --url https://shop.example/p/red-dress --json
///   scraper probe --pages saved/ --truth truth.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ProbeArgs {
    /// The address of a page, or a saved page.
    #[arg(value_name = "URL|FILE", required_unless_present = "pages")]
    page: Option<String>,
    /// Original address of a saved page.
    #[arg(long, value_name = "URL", default_value = "https://page.invalid/")]
    url: Url,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// A CSS selector for a field (title, price, image …), as in [source.select]: title=h1,
    /// image=img.main@src; may be repeated.
    #[arg(long, value_name = "FIELD=CSS", value_parser = values::selector)]
    select: Vec<(String, String)>,
    /// Reads all saved pages of a truth file and counts what is found, right and wrong per field.
    #[arg(long, value_name = "DIR", requires = "truth", conflicts_with = "page")]
    pages: Option<PathBuf>,
    /// Expected values: a JSON object of file names, each with "url" and the fields of
    /// its product (title, brand, category, price, currency, availability, images: their number),
    /// or "product": null where there is none. Fields that are left out are not judged.
    #[arg(long, value_name = "FILE", requires = "pages")]
    truth: Option<PathBuf>,
    /// Python interpreter with extruct, whose results for the same pages are shown for comparison.
    #[arg(long, value_name = "PYTHON", requires = "pages")]
    extruct: Option<PathBuf>,
    /// With --pages: lists every wrong value.
    #[arg(long, requires = "pages")]
    all: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

impl ProbeArgs {
    pub(super) async fn run(self, _context: &Context) -> Result<u8, Error> {
        let reader = PageReader { select: values::select(&self.select)?, ..PageReader::default() };
        if let (Some(pages), Some(truth)) = (&self.pages, &self.truth) {
            let (pages, truth, python) = (pages.clone(), truth.clone(), self.extruct.clone());
            let all = self.all;
            let count = move || probe_pages::count(&reader, &pages, &truth, python.as_deref(), all);
            return blocking(count).await?;
        }
        let page = self.page.unwrap_or_default();
        let (url, found) = match Url::parse(&page) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => {
                let web = Web::new(self.network.fetcher_of(PAGE_LIMIT)?, None);
                web.probe(&url, reader).await?
            }
            _ => {
                let path = PathBuf::from(&page);
                let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, &e))?;
                let url = self.url.clone();
                let read = move || (url.clone(), reader.read(&bytes, None, &url));
                blocking(read).await?
            }
        };
        print(&match self.json {
            true => format!("{}\n", as_json(&url, &found)),
            false => table(&url, &found),
        })?;
        Ok(if found.product.is_some() { EXIT_OK } else { EXIT_FAILURES })
    }
}

/// Largest page, in bytes.
const PAGE_LIMIT: u64 = 16 << 20;

fn as_json(url: &Url, found: &Found) -> Value {
    let mut value = json!({
        "url": url.as_str(),
        "product": found.product,
        "from": found.report.fields.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "refused": found.report.refused,
        "notes": found.notes,
        "canonical": found.canonical,
        "listing": found.is_listing,
    });
    // A page gives no id; its address does, in a run.
    if let Some(product) = value.get_mut("product").and_then(Value::as_object_mut) {
        product.remove("id");
        product.remove("source");
    }
    value
}

fn table(url: &Url, found: &Found) -> String {
    let mut out = format!("{url}\n");
    if let Some(canonical) = found.canonical.as_deref().filter(|c| *c != url.as_str()) {
        row(&mut out, "canonical", canonical, "");
    }
    match &found.product {
        None if found.is_listing => out.push_str("  no product: the page lists several\n"),
        None => out.push_str("  no product\n"),
        Some(product) => {
            let from = |field: &str| {
                let fields = &found.report.fields;
                let origin = fields.iter().find(|(name, _)| name == field);
                origin.map_or("", |(_, origin)| origin.as_str())
            };
            let price = product.price.map(|price| price.to_string());
            let availability = product.availability.map(|a| a.as_str().to_owned());
            let fields = [
                ("title", product.title.clone()),
                ("brand", product.brand.clone()),
                ("category", product.category.clone()),
                ("price", price),
                ("currency", product.currency.clone()),
                ("availability", availability),
                ("url", product.url.clone()),
                ("description", product.description.clone()),
            ];
            for (name, value) in fields {
                row(&mut out, name, value.as_deref().unwrap_or("-"), from(name));
            }
            for (name, value) in &product.attributes {
                row(&mut out, name, value, from("attributes"));
            }
            for (at, image) in product.images.iter().enumerate() {
                row(&mut out, &format!("image {}", at + 1), image, from("images"));
            }
            if product.images.is_empty() {
                row(&mut out, "images", "none", "");
            }
        }
    }
    for refused in &found.report.refused {
        let what = format!("{:?}: {}", refused.text, refused.reason);
        row(&mut out, &format!("refused {}", refused.field), &what, refused.origin.as_str());
    }
    for note in &found.notes {
        out.push_str(&format!("  note: {}\n", plain(note, 300)));
    }
    out
}

fn row(out: &mut String, name: &str, value: &str, from: &str) {
    out.push_str(format!("  {name:<14} {:<60} {from}", plain(value, 120)).trim_end());
    out.push('\n');
}

/// A page's text on a terminal: no control characters, not too long.
fn plain(text: &str, most: usize) -> String {
    let mut shown: String =
        text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}
