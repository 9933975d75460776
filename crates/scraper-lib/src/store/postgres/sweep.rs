//! Products that their source no longer lists.

use postgres::Client;

use super::{StoreError, Swept, Vanishing, state::fold, text::encode};
use crate::report::KeptSource;

/// See [`super::Store::sweep`].
pub(super) fn sweep(
    client: &mut Client,
    complete: &[String],
    vanishing: &Vanishing,
) -> Result<Swept, StoreError> {
    fold(client)?;
    let mut transaction = client.transaction()?;
    let mut swept = Swept::default();
    let mut fine = Vec::new();
    for source in complete {
        let name = encode(source);
        let row = transaction.query_one(
            "SELECT count(*) FILTER (WHERE seen <> run AND unread <> run), count(*)
             FROM products, current WHERE source = $1 AND missed = 0 AND born <> run",
            &[&name],
        )?;
        let count = |i| u64::try_from(row.get::<_, i64>(i)).unwrap_or(0);
        let (missing, of) = (count(0), count(1));
        match vanishing.most.covers(missing, of) {
            true => fine.push(name),
            false => swept.kept.push(KeptSource { source: source.clone(), missing, of }),
        }
    }
    let keep = i32::try_from(vanishing.keep).unwrap_or(i32::MAX);
    let unseen = "source = ANY($1) AND seen <> (SELECT run FROM current)
                  AND unread <> (SELECT run FROM current)";
    swept.removed = transaction.execute(
        &format!("DELETE FROM products WHERE {unseen} AND missed >= $2"),
        &[&fine, &keep],
    )?;
    let row = transaction.query_one(
        &format!(
            "WITH missing AS (
                 UPDATE products SET missed = missed + 1 WHERE {unseen} RETURNING missed
             ) SELECT count(*) FROM missing WHERE missed = 1"
        ),
        &[&fine],
    )?;
    swept.marked = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
    if !complete.is_empty() {
        for row in transaction.query("SELECT id FROM provenances", &[])? {
            let id: i32 = row.get(0);
            transaction.batch_execute(&format!(
                "DELETE FROM vectors_{id} v
                 WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.sha256 = v.sha256)"
            ))?;
        }
        transaction.batch_execute(
            "DELETE FROM damaged d
             WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.sha256 = d.sha256)",
        )?;
    }
    transaction.commit()?;
    Ok(swept)
}
