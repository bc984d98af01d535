//! The default store: one SQLite file, WAL, synchronous FULL.

mod backup;
mod check;
mod conditions;
mod folding;
mod intents;
mod lease;
mod log;
mod meta;
mod opening;
mod reading;
mod rows;
mod statements;
mod steps;
mod suspensions;
mod things;
mod touches;

use crate::model::{Activity, KindName, Observed, ResourceId, Stored, Suspension};
use crate::plan::intent::Intent;
use crate::store::backup::{Contents, Examined, Problems};
use crate::store::history::{ApplyRecord, Approval};
use crate::store::lease::{Holder, Lease};
use crate::store::log::{Checkpoint, Filter, Head, Verification};
use crate::store::sqlite::folding::Folding;
use crate::store::sqlite::steps::Steps;
use crate::store::{Batch, Glance, Judgement, Settling, Store, StoreError, Touched, Version};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What a backup holds.
///
/// # Errors
/// When the file is none.
pub fn read_backup(path: &Path) -> Result<Contents, StoreError> {
    backup::read(path)
}

/// Writes in one batch from which on it is a large one.
const BULK: usize = 2_000;
/// Pages kept in memory for large batches, in KiB.
const CACHE_KIB: i64 = 65_536;
/// Pages in the journal before they go into the file, for large batches.
const JOURNAL_PAGES: i64 = 16_384;

/// A log shorter than this is walked by one alone.
const WALKED_ALONE_MAX: i64 = 20_000;

/// A store in one SQLite file.
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
    lineage: String,
    folding: Folding,
}

impl Sqlite {
    /// Many rows touch pages all over the indexes: they stay in memory, and go from the journal into
    /// the file less often. When a commit is durable does not change by that.
    fn make_room(&self) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        self.connection.pragma_update(None, "wal_autocheckpoint", JOURNAL_PAGES)
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), source }
    }

    /// Runs writes in one transaction that takes the write lock at once: upgrading later would not
    /// wait for other writers.
    fn transact<T>(
        &mut self,
        body: impl FnOnce(&Transaction<'_>, &str) -> Result<T, TransactError>,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let failed = |source| StoreError::Database { path: path.clone(), source };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let same = check::same_lineage(&transaction, &self.lineage);
        let done = same.and_then(|()| body(&transaction, &self.lineage));
        let done = done.map_err(|error| error.within(&path))?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }
}

impl Sqlite {
    /// The same without waiting for the disk, for the lease alone. Everybody sees it at once. What is
    /// lost with the power is the word of a holder that is gone with it; and nothing is written
    /// durably under a lease without it, as a sync takes along whatever stands before in the file.
    fn transact_lightly<T>(
        &mut self,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, TransactError>,
    ) -> Result<T, StoreError> {
        self.without_waiting(|store| store.transact(|transaction, _| body(transaction)))
    }

    /// Does something whose commits do not wait until the disk has them; those after it do again.
    fn without_waiting<T>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.wait_for_the_disk(false)?;
        let done = body(self);
        self.wait_for_the_disk(true)?;
        done
    }

    /// Whether a commit waits until the disk has it.
    fn wait_for_the_disk(&self, waits: bool) -> Result<(), StoreError> {
        let value = if waits { "FULL" } else { "NORMAL" };
        self.connection.pragma_update(None, "synchronous", value).map_err(|e| self.failed(e))
    }
}

impl Drop for Sqlite {
    /// The last connection that closes leaves one file: that is to be this one.
    fn drop(&mut self) {
        let _a_commit_does_it_then = self.folding.end();
    }
}

/// An error inside a transaction: the database's own gets the path added outside.
enum TransactError {
    Database(rusqlite::Error),
    Store(StoreError),
}

impl TransactError {
    /// The same of the store in this file.
    fn within(self, path: &Path) -> StoreError {
        match self {
            Self::Database(source) => StoreError::Database { path: path.to_owned(), source },
            Self::Store(error) => error,
        }
    }
}

impl From<rusqlite::Error> for TransactError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

fn corrupt(
    what: impl std::fmt::Display,
) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    let what = what.to_string();
    move |source| StoreError::Corrupt { what, source }
}

fn json<T: serde::de::DeserializeOwned>(
    text: &str,
    what: &(impl std::fmt::Display + ?Sized),
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(what)(error.into()))
}

fn text_of<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Where the commit that something is brought to stands.
fn followed(what: &str) -> String {
    format!("followed {what}")
}

impl Store for Sqlite {
    fn lineage(&self) -> &str {
        &self.lineage
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn consistently(
        &self,
        body: &mut dyn FnMut(&dyn Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let reading = self.connection.unchecked_transaction().map_err(|e| self.failed(e))?;
        body(self)?;
        reading.commit().map_err(|e| self.failed(e))
    }

    fn resources(&self) -> Result<Vec<Stored>, StoreError> {
        let sql = format!("SELECT {} FROM resources ORDER BY kind, name", rows::COLUMNS);
        let mut reader = rows::Reader::default();
        self.query(&sql, &[], |row| reader.stored(row))
    }

    fn actual(&self) -> Result<Vec<Observed>, StoreError> {
        let sql = format!("SELECT {} FROM actual ORDER BY kind, external_id", things::COLUMNS);
        self.query(&sql, &[], things::thing)
    }

    fn resources_of(&self, ids: &BTreeSet<ResourceId>) -> Result<Vec<Stored>, StoreError> {
        let sql = format!("SELECT {} FROM resources WHERE kind = $1 AND name = $2", rows::COLUMNS);
        let ids = ids.iter().map(|id| (id.kind.as_str(), id.name.as_str())).collect();
        self.query_many(&sql, ids, || {
            let mut reader = rows::Reader::default();
            move |row: &Row<'_>| reader.stored(row)
        })
    }

    fn actual_of(&self, ids: &BTreeSet<(KindName, String)>) -> Result<Vec<Observed>, StoreError> {
        let sql =
            format!("SELECT {} FROM actual WHERE kind = $1 AND external_id = $2", things::COLUMNS);
        let ids = ids.iter().map(|(kind, external_id)| (kind.as_str(), external_id.as_str()));
        self.query_many(&sql, ids.collect(), || things::thing)
    }

    fn actual_of_kind(&self, kind: &KindName) -> Result<Vec<Observed>, StoreError> {
        let sql =
            format!("SELECT {} FROM actual WHERE kind = $1 ORDER BY external_id", things::COLUMNS);
        self.query(&sql, &[&kind.as_str()], things::thing)
    }

    fn holder_of(
        &self,
        kind: &KindName,
        external_id: &str,
    ) -> Result<Option<ResourceId>, StoreError> {
        let sql = "SELECT name FROM resources WHERE kind = $1 AND external_id = $2";
        let ask = || -> rusqlite::Result<Option<String>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([kind.as_str(), external_id], |row| row.get(0)).optional()
        };
        let name = ask().map_err(|e| self.failed(e))?;
        Ok(name.map(|name| ResourceId::new(kind.as_str(), &name)))
    }

    fn manages_any(&self, kind: &KindName) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM resources WHERE kind = $1)";
        let ask =
            || self.connection.prepare_cached(sql)?.query_row([kind.as_str()], |row| row.get(0));
        ask().map_err(|e| self.failed(e))
    }

    fn version(&self) -> Result<Version, StoreError> {
        touches::version(&self.connection).map_err(|e| self.failed(e))
    }

    fn touched_since(&self, version: &Version) -> Result<Option<Touched>, StoreError> {
        touches::since(&self.connection, version).map_err(|e| self.failed(e))
    }

    fn judgement(&self, set: &str) -> Result<Option<Judgement>, StoreError> {
        touches::judgement(&self.connection, set).map_err(|e| self.failed(e))
    }

    fn glance(&self, seen: &mut dyn FnMut(Glance<'_>)) -> Result<(), StoreError> {
        touches::glance(&self.connection, seen).map_err(|e| self.failed(e))
    }

    fn unmanaged(&self) -> Result<Vec<Observed>, StoreError> {
        let sql = format!(
            "SELECT {} FROM actual WHERE NOT EXISTS (SELECT 1 FROM resources \
             WHERE resources.kind = actual.kind AND resources.external_id = actual.external_id) \
             ORDER BY kind, external_id",
            things::COLUMNS
        );
        self.query(&sql, &[], things::thing)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let is_large = batch.writes.len() >= BULK;
        if is_large {
            self.make_room().map_err(|e| self.failed(e))?;
        }
        self.transact(|transaction, lineage| {
            if let Some(epoch) = batch.epoch {
                lease::check(transaction, epoch)?;
            }
            let touched = touches::of(transaction, &batch.writes)?;
            let start = log::read_head(transaction, lineage)?;
            let head = Steps::after(start.clone(), lineage).take_all(transaction, &batch.writes)?;
            if head != start {
                log::keep_head(transaction, &head)?;
            }
            touches::note(transaction, &touched)?;
            touches::judge(transaction, &batch.writes)?;
            Ok(())
        })?;
        if is_large {
            // Another may follow. Where this fails, a commit does it when the journal is long.
            let _committed_all_the_same = self.catch_up();
        }
        Ok(())
    }

    fn commit_ahead(&mut self, batch: &Batch) -> Result<Settling, StoreError> {
        self.without_waiting(|store| store.commit(batch))?;
        // What the journal holds from its last sync on counts up to the first page that is not whole.
        // It stands beside the file itself, wherever a link to that may be.
        let file = self.connection.path().map_or_else(|| self.path.clone(), PathBuf::from);
        let mut journal = file.into_os_string();
        journal.push("-wal");
        let path = PathBuf::from(journal);
        Ok(Box::new(move || {
            let sync = File::options().append(true).open(&path).and_then(|file| file.sync_data());
            sync.map_err(|source| StoreError::Io { path, source })
        }))
    }

    fn intents(&self) -> Result<Vec<Intent>, StoreError> {
        self.query(intents::INTENTS, &[], intents::intent)
    }

    fn last_apply(&self) -> Result<Option<ApplyRecord>, StoreError> {
        let sql = format!("{} ORDER BY seq DESC LIMIT 1", intents::APPLIES);
        Ok(self.query(&sql, &[], intents::apply)?.pop())
    }

    fn apply_of(&self, digest: &str) -> Result<Option<ApplyRecord>, StoreError> {
        let sql = format!("{} WHERE digest = $1", intents::APPLIES);
        Ok(self.query(&sql, &[&digest], intents::apply)?.pop())
    }

    fn approvals(&self) -> Result<Vec<Approval>, StoreError> {
        self.query(intents::APPROVALS, &[], intents::approval)
    }

    fn suspensions(&self) -> Result<Vec<Suspension>, StoreError> {
        self.query(suspensions::SUSPENSIONS, &[], suspensions::suspension)
    }

    fn followed(&self, what: &str) -> Result<Option<String>, StoreError> {
        meta::get(&self.connection, &followed(what)).map_err(|e| self.failed(e))
    }

    fn head(&self) -> Result<Head, StoreError> {
        log::read_head(&self.connection, &self.lineage).map_err(|e| self.failed(e))
    }

    fn activities(&self, filter: &Filter) -> Result<Vec<Activity>, StoreError> {
        let (sql, parameters) = log::wanted(filter);
        let parameters: Vec<&dyn rusqlite::ToSql> =
            parameters.iter().map(|text| text as &dyn rusqlite::ToSql).collect();
        let mut activities = self.query(&sql, &parameters, log::activity)?;
        activities.reverse();
        Ok(activities)
    }

    fn verify(&self, checkpoint: Option<&Checkpoint>) -> Result<Verification, StoreError> {
        let reading = self.connection.unchecked_transaction().map_err(|e| self.failed(e))?;
        let end = log::read_head(&reading, &self.lineage).map_err(|e| self.failed(e))?.seq;
        if end < WALKED_ALONE_MAX {
            return log::verify(&reading, &self.lineage, checkpoint).map_err(|e| self.failed(e));
        }
        // Whatever is appended meanwhile comes after what either of them walks.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let halves = || {
            let other = Connection::open_with_flags(&self.path, flags)?;
            log::verify_halves(&reading, other, end / 2, &self.lineage, checkpoint)
        };
        halves().map_err(|e| self.failed(e))
    }

    fn acquire(
        &mut self,
        holder: &Holder,
        now: DateTime<Utc>,
        is_gone: &dyn Fn(&Lease) -> bool,
    ) -> Result<Result<i64, Lease>, StoreError> {
        self.transact_lightly(|transaction| lease::acquire(transaction, holder, now, is_gone))
    }

    fn renew(&mut self, epoch: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.transact_lightly(|transaction| lease::renew(transaction, epoch, now))
    }

    fn release(&mut self, epoch: i64) -> Result<(), StoreError> {
        self.transact_lightly(|transaction| lease::release(transaction, epoch))
    }

    fn backup(&self, to: &Path, problems: Problems) -> Result<Contents, StoreError> {
        backup::write(self, to, problems)
    }

    fn examine(&self, from: &Path) -> Result<Examined, StoreError> {
        backup::examine(self, from)
    }

    fn restore_from(
        &mut self,
        from: &Path,
        expected: &Contents,
        epoch: i64,
    ) -> Result<(), StoreError> {
        backup::restore(self, from, expected, epoch)
    }

    fn catch_up(&mut self) -> Result<(), StoreError> {
        self.folding.begin(&self.path).map_err(|e| self.failed(e))
    }

    fn check(&self) -> Result<Vec<String>, StoreError> {
        check::problems(&self.connection, &self.lineage).map_err(|e| self.failed(e))
    }
}
