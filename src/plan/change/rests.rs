//! What a plan rests on, and what apply writes down without any change.

use super::Desired;
use crate::model::condition::{Condition, ConditionType, Truth, set, well};
use crate::model::lookup::Lookup;
use crate::model::{ResourceId, Source};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The state of one resource that the plan rests on: apply refuses the plan when it moved on. What a
/// change makes new is not among them: it rests on not being there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// Its revision; null when the store does not have it.
    pub revision: Option<i64>,
    /// The provider's id, when there is a thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Digest of what was observed; null when there was nothing.
    pub observed: Option<String>,
}

impl Basis {
    /// That of what is made new.
    #[must_use]
    pub fn of_new(resource: &ResourceId) -> Self {
        Self { resource: resource.clone(), revision: None, external_id: None, observed: None }
    }
}

/// What is written down about a resource beside its change: where it is declared now, how it is.
/// Nothing outside the store changes by it. What a change makes, and is well then, has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// The revision this was found at; null when the store does not have it yet.
    pub revision: Option<i64>,
    /// Where it is declared now, when that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How it is declared now, when that differs without any change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<Desired>,
    /// Conditions that differ.
    #[serde(skip_serializing_if = "<[ConditionNow]>::is_empty", default)]
    pub conditions: Arc<[ConditionNow]>,
}

/// How resources are once their changes are done.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// What a plan says of them.
    said: Lookup<ResourceId, Arc<[ConditionNow]>>,
    /// How what is made new is, where the plan says nothing of it; nothing is known without a plan.
    new: Arc<[ConditionNow]>,
}

impl Outlook {
    /// As a plan says it.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let said =
            records.iter().map(|record| (record.resource.clone(), record.conditions.clone()));
        Self { said: said.collect(), new: ConditionNow::well() }
    }

    /// What becomes of the conditions of a resource, which may be new.
    #[must_use]
    pub fn on(&self, id: &ResourceId, is_new: bool) -> &[ConditionNow] {
        match self.said.get(id) {
            Some(said) => said,
            None if is_new => &self.new,
            None => &[],
        }
    }
}

/// A condition without its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionNow {
    /// `Ready` or `Synced`.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: Truth,
    /// One word.
    pub reason: String,
    /// One sentence.
    pub message: String,
}

impl ConditionNow {
    /// How most resources are: all is well.
    #[must_use]
    pub fn well() -> Arc<[Self]> {
        let now = |Condition { kind, status, reason, message, .. }| Self {
            kind,
            status,
            reason,
            message,
        };
        well(DateTime::UNIX_EPOCH).into_iter().map(now).collect()
    }

    /// True when it is one of the conditions of a resource.
    #[must_use]
    pub fn is_among(&self, conditions: &[Condition]) -> bool {
        conditions.iter().any(|old| self.says(old))
    }

    /// True when a condition is this one, whenever it came about.
    #[must_use]
    pub fn says(&self, old: &Condition) -> bool {
        let Self { kind, status, reason, message } = self;
        (old.kind, old.status, &old.reason, &old.message) == (*kind, *status, reason, message)
    }

    /// Puts it among the conditions of a resource.
    pub fn put(&self, conditions: &mut Vec<Condition>, at: DateTime<Utc>) {
        let condition = Condition {
            kind: self.kind,
            status: self.status,
            reason: self.reason.clone(),
            message: self.message.clone(),
            last_transition_time: at,
        };
        set(conditions, condition);
    }
}
