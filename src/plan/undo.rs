//! Undoing: what to declare so that a plan brings back what operations changed, and what no plan
//! brings back.
//!
//! Nothing is guessed: the log says what every field was before. What was bought is never given back
//! or bought again here, and what moved on since is left to whoever moved it.

use crate::kinds::{KindEntry, Kinds, Risk, Transition};
use crate::model::activity::Outcome;
use crate::model::resource::Metadata;
use crate::model::{Activity, Resource, ResourceId, Source, Spec, Stored, Value};
use crate::plan::Reason;
use crate::plan::change::Warning;
use crate::plan::diff::show;
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

    /// What the manifests say still, and what the next apply would make of it.
    #[must_use]
    pub fn still(&self, kinds: &Kinds, declared: &[Resource]) -> Vec<Warning> {
        let by_id: BTreeMap<&ResourceId, &Resource> =
            declared.iter().map(|resource| (&resource.id, resource)).collect();
        let mut still = Vec::new();
        for (id, way) in &self.ways {
            let resource = by_id.get(id).copied();
            let entry = kinds.get(id.kind.as_str());
            if let Some(message) = entry.and_then(|entry| says(entry, way, resource)) {
                still.push(Warning { resource: Some(id.clone()), message });
            }
        }
        still
    }
}

/// What a manifest says against a way back.
fn says(entry: &KindEntry, way: &Way, declared: Option<&Resource>) -> Option<String> {
    match (way, declared) {
        (Way::Remove, Some(resource)) => Some(format!(
            "{} still declares it: remove it there too, else the next apply makes it again",
            resource.source
        )),
        (Way::Make(_), None) => {
            Some("no manifest declares it: declare it again, else --prune deletes it".to_owned())
        }
        (Way::Remove | Way::Make(_), _) => None,
        (Way::Back(_), None) => Some("no manifest declares it any more".to_owned()),
        (Way::Back(fields), Some(resource)) => {
            let effective = entry.effective(&resource.spec);
            let other = fields.iter().filter_map(|(path, wanted)| {
                let said = declared_at(&resource.metadata, &effective, path);
                (said != *wanted).then(|| format!("{path}: {}", shown(said.as_ref())))
            });
            let other: Vec<String> = other.collect();
            (!other.is_empty()).then(|| {
                format!(
                    "{} still says {}: change it there too, else the next apply puts it back",
                    resource.source,
                    other.join(", ")
                )
            })
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), show)
}

/// The value at a path of a plan: a field, a label or an annotation.
fn declared_at(metadata: &Metadata, spec: &Spec, path: &str) -> Option<Value> {
    if let Some(path) = path.strip_prefix("spec.") {
        return spec.get(path).cloned();
    }
    let text = match path.strip_prefix("metadata.labels.") {
        Some(key) => metadata.labels.get(key),
        None => metadata.annotations.get(path.strip_prefix("metadata.annotations.")?),
    };
    text.map(|text| text.clone().into())
}

/// The fields of one side of some activities.
fn side<'a>(
    activities: &[&'a Activity],
    pick: fn(&Activity) -> &Option<serde_json::Value>,
) -> BTreeMap<&'a str, Value> {
    let objects = activities.iter().filter_map(|activity| pick(activity).as_ref()?.as_object());
    let fields = objects.flat_map(|object| object.iter());
    fields.map(|(path, value)| (path.as_str(), Value::from(value.clone()))).collect()
}

/// The plan's reason: the first word of an activity's.
fn reason(activity: &Activity) -> &str {
    activity.reason.split(':').next().unwrap_or_default()
}

fn told(activity: &Activity) -> String {
    let Activity { seq, at, actor, operation, .. } = activity;
    let at = at.get(..19).unwrap_or(at).replace('T', " ");
    format!("activity {seq}, {operation}, {at} UTC by {actor}")
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
            no(
                "it only got another name",
                "give it the old name in its manifest, with the annotation `partnerctl.dev/previous-name`",
            )
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

    /// Fails where anything of these fields was changed later; without fields, where anything was.
    fn moved_on(&self, id: &ResourceId, fields: Option<&BTreeSet<&str>>) -> Result<(), No> {
        for later in self.later.get(id).into_iter().flatten() {
            let sides = [&later.before, &later.after];
            let paths = sides.into_iter().flatten().filter_map(|side| side.as_object());
            let mut paths = paths.flat_map(|object| object.keys());
            let word = reason(later);
            let changes = [Reason::Changed, Reason::Drifted].map(Reason::as_str).contains(&word);
            let same = match fields {
                Some(fields) if changes => paths.find(|path| fields.contains(path.as_str())),
                _ => paths.next(),
            };
            if same.is_some() || !changes {
                let what = same.filter(|_| changes && fields.is_some());
                let what = what.map_or("it".to_owned(), Clone::clone);
                return no(
                    format!("{what} has moved on since: {}", told(later)),
                    format!("undo that first: `partnerctl undo {}`", later.seq),
                );
            }
        }
        Ok(())
    }

    fn risk(
        &self,
        entry: &KindEntry,
        id: &ResourceId,
        sides: (Option<&Spec>, Option<&Spec>),
    ) -> Risk {
        let (before, after) = sides;
        (entry.risk)(&Transition { id, before, after, at: self.at })
    }

    /// Something that was made.
    fn remove(&self, entry: &KindEntry, id: &ResourceId, row: Option<&Stored>) -> Result<Way, No> {
        let spec = there(id, row)?;
        let spec = entry.effective(spec);
        if (entry.bought)(&spec) || self.risk(entry, id, (None, Some(&spec))) > Risk::Reversible {
            return no(
                "it was bought: an undo gives nothing back",
                "remove its manifest; `partnerctl plan --prune` shows what ending it means and costs",
            );
        }
        self.moved_on(id, None)?;
        Ok(Way::Remove)
    }

    /// Something that was deleted.
    fn make(
        &self,
        entry: &KindEntry,
        id: &ResourceId,
        row: Option<&Stored>,
        done: &[&Activity],
    ) -> Result<Way, No> {
        let fields = side(done, |activity| &activity.before);
        if fields.is_empty() {
            return no(
                "it was only released from management",
                format!("`partnerctl adopt {id}` takes it over again"),
            );
        }
        if row.is_some() {
            return no("it is there again", "");
        }
        let mut spec = Spec::default();
        for (path, value) in fields.iter().filter_map(|(p, v)| Some((p.strip_prefix("spec.")?, v)))
        {
            spec.set(path, value.clone());
        }
        let is_bought = (entry.bought)(&spec);
        if is_bought || self.risk(entry, id, (Some(&spec), None)) > Risk::Reversible {
            return no(
                format!(
                    "\"{}\" cannot be undone, and nothing is bought again by an undo",
                    entry.facts.deleting
                ),
                "declare it again; `partnerctl plan` shows what a new one costs",
            );
        }
        self.moved_on(id, None)?;
        let fields = fields.into_iter().map(|(path, value)| (path.to_owned(), Some(value)));
        Ok(Way::Make(fields.collect()))
    }

    /// Something that was changed.
    fn back(
        &self,
        entry: &KindEntry,
        id: &ResourceId,
        row: Option<&Stored>,
        done: &[&Activity],
    ) -> Result<Way, No> {
        let observed = there(id, row)?;
        let before = side(done, |activity| &activity.before);
        let after = side(done, |activity| &activity.after);
        let paths: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
        self.moved_on(id, Some(&paths))?;
        let (is, mut was) = (entry.effective(observed), entry.effective(observed));
        for path in paths.iter().filter_map(|path| path.strip_prefix("spec.")) {
            let left = after.get(format!("spec.{path}").as_str());
            // What refers to others is known outside by other names.
            let refers = entry.facts.references.iter().any(|one| path.starts_with(one.path));
            if let Some(left) = left.filter(|left| !refers && is.get(path) != Some(left)) {
                let (is, left) = (shown(is.get(path)), show(left));
                return no(
                    format!(
                        "spec.{path} was changed outside since: it is {is}, and was left at {left}"
                    ),
                    "`partnerctl drift` shows it; accept it or put it back first",
                );
            }
            match before.get(format!("spec.{path}").as_str()) {
                Some(value) => was.set(path, value.clone()),
                None => was.remove(path),
            }
        }
        let ways = [(&was, &is), (&is, &was)];
        let risks = ways.map(|(from, to)| self.risk(entry, id, (Some(from), Some(to))));
        if (entry.bought)(&is) && risks.iter().any(|risk| *risk > Risk::Reversible) {
            return no(
                "it changed what is bought: an undo buys and gives back nothing",
                "change its manifest; `partnerctl plan` shows what that costs",
            );
        }
        let value = |path: &str| before.get(path).cloned();
        Ok(Way::Back(paths.into_iter().map(|path| (path.to_owned(), value(path))).collect()))
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

/// What the provider has of a resource.
fn there<'a>(id: &ResourceId, row: Option<&'a Stored>) -> Result<&'a Spec, No> {
    let Some(row) = row else {
        return no(format!("there is no {id} any more"), "");
    };
    row.observed.as_ref().ok_or_else(|| {
        let instead = "`partnerctl plan` shows what is to be done about that";
        ("it has vanished outside since".to_owned(), instead.to_owned())
    })
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
