//! What happens to one resource, as kinds see it when they judge it.

use crate::model::{Code, Currency, ResourceId, Spec};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One resource before and after the plan.
#[derive(Debug, Clone, Copy)]
pub struct Transition<'a> {
    /// Which.
    pub id: &'a ResourceId,
    /// Its effective state before: observed, with defaults; `None` when it was not there.
    pub before: Option<&'a Spec>,
    /// Its effective state after; `None` when it is gone.
    pub after: Option<&'a Spec>,
    /// The plan's clock.
    pub at: DateTime<Utc>,
}

impl<'a> Transition<'a> {
    /// Something that stays as it is: nothing moves, so no clock is needed.
    #[must_use]
    pub fn staying(id: &'a ResourceId, spec: &'a Spec) -> Self {
        Self { id, before: Some(spec), after: Some(spec), at: DateTime::UNIX_EPOCH }
    }
}

impl Transition<'_> {
    /// True when a field differs between before and after.
    #[must_use]
    pub fn changes(&self, path: &str) -> bool {
        self.before.and_then(|spec| spec.get(path)) != self.after.and_then(|spec| spec.get(path))
    }

    /// True when a text field becomes `value`.
    #[must_use]
    pub fn becomes(&self, path: &str, value: &str) -> bool {
        let is = |spec: Option<&Spec>| spec.and_then(|spec| spec.text(path)) == Some(value);
        is(self.after) && !is(self.before)
    }
}

/// How much a change risks.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Another apply undoes it at no cost.
    Reversible,
    /// Money is spent, committed or forfeited, or service stops.
    Costly,
    /// It cannot be undone.
    Irreversible,
}

impl Risk {
    /// The word users see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reversible => "reversible",
            Self::Costly => "costly",
            Self::Irreversible => "irreversible",
        }
    }
}

/// What a transition is called in the log.
pub type Operation = &'static str;

/// What stands against a change, with the remedy.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Block {
    /// The stable code.
    pub code: String,
    /// What stands against it: one link of the chain of why.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Block {
    /// A block.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: code.0.to_owned(), message: message.into(), hint: hint.into() }
    }
}

/// What comes of declaring something whose time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterEnd {
    /// Nothing is done; a note on it, which may be empty.
    Rests(String),
    /// What is declared would begin it again.
    Refused(Block),
}

/// What the partner answers for from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liability {
    /// Any purchase of the customer, without limit, in the customer's currency where known.
    Unlimited(Option<Currency>),
}
