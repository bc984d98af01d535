//! Two states of the manifests: what the later one does to the earlier one, and what the earlier one
//! alone would do as well.

use crate::kinds::{Ending, Kinds, expiry};
use crate::model::text::counted;
use crate::model::{Resource, ResourceId, Stored};
use crate::plan::Plan;
use crate::plan::change::Change;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is to be said of a plan that was made from a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apart {
    /// The commit it was made from, in short.
    pub to: String,
    /// The earlier commit, in short, when one was named.
    pub from: Option<String>,
    /// True when there is no store, and the earlier commit stands for what is there.
    pub stands_in: bool,
    /// What the earlier commit alone would change in the same way, or would not for the same reasons.
    pub pending: BTreeSet<ResourceId>,
}

impl Apart {
    /// True when the earlier commit alone would do the same.
    #[must_use]
    pub fn is_pending(&self, change: &Change) -> bool {
        self.pending.contains(&change.id)
    }

    /// One sentence on what was compared.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { to, from, stands_in, pending } = self;
        match from {
            None => format!("Planned from commit {to}"),
            Some(from) if *stands_in => format!(
                "Planned from commit {to}; there is no store, so {from} stands for what is there"
            ),
            Some(from) => {
                let number = match pending.len() {
                    0 => "nothing is".to_owned(),
                    1 => "1 change is".to_owned(),
                    more => format!("{} are", counted(more, "change")),
                };
                format!("Planned from commit {to}; {number} already pending since {from}")
            }
        }
    }
}

/// The changes of a plan that another one of the same store has as well, and alike.
#[must_use]
pub fn pending(plan: &Plan, earlier: &Plan) -> BTreeSet<ResourceId> {
    let earlier: BTreeMap<&ResourceId, &Change> =
        earlier.changes.iter().map(|change| (&change.id, change)).collect();
    let alike = |a: &Change, b: &Change| {
        (a.action, a.reason, &a.fields, &a.previous, a.release)
            == (b.action, b.reason, &b.fields, &b.previous, b.release)
            && (&a.blocked, &a.waiting, &a.policies) == (&b.blocked, &b.waiting, &b.policies)
    };
    let of_both = |change: &&Change| earlier.get(&change.id).is_some_and(|was| alike(change, was));
    plan.changes.iter().filter(of_both).map(|change| change.id.clone()).collect()
}

/// The rows of a store to which all of these were applied, and in which every customer has accepted
/// its invitation: only what is different is looked at, and nothing waits for what cannot be known.
#[must_use]
pub fn as_applied(
    kinds: &Kinds,
    resources: &[Resource],
    set: &str,
    at: DateTime<Utc>,
) -> Vec<Stored> {
    let set: Arc<str> = set.into();
    let row = |resource: &Resource| {
        let mut observed = resource.spec.clone();
        if let Some(entry) = kinds.get(resource.id.kind.as_str()) {
            observed = expiry::as_of(entry, &resource.spec, at).into_owned();
            (entry.born)(&mut observed, at);
            if (entry.gate)(&observed).is_some() {
                observed.set("relationship", "Granted".into());
            }
        }
        Stored {
            id: resource.id.clone(),
            uid: resource.id.to_string().into(),
            set: set.clone(),
            generation: 1,
            revision: 1,
            metadata: resource.metadata.clone(),
            spec: resource.spec.clone(),
            last_applied: Some(resource.spec.clone()),
            observed: Some(observed),
            external_id: Some(resource.id.to_string()),
            conditions: Arc::default(),
            source: resource.source.clone(),
        }
    };
    // What has ended by then is not there.
    let stays = |resource: &&Resource| {
        let entry = kinds.get(resource.id.kind.as_str());
        entry.is_none_or(|entry| {
            entry.ending != Ending::Goes || expiry::over(entry, &resource.spec, at).is_none()
        })
    };
    let mut rows: Vec<Stored> = resources.iter().filter(stays).map(row).collect();
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows
}
