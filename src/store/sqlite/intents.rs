//! Rows of intents, applies and approvals.

use crate::model::activity::instant;
use crate::plan::intent::{Intent, IntentState};
use crate::store::StoreError;
use crate::store::history::{ApplyEnd, ApplyRecord, Approval};
use crate::store::sqlite::{TransactError, corrupt, json, text_of};
use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

pub(super) const INTENTS: &str = "SELECT operation_id, epoch, change, effects, place, actor, \
     command, plan_id, begun_at, state, message, body_hash, request_key, provider FROM intents ORDER BY begun_at, operation_id";
pub(super) const APPLIES: &str =
    "SELECT id, plan_id, digest, actor, begun_at, end_json FROM applies";
pub(super) const APPROVALS: &str =
    "SELECT plan_id, actor, approved_at FROM approvals ORDER BY approved_at, plan_id";

/// The texts of a row, in order; numbers as texts too.
fn texts<const N: usize>(row: &Row<'_>, what: &str) -> Result<[String; N], StoreError> {
    let mut texts = std::array::from_fn(|_| String::new());
    for (index, text) in texts.iter_mut().enumerate() {
        let value = row.get_ref(index).map_err(|error| corrupt(what)(error.into()))?;
        *text = match value {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().map_err(|error| corrupt(what)(error.into()))?.to_owned(),
        };
    }
    Ok(texts)
}

fn at(text: &str, what: &str) -> Result<DateTime<Utc>, StoreError> {
    let read = DateTime::parse_from_rfc3339(text);
    read.map(|at| at.to_utc()).map_err(|error| corrupt(what)(error.into()))
}

fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, StoreError>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error: T::Err| corrupt(what)(error.into()))
}

/// An intent; one whose request is not what was hashed when it was written is refused.
pub(super) fn intent(row: &Row<'_>) -> Result<Intent, StoreError> {
    let [
        operation_id,
        epoch,
        change,
        effects,
        place,
        actor,
        command,
        plan_id,
        begun,
        state,
        message,
        body_hash,
        request_key,
        provider,
    ] = texts(row, "an intent")?;
    let what = format!("intent {operation_id}");
    let wrong = |why: &str| corrupt(&what)(why.to_owned().into());
    let intent = Intent {
        epoch: number(&epoch, &what)?,
        change: json(&change, &what)?,
        effects: json(&effects, &what)?,
        place: number(&place, &what)?,
        begun_at: at(&begun, &what)?,
        state: IntentState::from_word(&state).ok_or_else(|| wrong("its state is not known"))?,
        operation_id,
        provider,
        actor,
        command,
        plan_id,
        message,
    };
    if intent.effect().is_none() || intent.body_hash() != body_hash {
        return Err(wrong("its request is not what was hashed"));
    }
    // Under another key the provider would do it a second time.
    if intent.request_key() != request_key {
        return Err(wrong("its request key is not that of its operation"));
    }
    Ok(intent)
}

/// An apply.
pub(super) fn apply(row: &Row<'_>) -> Result<ApplyRecord, StoreError> {
    let what = "an apply";
    let [id, plan_id, digest, actor, begun] = texts(row, what)?;
    let end: Option<String> = row.get(5).map_err(|error| corrupt(what)(error.into()))?;
    let end: Option<ApplyEnd> = end.map(|text| json(&text, what)).transpose()?;
    Ok(ApplyRecord { id, plan_id, digest, actor, begun_at: at(&begun, what)?, end })
}

/// An approval.
pub(super) fn approval(row: &Row<'_>) -> Result<Approval, StoreError> {
    let [plan_id, actor, approved] = texts(row, "an approval")?;
    Ok(Approval { plan_id, actor, at: at(&approved, "an approval")? })
}

/// Writes an intent, or what has become of it.
pub(super) fn put_intent(
    transaction: &Transaction<'_>,
    intent: &Intent,
) -> Result<(), TransactError> {
    transaction
        .prepare_cached(
            "INSERT INTO intents (operation_id, request_key, body_hash, epoch, change, effects, \
             place, actor, command, plan_id, begun_at, state, message, provider) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             ON CONFLICT (operation_id) DO UPDATE SET state = excluded.state, \
             message = excluded.message, epoch = excluded.epoch",
        )?
        .execute(params![
            intent.operation_id,
            intent.request_key(),
            intent.body_hash(),
            intent.epoch,
            text_of(&intent.change),
            text_of(&intent.effects),
            i64::try_from(intent.place).unwrap_or(i64::MAX),
            intent.actor,
            intent.command,
            intent.plan_id,
            instant(intent.begun_at),
            intent.state.as_str(),
            intent.message,
            intent.provider,
        ])?;
    Ok(())
}

/// Takes an intent away: it has ended.
pub(super) fn drop_intent(transaction: &Transaction<'_>, id: &str) -> Result<(), TransactError> {
    transaction.prepare_cached("DELETE FROM intents WHERE operation_id = $1")?.execute([id])?;
    Ok(())
}

/// Writes that an apply has begun, unless its plan was applied before.
pub(super) fn begin(
    transaction: &Transaction<'_>,
    apply: &ApplyRecord,
) -> Result<(), TransactError> {
    let sql = "SELECT plan_id, actor FROM applies WHERE digest = $1";
    let before = transaction.query_row(sql, [&apply.digest], |row| Ok((row.get(0)?, row.get(1)?)));
    if let Some((plan_id, actor)) = before.optional()? {
        return Err(TransactError::Store(StoreError::AlreadyApplied { plan_id, actor }));
    }
    transaction.execute(
        "INSERT INTO applies (id, plan_id, digest, actor, begun_at) VALUES ($1, $2, $3, $4, $5)",
        params![apply.id, apply.plan_id, apply.digest, apply.actor, instant(apply.begun_at)],
    )?;
    Ok(())
}

/// Writes how an apply ended.
pub(super) fn end(
    transaction: &Transaction<'_>,
    id: &str,
    end: &ApplyEnd,
) -> Result<(), TransactError> {
    // SQLite counts these in the order they stand in, whatever their names.
    let sql = "UPDATE applies SET end_json = $1 WHERE id = $2";
    transaction.execute(sql, params![text_of(end), id])?;
    Ok(())
}

/// Writes an approval, in place of an older one of the same plan.
pub(super) fn approve(
    transaction: &Transaction<'_>,
    given: &Approval,
) -> Result<(), TransactError> {
    transaction.execute(
        "INSERT INTO approvals (plan_id, actor, approved_at) VALUES ($1, $2, $3) \
         ON CONFLICT (plan_id) DO UPDATE SET actor = excluded.actor, \
         approved_at = excluded.approved_at",
        params![given.plan_id, given.actor, instant(given.at)],
    )?;
    Ok(())
}

/// Takes an approval away: it was used, or withdrawn.
pub(super) fn withdraw(transaction: &Transaction<'_>, plan_id: &str) -> Result<(), TransactError> {
    transaction.execute("DELETE FROM approvals WHERE plan_id = $1", [plan_id])?;
    Ok(())
}
