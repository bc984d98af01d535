//! Reading rows: one query, one after the other, or many on two cores.

use crate::model::parallel::both;
use crate::store::StoreError;
use crate::store::sqlite::folding::Folding;
use crate::store::sqlite::opening::BUSY_MAX;
use crate::store::sqlite::{Sqlite, touches};
use rusqlite::{Connection, OpenFlags, Row};
use std::sync::{Mutex, PoisonError};

/// So many rows are read by one alone.
const ALONE_MAX: usize = 200;

impl Sqlite {
    pub(super) fn query<T>(
        &self,
        sql: &str,
        parameters: &[&dyn rusqlite::ToSql],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.query_each(sql, 0, std::iter::once(parameters), read)
    }

    /// The rows for one set of parameters after the other, with room for so many.
    fn query_each<T, P: rusqlite::Params>(
        &self,
        sql: &str,
        room: usize,
        all_parameters: impl Iterator<Item = P>,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        let mut found = Vec::with_capacity(room);
        for parameters in all_parameters {
            let mut rows = statement.query(parameters).map_err(|e| self.failed(e))?;
            while let Some(row) = rows.next().map_err(|e| self.failed(e))? {
                found.push(read(row)?);
            }
        }
        Ok(found)
    }

    /// The row, if there is one, for each of many sets of parameters, on two cores where they are many.
    /// The other one reads what this one's transaction sees: the version tells of every write to
    /// resources and things.
    pub(super) fn query_many<T: Send, P: rusqlite::Params + Send, R>(
        &self,
        sql: &str,
        all_parameters: Vec<P>,
        reader: impl Fn() -> R + Sync,
    ) -> Result<Vec<T>, StoreError>
    where
        R: FnMut(&Row<'_>) -> Result<T, StoreError>,
    {
        let room = all_parameters.len();
        let other = if room < ALONE_MAX { None } else { self.beside()? };
        let Some(other) = other else {
            return self.query_each(sql, room, all_parameters.into_iter(), reader());
        };
        // This one begins with the first and the other with the last, until they meet.
        let left = Mutex::new(all_parameters.into_iter());
        let (left, reader) = (|| left.lock().unwrap_or_else(PoisonError::into_inner), &reader);
        let from_the_end = move || {
            let last = std::iter::from_fn(|| left().next_back());
            other.query_each(sql, 0, last, reader())
        };
        let from_the_start = || {
            let next = std::iter::from_fn(|| left().next());
            self.query_each(sql, room, next, reader())
        };
        let (end, start) = both(true, from_the_end, from_the_start);
        let mut found = start?;
        found.extend(end?.into_iter().rev());
        Ok(found)
    }

    /// Another connection that sees the same as this one's transaction; `None` where there is none.
    fn beside(&self) -> Result<Option<Self>, StoreError> {
        if self.connection.is_autocommit() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(BUSY_MAX)?;
            connection.execute_batch("BEGIN")?;
            let sees_the_same =
                touches::version(&connection)? == touches::version(&self.connection)?;
            Ok(sees_the_same.then_some(connection))
        };
        let connection = open().map_err(|e| self.failed(e))?;
        let (path, lineage) = (self.path.clone(), self.lineage.clone());
        Ok(connection.map(|connection| Self {
            connection,
            path,
            lineage,
            folding: Folding::default(),
        }))
    }
}
