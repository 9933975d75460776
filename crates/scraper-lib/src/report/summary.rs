//! What a run did: for people, for programs, for GitHub.

use std::{collections::BTreeMap, fmt::Write};

use indicatif::HumanBytes;
use serde::Serialize;

use super::{
    EXIT_FAILURES, EXIT_INTERRUPTED, EXIT_OK, MaxFailures,
    secrets::redact,
    shown::{LONG, SHORT, cut, shown},
};

/// At most so many failures are told one by one; the store's quarantine has them all.
const TOLD: usize = 20;

/// One failure, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureNote {
    /// Its id.
    pub product: String,
    /// Address of the image, page or record.
    pub image: String,
    /// A short stable name for programs.
    pub kind: String,
    /// For people.
    pub message: String,
}

impl std::fmt::Display for FailureNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (product, image) = (shown(&self.product, SHORT), shown(&self.image, SHORT));
        let message = shown(&self.message, LONG);
        if product.is_empty() {
            return write!(f, "{message}");
        }
        if image.is_empty() || message.contains(&*image) {
            return write!(f, "product {product}: {message}");
        }
        write!(f, "product {product}, {image}: {message}")
    }
}

/// A source of which too many products would have vanished in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptSource {
    /// Its name.
    pub source: String,
    /// Products that it did not list.
    pub missing: u64,
    /// Products that it had before.
    pub of: u64,
}

impl std::fmt::Display for KeptSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let KeptSource { source, missing, of } = self;
        let name = if source.is_empty() { "the source" } else { source.as_str() };
        write!(
            f,
            "{name} no longer lists {missing} of its {of} products; they are kept, because a source \
             that is broken looks the same."
        )
    }
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Products that the sources told of.
    pub products: u64,
    /// Images of these products.
    pub images: u64,
    /// Vectors computed in this run.
    pub embedded: u64,
    /// Of those, images whose files are damaged: their pixels are what Pillow makes of them.
    pub damaged: u64,
    /// Images whose bytes had a vector already.
    pub reused: u64,
    /// Of those, images that the server vouched for without sending them (304).
    pub not_modified: u64,
    /// Images that failed; they are in the quarantine with the reason.
    pub failed: u64,
    /// Records of the source that could not be read.
    pub bad_records: u64,
    /// Products that have no image at all.
    pub without_image: u64,
    /// Listed pages that gave no product without a fault of the run, by reason: `page.gone`,
    /// `page.no_product`.
    pub pages_by_kind: BTreeMap<String, u64>,
    /// Sources, of several, that could not be read to their end.
    pub sources_failed: u64,
    /// Sources that could be read and gave no product: never fine.
    pub sources_empty: u64,
    /// Products that their sources no longer tell of: hidden now, removed some runs later.
    pub vanished: u64,
    /// Products that were removed because they had been missing for too long.
    pub removed: u64,
    /// Sources of which so much would have vanished that nothing did.
    pub kept: Vec<KeptSource>,
    /// Failures and unreadable records by kind.
    pub failures_by_kind: BTreeMap<String, u64>,
    /// The first of them.
    pub first_failures: Vec<FailureNote>,
    /// Bytes of all images that were read or downloaded.
    pub bytes: u64,
    /// The whole run, wall clock.
    pub seconds: f64,
    /// Ended early on request.
    pub interrupted: bool,
    /// Images whose result the store could not hold; they are counted with both.
    #[serde(skip)]
    pub refused: u64,
    #[serde(skip)]
    announced: usize,
}

impl Summary {
    /// Counts a failure, and keeps the first ones: no longer than people read, without secrets.
    pub fn note(&mut self, mut failure: FailureNote) {
        for (text, limit) in [
            (&mut failure.product, SHORT),
            (&mut failure.image, SHORT),
            (&mut failure.message, LONG),
        ] {
            *text = cut(redact(text), limit).into_owned();
        }
        *self.failures_by_kind.entry(failure.kind.clone()).or_default() += 1;
        if self.first_failures.len() < TOLD {
            self.first_failures.push(failure);
        }
    }

    /// Adds what another part of the same run did with products, records and pages.
    pub fn absorb(&mut self, other: Summary) {
        self.products += other.products;
        self.bad_records += other.bad_records;
        self.without_image += other.without_image;
        for (kind, n) in other.pages_by_kind {
            *self.pages_by_kind.entry(kind).or_default() += n;
        }
        for (kind, n) in other.failures_by_kind {
            *self.failures_by_kind.entry(kind).or_default() += n;
        }
        let room = TOLD.saturating_sub(self.first_failures.len());
        self.first_failures.extend(other.first_failures.into_iter().take(room));
    }

    /// Counts what the store could not hold: an image, or a whole record.
    pub fn refuse(&mut self, refused: Vec<FailureNote>) {
        for note in refused {
            match note.image.is_empty() {
                true => self.bad_records += 1,
                false => {
                    self.failed += 1;
                    self.refused += 1;
                }
            }
            self.note(note);
        }
    }

    /// The failures noted since the last call.
    pub fn new_failures(&mut self) -> &[FailureNote] {
        let from = std::mem::replace(&mut self.announced, self.first_failures.len());
        self.first_failures.get(from..).unwrap_or_default()
    }

    /// Images, records, products without images, and sources that failed.
    pub fn failures(&self) -> u64 {
        self.failed + self.bad_records + self.without_image + self.sources_failed
    }

    /// What is never fine, however many failures are allowed.
    fn is_suspicious(&self) -> bool {
        self.sources_empty > 0 || !self.kept.is_empty()
    }

    /// The exit code of the run, if so many failures are fine.
    pub fn exit_code(&self, allowed: MaxFailures) -> u8 {
        match self {
            Summary { interrupted: true, .. } => EXIT_INTERRUPTED,
            _ if self.is_suspicious() => EXIT_FAILURES,
            _ if allowed.covers(self.failures(), self.images) => EXIT_OK,
            _ => EXIT_FAILURES,
        }
    }

    /// Listed pages that gave no product, in words.
    fn pages_without(&self) -> Option<String> {
        let parts: Vec<String> =
            self.pages_by_kind.iter().map(|(kind, n)| format!("{n} x {kind}")).collect();
        (!parts.is_empty()).then(|| format!("listed pages without a product: {}", parts.join(", ")))
    }

    fn damaged(&self) -> Option<String> {
        let count = self.damaged;
        (count > 0).then(|| {
            format!("{count} of the embedded images are damaged files, taken as Pillow reads them")
        })
    }

    /// A section of Markdown, as GitHub shows it for a job.
    pub fn markdown(&self, title: &str) -> String {
        let mut text = format!("### {}\n\n", cell(title));
        if self.interrupted {
            text += "**Interrupted**: what is done is stored; the next run goes on from there.\n\n";
        }
        text += "| products | images | embedded | reused | failed | read | time |\n";
        text += "|---:|---:|---:|---:|---:|---:|---:|\n";
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.1} s |",
            self.products,
            self.images,
            self.embedded,
            self.reused,
            self.failed,
            HumanBytes(self.bytes),
            self.seconds
        );
        if self.vanished + self.removed > 0 {
            let _ = writeln!(
                text,
                "\n{} products vanished from their source, {} were removed.",
                self.vanished, self.removed
            );
        }
        if let Some(damaged) = self.damaged() {
            let _ = writeln!(text, "\nWarning: {damaged}.");
        }
        for kept in &self.kept {
            let _ = writeln!(text, "\n**{}**", cell(&kept.to_string()));
        }
        if let Some(pages) = self.pages_without() {
            let _ = writeln!(text, "\n{}", cell(&pages));
        }
        if self.failures() + self.sources_empty > 0 {
            text += "\n| failures | kind |\n|---:|---|\n";
            for (kind, count) in &self.failures_by_kind {
                let _ = writeln!(text, "| {count} | `{}` |", cell(kind));
            }
            text += "\n<details><summary>The first of them</summary>\n\n";
            text += "| product | image | reason |\n|---|---|---|\n";
            for note in &self.first_failures {
                let FailureNote { product, image, message, .. } = note;
                let _ =
                    writeln!(text, "| {} | {} | {} |", cell(product), cell(image), cell(message));
            }
            text += "\n</details>\n";
        }
        text.push('\n');
        text
    }
}

/// Text of a shop cannot leave its cell, and is no markup.
fn cell(text: &str) -> String {
    // A line feed is a blank here.
    shown(&text.replace(['\n', '\r', '\t'], " "), LONG)
        .chars()
        .map(|c| match c {
            '|' => "&#124;".into(),
            '<' => "&lt;".into(),
            '>' => "&gt;".into(),
            '&' => "&amp;".into(),
            '`' | '*' | '_' | '[' | ']' | '\\' | '!' | '#' | '@' => format!("&#{};", c as u32),
            c => c.to_string(),
        })
        .collect()
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = self.embedded as f64 / self.seconds.max(1e-9);
        writeln!(f, "{} products, {} images", self.products, self.images)?;
        writeln!(f, "  embedded {:>8}   {rate:.1} per second", self.embedded)?;
        writeln!(f, "  reused   {:>8}   {} of them not modified", self.reused, self.not_modified)?;
        writeln!(f, "  failed   {:>8}", self.failed)?;
        if let Some(damaged) = self.damaged() {
            writeln!(f, "  warning: {damaged}")?;
        }
        if self.vanished + self.removed > 0 {
            writeln!(f, "  vanished {:>8}   {} removed", self.vanished, self.removed)?;
        }
        if self.bad_records > 0 {
            writeln!(f, "  unreadable records: {}", self.bad_records)?;
        }
        for (kind, count) in &self.failures_by_kind {
            writeln!(f, "    {count:>8} x {kind}")?;
        }
        if let Some(pages) = self.pages_without() {
            writeln!(f, "  {pages}")?;
        }
        for kept in &self.kept {
            writeln!(f, "  {kept}")?;
        }
        write!(f, "{} read in {:.1} s", HumanBytes(self.bytes), self.seconds)
    }
}

#[cfg(test)]
mod tests;
