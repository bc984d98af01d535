//! Everything that can be wrong inside a store's file, found without changing it.

use crate::model::Spec;
use crate::store::StoreError;
use crate::store::log::Verification;
use crate::store::sqlite::{TransactError, corrupt, intents, json, log, meta, rows, suspensions};
use chrono::DateTime;
use rusqlite::{Connection, Row};

/// One kind of check: what it finds wrong.
type Check = fn(&Connection, &str) -> rusqlite::Result<Vec<String>>;

/// In this order: the file, its rows, the log, the lease.
const CHECKS: &[Check] = &[
    |connection, _| integrity(connection),
    |connection, _| foreign(connection),
    |connection, _| unreadable(connection),
    log_chain,
    |connection, _| lease(connection),
];

/// Every problem of one state of the database. What cannot even be read is a problem too, so that
/// the others are still told.
pub(super) fn problems(connection: &Connection, lineage: &str) -> rusqlite::Result<Vec<String>> {
    let reading = connection.unchecked_transaction()?;
    let found = CHECKS.iter().flat_map(|check| {
        check(&reading, lineage).unwrap_or_else(|error| vec![format!("file: {error}")])
    });
    let mut found: Vec<String> = found.collect();
    found.dedup();
    // It only read; where pages are torn, even ending that may fail.
    drop(reading);
    Ok(found)
}

/// What SQLite itself finds wrong with the file: pages, indexes, constraints.
pub(super) fn integrity(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").map(|line| format!("file: {line}")).collect())
}

/// Rows that refer to rows that are not there.
fn foreign(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let lines = statement.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("table {table}: a row refers to one of {parent} that is not there"))
    })?;
    lines.collect()
}

/// Rows whose columns are no values of ours, broken JSON above all.
fn unreadable(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    type Read<'a> = &'a mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>;
    let mut read_all = |question: &str, read: Read<'_>| {
        let mut statement = connection.prepare(question)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Err(error) = read(row) {
                found.push(format!("{:#}", anyhow::Error::from(error)));
            }
        }
        Ok::<_, rusqlite::Error>(())
    };
    let resources = format!("SELECT {} FROM resources ORDER BY kind, name", rows::COLUMNS);
    let mut reader = rows::Reader::default();
    read_all(&resources, &mut |row| reader.stored(row).map(drop))?;
    read_all("SELECT kind, name, spec FROM actual ORDER BY kind, external_id", &mut |row| {
        let column = |index| row.get::<_, String>(index);
        let failed = |error: rusqlite::Error| corrupt("the actual state")(error.into());
        let what = format!("actual {}/{}", column(0).map_err(failed)?, column(1).map_err(failed)?);
        json::<Spec>(&column(2).map_err(failed)?, &what).map(drop)
    })?;
    read_all(intents::INTENTS, &mut |row| intents::intent(row).map(drop))?;
    read_all(intents::APPLIES, &mut |row| intents::apply(row).map(drop))?;
    read_all(intents::APPROVALS, &mut |row| intents::approval(row).map(drop))?;
    read_all(suspensions::SUSPENSIONS, &mut |row| suspensions::suspension(row).map(drop))?;
    let activities = format!("SELECT {} FROM activities ORDER BY seq", log::COLUMNS);
    read_all(&activities, &mut |row| log::activity(row).map(drop))?;
    Ok(found)
}

/// The first place where the log is not as it was written, or does not end where the store says.
fn log_chain(connection: &Connection, lineage: &str) -> rusqlite::Result<Vec<String>> {
    Ok(match log::verify(connection, lineage, None)? {
        Verification::Good { .. } => Vec::new(),
        Verification::Bad { seq, message } => vec![format!("activity {seq}: {message}")],
    })
}

/// What is wrong with the row of the lease.
fn lease(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name, epoch, held, since, renewed_at FROM leases ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let mut wrong = |what: String| found.push(format!("lease {name}: {what}"));
        let (epoch, held): (i64, i64) = (row.get(1)?, row.get(2)?);
        if epoch < 1 {
            wrong(format!("its epoch is {epoch}"));
        }
        if !(0..=1).contains(&held) {
            wrong(format!("held is {held}, neither 0 nor 1"));
        }
        for column in [3, 4] {
            let at: String = row.get(column)?;
            if DateTime::parse_from_rfc3339(&at).is_err() {
                wrong(format!("`{at}` is no time"));
            }
        }
    }
    Ok(found)
}

/// Refuses to go on when a backup of another store was put in place of this one while it was open:
/// what is written would continue the wrong log.
pub(super) fn same_lineage(connection: &Connection, lineage: &str) -> Result<(), TransactError> {
    let found = meta::lineage(connection)?;
    if found == lineage {
        return Ok(());
    }
    Err(TransactError::Store(StoreError::Replaced { lineage: found }))
}
