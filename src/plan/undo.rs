//! Undoing: what to declare so that a plan brings back what operations changed, and what no plan
//! brings back.
//!
//! Nothing is guessed: the log says what every field was before. What was bought is never given back
//! or bought again here, and what moved on since is left to whoever moved it.

mod still;
mod ways;

use crate::kinds::Kinds;
use crate::model::activity::Outcome;
use crate::model::resource::Metadata;
use crate::model::{Activity, Resource, ResourceId, Source, Spec, Stored, Value};
use crate::plan::Reason;
use crate::plan::markup::prose;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// What is known when operations are undone.
pub struct Known<'a> {
    /// The kinds.
    pub kinds: &'a Kinds,
    /// The set.
    pub set: &'a str,
    /// The plan's clock.
    pub at: DateTime<Utc>,
    /// The rows, with what the provider says now.
    pub rows: &'a [Stored],
    /// What succeeded on each resource after the operations, the oldest first.
    pub later: &'a BTreeMap<ResourceId, Vec<Activity>>,
}

/// What undoing takes.
#[derive(Debug, Default)]
pub struct Undo {
    /// Everything of the set as it was accepted, with what is undone as it was before.
    pub desired: Vec<Resource>,
    /// What is undone, and how.
    pub ways: BTreeMap<ResourceId, Way>,
    /// What cannot be undone.
    pub refused: Vec<NotUndone>,
}

/// How a resource comes back to what it was.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// Its fields get these values again; without one they are cleared.
    Back(BTreeMap<String, Option<Value>>),
    /// It was made: it goes.
    Remove,
    /// It was deleted: it is made again with these fields.
    Make(BTreeMap<String, Option<Value>>),
}

/// What cannot be undone.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NotUndone {
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// The operation in the portal's words.
    pub operation: String,
    /// Its place in the log.
    pub seq: i64,
    /// Why.
    pub why: String,
    /// What to do instead; may be empty.
    pub instead: String,
}

/// Why something cannot be undone, and what to do instead.
type No = (String, String);

fn no<T>(why: impl Into<String>, instead: impl Into<String>) -> Result<T, No> {
    Err((why.into(), instead.into()))
}

/// The activities of the change of a resource that one of them belongs to, out of those that one plan
/// did on it, however often: a replacement is two operations, each with one side of it.
#[must_use]
pub fn change_of(all: &[Activity], seq: i64) -> Vec<Activity> {
    let sides = |activity: &Activity| (activity.before.is_some(), activity.after.is_some());
    let Some(one) = all.iter().find(|activity| activity.seq == seq) else { return Vec::new() };
    let mut change = vec![one.clone()];
    let is_half = sides(one).0 != sides(one).1 && reason(one) == Reason::Changed.as_str();
    let halves = all.iter().filter(|other| sides(other) == (sides(one).1, sides(one).0));
    let other = halves.min_by_key(|other| other.seq.abs_diff(seq)).filter(|_| is_half);
    change.extend(other.cloned());
    change.sort_by_key(|activity| activity.seq);
    change
}

/// Finds out how operations are undone.
#[must_use]
pub fn undo(known: &Known<'_>, activities: &[Activity]) -> Undo {
    let mut by_resource: BTreeMap<&ResourceId, Vec<&Activity>> = BTreeMap::new();
    for activity in activities {
        by_resource.entry(&activity.resource).or_default().push(activity);
    }
    let mut undo = Undo::default();
    for (id, activities) in by_resource {
        let Some(last) = activities.last() else { continue };
        match known.way(id, &activities) {
            Ok(way) => {
                undo.ways.insert(id.clone(), way);
            }
            Err((why, instead)) => undo.refused.push(NotUndone {
                resource: id.clone(),
                operation: last.operation.clone(),
                seq: last.seq,
                why,
                instead,
            }),
        }
    }
    undo.refused.sort_by_key(|one| one.seq);
    undo.desired = known.desired(&undo.ways);
    undo
}

impl Undo {
    /// True when something that was made goes.
    #[must_use]
    pub fn removes(&self) -> bool {
        self.ways.values().any(|way| *way == Way::Remove)
    }

    /// The resources that are undone.
    #[must_use]
    pub fn only(&self) -> BTreeSet<ResourceId> {
        self.ways.keys().cloned().collect()
    }
}

/// The plan's reason: the first word of an activity's.
fn reason(activity: &Activity) -> &str {
    activity.reason.split(':').next().unwrap_or_default()
}

impl Known<'_> {
    fn way(&self, id: &ResourceId, activities: &[&Activity]) -> Result<Way, No> {
        if let Some(other) = activities.iter().find(|activity| activity.set != self.set) {
            return no(
                format!("it is of the set {}", other.set),
                "undo it in the workspace of that set",
            );
        }
        if activities.iter().any(|activity| activity.outcome == Outcome::Unknown) {
            return no("nobody knows whether it was done", "`partnerctl repair` finds out");
        }
        let is_done = |activity: &&&Activity| activity.outcome == Outcome::Succeeded;
        let done: Vec<&Activity> = activities.iter().filter(is_done).copied().collect();
        let (Some(entry), Some(first)) = (self.kinds.get(id.kind.as_str()), done.first()) else {
            return no("it was not done", "");
        };
        let row = self.rows.iter().find(|row| row.id == *id && *row.set == *self.set);
        let was = |word: Reason| reason(first) == word.as_str();
        let was_there = first.before.is_some();
        if was(Reason::Unmanaged) || was(Reason::Renewed) || (was(Reason::Gone) && was_there) {
            no(
                "it was there before and was adopted: undoing that must not change it",
                "to let it go, set `partnerctl.dev/deletion-policy: Retain`, apply, remove its manifest, then apply --prune",
            )
        } else if was(Reason::Taken) {
            no(
                "it was taken over from another set",
                "declare it there again, and take it back with `partnerctl apply --take-ownership`",
            )
        } else if was(Reason::Renamed) {
            Err(ways::renamed(&done))
        } else if was(Reason::New) || was(Reason::Gone) {
            self.remove(entry, id, row)
        } else if was(Reason::Undeclared) {
            self.make(entry, id, row, &done)
        } else if was(Reason::Changed) || was(Reason::Drifted) {
            self.back(entry, id, row, &done)
        } else {
            no("it was no change of a plan", "")
        }
    }

    /// The set as it was accepted, with what is undone as it was.
    fn desired(&self, ways: &BTreeMap<ResourceId, Way>) -> Vec<Resource> {
        let mut desired = Vec::new();
        for row in self.rows.iter().filter(|row| *row.set == *self.set) {
            let mut resource = Resource {
                id: row.id.clone(),
                metadata: row.metadata.clone(),
                spec: row.spec.clone(),
                source: row.source.clone(),
            };
            match ways.get(&row.id) {
                Some(Way::Remove) => continue,
                Some(Way::Back(fields)) => put(&mut resource, fields),
                Some(Way::Make(_)) | None => {}
            }
            desired.push(resource);
        }
        for (id, way) in ways {
            if let Way::Make(fields) = way {
                let mut resource = Resource {
                    id: id.clone(),
                    metadata: Metadata::default(),
                    spec: Spec::default(),
                    source: Source::default(),
                };
                put(&mut resource, fields);
                desired.push(resource);
            }
        }
        desired
    }
}

/// Gives fields, labels and annotations of a resource other values.
fn put(resource: &mut Resource, fields: &BTreeMap<String, Option<Value>>) {
    for (path, value) in fields {
        if let Some(path) = path.strip_prefix("spec.") {
            match value {
                Some(value) => resource.spec.set(path, value.clone()),
                None => resource.spec.remove(path),
            }
            continue;
        }
        let text = value.as_ref().and_then(Value::as_str).map(str::to_owned);
        let labels = path.strip_prefix("metadata.labels.");
        let Some(key) = labels.or_else(|| path.strip_prefix("metadata.annotations.")) else {
            continue;
        };
        let metadata = &mut resource.metadata;
        let map = if labels.is_some() { &mut metadata.labels } else { &mut metadata.annotations };
        let map = Arc::make_mut(map);
        match text {
            Some(text) => {
                map.insert(key.to_owned(), text);
            }
            None => {
                map.remove(key);
            }
        }
    }
}

/// What cannot be undone, for a pull request.
#[must_use]
pub fn markdown(refused: &[NotUndone]) -> String {
    let mut out = String::new();
    if !refused.is_empty() {
        out.push_str("\n#### Cannot be undone\n\n");
    }
    for NotUndone { resource, operation, seq, why, instead } in refused {
        let what = prose(&format!("{resource}: {operation} (activity {seq}): {why}"));
        let instead =
            if instead.is_empty() { String::new() } else { format!(". {}", prose(instead)) };
        let _ = writeln!(out, "- {what}{instead}");
    }
    out
}
