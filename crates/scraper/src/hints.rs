//! What to type. The library says what failed, on which input; flags and commands are the program's.

use scraper_lib::{
    Error, fetch,
    model::{DeviceError, ModelError},
    report::Summary,
    source::SourceError,
    store::StoreError,
    verify::{Comparison, EndpointError},
};

/// For an error that ends a command.
pub(crate) fn of_error(error: &Error) -> Option<String> {
    let text = match error {
        Error::Store(e) => match e {
            StoreError::Missing(_) => "`scraper run` makes it; --store names another",
            StoreError::Empty(_) => "`scraper run` fills it",
            StoreError::Foreign(_) | StoreError::InUse(_) | StoreError::Damaged(_) => {
                "--store FILE names another"
            }
            StoreError::Provenance { .. } => {
                "--store FILE names another store; --reembed embeds everything anew"
            }
            StoreError::Connect { .. } => "--store holds user, password and database",
            _ => return None,
        },
        Error::Model(e) => match e {
            ModelError::Offline { repo: model, .. } | ModelError::Damaged { model, .. } => {
                return Some(format!("`scraper model pull {model}` downloads it"));
            }
            ModelError::NoSettings { model, hub: true }
            | ModelError::NoTokenizer { model, hub: true, .. } => {
                return Some(format!(
                    "`scraper model pull {model}` downloads what the cache lacks, if the hub has it"
                ));
            }
            ModelError::Unreachable { .. } => "--model takes a local folder",
            ModelError::Device(DeviceError::Inexact { .. }) => {
                "--allow-inexact runs it all the same, and the store says so; --device cpu is exact"
            }
            ModelError::Device(DeviceError::NotBuilt(feature)) => {
                return Some(format!("`cargo build --release -p scraper --features {feature}`"));
            }
            ModelError::Device(_) => {
                "`scraper doctor` shows what there is; --device cpu needs none"
            }
            _ => return None,
        },
        Error::Endpoint(e) => match e {
            EndpointError::Timeout { .. } => "--timeout waits longer",
            EndpointError::NotReady { .. } => "--endpoint-wait waits longer",
            EndpointError::Token { .. } => "--token-env names the variable that holds the token",
            _ => return None,
        },
        Error::Source(SourceError::Kind { .. }) => "--kind says it",
        Error::Clip(clip_core::Error::Device(_)) => {
            "what is stored was computed before; --device cpu goes on without the device"
        }
        Error::NoRun { .. } => "`scraper run` on this store begins one; --wait waits longer",
        Error::Fetch(e) => return of_failure(e.kind(), &e.to_string()).map(str::to_owned),
        _ => return None,
    };
    Some(text.to_owned())
}

/// For a failure, by its kind as summaries and stores name it.
pub(crate) fn of_failure(kind: &str, message: &str) -> Option<&'static str> {
    Some(match kind {
        "fetch.slow" => "--min-speed says how slow is too slow",
        "fetch.private" => {
            "--allow-private permits what is not on the public internet; the metadata service of a \
             cloud only where its own network is named (169.254.169.254/32)"
        }
        "fetch.robots" => "where the shop is yours, --ignore-robots fetches it all the same",
        "fetch.aside" => {
            "`scraper retry --failed` or the next run asks the host again; --host-patience waits longer"
        }
        "fetch.too_large" => "--max-bytes raises the limit for images",
        "page.no_product" => {
            "`scraper probe URL` shows what was read from a page, and what was refused"
        }
        _ if message.contains(fetch::OUTSIDE) => "--follow-symlinks follows links",
        _ => return None,
    })
}

/// For all that a run tells of.
pub(crate) fn of_summary(summary: &Summary) -> Vec<&'static str> {
    let mut hints: Vec<&'static str> =
        summary.first_failures.iter().filter_map(|f| of_failure(&f.kind, &f.message)).collect();
    let kinds = summary.failures_by_kind.keys().chain(summary.pages_by_kind.keys());
    hints.extend(kinds.filter_map(|kind| of_failure(kind, "")));
    if !summary.kept.is_empty() {
        hints.push(
            "if the products are gone, run again with --accept-vanished, or raise --max-vanished",
        );
    }
    let mut told = std::collections::HashSet::new();
    hints.retain(|hint| told.insert(*hint));
    hints
}

/// For vectors that would be the same under another preprocessing.
pub(crate) fn of_comparison(comparison: &Comparison) -> Option<String> {
    let (own, best) = (&comparison.own.profile, &comparison.best.profile);
    (own != best).then(|| format!("--profile {best}"))
}
