//! Reading rows: one query, one after the other, or many on two cores.

use crate::model::parallel::both;
use crate::store::StoreError;
use crate::store::sqlite::folding::Folding;
use crate::store::sqlite::{BUSY_MAX, Sqlite, touches};
use rusqlite::{Connection, OpenFlags, Row};

/// So many rows are read by one alone.
const ALONE_MAX: usize = 200;

impl Sqlite {
    pub(super) fn query<T>(
        &self,
        sql: &str,
        parameters: &[&dyn rusqlite::ToSql],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.query_each(sql, std::iter::once(parameters), read)
    }

    /// The rows for one set of parameters after the other.
    fn query_each<T, P: rusqlite::Params>(
        &self,
        sql: &str,
        all_parameters: impl Iterator<Item = P>,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        let mut found = Vec::with_capacity(all_parameters.size_hint().0);
        for parameters in all_parameters {
            let mut rows = statement.query(parameters).map_err(|e| self.failed(e))?;
            while let Some(row) = rows.next().map_err(|e| self.failed(e))? {
                found.push(read(row)?);
            }
        }
        Ok(found)
    }

    /// The same for many, on two cores where there is much to read. The other one reads what this one's
    /// transaction sees: the version tells of every write to resources and things.
    pub(super) fn query_many<T: Send, P: rusqlite::Params + Send, R>(
        &self,
        sql: &str,
        mut all_parameters: Vec<P>,
        reader: impl Fn() -> R + Sync,
    ) -> Result<Vec<T>, StoreError>
    where
        R: FnMut(&Row<'_>) -> Result<T, StoreError>,
    {
        let other = if all_parameters.len() < ALONE_MAX { None } else { self.beside()? };
        let Some(other) = other else {
            return self.query_each(sql, all_parameters.into_iter(), reader());
        };
        let rest = all_parameters.split_off(all_parameters.len() / 2);
        let reader = &reader;
        let (rest, found) = both(
            true,
            move || other.query_each(sql, rest.into_iter(), reader()),
            || self.query_each(sql, all_parameters.into_iter(), reader()),
        );
        let mut found = found?;
        found.extend(rest?);
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
