//! The first version of each change: what differs, before anything is judged.

mod declared;
mod removed;

use crate::finance::{ExchangeQuote, Quote};
use crate::kinds::{Block, KindEntry, Risk, Transition};
use crate::model::parallel::parts;
use crate::model::{Metadata, Resource, ResourceId, Source, Spec, Stored, Suspension};
use crate::plan::change::{Action, Change, Desired, FieldChange, OnlyObserved, Reason, Warning};
use crate::plan::judge::Worlds;
use crate::plan::pair::{Pair, Pairs};
use crate::plan::policy::Ruling;
use crate::plan::{PlanInput, diff, money};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a delete means that only ends management.
const RELEASED: &str = "released from management, nothing else happens";

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
#[derive(Debug, Default)]
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

/// Compares every pair.
#[must_use]
pub fn draft(input: &PlanInput, pairs: &Pairs) -> Drafts {
    let new = |pairs: &[Arc<Pair>]| pairs.iter().filter(|pair| pair.stored.is_none()).count();
    // Drafts are large: there is room for all of them where the first ones stand.
    let of = |part: &[Arc<Pair>]| {
        let is_first = std::ptr::eq(part.as_ptr(), pairs.own.as_ptr());
        Drafts::of(input, part, new(if is_first { &pairs.own } else { part }))
    };
    let mut all = parts(&pairs.own, of).into_iter();
    let mut drafts = all.next().unwrap_or_default();
    all.for_each(|part| drafts.append(part));
    for (id, old, new) in &pairs.outdated {
        drafts.warn(
            id,
            &format!("it refers to {old}, which is {new} from now on: change the reference"),
        );
    }
    drafts
}

impl Drafts {
    /// With room for so many that change.
    fn of(input: &PlanInput, pairs: &[Arc<Pair>], changing: usize) -> Self {
        let mut drafts = Self { changing: Vec::with_capacity(changing), ..Self::default() };
        for pair in pairs {
            let Some(entry) = pair.id().and_then(|id| input.kinds.get(id.kind.as_str())) else {
                continue;
            };
            match (&pair.desired, &pair.stored) {
                (Some(desired), _) => declared::declared(input, entry, pair, desired, &mut drafts),
                (None, Some(stored)) => removed::undeclared(input, pair, stored, &mut drafts),
                (None, None) => {}
            }
        }
        drafts
    }

    /// Adds those of the pairs that follow.
    fn append(&mut self, next: Self) {
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
    fn of(
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

    fn operation(&self, entry: &KindEntry, input: &PlanInput) -> &'static str {
        let outside = self.fields.iter().any(|field| field.path.starts_with("spec."));
        match self.action {
            _ if self.release => "Release from management",
            Action::Adopt if !outside => "Take under management",
            Action::Rename | Action::Update if !outside => "Record name and metadata",
            _ => (entry.operation)(&self.transition(input)),
        }
    }

    /// The change as users see it.
    #[must_use]
    pub fn change(
        &self,
        input: &PlanInput,
        worlds: &Worlds,
        customer: Option<&ResourceId>,
    ) -> Change {
        let Self { id, pair, action, reason, fields, metadata, release, blocked, waiting, .. } =
            self;
        let entry = input.kinds.get(id.kind.as_str());
        let stored = pair.stored.as_ref();
        let transition = self.transition(input);
        let undeclared = || stored.map(|stored| stored.source.clone()).unwrap_or_default();
        Change {
            id: id.clone(),
            kind: id.kind.clone(),
            name: id.name.to_shared(),
            uid: stored.map(|stored| stored.uid.to_string()),
            set: input.set.clone(),
            revision: stored.map(|stored| stored.revision),
            action: *action,
            reason: *reason,
            risk: self.risk(input),
            source: pair
                .desired
                .as_ref()
                .map_or_else(undeclared, |d: &Resource| -> Source { d.source.clone() }),
            fields: fields.clone(),
            desired: pair
                .declared
                .as_ref()
                .filter(|_| *action != Action::Delete)
                .map(|declared| Desired { metadata: metadata.clone(), spec: declared.clone() }),
            operation: entry.map(|entry| self.operation(entry, input)).unwrap_or_default().into(),
            effect: entry
                .filter(|_| *action == Action::Delete)
                .map(|entry| if *release { RELEASED } else { entry.facts.deleting }.to_owned()),
            removal: entry.filter(|_| *action == Action::Replace).map(|entry| {
                (entry.operation)(&Transition { after: None, ..transition }).to_owned()
            }),
            previous: pair.previous.clone().filter(|_| *action != Action::Delete),
            external_id: match (&pair.found, stored) {
                (Some(found), _) => Some(found.external_id.clone()),
                (None, stored) => stored.and_then(|stored| stored.external_id.clone()),
            },
            release: *release,
            blocked: blocked.clone(),
            waiting: waiting.clone(),
            suspended: self.suspended.clone(),
            money: entry
                .map(|entry| money::effect(entry, self, &transition, &worlds.after))
                .unwrap_or_default(),
            policies: self.policies.clone(),
            refund: self.refund.clone(),
            exchange: self.exchange.clone(),
            later: entry.and_then(|entry| (entry.later)(&transition)).map(str::to_owned),
            depends_on: worlds.rests_on(id).to_vec(),
            customer: customer.map(|customer| customer.name.to_shared()),
        }
    }
}
