//! The default store: one SQLite file, WAL, synchronous FULL.

use crate::model::activity::{Columns, Outcome, chain_start, instant};
use crate::model::{Activity, Observed, ResourceId, Source, Spec, Stored, activity};
use crate::store::lease::{Holder, Lease};
use crate::store::log::{Checkpoint, Filter, Head, Verification};
use crate::store::{Batch, Missing, Store, StoreError, Write, migrate};
use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The one lease there is: who applies.
const LEASE: &str = "apply";

/// A store in one SQLite file.
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
    lineage: String,
}

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
        connection.busy_timeout(Duration::from_secs(30)).map_err(failed)?;
        // A program killed while it made the file leaves it without tables: no store yet.
        if missing == Missing::Leave && migrate::version(&connection).map_err(failed)?.is_none() {
            return Ok(None);
        }
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        connection.pragma_update(None, "foreign_keys", "ON").map_err(failed)?;
        migrate::migrate(&mut connection, failed)?;
        let lineage = connection
            .query_row("SELECT value FROM meta WHERE key = 'lineage'", [], |row| row.get(0))
            .map_err(failed)?;
        Ok(Some(Self { connection, path: path.to_owned(), lineage }))
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), source }
    }

    fn query<T>(
        &self,
        sql: &str,
        parameters: &[&dyn rusqlite::ToSql],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        let mut rows = statement.query(parameters).map_err(|e| self.failed(e))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.failed(e))? {
            found.push(read(row)?);
        }
        Ok(found)
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
        let done = body(&transaction, &self.lineage).map_err(|error| match error {
            TransactError::Database(source) => failed(source),
            TransactError::Store(error) => error,
        })?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }
}

/// An error inside a transaction: the database's own gets the path added outside.
enum TransactError {
    Database(rusqlite::Error),
    Store(StoreError),
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

fn json<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(what)(error.into()))
}

fn text_of<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

const RESOURCE_COLUMNS: &str = "kind, name, uid, set_name, generation, revision, metadata, spec, \
     last_applied, observed, external_id, conditions, source_file, source_line, source_commit";

fn stored(row: &Row<'_>) -> Result<Stored, StoreError> {
    let read = || -> rusqlite::Result<_> {
        let id = ResourceId::new(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?);
        Ok((id, row.get::<_, String>(6)?, row.get::<_, String>(7)?))
    };
    let (id, metadata, spec) = read().map_err(|error| corrupt("a resource")(error.into()))?;
    let what = id.to_string();
    let parsed: Spec = json(&spec, &what)?;
    // Mostly the three are alike: then they share one value, and are parsed once.
    let optional = |column: usize| -> Result<Option<Spec>, StoreError> {
        let text: Option<String> = row.get(column).map_err(|e| corrupt(&what)(e.into()))?;
        text.map(|text| if text == spec { Ok(parsed.clone()) } else { json(&text, &what) })
            .transpose()
    };
    let (last_applied, observed) = (optional(8)?, optional(9)?);
    let conditions: String = row.get(11).map_err(|e| corrupt(&what)(e.into()))?;
    let rest = || -> rusqlite::Result<Stored> {
        Ok(Stored {
            uid: row.get(2)?,
            set: row.get(3)?,
            generation: row.get(4)?,
            revision: row.get(5)?,
            external_id: row.get(10)?,
            source: Source { file: row.get(12)?, line: row.get(13)?, commit: row.get(14)? },
            id: id.clone(),
            metadata: crate::model::Metadata::default(),
            spec: Spec::default(),
            last_applied: None,
            observed: None,
            conditions: Arc::default(),
        })
    };
    let row = rest().map_err(|error| corrupt(&what)(error.into()))?;
    Ok(Stored {
        metadata: json(&metadata, &what)?,
        spec: parsed,
        conditions: Arc::new(json(&conditions, &what)?),
        last_applied,
        observed,
        ..row
    })
}

fn put(
    transaction: &Transaction<'_>,
    row: &Stored,
    expected: Option<i64>,
    previous: Option<&ResourceId>,
) -> Result<(), TransactError> {
    let old = previous.unwrap_or(&row.id);
    expect(transaction, old, expected)?;
    if previous.is_some() {
        expect(transaction, &row.id, None)?;
    }
    if expected.is_some() {
        delete_row(transaction, old)?;
    }
    let Stored {
        id,
        uid,
        set,
        generation,
        revision,
        metadata,
        spec,
        last_applied,
        observed,
        external_id,
        conditions,
        source: Source { file, line, commit },
    } = row;
    transaction
        .prepare_cached(&format!(
            "INSERT INTO resources ({RESOURCE_COLUMNS}) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        ))?
        .execute(params![
            id.kind.as_str(),
            id.name.as_str(),
            uid,
            set,
            generation,
            revision,
            text_of(metadata),
            spec.canonical(),
            last_applied.as_ref().map(Spec::canonical),
            observed.as_ref().map(Spec::canonical),
            external_id,
            text_of(conditions.as_ref()),
            file,
            line,
            commit,
        ])?;
    Ok(())
}

fn delete_row(transaction: &Transaction<'_>, id: &ResourceId) -> Result<(), TransactError> {
    transaction
        .prepare_cached("DELETE FROM resources WHERE kind = $1 AND name = $2")?
        .execute(params![id.kind.as_str(), id.name.as_str()])?;
    Ok(())
}

/// Refuses the batch when a resource is not at the revision it was planned from.
fn expect(
    transaction: &Transaction<'_>,
    id: &ResourceId,
    expected: Option<i64>,
) -> Result<(), TransactError> {
    let found = transaction
        .prepare_cached("SELECT revision FROM resources WHERE kind = $1 AND name = $2")?
        .query_row(params![id.kind.as_str(), id.name.as_str()], |row| row.get(0))
        .optional()?;
    if found == expected {
        Ok(())
    } else {
        Err(TransactError::Store(StoreError::Stale { id: id.clone(), expected, found }))
    }
}

fn append(
    transaction: &Transaction<'_>,
    lineage: &str,
    head: &mut Head,
    draft: &activity::Draft,
) -> Result<(), TransactError> {
    let at = instant(draft.at);
    let (before, after) = (draft.before.as_ref().map(text_of), draft.after.as_ref().map(text_of));
    let columns = Columns {
        seq: head.seq + 1,
        at: &at,
        actor: &draft.actor,
        source_commit: draft.source.commit.as_deref(),
        source_file: draft.source.file.as_deref(),
        source_line: draft.source.line.map(i64::from),
        command: &draft.command,
        set_name: &draft.set,
        kind: draft.resource.kind.as_str(),
        name: draft.resource.name.as_str(),
        operation: &draft.operation,
        before: before.as_deref(),
        after: after.as_deref(),
        plan_id: &draft.plan_id,
        operation_id: &draft.operation_id,
        outcome: draft.outcome.as_str(),
        reason: &draft.reason,
    };
    *head = Head { seq: columns.seq, hash: columns.hash(&head.hash, lineage) };
    transaction
        .prepare_cached(&format!(
            "INSERT INTO activities ({ACTIVITY_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
             $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
        ))?
        .execute(params![
            columns.seq,
            columns.at,
            columns.actor,
            columns.source_commit,
            columns.source_file,
            columns.source_line,
            columns.command,
            columns.set_name,
            columns.kind,
            columns.name,
            columns.operation,
            columns.before,
            columns.after,
            columns.plan_id,
            columns.operation_id,
            columns.outcome,
            columns.reason,
            head.hash,
        ])?;
    Ok(())
}

const ACTIVITY_COLUMNS: &str = "seq, at, actor, source_commit, source_file, source_line, command, \
     set_name, kind, name, operation, before, after, plan_id, operation_id, outcome, reason, hash";

/// The columns of a row exactly as the database has them; `Err` names a column of another type.
fn columns<'r>(row: &'r Row<'_>) -> rusqlite::Result<Result<(Columns<'r>, &'r str), String>> {
    fn optional<'r>(
        row: &'r Row<'_>,
        index: usize,
    ) -> rusqlite::Result<Result<Option<&'r str>, String>> {
        Ok(match row.get_ref(index)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes).map(Some).map_err(|e| e.to_string())
            }
            _ => Err("is not a text".to_owned()),
        })
    }
    let name = |index: usize| row.as_ref().column_name(index).unwrap_or("a column").to_owned();
    macro_rules! text {
        ($index:expr) => {
            match optional(row, $index)? {
                Ok(Some(text)) => text,
                Ok(None) => return Ok(Err(format!("{} is missing", name($index)))),
                Err(why) => return Ok(Err(format!("{} {why}", name($index)))),
            }
        };
    }
    macro_rules! maybe {
        ($index:expr) => {
            match optional(row, $index)? {
                Ok(text) => text,
                Err(why) => return Ok(Err(format!("{} {why}", name($index)))),
            }
        };
    }
    let source_line = match row.get_ref(5)? {
        ValueRef::Null => None,
        ValueRef::Integer(line) => Some(line),
        _ => return Ok(Err("source_line is not a number".to_owned())),
    };
    let columns = Columns {
        seq: row.get(0)?,
        at: text!(1),
        actor: text!(2),
        source_commit: maybe!(3),
        source_file: maybe!(4),
        source_line,
        command: text!(6),
        set_name: text!(7),
        kind: text!(8),
        name: text!(9),
        operation: text!(10),
        before: maybe!(11),
        after: maybe!(12),
        plan_id: text!(13),
        operation_id: text!(14),
        outcome: text!(15),
        reason: text!(16),
    };
    Ok(Ok((columns, text!(17))))
}

fn activity(row: &Row<'_>) -> Result<Activity, StoreError> {
    let (columns, hash) = columns(row)
        .map_err(|error| corrupt("an activity")(error.into()))?
        .map_err(|why| corrupt("an activity")(why.into()))?;
    let what = format!("activity {}", columns.seq);
    let outcome = Outcome::from_word(columns.outcome)
        .ok_or_else(|| corrupt(&what)(format!("outcome `{}`", columns.outcome).into()))?;
    let value = |text: Option<&str>| text.map(|text| json(text, &what)).transpose();
    Ok(Activity {
        seq: columns.seq,
        at: columns.at.to_owned(),
        actor: columns.actor.to_owned(),
        source: activity::ActivitySource {
            commit: columns.source_commit.map(str::to_owned),
            file: columns.source_file.map(str::to_owned),
            line: columns.source_line.and_then(|line| u32::try_from(line).ok()),
            command: columns.command.to_owned(),
        },
        set: columns.set_name.to_owned(),
        resource: ResourceId::new(columns.kind, columns.name),
        operation: columns.operation.to_owned(),
        before: value(columns.before)?,
        after: value(columns.after)?,
        plan_id: columns.plan_id.to_owned(),
        operation_id: columns.operation_id.to_owned(),
        outcome,
        reason: columns.reason.to_owned(),
        hash: hash.to_owned(),
    })
}

fn read_head(connection: &Connection, lineage: &str) -> rusqlite::Result<Head> {
    let value = |key: &str| -> rusqlite::Result<Option<String>> {
        let sql = "SELECT value FROM meta WHERE key = $1";
        connection.query_row(sql, [key], |row| row.get(0)).optional()
    };
    let seq = value("log_seq")?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let hash = value("log_hash")?.unwrap_or_else(|| chain_start(lineage));
    Ok(Head { seq, hash })
}

fn read_lease(connection: &Connection) -> Result<Option<Lease>, TransactError> {
    let sql = "SELECT host, boot_id, pid, started, actor, since, renewed_at, epoch FROM leases \
               WHERE name = $1";
    let lease = connection
        .query_row(sql, [LEASE], |row| {
            let holder = Holder {
                host: row.get(0)?,
                boot_id: row.get(1)?,
                pid: row.get(2)?,
                started: row.get(3)?,
                actor: row.get(4)?,
            };
            let renewed: String = row.get(6)?;
            Ok((holder, row.get(5)?, renewed, row.get(7)?))
        })
        .optional()?;
    Ok(lease.map(|(holder, since, renewed, epoch)| Lease {
        holder,
        since,
        renewed_at: DateTime::parse_from_rfc3339(&renewed)
            .map_or(DateTime::UNIX_EPOCH, |at| at.to_utc()),
        epoch,
    }))
}

/// Refuses to go on under a lease that somebody else has taken over.
fn check_lease(transaction: &Transaction<'_>, epoch: i64) -> Result<(), TransactError> {
    match read_lease(transaction)? {
        Some(lease) if lease.epoch == epoch => Ok(()),
        other => {
            let holder = other.map_or("nobody".to_owned(), |lease| lease.to_string());
            Err(TransactError::Store(StoreError::LeaseLost { holder }))
        }
    }
}

impl Store for Sqlite {
    fn lineage(&self) -> &str {
        &self.lineage
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
        let sql = format!("SELECT {RESOURCE_COLUMNS} FROM resources ORDER BY kind, name");
        self.query(&sql, &[], stored)
    }

    fn actual(&self) -> Result<Vec<Observed>, StoreError> {
        let sql = "SELECT kind, external_id, name, spec FROM actual ORDER BY kind, external_id";
        self.query(sql, &[], |row| {
            let read = || -> rusqlite::Result<(String, String, String, String)> {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            };
            let (kind, external_id, name, spec) =
                read().map_err(|e| corrupt("the actual state")(e.into()))?;
            let spec = json(&spec, &format!("actual {kind}/{name}"))?;
            Ok(Observed { kind: crate::model::KindName::new(&kind), external_id, name, spec })
        })
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.transact(|transaction, lineage| {
            if let Some(epoch) = batch.epoch {
                check_lease(transaction, epoch)?;
            }
            let start = read_head(transaction, lineage)?;
            let mut head = start.clone();
            for write in &batch.writes {
                match write {
                    Write::Put { row, expected, previous } => {
                        put(transaction, row, *expected, previous.as_ref())?;
                    }
                    Write::Delete { id, expected } => {
                        expect(transaction, id, Some(*expected))?;
                        delete_row(transaction, id)?;
                    }
                    Write::PutActual(Observed { kind, external_id, name, spec }) => {
                        transaction
                            .prepare_cached(
                                "INSERT INTO actual (kind, external_id, name, spec) \
                                 VALUES ($1, $2, $3, $4) ON CONFLICT (kind, external_id) \
                                 DO UPDATE SET name = excluded.name, spec = excluded.spec",
                            )?
                            .execute(params![kind.as_str(), external_id, name, spec.canonical()])?;
                    }
                    Write::DeleteActual { kind, external_id } => {
                        transaction
                            .prepare_cached(
                                "DELETE FROM actual WHERE kind = $1 AND external_id = $2",
                            )?
                            .execute(params![kind.as_str(), external_id])?;
                    }
                    Write::Append(draft) => append(transaction, lineage, &mut head, draft)?,
                }
            }
            if head != start {
                for (key, value) in [("log_seq", head.seq.to_string()), ("log_hash", head.hash)] {
                    transaction.execute(
                        "INSERT INTO meta (key, value) VALUES ($1, $2) \
                         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                        params![key, value],
                    )?;
                }
            }
            Ok(())
        })
    }

    fn head(&self) -> Result<Head, StoreError> {
        read_head(&self.connection, &self.lineage).map_err(|e| self.failed(e))
    }

    fn activities(&self, filter: &Filter) -> Result<Vec<Activity>, StoreError> {
        let Filter { resource, kind, actor, set, plan_id, operation, outcome, since, until, last } =
            filter;
        let resource_kind = resource.as_ref().map(|id| id.kind.to_string());
        let name = resource.as_ref().map(|id| id.name.to_string());
        let mut conditions = Vec::new();
        let mut parameters: Vec<&dyn rusqlite::ToSql> = Vec::new();
        for (condition, value) in [
            ("kind =", &resource_kind),
            ("name =", &name),
            ("kind =", kind),
            ("actor =", actor),
            ("set_name =", set),
            ("plan_id =", plan_id),
            ("operation =", operation),
            ("outcome =", outcome),
            ("at >=", since),
            ("at <", until),
        ] {
            if let Some(value) = value {
                parameters.push(value);
                conditions.push(format!("{condition} ${}", parameters.len()));
            }
        }
        let wanted =
            if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
        let limit = last.map_or(i64::MAX, |last| i64::try_from(last).unwrap_or(i64::MAX));
        let sql = format!(
            "SELECT {ACTIVITY_COLUMNS} FROM activities WHERE {wanted} ORDER BY seq DESC LIMIT {limit}"
        );
        let mut activities = self.query(&sql, &parameters, activity)?;
        activities.reverse();
        Ok(activities)
    }

    fn verify(&self, checkpoint: Option<&Checkpoint>) -> Result<Verification, StoreError> {
        let _reading = self.connection.unchecked_transaction().map_err(|e| self.failed(e))?;
        let bad = |seq, message: String| Ok(Verification::Bad { seq, message });
        if let Some(checkpoint) = checkpoint.filter(|c| c.lineage != self.lineage) {
            let message = format!("the checkpoint is of another store, {}", checkpoint.lineage);
            return bad(checkpoint.seq, message);
        }
        let sql = format!("SELECT {ACTIVITY_COLUMNS} FROM activities ORDER BY seq");
        let mut statement = self.connection.prepare(&sql).map_err(|e| self.failed(e))?;
        let mut rows = statement.query([]).map_err(|e| self.failed(e))?;
        let mut head = Head { seq: 0, hash: chain_start(&self.lineage) };
        while let Some(row) = rows.next().map_err(|e| self.failed(e))? {
            let next = head.seq + 1;
            let (columns, hash) = match columns(row).map_err(|e| self.failed(e))? {
                Ok(read) => read,
                Err(why) => return bad(next, why),
            };
            if columns.seq != next {
                return bad(next, format!("it is missing; the next one is {}", columns.seq));
            }
            if columns.hash(&head.hash, &self.lineage) != hash {
                return bad(next, "it is not as it was written".to_owned());
            }
            if let Some(kept) = checkpoint.filter(|c| c.seq == next && c.hash != hash) {
                return bad(next, format!("its hash is not that of the checkpoint, {}", kept.hash));
            }
            head = Head { seq: next, hash: hash.to_owned() };
        }
        let kept = read_head(&self.connection, &self.lineage).map_err(|e| self.failed(e))?;
        let end = checkpoint.map_or(0, |checkpoint| checkpoint.seq).max(kept.seq);
        if head.seq < end {
            return bad(head.seq + 1, format!("it is missing; the log once reached {end}"));
        }
        if kept != head {
            return bad(head.seq, "it is not the last one the store wrote".to_owned());
        }
        Ok(Verification::Good { head })
    }

    fn acquire(
        &mut self,
        holder: &Holder,
        now: DateTime<Utc>,
        is_gone: &dyn Fn(&Lease) -> bool,
    ) -> Result<Result<i64, Lease>, StoreError> {
        self.transact(|transaction, _| {
            let held: Option<i64> = transaction
                .query_row("SELECT held FROM leases WHERE name = $1", [LEASE], |row| row.get(0))
                .optional()?;
            let lease = read_lease(transaction)?;
            if let (Some(1), Some(lease)) = (held, &lease)
                && !is_gone(lease)
            {
                return Ok(Err(lease.clone()));
            }
            let epoch = lease.map_or(0, |lease| lease.epoch) + 1;
            let Holder { host, boot_id, pid, started, actor } = holder;
            transaction.execute(
                "INSERT INTO leases (name, host, boot_id, pid, started, actor, since, renewed_at, epoch, held) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1) ON CONFLICT (name) DO UPDATE SET \
                 host = excluded.host, boot_id = excluded.boot_id, pid = excluded.pid, \
                 started = excluded.started, actor = excluded.actor, since = excluded.since, \
                 renewed_at = excluded.renewed_at, epoch = excluded.epoch, held = excluded.held",
                params![LEASE, host, boot_id, pid, started, actor, instant(now), instant(now), epoch],
            )?;
            Ok(Ok(epoch))
        })
    }

    fn renew(&mut self, epoch: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.transact(|transaction, _| {
            check_lease(transaction, epoch)?;
            transaction.execute(
                "UPDATE leases SET renewed_at = $1 WHERE name = $2",
                params![instant(now), LEASE],
            )?;
            Ok(())
        })
    }

    fn release(&mut self, epoch: i64) -> Result<(), StoreError> {
        self.transact(|transaction, _| {
            transaction.execute(
                "UPDATE leases SET held = 0 WHERE name = $1 AND epoch = $2",
                params![LEASE, epoch],
            )?;
            Ok(())
        })
    }
}
