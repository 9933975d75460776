//! Why the store cannot be used, and what to do.

use std::{io, path::PathBuf};

use clip_core::Provenance;
use rusqlite::ErrorCode;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("there is no store {}: run `scraper run` first, or name it with --store", .0.display())]
    Missing(PathBuf),
    #[error("cannot open the store {}: {source}", .path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("cannot read the store {}: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "the store {} may not be written here, so a copy of it is read (it was not closed, or is of \
         an older version), and that cannot be made: {source}. Make room in TMPDIR, or let a user who \
         may write it run `scraper search` on it once",
        .path.display()
    )]
    Copy { path: PathBuf, source: io::Error },
    #[error("{} is an SQLite database of another program; choose another file with --store", .0.display())]
    Foreign(PathBuf),
    #[error(
        "the store {} has the format {found}, this program knows up to {known}: use a newer version",
        .path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("another run is using the store {}; wait for it, or choose another with --store", .0.display())]
    InUse(PathBuf),
    #[error("cannot lock the store {}: {source}", .path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error(
        "the store holds vectors of another kind, which cannot be compared with this run's: {}. \
         Use another store (--store FILE), or embed everything anew with --reembed",
        differences(.stored, .run)
    )]
    Provenance { stored: Box<Provenance>, run: Box<Provenance> },
    #[error(
        "the disk is full; what was committed is safe. Free some space and run the command again"
    )]
    Full,
    #[error("the store is damaged: {0}. Restore a copy, or start a new one with --store")]
    Damaged(String),
    #[error(
        "the store cannot be read or written: {0}. What was committed is safe. Look at the disk \
         (space, quota, largest file), and run the command again"
    )]
    Io(String),
    #[error("{} exists already: merge into a new file", .0.display())]
    Exists(PathBuf),
    #[error("{} does not fit the other stores: {reason}", .path.display())]
    Unmergeable { path: PathBuf, reason: String },
    #[error("the store {0} is empty: run `scraper run` first")]
    Empty(String),
    #[error(
        "cannot connect to {url}: {reason}. Look whether the server runs, and at user, password and \
         database in --store"
    )]
    Connect { url: String, reason: String },
    #[error(
        "the database lacks pgvector and this user may not add it: {0}. Have an administrator run \
         `CREATE EXTENSION vector` there"
    )]
    NoPgvector(String),
    #[error("the database: {0}. What was committed is safe; run the command again to go on")]
    Postgres(String),
    /// A defect of this program, which must not look like success.
    #[error(
        "image {position} of product {product} ({address}) has a result, but is not in the store; \
         what was committed is safe. Please report it, and run the command again"
    )]
    NoRow { product: String, position: u32, address: String },
    /// Only about what was to be stored.
    #[error("{0}")]
    Record(String),
    #[error("store: {0}")]
    Sqlite(rusqlite::Error),
}

impl StoreError {
    /// In which fields two provenances differ, in words.
    pub(super) fn differences(stored: &Provenance, run: &Provenance) -> String {
        differences(stored, run)
    }

    /// Whether another record may be stored all the same.
    pub(super) fn is_about_a_record(&self) -> bool {
        matches!(self, StoreError::Record(_))
    }

    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            StoreError::Missing(_) => "store.missing",
            StoreError::Open { .. } | StoreError::Unreadable { .. } | StoreError::Copy { .. } => {
                "store.open"
            }
            StoreError::Foreign(_) | StoreError::Newer { .. } => "store.format",
            StoreError::InUse(_) | StoreError::Lock { .. } => "store.in_use",
            StoreError::Provenance { .. } => "store.provenance",
            StoreError::Full | StoreError::Io(_) => "store.full",
            StoreError::Exists(_) => "store.exists",
            StoreError::Unmergeable { .. } => "store.unmergeable",
            StoreError::Damaged(_) => "store.damaged",
            StoreError::Empty(_) => "store.empty",
            StoreError::Connect { .. } | StoreError::NoPgvector(_) => "store.open",
            StoreError::Postgres(_) => "store.postgres",
            StoreError::Record(_) => "store.record",
            StoreError::NoRow { .. } | StoreError::Sqlite(_) => "store",
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::SystemIoFailure) => StoreError::Io(e.to_string()),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged(e.to_string())
            }
            // Longer than a text can be, or against a rule of the tables.
            Some(ErrorCode::TooBig | ErrorCode::TypeMismatch | ErrorCode::ConstraintViolation) => {
                StoreError::Record(e.to_string())
            }
            _ => StoreError::Sqlite(e),
        }
    }
}

impl From<postgres::Error> for StoreError {
    fn from(e: postgres::Error) -> Self {
        match e.code().map(|code| code.code()) {
            Some("53100") => StoreError::Full, // disk_full
            // Data exceptions (characters that the database's encoding lacks, numbers out of
            // range …), integrity, limits (a row too large for a page or an index).
            Some(code) if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => {
                StoreError::Record(super::causes::causes(&e))
            }
            _ => StoreError::Postgres(super::causes::causes(&e)),
        }
    }
}

fn differences(stored: &Provenance, run: &Provenance) -> String {
    let revision = |p: &Provenance| p.revision.clone().unwrap_or_else(|| "none".into());
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let tokenizer = |p: &Provenance, other: &Provenance| {
        let known = p.tokenizer.as_ref().or(other.tokenizer.as_ref());
        known.map_or_else(String::new, |digest| short(digest))
    };
    let fields = [
        ("model", stored.model.clone(), run.model.clone()),
        ("revision", revision(stored), revision(run)),
        ("weights", short(&stored.weights), short(&run.weights)),
        ("tokenizer", tokenizer(stored, run), tokenizer(run, stored)),
        ("preprocessing", stored.preprocessing.clone(), run.preprocessing.clone()),
        ("numerics", stored.numerics.to_string(), run.numerics.to_string()),
        ("device", stored.device.clone(), run.device.clone()),
    ];
    let differing: Vec<String> = fields
        .into_iter()
        .filter(|(_, stored, run)| stored != run)
        .map(|(name, stored, run)| format!("{name} {stored} in the store, {run} now"))
        .collect();
    differing.join("; ")
}
