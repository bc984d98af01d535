//! A plan as a value: what it holds is what users see, what is saved and what apply does.

use crate::finance::{ExchangeQuote, Quote};
use crate::kinds::{AgentRole, Block, Risk};
use crate::model::Value;
use crate::model::condition::{Condition, ConditionType, Truth, set};
use crate::model::{Metadata, ResourceId, Source, Spec, Suspension};
use crate::plan::policy::{Effect, PolicyReport, Ruling};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the machine format.
pub const PLAN_API_VERSION: &str = "partnerctl.dev/plan/v1";

/// What is done to a resource.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Made new.
    Create,
    /// Changed in place.
    Update,
    /// Deleted, in the kind's meaning, or released from management.
    Delete,
    /// Made anew, then the old one removed.
    Replace,
    /// Taken under management as it exists.
    Adopt,
    /// The same thing under another name.
    Rename,
}

impl Action {
    /// True when something new is made.
    #[must_use]
    pub fn makes(self) -> bool {
        matches!(self, Self::Create | Self::Replace)
    }

    /// The word users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Replace => "replace",
            Self::Adopt => "adopt",
            Self::Rename => "rename",
        }
    }
}

/// Why something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Declared for the first time.
    New,
    /// Declared differently than before.
    Changed,
    /// Changed outside; put back as declared.
    Drifted,
    /// Vanished outside; made again.
    Gone,
    /// No longer declared.
    Undeclared,
    /// Declared under another name.
    Renamed,
    /// Exists already, declared for the first time.
    Unmanaged,
    /// Its declared `until` has passed.
    Expired,
    /// Owned by another set until now, and taken over.
    Taken,
    /// Its time is over, and another thing goes on with it.
    Renewed,
}

impl Reason {
    /// The word users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Drifted => "drifted",
            Self::Gone => "gone",
            Self::Undeclared => "undeclared",
            Self::Renamed => "renamed",
            Self::Unmanaged => "unmanaged",
            Self::Expired => "expired",
            Self::Taken => "taken",
            Self::Renewed => "renewed",
        }
    }
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// Dotted path, `spec.monthly.amount`.
    pub path: String,
    /// What it is now; null when it is not set.
    pub before: Option<Value>,
    /// What it becomes; null when it is cleared.
    pub after: Option<Value>,
    /// True when it was changed outside: what we applied last is what becomes of it again.
    pub drift: bool,
}

/// What a resource shall be, as its manifest has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Desired {
    /// Labels and annotations.
    #[schemars(with = "Value")]
    pub metadata: Metadata,
    /// The declared fields.
    #[schemars(with = "Value")]
    pub spec: Spec,
}

/// Money effects in one currency. Amounts are texts with the currency's minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoneyEffect {
    /// Sum of monthly budgets before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_before: Option<String>,
    /// Sum of monthly budgets after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_after: Option<String>,
    /// Paid once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_time: Option<String>,
    /// Coming back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
    /// Kept by Microsoft for ending early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee: Option<String>,
    /// What would come back but for the cap on refunds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forfeited: Option<String>,
    /// What the partner answers for from now on; `unlimited` for a purchase permission, an amount
    /// for instalments that are not due yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liability: Option<String>,
}

/// Money effects by currency code; currencies are never added together.
pub type Money = BTreeMap<String, MoneyEffect>;

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// `Kind/name`, unique in the plan.
    #[schemars(with = "String")]
    pub id: ResourceId,
    /// The kind.
    pub kind: String,
    /// The name after the change.
    pub name: String,
    /// The uid, when the store has one.
    pub uid: Option<String>,
    /// The set.
    pub set: String,
    /// The revision this was planned from; null for something new.
    pub revision: Option<i64>,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// How much it risks.
    pub risk: Risk,
    /// Where it is declared; for something undeclared, where it was.
    pub source: Source,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
    /// What it shall be; null for a delete.
    pub desired: Option<Desired>,
    /// The operation in the portal's words.
    pub operation: String,
    /// What deleting means for this kind, in the words users see; null unless it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// The operation that removes the old one, for a replacement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removal: Option<String>,
    /// The name it had, for a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub previous: Option<ResourceId>,
    /// The provider's id, for something that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// True for a delete that only ends management: nothing else happens.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub release: bool,
    /// What stands against it; empty when it goes ahead.
    pub blocked: Vec<Block>,
    /// What it waits for; null when it goes ahead.
    pub waiting: Option<String>,
    /// The suspension it is held by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
    /// The change's own money effect.
    pub money: Money,
    /// What the policies of the workspace say of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Ruling>,
    /// What comes back, when it gives something back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<Quote>,
    /// What it costs beyond what it is exchanged for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeQuote>,
    /// What comes of it later, by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<String>,
    /// Changes that come first.
    #[schemars(with = "Vec<String>")]
    pub depends_on: Vec<ResourceId>,
    /// The customer it belongs to, for grouping.
    pub customer: Option<String>,
}

impl Change {
    /// True when apply does it.
    #[must_use]
    pub fn proceeds(&self) -> bool {
        self.blocked.is_empty() && self.waiting.is_none()
    }

    /// What the policies say that ask for an approval.
    pub fn approvals(&self) -> impl Iterator<Item = &Ruling> {
        self.policies.iter().filter(|ruling| ruling.effect == Effect::RequireApproval)
    }

    /// True when it is done only after an approval, where risks up to `allowed` are taken.
    #[must_use]
    pub fn needs_approval(&self, allowed: Risk) -> bool {
        self.risk > allowed || self.approvals().next().is_some()
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

/// The state of one resource that the plan rests on: apply refuses the plan when it moved on.
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

/// What is written down about a resource beside its change: where it is declared now, how it is.
/// Nothing outside the store changes by it.
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
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub conditions: Vec<ConditionNow>,
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
