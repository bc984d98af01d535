//! What changed between two plans: a diff of diffs, for a plan that was refused as stale or a pull
//! request that was pushed again.

use crate::model::ResourceId;
use crate::plan::change::Summary;
use crate::plan::render::{change_lines, sentence};
use crate::plan::{Change, Plan};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How two plans differ.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl plan --compare -o json")]
pub struct Comparison {
    /// The older plan.
    pub before: Side,
    /// The newer plan.
    pub after: Side,
    /// Changes that only the newer one has.
    pub added: Vec<Change>,
    /// Changes that only the older one had.
    pub removed: Vec<Change>,
    /// Changes of the same resource that are not alike.
    pub altered: Vec<Altered>,
}

/// One of two plans, in short.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created_at: String,
    /// How many of what.
    pub summary: Summary,
}

/// A change that both plans have, but not alike.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Altered {
    /// As it was.
    pub before: Change,
    /// As it is.
    pub after: Change,
}

/// Compares two plans. Where a change comes from does not count: nothing else is done by it.
#[must_use]
pub fn compare(before: &Plan, after: &Plan) -> Comparison {
    let side = |plan: &Plan| Side {
        id: plan.id.clone(),
        created_at: plan.created_at.clone(),
        summary: plan.summary,
    };
    let index = |plan: &Plan| -> BTreeMap<ResourceId, Change> {
        let bare = |change: &Change| Change {
            source: crate::model::Source::default(),
            depends_on: Vec::new(),
            ..change.clone()
        };
        plan.changes.iter().map(|change| (change.id.clone(), bare(change))).collect()
    };
    let (old, new) = (index(before), index(after));
    let mut altered = Vec::new();
    for (id, change) in &new {
        if let Some(was) = old.get(id).filter(|was| *was != change) {
            altered.push(Altered { before: was.clone(), after: change.clone() });
        }
    }
    let only = |these: &BTreeMap<ResourceId, Change>, others: &BTreeMap<ResourceId, Change>| {
        these.values().filter(|change| !others.contains_key(&change.id)).cloned().collect()
    };
    Comparison {
        before: side(before),
        after: side(after),
        added: only(&new, &old),
        removed: only(&old, &new),
        altered,
    }
}

/// The comparison as people read it.
#[must_use]
pub fn text(comparison: &Comparison, before: &Plan, after: &Plan, width: usize) -> String {
    let Comparison { before: _, after: _, added, removed, altered } = comparison;
    let mut out = format!("Before: {}\nNow:    {}\n", sentence(before), sentence(after));
    let mut section = |title: &str, changes: &mut dyn Iterator<Item = String>| {
        let changes: Vec<String> = changes.collect();
        if !changes.is_empty() {
            let _ = write!(out, "\n{title}\n{}", changes.concat());
        }
    };
    section("Only now", &mut added.iter().map(|change| change_lines(change, width)));
    section("No longer", &mut removed.iter().map(|change| change_lines(change, width)));
    section(
        "Otherwise than before",
        &mut altered.iter().map(|Altered { before, after }| {
            format!(
                "  before:\n{}  now:\n{}",
                change_lines(before, width),
                change_lines(after, width)
            )
        }),
    );
    if added.is_empty() && removed.is_empty() && altered.is_empty() {
        out.push_str("\nThe two plans do the same.\n");
    }
    out
}
