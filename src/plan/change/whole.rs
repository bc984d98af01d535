//! The whole plan, and what it says beside its changes.

use super::{Action, Basis, Change, FieldChange, Money, Record};
use crate::kinds::AgentRole;
use crate::model::{ResourceId, Source, Suspension};
use crate::plan::policy::PolicyReport;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the machine format.
pub const PLAN_API_VERSION: &str = "partnerctl.dev/plan/v1";

/// The whole plan. `plan -o json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl plan -o json")]
pub struct Plan {
    /// The format's version.
    pub api_version: String,
    /// Hash of lineage, set, changes and money: unchanged work keeps its id.
    pub id: String,
    /// The store's lineage; null when there is no store yet, `commit` when an earlier commit stands
    /// for what is there: nothing applies such a plan.
    pub lineage: Option<String>,
    /// The plan's clock, RFC 3339.
    pub created_at: String,
    /// Who.
    pub actor: String,
    /// Which set.
    pub set: String,
    /// How many of what.
    pub summary: Summary,
    /// In the order of apply.
    pub changes: Vec<Change>,
    /// Over all changes that proceed: totals of the customers touched.
    pub money: Money,
    /// Brakes; when there is one, nothing is applied.
    pub refused: Vec<Refusal>,
    /// Worth knowing.
    pub warnings: Vec<Warning>,
    /// No longer declared, and left alone without `--prune`.
    pub undeclared: Vec<Undeclared>,
    /// Changes outside the selection of `-l`, `--customer`, `--kind` and `--exclude`; left out when
    /// there is no selection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<usize>,
    /// What the policies of the workspace say; left out when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<PolicyReport>,
    /// What differs of resources that are only observed, or is accepted: nothing is done about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_observed: Vec<OnlyObserved>,
    /// Suspensions that have ended by themselves, which the next apply that goes well forgets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_suspensions: Vec<Suspension>,
    /// What the plan rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub basis: Vec<Basis>,
    /// Written down without any change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Record>,
    /// SHA-256 over the document without this field.
    pub digest: String,
}

impl Plan {
    /// True when apply has nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.summary.changes() == 0
    }

    /// The roles that policies ask of whoever approves it.
    #[must_use]
    pub fn roles_to_approve(&self) -> BTreeSet<AgentRole> {
        let rulings = self.proceeding().flat_map(Change::approvals);
        rulings.filter_map(|ruling| ruling.by).collect()
    }

    /// The changes that apply does, in order.
    pub fn proceeding(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.proceeds())
    }
}

/// How many of what. A blocked or waiting change counts only as that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are the actions")]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub delete: usize,
    pub replace: usize,
    pub adopt: usize,
    pub rename: usize,
    pub unchanged: usize,
    pub blocked: usize,
    pub waiting: usize,
    pub undeclared: usize,
    pub drifted: usize,
}

impl Summary {
    /// Changes that apply does.
    #[must_use]
    pub fn changes(&self) -> usize {
        let Self { create, update, delete, replace, adopt, rename, .. } = self;
        create + update + delete + replace + adopt + rename
    }

    /// Counts a change that proceeds.
    pub fn count(&mut self, action: Action) {
        *match action {
            Action::Create => &mut self.create,
            Action::Update => &mut self.update,
            Action::Delete => &mut self.delete,
            Action::Replace => &mut self.replace,
            Action::Adopt => &mut self.adopt,
            Action::Rename => &mut self.rename,
        } += 1;
    }
}

/// A brake that holds the whole plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// The setting of `partnerctl.yaml`.
    pub setting: String,
    /// Its value.
    pub value: String,
    /// What the plan would do.
    pub message: String,
    /// The option that lets this very plan pass.
    #[serde(rename = "override")]
    pub override_with: String,
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// What it is about, when it is about one resource.
    #[schemars(with = "Option<String>")]
    pub resource: Option<ResourceId>,
    /// One sentence.
    pub message: String,
}

/// A field that differs and stays so: its resource is only observed, or that it differs is accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OnlyObserved {
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// Where it is declared.
    pub source: Source,
    /// What differs; `after` is what is declared.
    pub field: FieldChange,
    /// Until when and why it is accepted, where that is why nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

/// A resource of the set that is no longer declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undeclared {
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// Where it was declared.
    pub source: Source,
}
