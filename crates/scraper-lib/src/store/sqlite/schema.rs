//! Tables of the SQLite store and how older files become newer ones.

use std::path::Path;

use rusqlite::{Connection, Transaction};

use super::StoreError;

/// "CLIP": tells this program's files from other databases.
const APPLICATION_ID: i64 = 0x434c_4950;

/// Step `n` turns version `n` into `n + 1`. Released steps are never edited.
const MIGRATIONS: [&str; 6] = [FIRST, SOURCES_AND_FACTS, PAGES_AND_FAILURES, ZONES, STAMP, DAMAGED];

const FIRST: &str = "
    CREATE TABLE provenances (
        id   INTEGER PRIMARY KEY,
        json TEXT NOT NULL UNIQUE
    ) STRICT;
    -- One row: the provenance that reads and runs use.
    CREATE TABLE current (
        one        INTEGER PRIMARY KEY CHECK (one = 1),
        provenance INTEGER NOT NULL REFERENCES provenances
    ) STRICT;
    CREATE TABLE products (
        id    TEXT PRIMARY KEY,
        title TEXT,
        url   TEXT
    ) STRICT, WITHOUT ROWID;
    -- sha256 is null until the image was fetched and read.
    CREATE TABLE images (
        product       TEXT NOT NULL REFERENCES products ON DELETE CASCADE,
        position      INTEGER NOT NULL,
        address       TEXT NOT NULL,
        sha256        BLOB,
        bytes         INTEGER,
        etag          TEXT,
        last_modified TEXT,
        PRIMARY KEY (product, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX images_by_sha256 ON images (sha256);
    -- vector: little-endian f32, as projected by the model (not normalised).
    CREATE TABLE vectors (
        sha256     BLOB NOT NULL,
        provenance INTEGER NOT NULL REFERENCES provenances,
        vector     BLOB NOT NULL,
        PRIMARY KEY (sha256, provenance)
    ) STRICT;
    CREATE TABLE quarantine (
        product  TEXT NOT NULL,
        position INTEGER NOT NULL,
        kind     TEXT NOT NULL,
        message  TEXT NOT NULL,
        PRIMARY KEY (product, position),
        FOREIGN KEY (product, position) REFERENCES images ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
";

/// Several sources may use the same ids; products carry what shops tell of them, and the run that
/// last saw them.
const SOURCES_AND_FACTS: &str = "
    ALTER TABLE current ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE current ADD COLUMN shard TEXT;
    CREATE TABLE sources (
        name TEXT PRIMARY KEY,
        base TEXT NOT NULL -- folder that relative image paths start from
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE products_2 (
        source       TEXT NOT NULL,
        id           TEXT NOT NULL,
        title        TEXT,
        description  TEXT,
        url          TEXT,
        brand        TEXT,
        category     TEXT,
        price        REAL,
        currency     TEXT,
        availability TEXT,
        attributes   TEXT NOT NULL DEFAULT '{}', -- JSON object
        seen         INTEGER NOT NULL DEFAULT 0, -- number of the run that last saw it
        missed       INTEGER NOT NULL DEFAULT 0, -- complete runs since then
        PRIMARY KEY (source, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE images_2 (
        source        TEXT NOT NULL,
        product       TEXT NOT NULL,
        position      INTEGER NOT NULL,
        address       TEXT NOT NULL,
        sha256        BLOB,
        bytes         INTEGER,
        etag          TEXT,
        last_modified TEXT,
        PRIMARY KEY (source, product, position),
        FOREIGN KEY (source, product) REFERENCES products_2 ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE quarantine_2 (
        source   TEXT NOT NULL,
        product  TEXT NOT NULL,
        position INTEGER NOT NULL,
        kind     TEXT NOT NULL,
        message  TEXT NOT NULL,
        PRIMARY KEY (source, product, position),
        FOREIGN KEY (source, product, position) REFERENCES images_2 ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    INSERT INTO products_2 (source, id, title, url) SELECT '', id, title, url FROM products;
    INSERT INTO images_2
        SELECT '', product, position, address, sha256, bytes, etag, last_modified FROM images;
    INSERT INTO quarantine_2 SELECT '', product, position, kind, message FROM quarantine;
    DROP TABLE quarantine;
    DROP TABLE images;
    DROP TABLE products;
    ALTER TABLE products_2 RENAME TO products;
    ALTER TABLE images_2 RENAME TO images;
    ALTER TABLE quarantine_2 RENAME TO quarantine;
    CREATE INDEX images_by_sha256 ON images (sha256);
";

/// Products are known by their page too, and failures of pages, records and products have a place.
const PAGES_AND_FAILURES: &str = "
    ALTER TABLE products ADD COLUMN page TEXT;
    -- Numbers of the run that first saw it, and of the last one that could not read its page.
    ALTER TABLE products ADD COLUMN born INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE products ADD COLUMN unread INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX products_by_page ON products (source, page) WHERE page IS NOT NULL;
    CREATE TABLE source_failures (
        source  TEXT NOT NULL,
        place   TEXT NOT NULL, -- address of a page, place of a record, id of a product
        kind    TEXT NOT NULL,
        message TEXT NOT NULL,
        PRIMARY KEY (source, place, kind)
    ) STRICT, WITHOUT ROWID;
";

/// Whether a source may name files (`web`, `local`, `tree`). Of older runs it is known by the
/// folder; the next run corrects it.
const ZONES: &str = "
    ALTER TABLE sources ADD COLUMN zone TEXT NOT NULL DEFAULT 'web';
    UPDATE sources SET zone = 'local' WHERE base <> '';
";

/// Names for what search reads and for the values of vectors, whoever changes them: null since a
/// change, until the change is over.
const STAMP: &str = "
    ALTER TABLE current ADD COLUMN stamp BLOB;
    ALTER TABLE current ADD COLUMN vectors BLOB;
    CREATE TRIGGER stamp_current AFTER UPDATE OF provenance ON current
        WHEN OLD.provenance <> NEW.provenance
        BEGIN UPDATE current SET stamp = NULL, vectors = NULL; END;
    CREATE TRIGGER stamp_product_new AFTER INSERT ON products
        BEGIN UPDATE current SET stamp = NULL WHERE stamp IS NOT NULL; END;
    CREATE TRIGGER stamp_product_gone AFTER DELETE ON products
        BEGIN UPDATE current SET stamp = NULL WHERE stamp IS NOT NULL; END;
    CREATE TRIGGER stamp_product AFTER UPDATE ON products
        WHEN OLD.source <> NEW.source OR OLD.id <> NEW.id OR OLD.missed <> NEW.missed
            OR OLD.attributes <> NEW.attributes OR OLD.title IS NOT NEW.title
            OR OLD.brand IS NOT NEW.brand OR OLD.category IS NOT NEW.category
            OR OLD.price IS NOT NEW.price OR OLD.currency IS NOT NEW.currency
            OR OLD.availability IS NOT NEW.availability
        BEGIN UPDATE current SET stamp = NULL WHERE stamp IS NOT NULL; END;
    CREATE TRIGGER stamp_image_new AFTER INSERT ON images WHEN NEW.sha256 IS NOT NULL
        BEGIN UPDATE current SET stamp = NULL WHERE stamp IS NOT NULL; END;
    CREATE TRIGGER stamp_image_gone AFTER DELETE ON images WHEN OLD.sha256 IS NOT NULL
        BEGIN UPDATE current SET stamp = NULL WHERE stamp IS NOT NULL; END;
    CREATE TRIGGER stamp_image AFTER UPDATE ON images
        WHEN OLD.sha256 IS NOT NEW.sha256 OR OLD.address <> NEW.address
            OR OLD.position <> NEW.position OR OLD.product <> NEW.product
            OR OLD.source <> NEW.source
        BEGIN UPDATE current SET stamp = NULL WHERE stamp IS NOT NULL; END;
    CREATE TRIGGER stamp_vector_new AFTER INSERT ON vectors
        BEGIN UPDATE current SET stamp = NULL WHERE stamp IS NOT NULL; END;
    CREATE TRIGGER stamp_vector_gone AFTER DELETE ON vectors
        BEGIN
            UPDATE current SET stamp = NULL, vectors = NULL
            WHERE stamp IS NOT NULL OR vectors IS NOT NULL;
        END;
    CREATE TRIGGER stamp_vector AFTER UPDATE ON vectors
        BEGIN
            UPDATE current SET stamp = NULL, vectors = NULL
            WHERE stamp IS NOT NULL OR vectors IS NOT NULL;
        END;
";

/// Ends a change of what search reads. A copy of the file that goes another way has another name.
pub(super) fn stamp(connection: &Connection) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE current SET stamp = coalesce(stamp, randomblob(16)),
                 vectors = coalesce(vectors, randomblob(16))
             WHERE stamp IS NULL OR vectors IS NULL",
        )?
        .execute([])?;
    Ok(())
}

/// Files that are damaged, and whose vectors are of the pixels that Pillow makes of them.
const DAMAGED: &str = "
    CREATE TABLE damaged (sha256 BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
";

/// Brings a new or older file to the newest version.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    let version = version(connection, path)?;
    if version == known {
        return Ok(());
    }
    // Tables that others refer to are replaced. Has no effect within a transaction.
    connection.pragma_update(None, "foreign_keys", false)?;
    // Another process may migrate at the same time: look again under the write lock.
    let transaction =
        Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    let version = self::version(&transaction, path)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// Whether the file has the newest version.
pub(super) fn is_current(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    Ok(version(connection, path)? == MIGRATIONS.len() as i64)
}

fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let found = pragma("user_version")?;
    let known = MIGRATIONS.len() as i64;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables > 0 && pragma("application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(found)
}

/// A file as an older version of this program left it.
#[cfg(test)]
pub(super) fn old_version(path: &Path, version: usize) {
    let connection = Connection::open(path).unwrap();
    for step in &MIGRATIONS[..version] {
        connection.execute_batch(step).unwrap();
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", version as i64).unwrap();
}
