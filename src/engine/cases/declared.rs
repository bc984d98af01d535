//! A case as its file has it.

use crate::model::scalar::Line;
use crate::plan::Action;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// A case: what there is and what is declared, and the plan that is expected of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a case, {at: 2026-11-21, expect: {blocked: {Budget/contoso: [B0120]}}}"
)]
#[schemars(title = "A case of partnerctl test")]
pub struct CaseFile {
    /// What it shows, for whoever reads it.
    pub description: Option<Line>,
    /// The plan's clock, a day or an instant; default 2026-01-01.
    pub at: Option<Line>,
    /// Who plans; default: the actor of the workspace, else tester@partner.example.
    pub actor: Option<Line>,
    /// Plan with --prune.
    pub prune: Option<bool>,
    /// Files and folders of manifests, from the folder of this file; default: manifests/ beside it,
    /// else those of the workspace.
    pub manifests: Option<Vec<Line>>,
    /// What was applied and is so: resources as `get -o json` lists them, or with `spec` alone.
    /// Default: state.json or state.yaml beside it, else nothing.
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    pub state: Option<IgnoredAny>,
    /// What is there and managed by nobody; default: unmanaged.json or unmanaged.yaml beside it.
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    pub unmanaged: Option<IgnoredAny>,
    /// What is expected of the plan, beside plan.txt.
    pub expect: Option<Expect>,
}

/// What is expected of a plan. What is named here must be all there is of its sort: `blocked: {}`
/// means that nothing is blocked. What is not named may be as it likes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "what is expected, {blocked: {Budget/contoso: [B0120]}}"
)]
pub struct Expect {
    /// How many of what; only those named count.
    pub summary: Option<BTreeMap<Count, usize>>,
    /// What goes ahead: the resource, and what is done with it.
    pub changes: Option<BTreeMap<String, Action>>,
    /// What is blocked: the resource, and the codes.
    pub blocked: Option<BTreeMap<String, Vec<Line>>>,
    /// What waits.
    pub waiting: Option<Vec<Line>>,
    /// What goes ahead after an approval only.
    pub needs_approval: Option<Vec<Line>>,
    /// The policies that match, and the resources.
    pub policies: Option<BTreeMap<String, Vec<Line>>>,
    /// The brakes that hold the plan, by their settings: `limits.monthlyIncrease`.
    pub refused: Option<Vec<Line>>,
    /// What is no longer declared, and left alone.
    pub undeclared: Option<Vec<Line>>,
    /// The codes of everything that is wrong with the manifests.
    pub problems: Option<Vec<Line>>,
}

impl Expect {
    /// True when nothing is expected of a plan.
    #[must_use]
    pub fn is_of_no_plan(&self) -> bool {
        Self { problems: None, ..self.clone() } == Self::default()
    }
}

/// What a plan counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "what a plan counts, create")]
#[expect(missing_docs, reason = "the names are those of the plan's summary")]
pub enum Count {
    Create,
    Update,
    Delete,
    Replace,
    Adopt,
    Rename,
    Unchanged,
    Blocked,
    Waiting,
    Undeclared,
    Drifted,
}
