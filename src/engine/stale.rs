//! Whether a saved plan still fits what there is.

use crate::engine::Gathered;
use crate::engine::apply::directory_of;
use crate::kinds::Kinds;
use crate::model::{Observed, ResourceId, Spec, Stored};
use crate::plan::Plan;
use crate::plan::basis::observed_digest;
use crate::plan::change::{Action, Basis};
use std::collections::BTreeMap;

/// What moved on since a plan was made, one sentence for each resource; empty when it still fits.
#[must_use]
pub fn moved(plan: &Plan, gathered: &Gathered, kinds: &Kinds) -> Vec<String> {
    let rows: BTreeMap<&ResourceId, &Stored> =
        gathered.stored.iter().map(|row| (&row.id, row)).collect();
    let things: BTreeMap<(&str, &str), &Observed> = gathered
        .actual
        .iter()
        .map(|thing| ((thing.kind.as_str(), thing.external_id.as_str()), thing))
        .collect();
    let mut moved: Vec<String> = plan
        .basis
        .iter()
        .filter_map(|basis| {
            let external_id = basis.external_id.as_deref().unwrap_or_default();
            let thing = things.get(&(basis.resource.kind.as_str(), external_id)).copied();
            one(basis, rows.get(&basis.resource).copied(), thing)
        })
        .collect();
    moved.extend(there_already(plan, gathered, kinds));
    moved
}

fn one(basis: &Basis, row: Option<&Stored>, thing: Option<&Observed>) -> Option<String> {
    let id = &basis.resource;
    let (planned, now) = (basis.revision, row.map(|row| row.revision));
    if planned != now {
        let shown = |revision: Option<i64>| {
            revision.map_or("not in the store".to_owned(), |number| format!("at revision {number}"))
        };
        return Some(format!("{id} was {}, and is {} now", shown(planned), shown(now)));
    }
    let seen = thing.map(|thing| observed_digest(&thing.spec));
    match (&basis.observed, seen) {
        (was, now) if *was == now => None,
        (Some(_), None) => Some(format!("{id} is not there any more")),
        (None, Some(_)) => Some(format!("{id} is there again")),
        _ => Some(format!("{id} was changed outside")),
    }
}

/// For what is new: unmanaged things that are the same, or may be, and were not there before.
fn there_already(plan: &Plan, gathered: &Gathered, kinds: &Kinds) -> Vec<String> {
    let directory = directory_of(kinds, gathered);
    let told_by = |kind: &str, spec: &Spec| {
        let entry = kinds.get(kind)?;
        (entry.identity)(spec).or_else(|| (entry.likeness)(spec))
    };
    let mut unmanaged: BTreeMap<(&str, String), &Observed> = BTreeMap::new();
    for thing in &gathered.unmanaged {
        let kind = thing.kind.as_str();
        let inward = kinds.get(kind).map(|entry| directory.inward(entry, &thing.spec));
        if let Some(told) = inward.and_then(|spec| told_by(kind, &spec)) {
            unmanaged.insert((kind, told), thing);
        }
    }
    let new = plan.proceeding().filter(|change| change.action == Action::Create);
    new.filter_map(|change| {
        let told = told_by(&change.kind, &change.desired.as_ref()?.spec)?;
        let found = unmanaged.get(&(change.kind.as_str(), told))?;
        Some(format!("{} is there already, unmanaged ({})", change.id, found.external_id))
    })
    .collect()
}
