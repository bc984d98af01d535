//! Migrations: numbered SQL, forward only, each in a transaction, pinned by checksum.

use crate::model::digest::Digest;
use crate::store::StoreError;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

/// Append only: a migration that was released is never changed.
const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("migrations/0001_start.sql")),
    (2, include_str!("migrations/0002_outside_effects.sql")),
    (3, include_str!("migrations/0003_touches.sql")),
    (4, include_str!("migrations/0004_log_indexes.sql")),
    (5, include_str!("migrations/0005_authors.sql")),
    (6, include_str!("migrations/0006_suspensions.sql")),
    (7, include_str!("migrations/0007_short_rows.sql")),
];

/// Brings a database to the newest schema.
///
/// # Errors
/// When the database fails, is newer than this program, or had another migration applied.
pub fn migrate(
    connection: &mut Connection,
    failed: impl Fn(rusqlite::Error) -> StoreError,
) -> Result<(), StoreError> {
    let newest = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    if version(connection).map_err(&failed)? == Some(newest) {
        return check(connection, newest, failed);
    }
    // Immediate, so that two programs that both find an empty file do not both fill it.
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, checksum TEXT NOT NULL)",
        )
        .map_err(&failed)?;
    check(&transaction, newest, &failed)?;
    let done = version(&transaction).map_err(&failed)?.unwrap_or(0);
    for (version, sql) in MIGRATIONS.iter().filter(|(version, _)| *version > done) {
        transaction.execute_batch(sql).map_err(&failed)?;
        transaction
            .execute("INSERT INTO migrations VALUES ($1, $2)", params![version, checksum(sql)])
            .map_err(&failed)?;
        let chance = match version {
            1 => "INSERT INTO meta VALUES ('lineage', lower(hex(randomblob(16))))",
            // What a store held before is one version of it, unlike any other.
            3 => "INSERT INTO touches VALUES (1, lower(hex(randomblob(8))), 0, NULL)",
            _ => continue,
        };
        transaction.execute(chance, []).map_err(&failed)?;
    }
    transaction.commit().map_err(&failed)
}

fn check(
    connection: &Connection,
    newest: i64,
    failed: impl Fn(rusqlite::Error) -> StoreError,
) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare("SELECT version, checksum FROM migrations ORDER BY version")
        .map_err(&failed)?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .map_err(&failed)?;
    for row in rows {
        let (version, found) = row.map_err(&failed)?;
        let Some((_, sql)) = MIGRATIONS.iter().find(|(known, _)| *known == version) else {
            return Err(StoreError::Newer { found: version, known: newest });
        };
        if checksum(sql) != found {
            return Err(StoreError::ForeignMigration { version });
        }
    }
    Ok(())
}

/// The newest migration applied; `None` for a database that is not ours yet.
///
/// # Errors
/// When the database fails.
pub fn version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let table = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'migrations'";
    let exists = connection.query_row(table, [], |row| row.get::<_, String>(0)).optional()?;
    if exists.is_none() {
        return Ok(None);
    }
    connection.query_row("SELECT max(version) FROM migrations", [], |row| row.get(0))
}

fn checksum(sql: &str) -> String {
    Digest::default().text(sql).hex()
}
