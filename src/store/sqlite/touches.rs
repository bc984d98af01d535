//! The table of touches: written with every transaction, kept short.

use crate::model::KindName;
use crate::store::sqlite::conditions::all_is_well;
use crate::store::sqlite::meta;
use crate::store::sqlite::rows::is_same;
use crate::store::{Glance, Judgement, Touched, Version, Write};
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

/// What a batch touches, seen before it is written: a thing whose row goes, or takes another thing,
/// is nobody's from then on, although nothing is written to it.
pub(super) fn of(transaction: &Transaction<'_>, writes: &[Write]) -> rusqlite::Result<Touched> {
    let mut touched = written(writes);
    let sql = "SELECT external_id FROM resources WHERE kind = $1 AND name = $2";
    let mut statement = transaction.prepare_cached(sql)?;
    for write in writes {
        let (id, kept) = match write {
            Write::Put { expected: Some(_), row, previous } => {
                (previous.as_ref().unwrap_or(&row.id), row.external_id.as_deref())
            }
            Write::Delete { id, .. } => (id, None),
            _ => continue,
        };
        let old: Option<Option<String>> = statement
            .query_row([id.kind.as_str(), id.name.as_str()], |row| row.get(0))
            .optional()?;
        if let Some(old) = old.flatten().filter(|old| Some(old.as_str()) != kept) {
            touched.things.insert((id.kind.clone(), old));
        }
    }
    Ok(touched)
}

/// Writes down what a batch touched, when it touched anything.
pub(super) fn note(transaction: &Transaction<'_>, touched: &Touched) -> rusqlite::Result<()> {
    if touched.is_empty() {
        return Ok(());
    }
    let number = version(transaction)?.number + 1;
    let text =
        (touched.len() <= IDS_MAX).then(|| serde_json::to_string(touched).unwrap_or_default());
    let count = text.as_ref().map_or(0, |_| i64::try_from(touched.len()).unwrap_or(i64::MAX));
    transaction
        .prepare_cached("INSERT INTO touches VALUES ($1, lower(hex(randomblob(8))), $2, $3)")?
        .execute(params![number, count, text])?;
    if number % SWEEP == 0 {
        sweep(transaction, number)?;
    }
    Ok(())
}

/// Writes a judgement down, as of the version that its batch makes.
pub(super) fn judge(transaction: &Transaction<'_>, writes: &[Write]) -> rusqlite::Result<()> {
    for write in writes {
        let Write::Judge(judgement) = write else { continue };
        let judgement = Judgement { version: version(transaction)?, ..judgement.clone() };
        let text = serde_json::to_string(&judgement).unwrap_or_default();
        meta::put(transaction, &judged(&judgement.set), &text)?;
    }
    Ok(())
}

/// The last judgement over a set; one that cannot be read is none.
pub(super) fn judgement(connection: &Connection, set: &str) -> rusqlite::Result<Option<Judgement>> {
    let text = meta::get(connection, &judged(set))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn judged(set: &str) -> String {
    format!("judged {set}")
}

/// Every row, without reading it as a value.
pub(super) fn glance(
    connection: &Connection,
    seen: &mut dyn FnMut(Glance<'_>),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, name, set_name, metadata, spec, last_applied, external_id, conditions, \
         source_file, source_line, source_commit FROM resources",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text = |column: usize| -> rusqlite::Result<&str> { Ok(row.get_ref(column)?.as_str()?) };
        let optional = |column: usize| -> rusqlite::Result<Option<&str>> {
            Ok(row.get_ref(column)?.as_str_or_null()?)
        };
        let spec = text(4)?;
        seen(Glance {
            kind: text(0)?,
            name: text(1)?,
            set: text(2)?,
            metadata: text(3)?,
            spec,
            is_applied: optional(5)?.is_some_and(|text| is_same(text, spec)),
            external_id: optional(6)?,
            is_well: all_is_well(text(7)?),
            source: (optional(8)?, row.get(9)?, optional(10)?),
        });
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

fn written(writes: &[Write]) -> Touched {
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
            Write::PutActual(thing) => (&thing.kind, &thing.external_id),
            Write::DeleteActual { kind, external_id } => (kind, external_id),
            _ => continue,
        };
        if !rows_of.contains(&(kind, external_id.as_str())) {
            touched.things.insert((kind.clone(), external_id.clone()));
        }
    }
    touched
}
