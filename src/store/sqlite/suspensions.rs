//! Rows of suspensions.

use crate::model::ResourceId;
use crate::model::activity::instant;
use crate::model::suspension::Suspension;
use crate::store::StoreError;
use crate::store::sqlite::{TransactError, corrupt};
use chrono::{DateTime, Utc};
use rusqlite::{Row, Transaction, params};

pub(super) const SUSPENSIONS: &str = "SELECT kind, name, with_all_of_it, set_name, actor, since, until, \
     reason FROM suspensions ORDER BY kind, name, with_all_of_it";

/// A suspension.
pub(super) fn suspension(row: &Row<'_>) -> Result<Suspension, StoreError> {
    let what = "a suspension";
    let at = |text: &str| -> Result<DateTime<Utc>, StoreError> {
        let read = DateTime::parse_from_rfc3339(text);
        read.map(|at| at.to_utc()).map_err(|error| corrupt(what)(error.into()))
    };
    let read = || -> rusqlite::Result<_> {
        let names: (String, String, bool, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let rest: (String, String, Option<String>, String) =
            (row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?);
        Ok((names, rest))
    };
    let ((kind, name, with_all_of_it, set), (actor, since, until, reason)) =
        read().map_err(|error| corrupt(what)(error.into()))?;
    let (since, until) = (at(&since)?, until.as_deref().map(at).transpose()?);
    let resource = ResourceId::new(&kind, &name);
    Ok(Suspension { resource, with_all_of_it, set, actor, since, until, reason })
}

/// Writes a suspension, in place of an older one of the same.
pub(super) fn put(transaction: &Transaction<'_>, one: &Suspension) -> Result<(), TransactError> {
    transaction.execute(
        "INSERT INTO suspensions (kind, name, with_all_of_it, set_name, actor, since, until, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (kind, name, with_all_of_it) \
         DO UPDATE SET set_name = excluded.set_name, actor = excluded.actor, \
         since = excluded.since, until = excluded.until, reason = excluded.reason",
        params![
            one.resource.kind.as_str(),
            one.resource.name.as_str(),
            one.with_all_of_it,
            one.set,
            one.actor,
            instant(one.since),
            one.until.map(instant),
            one.reason,
        ],
    )?;
    Ok(())
}

/// Takes a suspension away, where it is still the one that was meant.
pub(super) fn drop(transaction: &Transaction<'_>, one: &Suspension) -> Result<(), TransactError> {
    transaction.execute(
        "DELETE FROM suspensions WHERE kind = $1 AND name = $2 AND with_all_of_it = $3 \
         AND until IS $4",
        params![
            one.resource.kind.as_str(),
            one.resource.name.as_str(),
            one.with_all_of_it,
            one.until.map(instant)
        ],
    )?;
    Ok(())
}
