//! What was changed outside, as a plan sees it.

use crate::model::{ResourceId, Source, Value};
use crate::plan::change::{FieldChange, Reason};
use crate::plan::{Change, Plan};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A resource that is not as it was applied.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// Where it is declared.
    pub source: Source,
    /// True when it vanished.
    pub gone: bool,
    /// True when it is only observed: nothing puts it back.
    pub only_observed: bool,
    /// The fields that differ; none of what vanished.
    pub fields: Vec<DriftedField>,
}

/// A field that is not as it was applied.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DriftedField {
    /// Dotted path, `spec.monthly.amount`.
    pub path: String,
    /// What is declared.
    pub declared: Option<Value>,
    /// What is there.
    pub observed: Option<Value>,
    /// Until when and why that is accepted; null when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

impl DriftedField {
    fn of(field: &FieldChange) -> Self {
        let FieldChange { path, before, after, drift: _, edited: _ } = field;
        Self {
            path: path.clone(),
            declared: after.clone(),
            observed: before.clone(),
            accepted: None,
        }
    }
}

impl Drifted {
    /// True when something of it is not accepted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.gone || self.fields.iter().any(|field| field.accepted.is_none())
    }
}

/// Everything that was changed outside since it was applied, in the order of the resources.
#[must_use]
pub fn drift(plan: &Plan) -> Vec<Drifted> {
    let changed = plan.changes.iter().filter_map(of_change).map(|one| (one.resource.clone(), one));
    let mut drifted: BTreeMap<ResourceId, Drifted> = changed.collect();
    for one in &plan.only_observed {
        let drifted = drifted.entry(one.resource.clone()).or_insert_with(|| Drifted {
            resource: one.resource.clone(),
            source: one.source.clone(),
            gone: false,
            only_observed: one.accepted.is_none(),
            fields: Vec::new(),
        });
        let accepted = one.accepted.clone();
        drifted.fields.push(DriftedField { accepted, ..DriftedField::of(&one.field) });
    }
    drifted.into_values().collect()
}

fn of_change(change: &Change) -> Option<Drifted> {
    let gone = change.reason == Reason::Gone;
    let fields = change.fields.iter().filter(|field| field.drift && !gone);
    let fields: Vec<DriftedField> = fields.map(DriftedField::of).collect();
    (gone || !fields.is_empty()).then(|| Drifted {
        resource: change.id.clone(),
        source: change.source.clone(),
        gone,
        only_observed: false,
        fields,
    })
}
