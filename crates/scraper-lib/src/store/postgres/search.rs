//! Nearest neighbours, found by the database and scored as everywhere.

use clip_core::NormalizedEmbedding;
use pgvector::Vector;
use postgres::{Client, types::ToSql};

use super::{StoreError, View, read, schema};
use crate::store::search::{Hit, scan};

pub(super) struct Question<'a> {
    pub(super) query: &'a NormalizedEmbedding,
    pub(super) top: usize,
    pub(super) view: &'a View,
    /// By the HNSW index, where there is one: fast, and may miss some.
    pub(super) approximate: bool,
}

/// pgvector adds in another order than the numeric contract, so its distances only choose the
/// candidates: whatever is not farther than the last hit by more than the two sums can differ.
/// Then the candidates are scored with the contract's arithmetic, as in every store.
pub(super) fn search(client: &mut Client, question: &Question<'_>) -> Result<Vec<Hit>, StoreError> {
    let Some(id) = schema::current_id(client)? else { return Ok(Vec::new()) };
    let Question { query, top, view, approximate } = *question;
    let dim = query.values().len();
    let stored: i32 =
        client.query_one("SELECT dim FROM provenances WHERE id = $1", &[&id])?.try_get(0)?;
    if usize::try_from(stored) != Ok(dim) {
        return Err(StoreError::Damaged(format!(
            "its vectors have {stored} values, the query's {dim}"
        )));
    }
    if top == 0 {
        return Ok(Vec::new());
    }
    let vector = Vector::from(query.values().to_vec());
    let chosen = match view.filter.is_empty() {
        true => None,
        false => Some(read::matching(client, view)?),
    };
    let mut transaction = client.transaction()?;
    let (sources, ids) = chosen.clone().unwrap_or_default();
    let columns = read::COLUMNS;
    let joined = format!(
        "products p JOIN images i ON i.key = p.key
         JOIN vectors_{id} v ON v.sha256 = i.sha256"
    );
    let wanted = match chosen.is_some() {
        true => "(p.source, p.id) IN (SELECT * FROM unnest($2::text[], $3::text[]))",
        // The parameters need a place.
        false => "$2::text[] IS NOT NULL AND $3::text[] IS NOT NULL",
    };
    let found = if approximate {
        // Each product may have several images, and filters take some away.
        let near = i64::try_from(top.saturating_mul(8).clamp(100, 1000)).unwrap_or(1000);
        transaction.batch_execute(&format!(
            "SET LOCAL hnsw.ef_search = {near}; SET LOCAL hnsw.iterative_scan = strict_order"
        ))?;
        let sql = format!(
            "WITH near AS MATERIALIZED (
                 SELECT sha256 FROM vectors_{id} ORDER BY embedding <=> $1 LIMIT $5
             )
             SELECT {columns} FROM {joined} JOIN near n ON n.sha256 = v.sha256
             WHERE ($4 OR p.missed = 0) AND {wanted}
             ORDER BY p.source, p.id, i.position"
        );
        let parameters: [&(dyn ToSql + Sync); 5] = [&vector, &sources, &ids, &view.vanished, &near];
        transaction.query(&sql, &parameters)?
    } else {
        let last = i64::try_from(top - 1).unwrap_or(i64::MAX);
        // Sums of `dim` products of unit vectors in f32, twice, and as much for the norms.
        let margin = 8.0 * dim as f64 * f64::from(f32::EPSILON);
        let sql = format!(
            "WITH best AS (
                 SELECT p.source, p.id, min(v.embedding <=> $1) AS distance
                 FROM {joined} WHERE ($4 OR p.missed = 0) AND {wanted} GROUP BY p.source, p.id
             ), last AS (
                 SELECT distance FROM best ORDER BY distance LIMIT 1 OFFSET $5
             )
             SELECT {columns} FROM {joined} JOIN best b ON b.source = p.source AND b.id = p.id
             WHERE b.distance <= coalesce((SELECT distance FROM last), 'Infinity') + $6
             ORDER BY p.source, p.id, i.position"
        );
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&vector, &sources, &ids, &view.vanished, &last, &margin];
        transaction.query(&sql, &parameters)?
    };
    transaction.commit()?;
    scan(query, top, &mut |visit| {
        for found in &found {
            if !visit(read::row(found)?) {
                break;
            }
        }
        Ok(())
    })
}

/// pgvector indexes vectors of at most so many values.
const LONGEST: i32 = 2000;

pub(super) fn index(client: &mut Client, id: i32) -> Result<(), StoreError> {
    let dim: i32 =
        client.query_one("SELECT dim FROM provenances WHERE id = $1", &[&id])?.try_get(0)?;
    if dim > LONGEST {
        return Err(StoreError::Postgres(format!(
            "pgvector can index vectors of up to {LONGEST} values, not of {dim}; exact search needs no \
             index"
        )));
    }
    // CONCURRENTLY leaves an invalid index behind when it is stopped: it must go first.
    let valid = client.query_opt(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)::oid",
        &[&format!("clip_scraper.vectors_{id}_hnsw")],
    )?;
    match valid.map(|row| row.get::<_, bool>(0)) {
        Some(true) => return Ok(()),
        Some(false) => client.batch_execute(&format!("DROP INDEX vectors_{id}_hnsw"))?,
        None => {}
    }
    client.batch_execute(&format!(
        "CREATE INDEX CONCURRENTLY vectors_{id}_hnsw
         ON vectors_{id} USING hnsw (embedding public.vector_cosine_ops)"
    ))?;
    Ok(())
}
