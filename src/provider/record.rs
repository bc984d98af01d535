//! What is written down when an effect has ended: the row, and the activity in the same batch.

use crate::kinds::KindEntry;
use crate::model::activity::{Draft, Outcome};
use crate::model::resource::{Management, REASON};
use crate::model::value::Fields;
use crate::model::{Condition, Effect, Observed, ResourceId, Spec, Value, Verb};
use crate::model::{Stored, activity};
use crate::plan::change::{ConditionNow, FieldChange};
use crate::plan::{Action, Change};
use crate::provider::{Context, Directory, Ids, ProviderError};
use crate::store::Write;
use chrono::DateTime;
use std::borrow::Cow;
use std::sync::Arc;

/// The writes for an effect that was done, `made` being the thing as the provider has it now.
#[must_use]
pub fn succeeded(
    change: &Change,
    effect: &Effect,
    made: Option<&Observed>,
    operation_id: &str,
    directory: &Directory,
    ids: &mut Ids,
    context: &Context,
) -> Vec<Write> {
    let mut writes = match (effect.verb, made) {
        (Verb::Create | Verb::Update, Some(made)) => keep(change, made, directory, ids, context),
        (Verb::Delete, _) if change.action == Action::Delete => {
            vec![drop_row(change, directory)]
        }
        // The old part of a replacement: the row stands for the new one already.
        _ => Vec::new(),
    };
    let mut draft = activity(change, effect.verb, effect.operation.clone(), operation_id, context);
    if let (Some(made), Some(entry)) = (made, directory.kinds.get(effect.kind.as_str())) {
        keep_facts(&mut draft, entry, change, effect.before.as_ref(), &made.spec);
    }
    writes.push(Write::Append(Box::new(draft)));
    writes
}

/// Puts what only the real world says into the log: what is new of it, and all of it where a thing
/// ends. Its row may be gone when somebody asks.
fn keep_facts(
    draft: &mut Draft,
    entry: &KindEntry,
    change: &Change,
    before: Option<&Spec>,
    made: &Spec,
) {
    // At the beginning of time nothing has ended by the clock.
    let ends = (entry.ended)(made, DateTime::UNIX_EPOCH);
    let whole = ends || change.exchange.is_some();
    for field in entry.recorded {
        let (was, is) = (before.and_then(|before| before.get(field)), made.get(field));
        if !whole && was == is {
            continue;
        }
        let path = format!("status.{field}");
        was.into_iter().for_each(|was| put(&mut draft.before, &path, was.clone()));
        is.into_iter().for_each(|is| put(&mut draft.after, &path, is.clone()));
    }
    if let Some(customer) = change.customer.as_deref().filter(|_| whole) {
        let sides = [Some(&mut draft.after), before.map(|_| &mut draft.before)];
        sides.into_iter().flatten().for_each(|side| put(side, "status.customer", customer.into()));
    }
}

fn put(side: &mut Option<Value>, path: &str, value: Value) {
    let mut map = match side.take() {
        Some(Value::Object(map)) => map,
        _ => Fields::default(),
    };
    map.put(path, value);
    *side = Some(Value::Object(map));
}

/// The writes for a change that asks nothing of the provider: names, labels, ownership.
///
/// # Errors
/// When what it speaks of is not there any more.
pub fn only_recorded(
    change: &Change,
    directory: &Directory,
    ids: &mut Ids,
    context: &Context,
) -> Result<Vec<Write>, ProviderError> {
    let mut writes = if change.action == Action::Delete {
        vec![drop_row(change, directory)]
    } else {
        let external_id = change.external_id.as_deref().unwrap_or_default();
        let actual = directory
            .actual(&change.id.kind, external_id)
            .ok_or_else(|| ProviderError::Missing { needed: change.id.to_string() })?;
        keep(change, actual, directory, ids, context)
    };
    let operation_id = ids.next("operation");
    let draft = activity(change, Verb::Update, change.operation.clone(), &operation_id, context);
    writes.push(Write::Append(Box::new(draft)));
    Ok(writes)
}

/// The activity of an effect that ended otherwise: refused, given up, or nobody knows how.
#[must_use]
pub fn ended(
    change: &Change,
    effect: &Effect,
    outcome: Outcome,
    why: &str,
    operation_id: &str,
    context: &Context,
) -> Write {
    let draft = activity(change, effect.verb, effect.operation.clone(), operation_id, context);
    let reason =
        if why.is_empty() { draft.reason } else { format!("{}: {why}", draft.reason).into() };
    Write::Append(Box::new(Draft { outcome, reason, ..draft }))
}

fn drop_row(change: &Change, directory: &Directory) -> Write {
    let expected = directory.row(&change.id).map(|row| row.revision).or(change.revision);
    Write::Delete { id: change.id.clone(), expected: expected.unwrap_or_default() }
}

/// The writes that keep a thing's row.
fn keep(
    change: &Change,
    made: &Observed,
    directory: &Directory,
    ids: &mut Ids,
    context: &Context,
) -> Vec<Write> {
    let old = directory.row(change.previous.as_ref().unwrap_or(&change.id));
    let desired = change.desired.clone();
    let (metadata, desired) =
        desired.map_or_else(Default::default, |desired| (desired.metadata, desired.spec));
    let again = old.is_some_and(|old| old.spec == desired && old.metadata == metadata);
    // The row as this pass knows it: a rename earlier in the plan may have moved its revision.
    let expected = old.map(|old| old.revision);
    // What is only observed was never applied: taking a field out of the manifest must not clear it.
    let applies = matches!(change.action, Action::Create | Action::Replace)
        || metadata.management() == Management::Manage;
    let row = Stored {
        id: change.id.clone(),
        uid: old.map_or_else(|| ids.next("uid").into(), |old| old.uid.clone()),
        set: change.set.clone(),
        generation: old.map_or(0, |old| old.generation) + i64::from(!again),
        revision: old.map_or(0, |old| old.revision) + 1,
        metadata,
        last_applied: if applies {
            Some(desired.clone())
        } else {
            old.and_then(|old| old.last_applied.clone())
        },
        spec: desired,
        observed: Some(made.spec.clone()),
        external_id: Some(made.external_id.clone()),
        conditions: conditions(change, old, directory, context),
        source: change.source.clone(),
    };
    let mut writes =
        vec![Write::Put { row: Arc::new(row), expected, previous: change.previous.clone() }];
    if let Some(previous) = &change.previous {
        writes.extend(directory.renamed(previous, &change.id).into_iter().map(
            |(revision, row)| Write::Put {
                row: Arc::new(row),
                expected: Some(revision),
                previous: None,
            },
        ));
    }
    writes
}

/// How a row is from now on. Most that a pass makes are alike: those share one value.
fn conditions(
    change: &Change,
    old: Option<&Stored>,
    directory: &Directory,
    context: &Context,
) -> Arc<Vec<Condition>> {
    let now = context.outlook.on(&change.id, old.is_none());
    let made = |(condition, now): (&Condition, &ConditionNow)| {
        now.says(condition) && condition.last_transition_time == context.at
    };
    let says_so = |latest: &&Stored| {
        latest.conditions.len() == now.len() && latest.conditions.iter().zip(now).all(made)
    };
    match (old, directory.latest().filter(says_so)) {
        (None, Some(latest)) => latest.conditions.clone(),
        _ => {
            let mut conditions = old.map(|old| old.conditions.clone()).unwrap_or_default();
            now.iter().for_each(|now| now.put(Arc::make_mut(&mut conditions), context.at));
            conditions
        }
    }
}

fn activity(
    change: &Change,
    verb: Verb,
    operation: Cow<'static, str>,
    operation_id: &str,
    context: &Context,
) -> activity::Draft {
    let (mut before, mut after) =
        (side(change, |field| &field.before), side(change, |field| &field.after));
    if let Some(previous) = &change.previous {
        name(&mut before, previous);
        name(&mut after, &change.id);
    }
    // It was there, and is: fields that were set or cleared are no other side.
    if change.action == Action::Update && before.is_some() != after.is_some() {
        for side in [&mut before, &mut after] {
            side.get_or_insert_with(|| Value::Object(Fields::default()));
        }
    }
    // A replacement is two operations: what is made has no before, what is removed no after.
    if change.action == Action::Replace {
        match verb {
            Verb::Create => before = None,
            Verb::Update | Verb::Delete => after = None,
        }
    }
    let given = change.desired.as_ref().and_then(|desired| desired.metadata.annotation(REASON));
    let mut reason = Cow::Borrowed(change.reason.as_str());
    for more in given.into_iter().chain(Some(context.note.as_str()).filter(|n| !n.is_empty())) {
        reason = format!("{reason}: {more}").into();
    }
    Draft {
        at: context.at,
        actor: context.actor.clone(),
        source: change.source.clone(),
        command: context.command.clone(),
        set: change.set.clone(),
        resource: change.id.clone(),
        operation,
        before,
        after,
        plan_id: context.plan_id.clone(),
        operation_id: operation_id.to_owned(),
        outcome: Outcome::Succeeded,
        reason,
    }
}

fn side(change: &Change, pick: fn(&FieldChange) -> &Option<Value>) -> Option<Value> {
    let map: Fields = change
        .fields
        .iter()
        .filter_map(|field| Some((field.path.clone(), pick(field).clone()?)))
        .collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

fn name(side: &mut Option<Value>, id: &ResourceId) {
    put(side, "metadata.name", id.name.as_str().into());
}

/// A thing as an effect leaves it, where the provider says nothing more about it.
#[must_use]
pub fn thing(effect: &Effect, external_id: String, spec: Spec) -> Observed {
    Observed { kind: effect.kind.clone(), external_id, name: effect.name.clone(), spec }
}
