//! The embedded provider: a table of the store, so that its effect and its record are one
//! transaction.

use crate::kinds::KindEntry;
use crate::model::activity::{Draft, Outcome};
use crate::model::resource::{Management, REASON};
use crate::model::{Observed, ResourceName, Spec, Stored};
use crate::plan::change::FieldChange;
use crate::plan::{Action, Change};
use crate::provider::{Context, Directory, Provider, ProviderError};
use crate::store::{Store, StoreError, Write};
use serde_json::{Map, Value};

/// Actual state in the store's own table.
pub struct Embedded;

impl Provider for Embedded {
    fn is_transactional(&self) -> bool {
        true
    }

    fn observe(&self, store: &dyn Store) -> Result<Vec<Observed>, StoreError> {
        store.actual()
    }

    fn perform(
        &self,
        change: &Change,
        directory: &mut Directory,
        context: &Context,
    ) -> Result<Vec<Write>, ProviderError> {
        let kind = &change.kind;
        let entry = directory
            .kinds
            .get(kind)
            .copied()
            .ok_or_else(|| ProviderError::UnknownKind { kind: kind.clone() })?;
        let operation_id = directory.next_operation();
        let old = directory.row(change.previous.as_ref().unwrap_or(&change.id)).cloned();
        let mut writes = match change.action {
            Action::Delete => delete(change, directory),
            Action::Create | Action::Replace => make(&entry, change, old, directory, context)?,
            Action::Update | Action::Adopt | Action::Rename => {
                alter(&entry, change, old, directory)?
            }
        };
        let mut draft = log(change, context, operation_id);
        // A replacement is two operations: what is made has no before, what is removed no after.
        let removed = change.removal.as_ref().map(|operation| Draft {
            operation: operation.clone(),
            operation_id: directory.next_operation(),
            after: None,
            ..draft.clone()
        });
        draft.before = draft.before.filter(|_| removed.is_none());
        let drafts = std::iter::once(draft).chain(removed);
        writes.extend(drafts.map(|draft| Write::Append(Box::new(draft))));
        Ok(writes)
    }
}

fn missing(needed: String) -> ProviderError {
    ProviderError::Missing { needed }
}

fn delete(change: &Change, directory: &mut Directory) -> Vec<Write> {
    let mut writes = Vec::new();
    if let (Some(external_id), false) = (&change.external_id, change.release) {
        let kind = change.id.kind.clone();
        directory.drop_actual(&kind, external_id);
        writes.push(Write::DeleteActual { kind, external_id: external_id.clone() });
    }
    let row = directory.row(&change.id).map(|row| row.revision);
    let expected = row.or(change.revision).unwrap_or_default();
    directory.drop_row(&change.id);
    writes.push(Write::Delete { id: change.id.clone(), expected });
    writes
}

/// Makes a new outside thing; for a replacement the old one goes after it.
fn make(
    entry: &KindEntry,
    change: &Change,
    old: Option<Stored>,
    directory: &mut Directory,
    context: &Context,
) -> Result<Vec<Write>, ProviderError> {
    let desired = change.desired.as_ref().ok_or_else(|| missing(change.id.to_string()))?;
    let mut spec = directory.outward(entry, &entry.effective(&desired.spec)).map_err(missing)?;
    (entry.born)(&mut spec, context.at);
    let external_id = directory.made_id(&change.kind);
    let mut writes = Vec::new();
    if let (Action::Replace, Some(external_id)) = (change.action, &change.external_id) {
        let kind = change.id.kind.clone();
        directory.drop_actual(&kind, external_id);
        writes.push(Write::DeleteActual { kind, external_id: external_id.clone() });
    }
    writes.extend(keep(change, old, external_id, spec, directory));
    Ok(writes)
}

/// Changes an outside thing in place, also one that is only now taken under management.
fn alter(
    entry: &KindEntry,
    change: &Change,
    old: Option<Stored>,
    directory: &mut Directory,
) -> Result<Vec<Write>, ProviderError> {
    let gone = || missing(change.id.to_string());
    let external_id = change.external_id.clone().ok_or_else(gone)?;
    let actual = directory.actual(&change.id.kind, &external_id).ok_or_else(gone)?;
    let mut spec = directory.inward(entry, &actual.spec);
    let desired = change.desired.as_ref().map(|desired| &desired.spec);
    for FieldChange { path, after, .. } in &change.fields {
        let Some(path) = path.strip_prefix("spec.") else { continue };
        // A reference goes out as it is declared, by name or by external id.
        let is_reference = entry.facts.references.iter().any(|reference| reference.path == path);
        let declared = desired.filter(|_| is_reference).and_then(|desired| desired.get(path));
        match declared.or(after.as_ref()) {
            Some(value) => spec.set(path, value.clone()),
            None => spec.remove(path),
        }
    }
    let spec = directory.outward(entry, &spec).map_err(missing)?;
    Ok(keep(change, old, external_id, spec, directory))
}

/// The writes that keep an outside thing and its row.
fn keep(
    change: &Change,
    old: Option<Stored>,
    external_id: String,
    spec: Spec,
    directory: &mut Directory,
) -> Vec<Write> {
    let desired = change.desired.clone();
    let (metadata, desired) =
        desired.map_or_else(Default::default, |desired| (desired.metadata, desired.spec));
    let again = old.as_ref().is_some_and(|old| old.spec == desired && old.metadata == metadata);
    // The row as this pass knows it: a rename earlier in the plan may have moved its revision.
    let expected = old.as_ref().map(|old| old.revision);
    // What is only observed was never applied: taking a field out of the manifest must not clear it.
    let writes = matches!(change.action, Action::Create | Action::Replace)
        || metadata.management() == Management::Manage;
    let row = Stored {
        id: change.id.clone(),
        uid: old.as_ref().map_or_else(|| directory.made_id("uid").into(), |old| old.uid.clone()),
        set: change.set.as_str().into(),
        generation: old.as_ref().map_or(0, |old| old.generation) + i64::from(!again),
        revision: old.as_ref().map_or(0, |old| old.revision) + 1,
        metadata,
        last_applied: if writes {
            Some(desired.clone())
        } else {
            old.as_ref().and_then(|old| old.last_applied.clone())
        },
        spec: desired,
        observed: Some(spec.clone()),
        external_id: Some(external_id.clone()),
        conditions: old.map(|old| old.conditions).unwrap_or_default(),
        source: change.source.clone(),
    };
    let observed = Observed {
        kind: change.id.kind.clone(),
        external_id,
        name: own_name(&change.id.name),
        spec,
    };
    directory.put_actual(observed.clone());
    directory.put_row(row.clone(), change.previous.as_ref());
    let mut writes = vec![
        Write::PutActual(observed),
        Write::Put { row: Box::new(row), expected, previous: change.previous.clone() },
    ];
    if let Some(previous) = &change.previous {
        writes.extend(directory.rename(previous, &change.id).into_iter().map(|(revision, row)| {
            Write::Put { row: Box::new(row), expected: Some(revision), previous: None }
        }));
    }
    writes
}

/// What the outside would call it: the last part of a generated name.
fn own_name(name: &ResourceName) -> String {
    name.as_str().rsplit('/').next().unwrap_or_default().to_owned()
}

fn log(change: &Change, context: &Context, operation_id: String) -> Draft {
    let side = |pick: fn(&FieldChange) -> &Option<Value>| -> Option<Value> {
        let map: Map<String, Value> = change
            .fields
            .iter()
            .filter_map(|field| Some((field.path.clone(), pick(field).clone()?)))
            .collect();
        (!map.is_empty()).then_some(Value::Object(map))
    };
    let mut before = side(|field| &field.before);
    let mut after = side(|field| &field.after);
    if let Some(previous) = &change.previous {
        for (side, name) in [(&mut before, &previous.name), (&mut after, &change.id.name)] {
            let map = side.get_or_insert_with(|| Value::Object(Map::new()));
            map["metadata.name"] = name.as_str().into();
        }
    }
    let given = change.desired.as_ref().and_then(|desired| desired.metadata.annotation(REASON));
    let reason = match given {
        Some(given) => format!("{}: {given}", change.reason.as_str()),
        None => change.reason.as_str().to_owned(),
    };
    Draft {
        at: context.at,
        actor: context.actor.clone(),
        source: change.source.clone(),
        command: context.command.clone(),
        set: change.set.clone(),
        resource: change.id.clone(),
        operation: change.operation.clone(),
        before,
        after,
        plan_id: context.plan_id.clone(),
        operation_id,
        outcome: Outcome::Succeeded,
        reason,
    }
}
