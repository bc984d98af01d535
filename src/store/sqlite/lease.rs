//! The row of the lease.

use crate::model::activity::instant;
use crate::store::StoreError;
use crate::store::lease::{Holder, Lease};
use crate::store::sqlite::TransactError;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// The one lease there is: who applies.
const LEASE: &str = "apply";

/// The lease as it is or was held.
fn read(connection: &Connection) -> Result<Option<Lease>, TransactError> {
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
pub(super) fn check(connection: &Connection, epoch: i64) -> Result<(), TransactError> {
    match read(connection)? {
        Some(lease) if lease.epoch == epoch => Ok(()),
        other => {
            let holder = other.map_or("nobody".to_owned(), |lease| lease.to_string());
            Err(TransactError::Store(StoreError::LeaseLost { holder }))
        }
    }
}

/// Takes the lease, unless somebody holds it who is not gone: then says who.
pub(super) fn acquire(
    transaction: &Transaction<'_>,
    holder: &Holder,
    now: DateTime<Utc>,
    is_gone: &dyn Fn(&Lease) -> bool,
) -> Result<Result<i64, Lease>, TransactError> {
    let held: Option<i64> = transaction
        .query_row("SELECT held FROM leases WHERE name = $1", [LEASE], |row| row.get(0))
        .optional()?;
    let lease = read(transaction)?;
    if let (Some(1), Some(lease)) = (held, &lease)
        && !is_gone(lease)
    {
        return Ok(Err(lease.clone()));
    }
    let epoch = lease.map_or(0, |lease| lease.epoch) + 1;
    let Holder { host, boot_id, pid, started, actor } = holder;
    transaction.execute(
        "INSERT INTO leases \
         (name, host, boot_id, pid, started, actor, since, renewed_at, epoch, held) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1) ON CONFLICT (name) DO UPDATE SET \
         host = excluded.host, boot_id = excluded.boot_id, pid = excluded.pid, \
         started = excluded.started, actor = excluded.actor, since = excluded.since, \
         renewed_at = excluded.renewed_at, epoch = excluded.epoch, held = excluded.held",
        params![LEASE, host, boot_id, pid, started, actor, instant(now), instant(now), epoch],
    )?;
    Ok(Ok(epoch))
}

/// Says that the holder is still there.
pub(super) fn renew(
    transaction: &Transaction<'_>,
    epoch: i64,
    now: DateTime<Utc>,
) -> Result<(), TransactError> {
    check(transaction, epoch)?;
    transaction.execute(
        "UPDATE leases SET renewed_at = $1 WHERE name = $2",
        params![instant(now), LEASE],
    )?;
    Ok(())
}

/// Gives the lease back, if it is still this one.
pub(super) fn release(transaction: &Transaction<'_>, epoch: i64) -> Result<(), TransactError> {
    transaction.execute(
        "UPDATE leases SET held = 0 WHERE name = $1 AND epoch = $2",
        params![LEASE, epoch],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::store::lease::Holder;
    use crate::store::sqlite::Sqlite;
    use crate::store::{Missing, Store};
    use chrono::DateTime;

    #[test]
    fn whatever_becomes_of_a_lease_what_comes_after_it_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut store = Sqlite::open(&path, Missing::Create).unwrap().unwrap();
        let waits = |store: &Sqlite| {
            let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            // 2 is FULL.
            store.connection.pragma_query_value(None, "synchronous", read).unwrap() == 2
        };
        let me = Holder {
            host: "here".into(),
            boot_id: "b".into(),
            pid: 1,
            started: "1".into(),
            actor: "a".into(),
        };
        let at = DateTime::UNIX_EPOCH;
        let epoch = store.acquire(&me, at, &|_| false).unwrap().unwrap();
        assert!(waits(&store), "taken");
        store.acquire(&me, at, &|_| false).unwrap().unwrap_err();
        assert!(waits(&store), "held by somebody");
        store.renew(epoch, at).unwrap();
        assert!(waits(&store), "renewed");
        store.renew(epoch + 1, at).unwrap_err();
        assert!(waits(&store), "lost");
        store.release(epoch).unwrap();
        assert!(waits(&store), "given back");
    }
}
