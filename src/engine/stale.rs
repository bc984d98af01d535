//! Whether a saved plan still fits what there is.

use crate::engine::Gathered;
use crate::engine::apply::directory_of;
use crate::kinds::Kinds;
use crate::model::{Observed, ResourceId, Stored};
use crate::plan::basis::observed_digest;
use crate::plan::change::{Action, Basis};
use crate::plan::{Change, Plan};
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
    moved.extend(plan.proceeding().filter_map(|change| there_already(change, gathered, kinds)));
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

/// For something new: an unmanaged thing that is the same, or may be, and was not there before.
fn there_already(change: &Change, gathered: &Gathered, kinds: &Kinds) -> Option<String> {
    if change.action != Action::Create {
        return None;
    }
    let entry = kinds.get(&change.kind)?;
    let desired = &change.desired.as_ref()?.spec;
    let mine = (entry.identity)(desired).or_else(|| (entry.likeness)(desired))?;
    let directory = directory_of(kinds, gathered);
    let same = |thing: &&Observed| {
        let spec = directory.inward(entry, &thing.spec);
        (entry.identity)(&spec).or_else(|| (entry.likeness)(&spec)).as_ref() == Some(&mine)
    };
    let mut unmanaged = gathered.unmanaged.iter().filter(|thing| thing.kind == change.id.kind);
    let found = unmanaged.find(same)?;
    Some(format!("{} is there already, unmanaged ({})", change.id, found.external_id))
}
