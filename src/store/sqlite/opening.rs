//! Opening the file of a store, or making it.

use crate::store::sqlite::folding::Folding;
use crate::store::sqlite::{Sqlite, meta};
use crate::store::{Missing, StoreError, migrate};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another writer is waited for.
pub(super) const BUSY_MAX: Duration = Duration::from_secs(30);
/// Between two tries, where SQLite does not wait by itself.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

impl Sqlite {
    /// Opens a file; `None` when there is no store in it and none shall be made.
    ///
    /// # Errors
    /// When the file cannot be opened or holds something else.
    pub fn open(path: &Path, missing: Missing) -> Result<Option<Self>, StoreError> {
        let failed = |source| StoreError::Database { path: path.to_owned(), source };
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if missing == Missing::Create {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)
                    .map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
            }
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        } else if !path.exists() {
            return Ok(None);
        }
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_MAX).map_err(failed)?;
        // A program killed while it made the file leaves it without tables: no store yet.
        if missing == Missing::Leave && migrate::version(&connection).map_err(failed)?.is_none() {
            return Ok(None);
        }
        write_ahead(&connection).map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", "ON").map_err(failed)?;
        migrate::migrate(&mut connection, failed)?;
        let lineage = meta::lineage(&connection).map_err(failed)?;
        let (path, folding) = (path.to_owned(), Folding::default());
        Ok(Some(Self { connection, path, lineage, folding }))
    }
}

/// Sees that the file has a journal that is written ahead, which stays with it. Where another makes the
/// file at the same time SQLite does not wait, as each may have what the other wants: it is tried again.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let begun = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begun.elapsed() < BUSY_MAX =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sqlite;
    use crate::store::Missing;
    use rusqlite::Connection;
    use std::time::Duration;

    #[test]
    fn a_file_that_somebody_else_makes_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; CREATE TABLE anything (x)").unwrap();
        let done = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            other.execute_batch("ROLLBACK").unwrap();
        });
        assert!(Sqlite::open(&path, Missing::Create).unwrap().is_some());
        done.join().unwrap();
    }
}
