//! Putting what the journal holds into the file, beside commits instead of within one.

use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::thread::JoinHandle;

/// A thread that does it, if one does.
#[derive(Default)]
pub(super) struct Folding(Option<JoinHandle<rusqlite::Result<()>>>);

impl Folding {
    /// Begins with what is committed now, on a connection of its own: readers and writers go on. Gives
    /// how it went the last time; while it is under way, nothing is begun.
    pub(super) fn begin(&mut self, path: &Path) -> rusqlite::Result<()> {
        if self.0.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let before = self.end();
        let path = path.to_owned();
        self.0 = Some(std::thread::spawn(move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        }));
        before
    }

    /// Waits until nothing is under way.
    pub(super) fn end(&mut self) -> rusqlite::Result<()> {
        let ended = self.0.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}
