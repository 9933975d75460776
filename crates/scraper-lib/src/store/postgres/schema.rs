//! Tables of the Postgres store and how older ones become newer ones.

use clip_core::Provenance;
use postgres::Client;

use super::{PostgresUrl, StoreError};

/// Only one process migrates or begins a run at a time: "CLIP".
const MIGRATION_LOCK: i64 = 0x434c_4950;

/// Step `n` turns version `n` into `n + 1`. Released steps are never edited. Text is compared by
/// its bytes, so that the order is that of the SQLite store.
const MIGRATIONS: [&str; 6] =
    [FIRST, KEYS, PAGES_AND_FAILURES, ZONES, DAMAGED, super::state::CHANGES];

const FIRST: &str = r#"
    CREATE TABLE provenances (
        id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        json text NOT NULL UNIQUE,
        dim  integer NOT NULL
    );
    -- One row: the provenance that reads and runs use, and the number of the run.
    CREATE TABLE current (
        one        boolean PRIMARY KEY DEFAULT true CHECK (one),
        provenance integer NOT NULL REFERENCES provenances,
        run        bigint NOT NULL DEFAULT 0,
        -- Sources that the run read to their end; null while it still reads.
        complete   text[],
        finished   boolean NOT NULL DEFAULT true
    );
    CREATE TABLE sources (
        name text COLLATE "C" PRIMARY KEY,
        base text NOT NULL
    );
    CREATE TABLE products (
        source       text COLLATE "C" NOT NULL,
        id           text COLLATE "C" NOT NULL,
        title        text,
        description  text,
        url          text,
        brand        text,
        category     text,
        price        double precision,
        currency     text,
        availability text,
        attributes   text NOT NULL, -- JSON object
        seen         bigint NOT NULL,
        missed       integer NOT NULL DEFAULT 0,
        PRIMARY KEY (source, id)
    );
    -- sha256 is null until the image was fetched and read.
    CREATE TABLE images (
        source        text COLLATE "C" NOT NULL,
        product       text COLLATE "C" NOT NULL,
        position      integer NOT NULL,
        address       text NOT NULL,
        sha256        bytea,
        bytes         bigint,
        etag          text,
        last_modified text,
        PRIMARY KEY (source, product, position),
        FOREIGN KEY (source, product) REFERENCES products ON DELETE CASCADE
    );
    CREATE INDEX images_by_sha256 ON images (sha256);
    CREATE TABLE quarantine (
        source   text COLLATE "C" NOT NULL,
        product  text COLLATE "C" NOT NULL,
        position integer NOT NULL,
        kind     text NOT NULL,
        message  text NOT NULL,
        PRIMARY KEY (source, product, position),
        FOREIGN KEY (source, product, position) REFERENCES images ON DELETE CASCADE
    );
    -- The images of the current run. A worker leases some; when its lease ends without a result,
    -- another one takes them.
    CREATE TABLE queue (
        source   text COLLATE "C" NOT NULL,
        product  text COLLATE "C" NOT NULL,
        position integer NOT NULL,
        address  text NOT NULL,
        worker   bigint,
        lease    timestamptz NOT NULL DEFAULT '-infinity',
        tries    integer NOT NULL DEFAULT 0,
        done     boolean NOT NULL DEFAULT false,
        PRIMARY KEY (source, product, position)
    );
    CREATE INDEX queue_open ON queue (lease, source, product, position) WHERE NOT done;
    CREATE SEQUENCE workers;
"#;

/// An index of Postgres holds no row of more than some 2,700 bytes, and ids may be longer: products
/// are known by a digest of source and id. Texts that have `\u{1}` are escaped as those written
/// from now on (`text.rs`).
const KEYS: &str = r#"
    CREATE FUNCTION clip_scraper.key(source text, id text) RETURNS bytea
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
        $$ SELECT sha256(convert_to(source, 'UTF8') || '\x00'::bytea || convert_to(id, 'UTF8')) $$;
    ALTER TABLE products DROP CONSTRAINT products_pkey CASCADE;
    ALTER TABLE images DROP CONSTRAINT images_pkey CASCADE;
    ALTER TABLE quarantine DROP CONSTRAINT quarantine_pkey CASCADE;
    ALTER TABLE queue DROP CONSTRAINT queue_pkey CASCADE;
    DROP INDEX queue_open;
    UPDATE sources SET name = replace(name, E'\x01', E'\x01\x02'),
        base = replace(base, E'\x01', E'\x01\x02')
    WHERE strpos(name || base, E'\x01') > 0;
    UPDATE products SET source = replace(source, E'\x01', E'\x01\x02'),
        id = replace(id, E'\x01', E'\x01\x02'), title = replace(title, E'\x01', E'\x01\x02'),
        description = replace(description, E'\x01', E'\x01\x02'),
        url = replace(url, E'\x01', E'\x01\x02'), brand = replace(brand, E'\x01', E'\x01\x02'),
        category = replace(category, E'\x01', E'\x01\x02'),
        currency = replace(currency, E'\x01', E'\x01\x02')
    WHERE strpos(concat(source, id, title, description, url, brand, category, currency), E'\x01') > 0;
    UPDATE images SET source = replace(source, E'\x01', E'\x01\x02'),
        product = replace(product, E'\x01', E'\x01\x02'),
        address = replace(address, E'\x01', E'\x01\x02'),
        etag = replace(etag, E'\x01', E'\x01\x02'),
        last_modified = replace(last_modified, E'\x01', E'\x01\x02')
    WHERE strpos(concat(source, product, address, etag, last_modified), E'\x01') > 0;
    UPDATE quarantine SET source = replace(source, E'\x01', E'\x01\x02'),
        product = replace(product, E'\x01', E'\x01\x02'),
        message = replace(message, E'\x01', E'\x01\x02')
    WHERE strpos(concat(source, product, message), E'\x01') > 0;
    UPDATE queue SET source = replace(source, E'\x01', E'\x01\x02'),
        product = replace(product, E'\x01', E'\x01\x02'),
        address = replace(address, E'\x01', E'\x01\x02')
    WHERE strpos(concat(source, product, address), E'\x01') > 0;
    ALTER TABLE products
        ADD COLUMN key bytea GENERATED ALWAYS AS (clip_scraper.key(source, id)) STORED;
    ALTER TABLE products ADD PRIMARY KEY (key);
    ALTER TABLE images
        ADD COLUMN key bytea GENERATED ALWAYS AS (clip_scraper.key(source, product)) STORED;
    ALTER TABLE images ADD PRIMARY KEY (key, position),
        ADD FOREIGN KEY (key) REFERENCES products (key) ON DELETE CASCADE;
    ALTER TABLE quarantine
        ADD COLUMN key bytea GENERATED ALWAYS AS (clip_scraper.key(source, product)) STORED;
    ALTER TABLE quarantine ADD PRIMARY KEY (key, position),
        ADD FOREIGN KEY (key, position) REFERENCES images (key, position) ON DELETE CASCADE;
    ALTER TABLE queue
        ADD COLUMN key bytea GENERATED ALWAYS AS (clip_scraper.key(source, product)) STORED;
    ALTER TABLE queue ADD PRIMARY KEY (key, position);
    CREATE INDEX queue_open
        ON queue (lease, left(source, 200), left(product, 200), position) WHERE NOT done;
"#;

/// Products are known by their page too, and failures of pages, records and products have a place.
/// Both may be longer than an index entry: digests stand for them.
const PAGES_AND_FAILURES: &str = r#"
    ALTER TABLE products ADD COLUMN page text,
        -- Numbers of the run that first saw it, and of the last one that could not read its page.
        ADD COLUMN born bigint NOT NULL DEFAULT 0,
        ADD COLUMN unread bigint NOT NULL DEFAULT 0;
    CREATE INDEX products_by_page ON products (source, md5(page)) WHERE page IS NOT NULL;
    CREATE TABLE source_failures (
        source  text COLLATE "C" NOT NULL,
        place   text COLLATE "C" NOT NULL, -- address of a page, place of a record, id of a product
        kind    text NOT NULL,
        message text NOT NULL
    );
    CREATE UNIQUE INDEX source_failures_by_place ON source_failures (source, md5(place), kind);
"#;

/// Whether a source may name files (`web`, `local`, `tree`). Of older runs it is known by the
/// folder; the next run corrects it.
const ZONES: &str = "
    ALTER TABLE sources ADD COLUMN zone text NOT NULL DEFAULT 'web';
    UPDATE sources SET zone = 'local' WHERE base <> '';
";

/// Files that are damaged, and whose vectors are of the pixels that Pillow makes of them.
const DAMAGED: &str = "
    CREATE TABLE damaged (sha256 bytea PRIMARY KEY);
";

pub(super) fn migrate(client: &mut Client, url: &PostgresUrl) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    if version(client)? == Some(known) {
        return Ok(());
    }
    let mut transaction = client.transaction()?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])?;
    transaction.batch_execute(
        "CREATE SCHEMA IF NOT EXISTS clip_scraper;
         CREATE TABLE IF NOT EXISTS clip_scraper.version (number bigint NOT NULL)",
    )?;
    let extension =
        transaction.query_opt("SELECT 1 FROM pg_extension WHERE extname = 'vector'", &[])?;
    if extension.is_none() {
        transaction
            .batch_execute("CREATE EXTENSION vector WITH SCHEMA public")
            .map_err(|e| StoreError::NoPgvector(crate::store::causes::causes(&e)))?;
    }
    let row = transaction.query_opt("SELECT number FROM clip_scraper.version", &[])?;
    let found: i64 = row.map_or(0, |row| row.get(0));
    if found > known {
        return Err(StoreError::Newer { path: url.to_string().into(), found, known });
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.batch_execute(step)?;
    }
    transaction.batch_execute("DELETE FROM clip_scraper.version")?;
    transaction.execute("INSERT INTO clip_scraper.version VALUES ($1)", &[&known])?;
    Ok(transaction.commit()?)
}

fn version(client: &mut Client) -> Result<Option<i64>, StoreError> {
    let exists = client.query_one("SELECT to_regclass('clip_scraper.version') IS NOT NULL", &[])?;
    if !exists.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client.query_opt("SELECT number FROM clip_scraper.version", &[])?;
    Ok(row.map(|row| row.get(0)))
}

/// The provenance of the store, with its row.
pub(super) fn current(client: &mut Client) -> Result<Option<(i32, Provenance)>, StoreError> {
    let row = client.query_opt(
        "SELECT p.id, p.json FROM provenances p JOIN current c ON c.provenance = p.id",
        &[],
    )?;
    let Some(row) = row else { return Ok(None) };
    let id: i32 = row.get(0);
    let provenance = serde_json::from_str(row.get(1))
        .map_err(|e| StoreError::Damaged(format!("provenance {id}: {e}")))?;
    Ok(Some((id, provenance)))
}

/// Row of the store's provenance now: another process may have changed it over.
pub(super) fn current_id(client: &mut Client) -> Result<Option<i32>, StoreError> {
    let row = client.query_opt("SELECT provenance FROM current", &[])?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Makes `provenance` the store's, with a table for its vectors of `dim` values.
pub(super) fn declare(
    client: &mut Client,
    provenance: &Provenance,
    dim: usize,
    reembed: bool,
) -> Result<i32, StoreError> {
    if let Some((id, stored)) = current(client)? {
        if stored.agrees(provenance) {
            if stored.tokenizer.is_none() && provenance.tokenizer.is_some() {
                // The store is older than what is known of provenances now.
                let json = serde_json::to_string(provenance)
                    .map_err(|e| StoreError::Damaged(format!("provenance: {e}")))?;
                client.execute(
                    "UPDATE provenances SET json = $1 WHERE id = $2
                     AND NOT EXISTS (SELECT FROM provenances WHERE json = $1)",
                    &[&json, &id],
                )?;
            }
            return Ok(id);
        }
        if !reembed {
            let (stored, run) = (Box::new(stored), Box::new(provenance.clone()));
            return Err(StoreError::Provenance { stored, run });
        }
    }
    let damaged = |e: &dyn std::fmt::Display| StoreError::Damaged(format!("provenance: {e}"));
    let json = serde_json::to_string(provenance).map_err(|e| damaged(&e))?;
    let dim = i32::try_from(dim).map_err(|e| damaged(&e))?;
    let mut transaction = client.transaction()?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])?;
    transaction.execute(
        "INSERT INTO provenances (json, dim) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        &[&json, &dim],
    )?;
    let row = transaction.query_one("SELECT id FROM provenances WHERE json = $1", &[&json])?;
    let id: i32 = row.get(0);
    let there: bool = transaction
        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&format!("vectors_{id}")])?
        .get(0);
    if !there {
        transaction.batch_execute(&format!(
            "CREATE TABLE vectors_{id} (
                 sha256    bytea PRIMARY KEY,
                 embedding public.vector({dim}) NOT NULL -- as projected, not normalised
             );
             SELECT clip_scraper.watch('clip_scraper.vectors_{id}')"
        ))?;
    }
    transaction.execute(
        "INSERT INTO current (provenance) VALUES ($1)
         ON CONFLICT (one) DO UPDATE SET provenance = excluded.provenance",
        &[&id],
    )?;
    transaction.commit()?;
    Ok(id)
}
