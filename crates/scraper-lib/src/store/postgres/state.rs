//! What search finds in the database at one moment, and a name for it.

use std::collections::{HashMap, HashSet};

use pgvector::Vector;
use postgres::{Client, error::SqlState, types::ToSql};

use super::{Connection, StoreError, read, schema, text::encode};
use crate::{
    source::Product,
    store::{ImageHash, Row, Stamp, State},
};

/// Every transaction that changes what search reads, whoever makes it, leaves a random number. The sum
/// of those that are seen names a state: nobody waits for anybody, what is not committed does not
/// count, and many numbers can be replaced by their sum ([`fold`]). `vectors` are those after which a
/// file's vector may have other values.
pub(super) const CHANGES: &str = r#"
    CREATE TABLE clip_scraper.changes (
        vectors boolean NOT NULL,
        number  numeric NOT NULL DEFAULT
            ('x' || left(replace(gen_random_uuid()::text, '-', ''), 15))::bit(60)::bigint
    );
    -- Runs as whoever made the tables: others who may write products need no more rights.
    CREATE FUNCTION clip_scraper.changed() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
    DECLARE
        vectors boolean := TG_ARGV[0] = 'vectors';
        -- Of this transaction; undone with what is undone of it.
        known text := coalesce(current_setting('clip_scraper.changed', true), '');
    BEGIN
        IF known = '' OR (vectors AND known = 'rows') THEN
            INSERT INTO clip_scraper.changes VALUES (vectors);
            PERFORM set_config(
                'clip_scraper.changed', CASE WHEN vectors THEN 'vectors' ELSE 'rows' END, true);
        END IF;
        RETURN NULL;
    END $$;
    CREATE FUNCTION clip_scraper.watch(vectors regclass) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE format('CREATE TRIGGER changed_new AFTER INSERT ON %s
            FOR EACH ROW EXECUTE FUNCTION clip_scraper.changed(''rows'')', vectors);
        EXECUTE format('CREATE TRIGGER changed AFTER UPDATE OR DELETE ON %s
            FOR EACH ROW EXECUTE FUNCTION clip_scraper.changed(''vectors'')', vectors);
        EXECUTE format('CREATE TRIGGER changed_all AFTER TRUNCATE ON %s
            FOR EACH STATEMENT EXECUTE FUNCTION clip_scraper.changed(''vectors'')', vectors);
    END $$;
    CREATE TRIGGER changed_new AFTER INSERT OR DELETE ON products
        FOR EACH ROW EXECUTE FUNCTION clip_scraper.changed('rows');
    CREATE TRIGGER changed AFTER UPDATE ON products
        FOR EACH ROW WHEN (
            (OLD.source, OLD.id, OLD.title, OLD.brand, OLD.category, OLD.price, OLD.currency,
                OLD.availability, OLD.attributes, OLD.missed = 0)
            IS DISTINCT FROM
            (NEW.source, NEW.id, NEW.title, NEW.brand, NEW.category, NEW.price, NEW.currency,
                NEW.availability, NEW.attributes, NEW.missed = 0))
        EXECUTE FUNCTION clip_scraper.changed('rows');
    CREATE TRIGGER changed_all AFTER TRUNCATE ON products
        FOR EACH STATEMENT EXECUTE FUNCTION clip_scraper.changed('rows');
    CREATE TRIGGER changed_new AFTER INSERT ON images
        FOR EACH ROW WHEN (NEW.sha256 IS NOT NULL)
        EXECUTE FUNCTION clip_scraper.changed('rows');
    CREATE TRIGGER changed_gone AFTER DELETE ON images
        FOR EACH ROW WHEN (OLD.sha256 IS NOT NULL)
        EXECUTE FUNCTION clip_scraper.changed('rows');
    CREATE TRIGGER changed AFTER UPDATE ON images
        FOR EACH ROW WHEN (
            (OLD.source, OLD.product, OLD.position, OLD.address, OLD.sha256)
            IS DISTINCT FROM
            (NEW.source, NEW.product, NEW.position, NEW.address, NEW.sha256))
        EXECUTE FUNCTION clip_scraper.changed('rows');
    CREATE TRIGGER changed_all AFTER TRUNCATE ON images
        FOR EACH STATEMENT EXECUTE FUNCTION clip_scraper.changed('rows');
    CREATE TRIGGER changed AFTER UPDATE ON current
        FOR EACH ROW WHEN (OLD.provenance <> NEW.provenance)
        EXECUTE FUNCTION clip_scraper.changed('vectors');
    CREATE TRIGGER changed AFTER UPDATE ON provenances
        FOR EACH ROW WHEN (OLD.json <> NEW.json)
        EXECUTE FUNCTION clip_scraper.changed('rows');
    SELECT clip_scraper.watch(format('clip_scraper.vectors_%s', id)::regclass)
        FROM clip_scraper.provenances;
    INSERT INTO clip_scraper.changes VALUES (true);
"#;

/// `None` if somebody has emptied the table, or this user may read the products and not it.
pub(super) fn state(client: &mut Client) -> Result<Option<State>, StoreError> {
    let sql = "SELECT sum(number)::text, sum(number) FILTER (WHERE vectors)::text FROM changes";
    let row = match client.query_one(sql, &[]) {
        Err(e) if e.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => return Ok(None),
        row => row?,
    };
    // Sums of numbers of 60 bits.
    let sum = |at| -> Result<Option<Stamp>, StoreError> {
        let text: Option<&str> = row.try_get(at)?;
        Ok(text.and_then(|text| text.parse().ok()).map(u128::to_be_bytes))
    };
    Ok(sum(0)?.zip(sum(1)?).map(|(stamp, vectors)| State { stamp, vectors }))
}

/// So many changes are added up in every search.
const MANY: i64 = 1000;

/// Replaces many numbers by their sums, which changes no state's name.
pub(super) fn fold(client: &mut Client) -> Result<(), StoreError> {
    client.execute(
        "WITH gone AS (
             DELETE FROM changes WHERE (SELECT count(*) FROM changes) > $1
             RETURNING vectors, number
         )
         INSERT INTO changes SELECT vectors, sum(number) FROM gone GROUP BY vectors",
        &[&MANY],
    )?;
    Ok(())
}

/// Rows that are fetched at a time.
const BLOCK: usize = 1000;

/// See [`super::Store::state`]. All of it is one look at the database, however long it takes.
pub(super) fn rows(
    connection: &mut Connection,
    known: &dyn Fn(&State, &ImageHash) -> bool,
    visit: &mut dyn FnMut(&State, Row) -> bool,
) -> Result<Option<State>, StoreError> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    connection.with(|client| Ok(client.batch_execute(begin)?))?;
    let done = within(connection, known, visit);
    let ended = connection.with(|client| Ok(client.batch_execute("ROLLBACK")?));
    let state = done?;
    ended.map(|()| state)
}

fn within(
    connection: &mut Connection,
    known: &dyn Fn(&State, &ImageHash) -> bool,
    visit: &mut dyn FnMut(&State, Row) -> bool,
) -> Result<Option<State>, StoreError> {
    let begun = connection.with(|client| {
        let Some(state) = self::state(client)? else { return Ok(None) };
        let id = schema::current_id(client)?;
        if let Some(id) = id {
            // Without the values, which are read of those that are not known.
            let columns = read::COLUMNS.replace("v.embedding", "NULL::public.vector");
            client.batch_execute(&format!(
                "DECLARE found NO SCROLL CURSOR FOR SELECT {columns} FROM products p
                 JOIN images i ON i.key = p.key
                 JOIN vectors_{id} v ON v.sha256 = i.sha256
                 WHERE p.missed = 0
                 ORDER BY p.source, p.id, i.position"
            ))?;
        }
        Ok(Some((state, id)))
    })?;
    let Some((state, Some(id))) = begun else { return Ok(begun.map(|(state, _)| state)) };
    let fetch = format!("FETCH {BLOCK} FROM found");
    loop {
        let rows = connection.with(|client| {
            client.query(&fetch, &[])?.iter().map(read::row).collect::<Result<Vec<_>, _>>()
        })?;
        if rows.is_empty() {
            return Ok(Some(state));
        }
        let wanted: HashSet<ImageHash> =
            rows.iter().map(|row| row.hash).filter(|hash| !known(&state, hash)).collect();
        let values = connection.with(|client| values(client, id, &wanted))?;
        for mut row in rows {
            if wanted.contains(&row.hash) {
                let found = values.get(&row.hash);
                let missing = || StoreError::Damaged(format!("no vector of {}", row.product.id));
                row.values.clone_from(found.ok_or_else(missing)?);
            }
            if !visit(&state, row) {
                return Ok(Some(state));
            }
        }
    }
}

fn values(
    client: &mut Client,
    id: i32,
    wanted: &HashSet<ImageHash>,
) -> Result<HashMap<ImageHash, Vec<f32>>, StoreError> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: Vec<&[u8]> = wanted.iter().map(<[u8; 32]>::as_slice).collect();
    let sql = format!("SELECT sha256, embedding FROM vectors_{id} WHERE sha256 = ANY($1)");
    let found = client.query(&sql, &[&wanted])?;
    found.iter().map(|row| Ok((read::hash(row, 0)?, row.try_get::<_, Vector>(1)?.into()))).collect()
}

/// See [`super::Store::products`].
pub(super) fn products(
    client: &mut Client,
    names: &[(&str, &str)],
) -> Result<Vec<Option<Product>>, StoreError> {
    let (sources, ids): (Vec<String>, Vec<String>) =
        names.iter().map(|(source, id)| (encode(source), encode(id))).unzip();
    let sql = format!(
        "SELECT {} FROM products WHERE key IN
             (SELECT clip_scraper.key(source, id) FROM unnest($1::text[], $2::text[]) AS n(source, id))",
        read::PRODUCT
    );
    let parameters: [&(dyn ToSql + Sync); 2] = [&sources, &ids];
    let mut found = HashMap::new();
    for row in client.query(&sql, &parameters)? {
        let product = read::product(&row)?;
        found.insert((product.source.clone(), product.id.clone()), product);
    }
    let name = |(source, id): &(&str, &str)| ((*source).to_owned(), (*id).to_owned());
    Ok(names.iter().map(|names| found.get(&name(names)).cloned()).collect())
}
