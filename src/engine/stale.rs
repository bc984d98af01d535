//! Whether a saved plan still fits what there is.

use crate::engine::Gathered;
use crate::finance::RefundTerms;
use crate::kinds::{Kinds, ReferenceTo, Staff, Standing, World};
use crate::model::{Observed, ResourceId, Spec, Stored, Suspension};
use crate::plan::basis::observed_digest;
use crate::plan::change::{Action, Basis};
use crate::plan::intent::Intent;
use crate::plan::unended::Unended;
use crate::plan::{Change, Plan, roles};
use crate::provider::{Directory, refund};
use chrono::{DateTime, NaiveDate, Utc};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What moved on since a plan was made, one sentence for each resource; empty when it still fits.
#[must_use]
pub fn moved(plan: &Plan, gathered: &Gathered, kinds: &Kinds, at: DateTime<Utc>) -> Vec<String> {
    let rows: BTreeMap<&ResourceId, &Stored> =
        gathered.stored.iter().map(|row| (&row.id, row)).collect();
    let things: BTreeMap<(&str, &str), &Observed> = gathered
        .actual
        .iter()
        .map(|thing| ((thing.kind.as_str(), thing.external_id.as_str()), thing))
        .collect();
    let one = |basis: &Basis| {
        let external_id = basis.external_id.as_deref().unwrap_or_default();
        let thing = things.get(&(basis.resource.kind.as_str(), external_id)).copied();
        one(basis, rows.get(&basis.resource).copied(), thing)
    };
    let mut rests: Vec<Cow<'_, Basis>> = plan.basis.iter().map(Cow::Borrowed).collect();
    let new = plan.proceeding().filter(|change| change.is_new());
    rests.extend(new.map(|change| Cow::Owned(Basis::of_new(&change.id))));
    rests.sort_by(|a, b| a.resource.cmp(&b.resource));
    // A plan that an earlier version saved names what is new too.
    rests.dedup();
    let (told, mut moved): (BTreeSet<&ResourceId>, Vec<String>) =
        rests.iter().filter_map(|basis| Some((&basis.resource, one(basis)?))).unzip();
    if plan.proceeding().next().is_some() {
        let newcomers = Newcomers::of(plan, gathered, kinds);
        moved.extend(newcomers.alike(plan, &told));
        moved.extend(newcomers.resting(plan, &told));
        moved.extend(newcomers.unended(plan, &gathered.intents));
        let lost = roles::lost(plan, kinds, &Staff::of("", &gathered.staff));
        moved.extend(lost.iter().map(|role| format!("nobody would be {} any more", role.as_str())));
        moved.extend(suspended(plan, gathered, kinds, at));
    }
    moved
}

/// What was suspended since: nothing is written to it, nor to what comes to its customer or leaves it.
fn suspended(plan: &Plan, gathered: &Gathered, kinds: &Kinds, at: DateTime<Utc>) -> Vec<String> {
    let suspensions = &gathered.suspensions;
    if suspensions.is_empty() {
        return Vec::new();
    }
    let stands = |row: &Stored| Standing { id: row.id.clone(), spec: row.spec.clone() };
    let before = World::new(kinds, gathered.stored.iter().map(stands));
    let renamed = |change: &Change| Some((change.id.clone(), change.previous.clone()?));
    let renamed: BTreeMap<_, _> = plan.changes.iter().filter_map(renamed).collect();
    let one = |change: &Change| {
        let comes = change.customer.as_ref().map(|name| ResourceId::new("Customer", name));
        let called = comes.as_ref().and_then(|customer| renamed.get(customer));
        let names: Vec<_> = std::iter::once(&change.id).chain(&change.previous).collect();
        let leaves = names.iter().find_map(|name| before.customer_of(name));
        let customers: Vec<_> =
            [comes.as_ref(), called, leaves.as_ref()].into_iter().flatten().collect();
        let by = Suspension::of_any(suspensions, at, &names, &customers)?;
        Some(format!("{} is suspended {}", change.id, by.story()))
    };
    plan.proceeding().filter_map(one).collect()
}

/// What has become worse than a plan showed, one sentence for each change: refunds shrink from day to
/// day.
#[must_use]
pub fn worse(
    plan: &Plan,
    gathered: &Gathered,
    kinds: &Kinds,
    refunds: &RefundTerms,
    at: NaiveDate,
) -> Vec<String> {
    let reckoned = |change: &&Change| change.refund.is_some() || change.exchange.is_some();
    let mut changes = plan.proceeding().filter(reckoned).peekable();
    if changes.peek().is_none() {
        return Vec::new();
    }
    let directory = gathered.directory(kinds);
    let wrong = |change: &Change| {
        let error = refund::settled(change, &directory, refunds, at).err()?;
        Some(format!("{}: {error}", change.id))
    };
    changes.filter_map(wrong).collect()
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

/// What is there now and the plan knew nothing of.
struct Newcomers<'a> {
    kinds: &'a Kinds,
    directory: Directory,
    things: Vec<&'a Observed>,
}

impl<'a> Newcomers<'a> {
    fn of(plan: &Plan, gathered: &'a Gathered, kinds: &'a Kinds) -> Self {
        let known: BTreeSet<(&str, &str)> = plan
            .basis
            .iter()
            .filter_map(|basis| Some((basis.resource.kind.as_str(), basis.external_id.as_deref()?)))
            .collect();
        let is_new =
            |thing: &&Observed| !known.contains(&(thing.kind.as_str(), thing.external_id.as_str()));
        let things = gathered.actual.iter().filter(is_new).collect();
        Self { kinds, directory: gathered.directory(kinds), things }
    }

    /// Operations without a known end on what the plan changes, or that may have made what it makes:
    /// doing it now might do it twice.
    fn unended(&self, plan: &Plan, intents: &[Intent]) -> Vec<String> {
        let mut found = BTreeSet::new();
        for entry in self.kinds.iter() {
            let kind = entry.facts.kind;
            let unended = Unended::of(entry, intents, |spec| self.directory.inward(entry, spec));
            for change in plan.proceeding().filter(|change| change.kind.as_str() == kind) {
                let names: Vec<_> = std::iter::once(&change.id).chain(&change.previous).collect();
                let desired = change.desired.as_ref().filter(|_| change.action.makes());
                let made = desired.and_then(|desired| entry.sameness(&desired.spec));
                for intent in unended.about(&names, made.as_ref()) {
                    let (id, resource) = (&intent.operation_id, intent.resource());
                    found.insert(format!("operation {id} on {resource} has not ended"));
                }
            }
        }
        found.into_iter().collect()
    }

    /// For what is made new: things that are the same, or may be. Of what was `told` already nothing
    /// more is said; so too below.
    fn alike(&self, plan: &Plan, told: &BTreeSet<&ResourceId>) -> Vec<String> {
        let mut made: BTreeMap<(&str, String), &Change> = BTreeMap::new();
        for change in plan.proceeding().filter(|change| change.action.makes()) {
            let desired = change.desired.as_ref();
            let mine =
                desired.and_then(|desired| self.sameness(change.kind.as_str(), &desired.spec));
            if let Some(mine) = mine {
                made.insert((change.kind.as_str(), mine), change);
            }
        }
        let same = |thing: &Observed| {
            let kind = thing.kind.as_str();
            let change = made.get(&(kind, self.sameness(kind, &thing.spec)?))?;
            if told.contains(&change.id) {
                return None;
            }
            Some(match self.directory.name(thing) {
                Some(id) => format!("{} is there already, as {id}", change.id),
                None => {
                    format!("{} is there already, unmanaged ({})", change.id, thing.external_id)
                }
            })
        };
        if made.is_empty() {
            return Vec::new();
        }
        self.things.iter().filter_map(|thing| same(thing)).collect()
    }

    /// Things that rest on what goes or changes, or on what a change rests on as well: a permission
    /// on the Owner that is removed. What else belongs to a customer does not count, unless the
    /// customer goes.
    fn resting(&self, plan: &Plan, told: &BTreeSet<&ResourceId>) -> Vec<String> {
        let mut watched: BTreeSet<ResourceId> = BTreeSet::new();
        for change in plan.proceeding().filter(|change| !change.release) {
            let external_id = change.external_id.as_deref().unwrap_or_default();
            let there = self.directory.actual(&change.id.kind, external_id);
            let specs = [there.map(|thing| &thing.spec), change.desired.as_ref().map(|d| &d.spec)];
            watched.extend(
                specs.into_iter().flatten().flat_map(|s| self.targets(change.kind.as_str(), s)),
            );
            watched.insert(change.id.clone());
        }
        let goes = |id: &ResourceId| {
            plan.proceeding().any(|change| change.id == *id && change.action == Action::Delete)
        };
        watched.retain(|id| id.kind.as_str() != "Customer" || goes(id));
        let rests = |thing: &Observed| {
            let targets = self.targets(thing.kind.as_str(), &thing.spec);
            let target = targets.into_iter().find(|target| watched.contains(target))?;
            let id = self.directory.name(thing);
            if id.is_some_and(|id| told.contains(id)) {
                return None;
            }
            let id = id.map(ToString::to_string);
            let id = id.unwrap_or_else(|| format!("{} {}", thing.kind, thing.external_id));
            Some(format!("{id} is new, and refers to {target}"))
        };
        if watched.is_empty() {
            return Vec::new();
        }
        self.things.iter().filter_map(|thing| rests(thing)).collect()
    }

    fn sameness(&self, kind: &str, spec: &Spec) -> Option<String> {
        let entry = self.kinds.get(kind)?;
        entry.sameness(&self.directory.inward(entry, spec))
    }

    fn targets(&self, kind: &str, spec: &Spec) -> Vec<ResourceId> {
        let Some(entry) = self.kinds.get(kind) else { return Vec::new() };
        let spec = self.directory.inward(entry, spec);
        let targets = entry.facts.references.iter().filter_map(|reference| reference.target(&spec));
        let named = |target| match target {
            ReferenceTo::Resource(id) => Some(id),
            ReferenceTo::External(_) => None,
        };
        targets.filter_map(named).collect()
    }
}
