//! `scraper run --dry-run`: what a run would fetch.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::Context;
use scraper_lib::{
    Error,
    report::{
        EXIT_ERROR, EXIT_FAILURES, EXIT_OK,
        console::{say, tell},
        shown::{LONG, SHORT, shown},
    },
    source::{Base, Location, Source, SourceItem},
};

/// Unreadable records that are told one by one, per source.
const TOLD: usize = 10;

/// What one source would bring.
#[derive(Default)]
struct Survey {
    products: u64,
    without_image: u64,
    bad_records: u64,
    /// Images by host; files under their own name.
    hosts: BTreeMap<String, u64>,
}

/// Reads all sources, downloads no image, and prints what there is.
pub(super) async fn dry_run(sources: Vec<Box<dyn Source>>, context: &Context) -> Result<u8, Error> {
    let (mut bad, mut failed, total) = (0, 0, sources.len());
    for source in sources {
        let (described, base) = (source.describe(), source.base());
        let (out, items) = mpsc::channel(64);
        let (result, survey) = tokio::join!(source.run(out), survey(items, &base, context));
        say!("{}", shown(&described, LONG))?;
        say!("  {} products, {} images", survey.products, survey.hosts.values().sum::<u64>())?;
        for (host, images) in &survey.hosts {
            say!("    {images:>8} from {}", shown(host, SHORT))?;
        }
        if survey.without_image > 0 {
            say!("  {} products without an image", survey.without_image)?;
        }
        if survey.bad_records > 0 {
            say!("  {} records that cannot be read", survey.bad_records)?;
        }
        bad += survey.bad_records;
        if let Err(e) = result {
            failed += 1;
            tell!(
                "error: {}",
                shown(&format!("{described} could not be read to its end: {e}"), LONG)
            );
        }
    }
    Ok(match (failed, bad) {
        (0, 0) => EXIT_OK,
        (failed, _) if failed == total => EXIT_ERROR,
        _ => EXIT_FAILURES,
    })
}

async fn survey(mut items: mpsc::Receiver<SourceItem>, base: &Base, context: &Context) -> Survey {
    let mut survey = Survey::default();
    while let Some(item) = items.recv().await {
        let product = match item {
            Ok(product) => product,
            Err(e) => {
                survey.bad_records += 1;
                if survey.bad_records <= TOLD as u64 {
                    context.progress.note(&format!("failed: {e}"));
                }
                continue;
            }
        };
        survey.products += 1;
        survey.without_image += u64::from(product.images.is_empty());
        for image in &product.images {
            let host = match Location::parse(image, base) {
                Ok(Location::Url(url)) => url.host_str().unwrap_or_default().to_owned(),
                Ok(Location::File(_) | Location::Inside { .. }) => "files".to_owned(),
                Err(_) => "unusable addresses".to_owned(),
            };
            *survey.hosts.entry(host).or_default() += 1;
        }
    }
    survey
}
