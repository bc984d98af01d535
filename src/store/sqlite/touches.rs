//! The table of touches: written with every transaction, kept short.

use crate::model::{KindName, Observed};
use crate::store::{Touched, Version, Write};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeSet;

/// A transaction that touched more than this is not taken apart: all is looked at again.
const IDS_MAX: usize = 10_000;
/// So many touched ids are kept, over all versions.
const KEPT_IDS_MAX: i64 = 100_000;
/// So many versions are kept.
const KEPT_VERSIONS_MAX: i64 = 4_096;
/// How often what is too old is taken away, in versions.
const SWEEP: i64 = 64;

/// The version the store is at.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<Version> {
    let sql = "SELECT version, token FROM touches ORDER BY version DESC LIMIT 1";
    let row = connection
        .prepare_cached(sql)?
        .query_row([], |row| Ok(Version { number: row.get(0)?, token: row.get(1)? }))
        .optional()?;
    Ok(row.unwrap_or_default())
}

/// What was touched since a version; `None` when that is not known any more.
pub(super) fn since(
    connection: &Connection,
    version: &Version,
) -> rusqlite::Result<Option<Touched>> {
    let known: Option<String> = connection
        .prepare_cached("SELECT token FROM touches WHERE version = $1")?
        .query_row([version.number], |row| row.get(0))
        .optional()?;
    if known.as_ref() != Some(&version.token) {
        return Ok(None);
    }
    let sql = "SELECT touched FROM touches WHERE version > $1 ORDER BY version";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([version.number])?;
    let mut all = Touched::default();
    while let Some(row) = rows.next()? {
        let text: Option<String> = row.get(0)?;
        let Some(touched) = text.and_then(|text| serde_json::from_str::<Touched>(&text).ok())
        else {
            return Ok(None);
        };
        all.rows.extend(touched.rows);
        all.things.extend(touched.things);
    }
    Ok(Some(all))
}

/// Writes down what a batch touches, when it touches anything.
pub(super) fn note(transaction: &Transaction<'_>, writes: &[Write]) -> rusqlite::Result<()> {
    let touched = of(writes);
    if touched.is_empty() {
        return Ok(());
    }
    let number = version(transaction)?.number + 1;
    let text =
        (touched.len() <= IDS_MAX).then(|| serde_json::to_string(&touched).unwrap_or_default());
    let count = text.as_ref().map_or(0, |_| i64::try_from(touched.len()).unwrap_or(i64::MAX));
    transaction
        .prepare_cached("INSERT INTO touches VALUES ($1, lower(hex(randomblob(8))), $2, $3)")?
        .execute(params![number, count, text])?;
    if number % SWEEP == 0 {
        sweep(transaction, number)?;
    }
    Ok(())
}

/// Takes away what is too old. The newest version stays whatever it holds.
fn sweep(transaction: &Transaction<'_>, newest: i64) -> rusqlite::Result<()> {
    let sql = "SELECT max(version) FROM (SELECT version, \
               sum(number) OVER (ORDER BY version DESC) AS kept FROM touches) WHERE kept > $1";
    let full: Option<i64> =
        transaction.query_row(sql, [KEPT_IDS_MAX], |row| row.get(0)).optional()?.flatten();
    let last = full.unwrap_or(0).max(newest - KEPT_VERSIONS_MAX).min(newest - 1);
    transaction.execute("DELETE FROM touches WHERE version <= $1", [last]).map(drop)
}

fn of(writes: &[Write]) -> Touched {
    let mut touched = Touched::default();
    let mut rows_of: BTreeSet<(&KindName, &str)> = BTreeSet::new();
    for write in writes {
        match write {
            Write::Put { row, previous, .. } => {
                touched.rows.insert(row.id.clone());
                touched.rows.extend(previous.clone());
                rows_of.extend(row.external_id.as_deref().map(|id| (&row.id.kind, id)));
            }
            Write::Delete { id, .. } => {
                touched.rows.insert(id.clone());
            }
            _ => {}
        }
    }
    for write in writes {
        let (kind, external_id) = match write {
            Write::PutActual(Observed { kind, external_id, .. })
            | Write::DeleteActual { kind, external_id } => (kind, external_id),
            _ => continue,
        };
        if !rows_of.contains(&(kind, external_id.as_str())) {
            touched.things.insert((kind.clone(), external_id.clone()));
        }
    }
    touched
}
