//! The way back of one change: of something made, deleted or changed, and why there is none.

use super::still::shown;
use super::{Known, No, Way, no, reason};
use crate::kinds::{KindEntry, Risk, Transition};
use crate::model::{Activity, ResourceId, Spec, Stored, Value};
use crate::plan::Reason;
use crate::plan::diff::show;
use std::collections::{BTreeMap, BTreeSet};

impl Known<'_> {
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
    pub(super) fn remove(
        &self,
        entry: &KindEntry,
        id: &ResourceId,
        row: Option<&Stored>,
    ) -> Result<Way, No> {
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
    pub(super) fn make(
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
    pub(super) fn back(
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
}

/// Why a rename is not undone; also which fields changed with it, so that nobody takes them for as
/// they were.
pub(super) fn renamed(done: &[&Activity]) -> No {
    let before = side(done, |activity| &activity.before);
    let after = side(done, |activity| &activity.after);
    let paths: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let fields = paths
        .into_iter()
        .filter(|path| *path != "metadata.name")
        .map(|path| format!("{path}: {} → {}", shown(before.get(path)), shown(after.get(path))));
    let fields: Vec<String> = fields.collect();
    let (why, what) = if fields.is_empty() {
        ("it only got another name".to_owned(), "the old name")
    } else {
        let why = format!("it got another name, and with it changed {}", fields.join(", "));
        (why, "the old name and these values as they were")
    };
    let annotation = "with the annotation `partnerctl.dev/previous-name`";
    (why, format!("give it {what} in its manifest, {annotation}"))
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

/// The fields of one side of some activities.
fn side<'a>(
    activities: &[&'a Activity],
    pick: fn(&Activity) -> &Option<serde_json::Value>,
) -> BTreeMap<&'a str, Value> {
    let objects = activities.iter().filter_map(|activity| pick(activity).as_ref()?.as_object());
    let fields = objects.flat_map(|object| object.iter());
    fields.map(|(path, value)| (path.as_str(), Value::from(value.clone()))).collect()
}

fn told(activity: &Activity) -> String {
    let Activity { seq, at, actor, operation, .. } = activity;
    let at = at.get(..19).unwrap_or(at).replace('T', " ");
    format!("activity {seq}, {operation}, {at} UTC by {actor}")
}
