//! Conditions: what is true of a resource now, in the way of Kubernetes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One condition of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Ready` or `Synced`.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// `True`, `False` or `Unknown`, as text in the way of Kubernetes.
    pub status: Truth,
    /// One word in CamelCase.
    pub reason: String,
    /// One sentence, may be empty.
    pub message: String,
    /// When the status last changed.
    pub last_transition_time: DateTime<Utc>,
}

/// What a condition is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum ConditionType {
    /// It does what it is for.
    Ready,
    /// Observed equals what was last applied.
    Synced,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
}

/// The conditions of what is well, since a time: those of most resources.
#[must_use]
pub fn well(since: DateTime<Utc>) -> Vec<Condition> {
    let one = |kind, reason: &str| Condition {
        kind,
        status: Truth::True,
        reason: reason.to_owned(),
        message: String::new(),
        last_transition_time: since,
    };
    vec![one(ConditionType::Ready, "Available"), one(ConditionType::Synced, "Applied")]
}

/// Puts a condition among others: one for each type, in order; the time moves only with the status.
pub fn set(conditions: &mut Vec<Condition>, new: Condition) {
    match conditions.iter_mut().find(|old| old.kind == new.kind) {
        Some(old) => {
            let last_transition_time = if old.status == new.status {
                old.last_transition_time
            } else {
                new.last_transition_time
            };
            *old = Condition { last_transition_time, ..new };
        }
        None => conditions.push(new),
    }
    conditions.sort_by_key(|condition| condition.kind);
}
