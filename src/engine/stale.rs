//! Whether a saved plan still fits what there is.

use crate::engine::Gathered;
use crate::engine::apply::directory_of;
use crate::kinds::Kinds;
use crate::model::{Observed, ResourceId, Spec, Stored};
use crate::plan::basis::observed_digest;
use crate::plan::change::Basis;
use crate::plan::{Change, Plan};
use std::collections::{BTreeMap, BTreeSet};

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

/// For what is made new: things that are the same, or may be, and that the plan knew nothing of.
fn there_already(plan: &Plan, gathered: &Gathered, kinds: &Kinds) -> Vec<String> {
    let mut made: BTreeMap<(&str, String), &Change> = BTreeMap::new();
    let directory = directory_of(kinds, gathered);
    let sameness = |kind: &str, spec: &Spec| {
        let entry = kinds.get(kind)?;
        entry.sameness(&directory.inward(entry, spec))
    };
    for change in plan.proceeding().filter(|change| change.action.makes()) {
        let desired = change.desired.as_ref();
        if let Some(mine) = desired.and_then(|desired| sameness(&change.kind, &desired.spec)) {
            made.insert((&change.kind, mine), change);
        }
    }
    if made.is_empty() {
        return Vec::new();
    }
    let known: BTreeSet<(&str, &str)> = plan
        .basis
        .iter()
        .filter_map(|basis| Some((basis.resource.kind.as_str(), basis.external_id.as_deref()?)))
        .collect();
    let beyond = gathered
        .actual
        .iter()
        .filter(|thing| !known.contains(&(thing.kind.as_str(), thing.external_id.as_str())));
    beyond
        .filter_map(|thing| {
            let kind = thing.kind.as_str();
            let change = made.get(&(kind, sameness(kind, &thing.spec)?))?;
            let row = gathered.stored.iter().find(|row| {
                row.id.kind == thing.kind && row.external_id.as_ref() == Some(&thing.external_id)
            });
            Some(match row {
                Some(row) => format!("{} is there already, as {}", change.id, row.id),
                None => {
                    format!("{} is there already, unmanaged ({})", change.id, thing.external_id)
                }
            })
        })
        .collect()
}
