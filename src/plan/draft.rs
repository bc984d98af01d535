//! Drafts: the first version of each change, before it is judged and put in order.

use crate::finance::{ExchangeQuote, Quote};
use crate::kinds::{Block, Risk, Transition};
use crate::model::{Metadata, ResourceId, Spec, Stored, Suspension};
use crate::plan::change::{Action, FieldChange, OnlyObserved, Reason, Warning};
use crate::plan::pair::Pair;
use crate::plan::policy::ruling::Ruling;
use crate::plan::{PlanInput, diff};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A change before it has been judged and put in order.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its id after the plan.
    pub id: ResourceId,
    /// What is known of the resource.
    pub pair: Arc<Pair>,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// What differs.
    pub fields: Vec<FieldChange>,
    /// Its effective state now; `None` when it is not there.
    pub before: Option<Spec>,
    /// Its effective state then; `None` when it is gone.
    pub after: Option<Spec>,
    /// Labels and annotations as they will be kept.
    pub metadata: Metadata,
    /// True for a delete that only ends management.
    pub release: bool,
    /// What stands against it.
    pub blocked: Vec<Block>,
    /// What it waits for.
    pub waiting: Option<String>,
    /// The suspension it is held by.
    pub suspended: Option<Box<Suspension>>,
    /// What the policies of the workspace say of it.
    pub policies: Vec<Ruling>,
    /// What comes back, when it gives something back.
    pub refund: Option<Box<Quote>>,
    /// What it costs beyond what it is exchanged for.
    pub exchange: Option<Box<ExchangeQuote>>,
}

/// All resources of the set, by what becomes of them.
#[derive(Debug, Clone, Default)]
pub struct Drafts {
    /// Those that change.
    pub changing: Vec<Draft>,
    /// Those that stay as they are: declared, and as declared.
    pub unchanged: Vec<Arc<Pair>>,
    /// Those no longer declared, and left alone.
    pub undeclared: Vec<Stored>,
    /// Worth knowing.
    pub warnings: Vec<Warning>,
    /// What differs of those that are only observed.
    pub only_observed: Vec<OnlyObserved>,
    /// Those that change, but lie outside the selection.
    pub outside: BTreeSet<ResourceId>,
    /// Those of which something was changed outside, and is left alone.
    pub left: BTreeSet<ResourceId>,
}

impl Drafts {
    /// Adds those of the pairs that follow.
    pub(super) fn append(&mut self, next: Self) {
        let Self { changing, unchanged, undeclared, warnings, only_observed, outside, left } = next;
        self.changing.extend(changing);
        self.unchanged.extend(unchanged);
        self.undeclared.extend(undeclared);
        self.warnings.extend(warnings);
        self.only_observed.extend(only_observed);
        self.outside.extend(outside);
        self.left.extend(left);
    }

    /// Says something about a resource.
    pub(super) fn warn(&mut self, resource: &ResourceId, message: &str) {
        let warning = Warning { resource: Some(resource.clone()), message: message.to_owned() };
        self.warnings.push(warning);
    }
}

/// A field change in words.
pub(super) fn sentence(field: &FieldChange) -> String {
    let shown = |value: &Option<crate::model::Value>| {
        value.as_ref().map_or_else(|| "nothing".to_owned(), diff::show)
    };
    format!("{} is {}, declared is {}", field.path, shown(&field.before), shown(&field.after))
}

impl Draft {
    /// Of a pair, with nothing that differs yet.
    pub(super) fn of(
        pair: &Arc<Pair>,
        id: &ResourceId,
        (action, reason): (Action, Reason),
        metadata: Metadata,
    ) -> Self {
        Self {
            id: id.clone(),
            pair: pair.clone(),
            action,
            reason,
            fields: Vec::new(),
            before: None,
            after: None,
            metadata,
            release: false,
            blocked: pair.blocked.clone(),
            waiting: pair.waiting.clone(),
            suspended: None,
            policies: Vec::new(),
            refund: None,
            exchange: None,
        }
    }

    /// How kinds see it.
    #[must_use]
    pub fn transition<'a>(&'a self, input: &PlanInput) -> Transition<'a> {
        Transition {
            id: &self.id,
            before: self.before.as_ref(),
            after: self.after.as_ref(),
            at: input.at,
        }
    }

    /// True when it goes ahead.
    #[must_use]
    pub fn proceeds(&self) -> bool {
        self.blocked.is_empty() && self.waiting.is_none()
    }

    /// How much it risks; releasing risks nothing.
    #[must_use]
    pub fn risk(&self, input: &PlanInput) -> Risk {
        let entry = input.kinds.get(self.id.kind.as_str()).filter(|_| !self.release);
        entry.map_or(Risk::Reversible, |entry| (entry.risk)(&self.transition(input)))
    }
}
