//! What a plan rests on: the state of everything its changes touch or were judged by.

use crate::model::digest::Digest;
use crate::model::lookup::{Known, Lookup};
use crate::model::{Observed, ResourceId, Spec, Stored};
use crate::plan::PlanInput;
use crate::plan::change::{Basis, Change, customers_of};
use crate::plan::draft::Drafts;
use crate::plan::judge::Worlds;
use crate::plan::pair::Pairs;
use std::collections::BTreeSet;

/// The basis of the changes that proceed: each one's resource, what it refers to and is referred to
/// by, and what else refers there, since an Owner of the same subscription may be what a permission
/// rests on; its customer, which may take the relationship back; and what is like something new.
/// Other resources of the same customer are not part of it, nor is what is made new itself.
#[must_use]
pub fn basis(
    input: &PlanInput,
    changes: &[Change],
    drafts: &Drafts,
    pairs: &Pairs,
    worlds: &Worlds,
) -> Vec<Basis> {
    let alike = alike(input, changes, worlds);
    let proceeding = || changes.iter().filter(|change| change.proceeds());
    let new: Known<&ResourceId> =
        proceeding().filter(|change| change.is_new()).map(|change| &change.id).collect();
    let customers = customers_of(changes);
    let mut touched: Vec<&ResourceId> = alike.iter().chain(&customers).collect();
    let mut targets: Vec<&ResourceId> = Vec::new();
    for change in proceeding() {
        touched.push(&change.id);
        touched.extend(&change.previous);
        for world in [&worlds.before, &worlds.after] {
            touched.extend(world.referrers(&change.id, None).map(|other| &other.id));
            targets.extend(world.targets(&change.id));
        }
    }
    // What refers to something new was found where that was at hand itself.
    targets.retain(|id| !new.contains(id));
    targets.sort_unstable();
    targets.dedup();
    for target in targets {
        touched.push(target);
        if target.kind.as_str() != "Customer" {
            for world in [&worlds.before, &worlds.after] {
                touched.extend(world.referrers(target, None).map(|other| &other.id));
            }
        }
    }
    touched.retain(|id| !new.contains(id));
    touched.sort_unstable();
    touched.dedup();
    let rows: Lookup<&ResourceId, &Stored> = input.stored.iter().map(|s| (&s.id, s)).collect();
    let found: Lookup<&ResourceId, _> = drafts
        .changing
        .iter()
        .filter_map(|draft| Some((&draft.id, draft.pair.found.as_deref()?)))
        .collect();
    let unmanaged: Lookup<&ResourceId, &Observed> =
        pairs.unmanaged.iter().map(|(id, thing)| (id, thing)).collect();
    // As the provider says it: pairs have references by name.
    let raw: Lookup<(&str, &str), &Spec> = input
        .unmanaged
        .iter()
        .map(|thing| ((thing.kind.as_str(), thing.external_id.as_str()), &thing.spec))
        .collect();
    let changing: Known<&ResourceId> = changes.iter().map(|change| &change.id).collect();
    let one = |resource: &ResourceId| -> Option<Basis> {
        let row = rows.get(resource);
        let free = || unmanaged.get(resource).copied().filter(|_| row.is_none());
        let found = found.get(resource).copied().or_else(free);
        let external_id = found
            .map(|found| found.external_id.clone())
            .or_else(|| row.and_then(|row| row.external_id.clone()));
        let observed = match found {
            Some(thing) => raw.get(&(thing.kind.as_str(), thing.external_id.as_str())).copied(),
            None => row.and_then(|row| row.observed.as_ref()),
        };
        let known = row.is_some() || found.is_some() || changing.contains(resource);
        known.then(|| Basis {
            revision: row.map(|row| row.revision),
            observed: observed.map(observed_digest),
            external_id,
            resource: resource.clone(),
        })
    };
    touched.into_iter().filter_map(one).collect()
}

/// What is there already and is like something new, a second purchase that is meant: what is not
/// among them later came in between.
fn alike(input: &PlanInput, changes: &[Change], worlds: &Worlds) -> BTreeSet<ResourceId> {
    if worlds.before.is_empty() {
        return BTreeSet::new();
    }
    let made = changes.iter().filter(|change| change.proceeds() && change.action.makes());
    let sameness = |id: &ResourceId, spec: &Spec| {
        let entry = input.kinds.get(id.kind.as_str())?;
        Some((id.kind.clone(), entry.sameness(spec)?))
    };
    let made: BTreeSet<_> = made
        .filter_map(|change| sameness(&change.id, &worlds.after.get(&change.id)?.spec))
        .collect();
    if made.is_empty() {
        return BTreeSet::new();
    }
    let alike = worlds.before.iter().filter(|standing| {
        sameness(&standing.id, &standing.spec).is_some_and(|mine| made.contains(&mine))
    });
    alike.map(|standing| standing.id.clone()).collect()
}

/// The digest of an observed state.
#[must_use]
pub fn observed_digest(spec: &Spec) -> String {
    Digest::default().text(&spec.canonical()).hex()[..16].to_owned()
}
