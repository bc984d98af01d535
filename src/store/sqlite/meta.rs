//! What the store keeps one of, by name.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

/// What is kept under a name.
pub(super) fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = $1")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

/// The store's own id.
pub(super) fn lineage(connection: &Connection) -> rusqlite::Result<String> {
    get(connection, "lineage")?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// Keeps a value under a name, in place of the one before.
pub(super) fn put(transaction: &Transaction<'_>, key: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) \
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    transaction.prepare_cached(sql)?.execute([key, value]).map(drop)
}
