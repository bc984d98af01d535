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

/// True for conditions, as the store keeps them, that say nothing but that all is well: told without
/// reading them as values, because a pass over everything looks at those of every row.
#[must_use]
pub fn all_is_well(stored: &str) -> bool {
    let well = |text: &'_ str, start: &str| -> Option<usize> {
        let rest = text.strip_prefix(start)?;
        Some(start.len() + rest.find('"')?)
    };
    let ready = r#"[{"type":"Ready","status":"True","reason":"Available","message":"","lastTransitionTime":""#;
    let synced = r#""},{"type":"Synced","status":"True","reason":"Applied","message":"","lastTransitionTime":""#;
    let Some(end) = well(stored, ready) else { return false };
    let Some(rest) = stored.get(end..) else { return false };
    well(rest, synced).is_some_and(|end| rest.get(end..) == Some("\"}]"))
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

#[cfg(test)]
mod tests {
    use super::{Condition, ConditionType, Truth, all_is_well};

    #[test]
    fn conditions_are_well_only_when_both_say_so() {
        let condition = |kind, status, reason: &str, message: &str| Condition {
            kind,
            status,
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: "2026-11-21T12:00:00Z".parse().unwrap(),
        };
        let ready = condition(ConditionType::Ready, Truth::True, "Available", "");
        let synced = condition(ConditionType::Synced, Truth::True, "Applied", "");
        let text = |conditions: &[Condition]| serde_json::to_string(conditions).unwrap();
        assert!(all_is_well(&text(&[ready.clone(), synced.clone()])));
        let late = condition(ConditionType::Synced, Truth::False, "Blocked", "why");
        let said = condition(ConditionType::Ready, Truth::True, "Available", "\"}]");
        for other in
            [vec![], vec![ready.clone()], vec![ready.clone(), late], vec![said, synced.clone()]]
        {
            assert!(!all_is_well(&text(&other)), "{other:?}");
        }
        assert!(!all_is_well(&text(&[ready, synced.clone(), synced])));
    }
}
