//! `scraper probe --pages`: saved pages against what is true of them.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::unreadable;
use scraper_lib::{
    Error,
    report::{EXIT_OK, console::print},
    source::PageReader,
};

const FIELDS: [&str; 8] =
    ["product", "title", "brand", "category", "price", "currency", "availability", "images"];
/// Reads the same pages with extruct: JSON-LD, then microdata, as they stand.
const EXTRUCT: &str = include_str!("probe_extruct.py");

/// How one field fared on all pages.
#[derive(Debug, Default)]
struct Count {
    judged: u32,
    found: u32,
    right: u32,
    wrong: u32,
}

/// Reads the pages and prints a table.
pub(super) fn count(
    reader: &PageReader,
    pages: &Path,
    truth: &Path,
    python: Option<&Path>,
    all: bool,
) -> Result<u8, Error> {
    let text = std::fs::read(truth).map_err(|e| unreadable(truth, &e))?;
    let truth_name = truth.display();
    let truth: Map<String, Value> = serde_json::from_slice(&text)
        .map_err(|e| Error::Usage(format!("{truth_name}: not a JSON object of pages: {e}")))?;
    let (mut ours, mut read) = (BTreeMap::new(), Vec::new());
    let (started, mut bytes_read) = (Instant::now(), 0);
    for (name, known) in &truth {
        let path = pages.join(name);
        let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, &e))?;
        let url = known.get("url").and_then(Value::as_str).unwrap_or("https://page.invalid/");
        let url =
            Url::parse(url).map_err(|e| Error::Usage(format!("{truth_name}, {name}: {e}")))?;
        let content_type = known.get("content_type").and_then(Value::as_str);
        let found = reader.read(&bytes, content_type, &url);
        bytes_read += bytes.len();
        let product = found.product.map(|product| {
            json!({"title": product.title, "brand": product.brand, "category": product.category,
                   "price": product.price, "currency": product.currency, "images": product.images,
                   "availability": product.availability})
        });
        ours.insert(name.clone(), product.unwrap_or(Value::Null));
        read.push((path, url));
    }
    let took = started.elapsed().as_secs_f64();
    let mut out = table("scraper", &truth, &ours, all);
    out += &format!(
        "{} pages, {:.1} MB, {:.0} pages/s on one core\n",
        truth.len(),
        bytes_read as f64 / 1e6,
        truth.len() as f64 / took.max(1e-9)
    );
    if let Some(python) = python {
        let theirs = extruct(python, &read, &truth)?;
        out += &table("extruct", &truth, &theirs, false);
    }
    print(&out)?;
    Ok(EXIT_OK)
}

/// Counts per field; with `all`, each answer that is not right before them.
fn table(
    who: &str,
    truth: &Map<String, Value>,
    told: &BTreeMap<String, Value>,
    all: bool,
) -> String {
    let mut out = String::new();
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    for (name, known) in truth {
        let told = told.get(name).unwrap_or(&Value::Null);
        for field in FIELDS {
            let (expected, value) = match field {
                "product" => {
                    let none = known.get("product").is_some_and(Value::is_null);
                    (Some(json!(!none)), json!(!told.is_null()))
                }
                field => (known.get(field).cloned(), told.get(field).cloned().unwrap_or_default()),
            };
            let Some(expected) = expected else { continue };
            let count = counts.entry(field).or_default();
            count.judged += 1;
            let has = match &value {
                Value::Null | Value::Bool(false) => false,
                Value::Array(values) => !values.is_empty(),
                _ => true,
            };
            count.found += u32::from(has);
            let right = same(field, &expected, &value);
            count.right += u32::from(right);
            count.wrong += u32::from(!right && has);
            if !right && all {
                out += &format!("  {name}: {field}: {value} is not {expected}\n");
            }
        }
    }
    out += &format!("{who:<14} judged  found  right  wrong\n");
    for field in FIELDS {
        let Some(Count { judged, found, right, wrong }) = counts.get(field) else { continue };
        out += &format!("  {field:<12} {judged:>6} {found:>6} {right:>6} {wrong:>6}\n");
    }
    out
}

/// Names by their words, prices to the cent, categories by their last level, images by number.
fn same(field: &str, expected: &Value, value: &Value) -> bool {
    let words = |value: &Value| {
        let text = value.as_str().unwrap_or_default().to_lowercase();
        let text: String =
            text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    match field {
        _ if expected.is_null() => value.is_null(),
        "title" | "brand" => !value.is_null() && words(expected) == words(value),
        "category" => {
            let last = |value: &Value| {
                let text = value.as_str().unwrap_or_default();
                words(&json!(text.rsplit(['>', '/', '|']).next().unwrap_or_default()))
            };
            !value.is_null() && (words(expected) == words(value) || last(expected) == last(value))
        }
        "price" => match (expected.as_f64(), value.as_f64()) {
            (Some(expected), Some(value)) => (expected - value).abs() < 0.005,
            _ => false,
        },
        "images" => match expected {
            Value::Array(_) => expected == value,
            expected => expected.as_u64() == value.as_array().map(|images| images.len() as u64),
        },
        _ => expected == value,
    }
}

fn extruct(
    python: &Path,
    pages: &[(std::path::PathBuf, Url)],
    truth: &Map<String, Value>,
) -> Result<BTreeMap<String, Value>, Error> {
    let failed = |reason: String| Error::Usage(format!("{}: {reason}", python.display()));
    let mut child = Command::new(python)
        .args(["-c", EXTRUCT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    let list: Vec<Value> = pages
        .iter()
        .zip(truth.keys())
        .map(|((path, url), name)| json!({"name": name, "path": path, "url": url.as_str()}))
        .collect();
    if let Some(mut input) = child.stdin.take() {
        // Where it has ended already, its exit code says more.
        let _ = input.write_all(json!(list).to_string().as_bytes());
    }
    let output = child.wait_with_output().map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("{} (is extruct installed?)", output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| failed(e.to_string()))
}
