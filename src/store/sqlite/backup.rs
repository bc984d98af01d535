//! Backups of a SQLite store: written as one file, and put back in one transaction.
//!
//! No file is ever swapped under a process that has it open. A backup is a `VACUUM INTO` of one
//! moment. Restoring writes the pages of a prepared copy through SQLite's own backup API into the
//! open store: one transaction of its write-ahead log, so that a kill leaves the old or the new
//! state, and who reads meanwhile goes on reading the old one.

use crate::store::backup::{Contents, Examined, Problems};
use crate::store::sqlite::{Sqlite, check, log, meta};
use crate::store::{Head, StoreError, migrate};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the pages are tried to be written while somebody else writes, and how long is waited
/// in between: together as long as for any other write.
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// Writes a whole copy beside its place, checks it, and only then gives it its name.
pub(super) fn write(store: &Sqlite, to: &Path, problems: Problems) -> Result<Contents, StoreError> {
    let source = Path::new(&store.path);
    if same_file(source, to) {
        return Err(unfit(to, "it is the store itself"));
    }
    let copy = Scratch::beside(to, &format!("partial-{}", std::process::id()))?;
    vacuum_into(&store.connection, copy.path()).map_err(|source| failed(to, source))?;
    let copied = open_read_only(copy.path())?;
    let contents = contents(&copied, copy.path())?;
    if problems == Problems::Refused {
        whole(&copied, &contents.lineage, to)?;
    }
    drop(copied);
    let kept = || -> std::io::Result<()> {
        File::open(copy.path())?.sync_all()?;
        std::fs::rename(copy.path(), to)?;
        File::open(folder_of(to))?.sync_all()
    };
    kept().map_err(|source| StoreError::Io { path: to.to_owned(), source })?;
    Ok(contents)
}

/// What a backup holds, with no store beside it yet.
pub(super) fn read(from: &Path) -> Result<Contents, StoreError> {
    contents(&open_read_only(from)?, from)
}

/// What a backup holds and what going back to it would lose.
pub(super) fn examine(store: &Sqlite, from: &Path) -> Result<Examined, StoreError> {
    if same_file(&store.path, from) {
        return Err(unfit(from, "it is the store itself"));
    }
    let backup = open_read_only(from)?;
    let held = contents(&backup, from)?;
    let here = contents(&store.connection, &store.path)?;
    let common = if held.lineage == here.lineage {
        common_activities(&store.connection, &backup, here.head.seq.min(held.head.seq))
            .map_err(|source| failed(from, source))?
    } else {
        0
    };
    let actual: i64 = store
        .connection
        .query_row("SELECT count(*) FROM actual", [], |row| row.get(0))
        .map_err(|source| failed(&store.path, source))?;
    Ok(Examined {
        lost: here.head.seq - common,
        onto_nothing: here.head.seq == 0 && here.resources == 0 && actual == 0,
        contents: held,
    })
}

/// How many activities two logs of one lineage begin with alike. Each hash stands for all before
/// it, so halving finds the place.
fn common_activities(one: &Connection, other: &Connection, most: i64) -> rusqlite::Result<i64> {
    let hash = |connection: &Connection, seq: i64| -> rusqlite::Result<Option<String>> {
        let sql = "SELECT hash FROM activities WHERE seq = $1";
        connection.prepare_cached(sql)?.query_row([seq], |row| row.get(0)).optional()
    };
    let (mut alike, mut beyond) = (0, most + 1);
    while beyond - alike > 1 {
        let middle = alike + (beyond - alike) / 2;
        if hash(one, middle)? == hash(other, middle)? {
            alike = middle;
        } else {
            beyond = middle;
        }
    }
    Ok(alike)
}

/// Puts a backup's content in place of the store's, which keeps its lease.
pub(super) fn restore(
    store: &mut Sqlite,
    from: &Path,
    expected: &Contents,
    epoch: i64,
) -> Result<(), StoreError> {
    let prepared = Scratch::beside(&store.path, "restoring")?;
    let copy = prepare(store, from, expected, prepared.path())?;
    put(&copy.connection, store, epoch)?;
    store.lineage = copy.lineage.clone();
    Ok(())
}

/// A copy of the backup with the schema of today, checked, under the lease of the store it is for.
fn prepare(
    store: &Sqlite,
    from: &Path,
    expected: &Contents,
    to: &Path,
) -> Result<Sqlite, StoreError> {
    let backup = open_read_only(from)?;
    let broken = check::integrity(&backup).map_err(|source| failed(from, source))?;
    if let Some(first) = broken.first() {
        return Err(unfit(from, first));
    }
    vacuum_into(&backup, to).map_err(|source| failed(from, source))?;
    drop(backup);
    let Some(copy) = Sqlite::open(to, crate::store::Missing::Leave)? else {
        return Err(unfit(from, "it holds no store"));
    };
    if contents(&copy.connection, from)? != *expected {
        return Err(unfit(from, "it changed while it was read"));
    }
    whole(&copy.connection, &copy.lineage, from)?;
    let take_over = || -> rusqlite::Result<()> {
        let live = store.path.to_string_lossy();
        copy.connection.execute("ATTACH DATABASE $1 AS live", params![live])?;
        copy.connection.execute_batch(
            "BEGIN; DELETE FROM leases; INSERT INTO leases SELECT * FROM live.leases; \
             UPDATE intents SET state = 'unknown', message = 'the store went back to a backup, and \
             what became of this since then is not known'; DELETE FROM approvals; \
             COMMIT; DETACH DATABASE live;",
        )
    };
    take_over().map_err(|source| failed(&store.path, source))?;
    Ok(copy)
}

/// Writes all pages in one transaction; waits while another process writes. Whose the lease is gets
/// asked when nobody else can write any more: who has taken it over meanwhile may have begun
/// something outside, and what says so must not be written over.
fn put(from: &Connection, to: &mut Sqlite, epoch: i64) -> Result<(), StoreError> {
    let Sqlite { connection, path, lineage, folding: _ } = to;
    let failed = |source| failed(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // The connection that is written through cannot be asked anything meanwhile.
    let beside = Connection::open_with_flags(&*path, flags).map_err(failed)?;
    connection.flush_prepared_statement_cache();
    let backup = Backup::new(from, connection).map_err(failed)?;
    lock(&backup).map_err(failed)?;
    let held =
        check::same_lineage(&beside, lineage).and_then(|()| super::lease::check(&beside, epoch));
    held.map_err(|error| error.within(path))?;
    match backup.step(-1).map_err(failed)? {
        StepResult::Done => Ok(()),
        _ => Err(failed(busy())),
    }
}

/// Begins the transaction, by writing no page yet: from here on nobody else writes.
fn lock(backup: &Backup<'_, '_>) -> rusqlite::Result<()> {
    for _ in 0..TRIES {
        match backup.step(0)? {
            StepResult::Busy | StepResult::Locked => std::thread::sleep(PAUSE),
            _ => return Ok(()),
        }
    }
    Err(busy())
}

fn busy() -> rusqlite::Error {
    let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    rusqlite::Error::SqliteFailure(busy, Some("another process is writing".to_owned()))
}

/// Opens a backup without changing it.
fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // SQLite says of a missing file only that it cannot open it.
    File::open(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|source| failed(path, source))?;
    match migrate::version(&connection) {
        Ok(Some(_)) => Ok(connection),
        Ok(None) => Err(unfit(path, "it holds no store")),
        Err(error) => Err(unfit(path, &error.to_string())),
    }
}

fn contents(connection: &Connection, path: &Path) -> Result<Contents, StoreError> {
    let read = || -> rusqlite::Result<Contents> {
        let lineage = meta::lineage(connection)?;
        let head: Head = log::read_head(connection, &lineage)?;
        let count: i64 =
            connection.query_row("SELECT count(*) FROM resources", [], |row| row.get(0))?;
        Ok(Contents { lineage, head, resources: usize::try_from(count).unwrap_or_default() })
    };
    read().map_err(|error| match error {
        rusqlite::Error::QueryReturnedNoRows => unfit(path, "it has no lineage"),
        error => unfit(path, &error.to_string()),
    })
}

/// Refuses what has any problem, naming the first.
fn whole(connection: &Connection, lineage: &str, path: &Path) -> Result<(), StoreError> {
    let problems = check::problems(connection, lineage).map_err(|e| failed(path, e))?;
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(unfit(path, first)),
    }
}

fn vacuum_into(connection: &Connection, to: &Path) -> rusqlite::Result<()> {
    connection.execute("VACUUM INTO $1", params![to.to_string_lossy()]).map(drop)
}

fn failed(path: &Path, source: rusqlite::Error) -> StoreError {
    StoreError::Database { path: path.to_owned(), source }
}

fn unfit(path: &Path, why: &str) -> StoreError {
    StoreError::NoBackup { path: path.to_owned(), why: why.to_owned() }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// A file that is there only while it is worked on; a killed process leaves it, and the next one
/// begins by taking it away.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(path: &Path, suffix: &str) -> Result<Self, StoreError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let scratch = Self(folder_of(path).join(format!(".{name}.{suffix}")));
        scratch.remove().map_err(|source| StoreError::Io { path: scratch.0.clone(), source })?;
        Ok(scratch)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// The file, and what SQLite keeps beside it.
    fn remove(&self) -> std::io::Result<()> {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(suffix);
            match std::fs::remove_file(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is taken away the next time.
        let _stays = self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::{Scratch, prepare, put};
    use crate::store::backup::Problems;
    use crate::store::lease::Holder;
    use crate::store::sqlite::Sqlite;
    use crate::store::{Missing, Store, StoreError};
    use chrono::DateTime;
    use rusqlite::Connection;
    use std::time::Duration;

    #[test]
    fn who_takes_over_while_a_restore_waits_to_write_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = (folder.path().join("state.db"), folder.path().join("backup.db"));
        let mut store = Sqlite::open(&path, Missing::Create).unwrap().unwrap();
        let me = Holder {
            host: "here".into(),
            boot_id: "b".into(),
            pid: 1,
            started: "1".into(),
            actor: "a".into(),
        };
        let epoch = store.acquire(&me, DateTime::UNIX_EPOCH, &|_| false).unwrap().unwrap();
        let contents = store.backup(&file, Problems::Refused).unwrap();
        let scratch = Scratch::beside(&path, "restoring").unwrap();
        let copy = prepare(&store, &file, &contents, scratch.path()).unwrap();
        let other = Connection::open(&path).unwrap();
        let take_over = "BEGIN IMMEDIATE; UPDATE leases SET epoch = epoch + 1, actor = 'other'; \
                         INSERT INTO meta VALUES ('begun', 'outside')";
        other.execute_batch(take_over).unwrap();
        let taking_over = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            other.execute_batch("COMMIT").unwrap();
        });
        let error = put(&copy.connection, &mut store, epoch).unwrap_err();
        taking_over.join().unwrap();
        assert!(matches!(error, StoreError::LeaseLost { .. }), "{error}");
        let begun = super::meta::get(&store.connection, "begun").unwrap();
        assert_eq!(begun.as_deref(), Some("outside"), "what the other began is still known");
        // Who holds the lease by now can go back to it, and nothing is left locked.
        put(&copy.connection, &mut store, epoch + 1).unwrap();
        assert_eq!(super::meta::get(&store.connection, "begun").unwrap(), None);
    }
}
