//! A plan as a value: what it holds is what users see, what is saved and what apply does.

mod drafted;
mod rests;
mod whole;

pub use rests::{Basis, ConditionNow, Outlook, Record};
pub use whole::{OnlyObserved, PLAN_API_VERSION, Plan, Refusal, Summary, Undeclared, Warning};

use crate::finance::{ExchangeQuote, Quote};
use crate::kinds::{Block, Risk};
use crate::model::{KindName, Metadata, ResourceId, Source, Spec, Suspension, Value};
use crate::plan::policy::ruling::{Effect, Ruling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

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
    /// True when it was changed outside: it is not what we applied last.
    pub drift: bool,
    /// True when it was changed outside and is declared anew too: it becomes what it never was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
}

impl FieldChange {
    /// One that was not changed outside.
    #[must_use]
    pub fn new(path: String, before: Option<Value>, after: Option<Value>) -> Self {
        Self { path, before, after, drift: false, edited: false }
    }

    /// True when it was changed outside, and becomes again what we applied last.
    #[must_use]
    pub fn is_put_back(&self) -> bool {
        self.drift && !self.edited
    }
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
///
/// Effects are boxed: a map has room for several at once, and nearly every change has one or none.
pub type Money = BTreeMap<String, Box<MoneyEffect>>;

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// `Kind/name`, unique in the plan.
    #[schemars(with = "String")]
    pub id: ResourceId,
    /// The kind.
    #[schemars(with = "String")]
    pub kind: KindName,
    /// The name after the change.
    pub name: Arc<str>,
    /// The uid, when the store has one.
    pub uid: Option<String>,
    /// The set.
    pub set: Arc<str>,
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
    pub operation: Cow<'static, str>,
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
    pub suspended: Option<Box<Suspension>>,
    /// The change's own money effect.
    pub money: Money,
    /// What the policies of the workspace say of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Ruling>,
    /// What comes back, when it gives something back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<Box<Quote>>,
    /// What it costs beyond what it is exchanged for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Box<ExchangeQuote>>,
    /// What comes of it later, by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<String>,
    /// Changes that come first.
    #[schemars(with = "Vec<String>")]
    pub depends_on: Vec<ResourceId>,
    /// The customer it belongs to, for grouping.
    pub customer: Option<Arc<str>>,
}

/// The customers of changes that go ahead, in order.
#[must_use]
pub fn customers_of(changes: &[Change]) -> Vec<ResourceId> {
    let proceeding = changes.iter().filter(|change| change.proceeds());
    let mut names: Vec<&Arc<str>> = proceeding.filter_map(|c| c.customer.as_ref()).collect();
    // Those of one customer mostly follow each other.
    names.dedup();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| ResourceId::new("Customer", name)).collect()
}

impl Change {
    /// True when apply does it.
    #[must_use]
    pub fn proceeds(&self) -> bool {
        self.blocked.is_empty() && self.waiting.is_none()
    }

    /// True when it makes what neither the store nor the provider has.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.revision.is_none() && self.external_id.is_none()
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
