//! The first version of each change: what differs, before anything is judged.

use crate::finance::{ExchangeQuote, Quote};
use crate::kinds::{AfterEnd, Block, Ending, KindEntry, Risk, Transition, expiry};
use crate::model::resource::{DeletionPolicy, Management};
use crate::model::{Metadata, Resource, ResourceId, Source, Spec, Stored, Suspension, code};
use crate::plan::change::{Action, Change, Desired, FieldChange, OnlyObserved, Reason, Warning};
use crate::plan::judge::Worlds;
use crate::plan::pair::{Pair, Pairs};
use crate::plan::policy::Ruling;
use crate::plan::{PlanInput, Scope, diff, leave, money};
use chrono::{DateTime, SecondsFormat, Utc};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a delete means that only ends management.
const RELEASED: &str = "released from management, nothing else happens";

/// How what is only observed or created is changed after all.
const LIFT: &str = "; with `partnerctl.dev/management: Manage` apply would change it";

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
    pub suspended: Option<Suspension>,
    /// What the policies of the workspace say of it.
    pub policies: Vec<Ruling>,
    /// What comes back, when it gives something back.
    pub refund: Option<Quote>,
    /// What it costs beyond what it is exchanged for.
    pub exchange: Option<ExchangeQuote>,
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
    let mut drafts = Drafts::default();
    for (id, old, new) in &pairs.outdated {
        drafts.warn(
            id,
            &format!("it refers to {old}, which is {new} from now on: change the reference"),
        );
    }
    for pair in &pairs.own {
        let Some(entry) = pair.id().and_then(|id| input.kinds.get(id.kind.as_str())) else {
            continue;
        };
        match (&pair.desired, &pair.stored) {
            (Some(desired), _) => declared(input, entry, pair, desired, &mut drafts),
            (None, Some(stored)) => undeclared(input, pair, stored, &mut drafts),
            (None, None) => {}
        }
    }
    drafts
}

fn declared(
    input: &PlanInput,
    entry: &KindEntry,
    pair: &Arc<Pair>,
    desired: &Resource,
    drafts: &mut Drafts,
) {
    let over = expiry::over(entry, &desired.spec, input.at);
    if let Some(over) = over
        && !ends(input, entry, pair, (desired, over), drafts)
    {
        return;
    }
    let ended = over.map(|_| {
        let spec = expiry::as_of(entry, &desired.spec, input.at).into_owned();
        Resource { spec, ..desired.clone() }
    });
    let desired = ended.as_ref().unwrap_or(desired);
    let stored = pair.stored.as_ref();
    let metadata = diff::keep_protection(&desired.metadata, stored.map(|s| &s.metadata));
    let management = metadata.management();
    let mut draft = Draft {
        id: desired.id.clone(),
        pair: pair.clone(),
        action: Action::Create,
        reason: Reason::New,
        fields: Vec::new(),
        before: pair.observed().map(|observed| entry.effective(observed)),
        after: None,
        metadata,
        release: false,
        blocked: pair.blocked.clone(),
        waiting: pair.waiting.clone(),
        suspended: None,
        policies: Vec::new(),
        refund: None,
        exchange: None,
    };
    let Some(observed) = pair.observed() else {
        let was_there = stored.is_some_and(|stored| stored.last_applied.is_some());
        if was_there && leave::stays_gone(input, entry, desired) {
            drafts.warn(&desired.id, "it vanished outside, and is left alone");
            return;
        }
        if management == Management::Observe && draft.blocked.is_empty() {
            drafts.warn(&desired.id, "it is only observed, and nothing is there to observe");
            drafts.unchanged.push(pair.clone());
            return;
        }
        create(input, entry, &mut draft, desired);
        take_over(input, &mut draft);
        drafts.changing.push(draft);
        return;
    };
    if (entry.ended)(observed, input.at) {
        match (entry.after_end)(observed, &entry.effective(&desired.spec), input.at) {
            AfterEnd::Refused(block) => draft.blocked.push(block),
            AfterEnd::Rests(_) if pair.found.is_some() => {}
            AfterEnd::Rests(note) => {
                if !note.is_empty() {
                    drafts.warn(&desired.id, &note);
                }
                drafts.unchanged.push(pair.clone());
                return;
            }
        }
    }
    // What ended since it was applied became what it becomes: nobody changed that outside. To
    // another thing that goes on with it nothing was applied.
    let renewed = pair.found.is_some() && stored.is_some_and(|stored| stored.observed.is_some());
    let applied = stored.filter(|_| !renewed).and_then(|stored| stored.last_applied.as_ref());
    let applied = applied.map(|applied| match over {
        Some(_) => Cow::Borrowed(applied),
        None => expiry::as_of(entry, applied, input.at),
    });
    let specs = (applied.as_deref(), observed);
    let mut difference = difference(entry, desired, &draft, specs, drafts);
    if pair.found.is_none() {
        difference = leave::without(input, entry, desired, &draft, difference, drafts);
    }
    draft.blocked.extend(difference.blocked);
    if (pair.found.is_some() || pair.taken_from.is_some()) && difference.replaces {
        let (what, hint) = if pair.found.is_some() {
            ("adopted", "declare it as it is, or leave the annotation external-id out")
        } else {
            ("taken over", "declare it as it is, or give this one a name of its own")
        };
        draft.blocked.push(Block::new(
            code::BLOCK_IMMUTABLE,
            format!(
                "what is there differs in fields that cannot be changed, so it cannot be {what}"
            ),
            hint,
        ));
    }
    draft.fields = difference.fields;
    (draft.action, draft.reason) = what_and_why(pair, &draft, difference.replaces);
    let ending = |field: &FieldChange| match entry.ending {
        Ending::Becomes(path, _) => field.path.strip_prefix("spec.") == Some(path),
        _ => false,
    };
    if over.is_some() && draft.fields.iter().any(ending) {
        draft.reason = Reason::Expired;
    }
    if let Some(stored) = stored {
        draft.fields.extend(diff::compare_metadata(&draft.metadata, &stored.metadata));
    }
    take_over(input, &mut draft);
    let stays = draft.action == Action::Update && pair.previous.is_none();
    if stays && draft.fields.is_empty() && draft.blocked.is_empty() {
        drafts.unchanged.push(pair.clone());
        return;
    }
    draft.after = Some(after(input, entry, desired, &draft));
    protect(entry, stored, &mut draft, input);
    drafts.changing.push(draft);
}

/// What is done with something whose end has come; true when it goes on being what it has become.
/// What is not there is not made any more.
fn ends(
    input: &PlanInput,
    entry: &KindEntry,
    pair: &Arc<Pair>,
    (desired, over): (&Resource, DateTime<Utc>),
    drafts: &mut Drafts,
) -> bool {
    let (stored, source) = (pair.stored.as_ref(), &desired.source);
    let over = over.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let metadata = diff::keep_protection(&desired.metadata, stored.map(|s| &s.metadata));
    let place = source.to_string();
    let place = if place.is_empty() { place } else { format!(" ({place})") };
    let leave = |drafts: &mut Drafts, what: &str| {
        drafts.warn(&desired.id, &format!("it expired {over}{place}, {what}"));
        drafts.unchanged.push(pair.clone());
        false
    };
    let own = stored.filter(|_| pair.found.is_none());
    let Some(own) = own.filter(|own| own.observed.is_some() || entry.ending == Ending::Goes) else {
        return leave(
            drafts,
            "and nothing is made of it: remove the manifest, or set a later `until`",
        );
    };
    if metadata.management() != Management::Manage {
        return leave(drafts, "and is left alone: it is only observed, or only created");
    }
    if entry.ending != Ending::Goes {
        return true;
    }
    let mut draft = removal(entry, pair, own, Reason::Expired, own.observed.is_none());
    if !draft.release {
        protect(entry, stored, &mut draft, input);
    }
    drafts.changing.push(draft);
    false
}

/// What differs, as far as partnerctl may change it; of what is only observed it is told.
fn difference(
    entry: &KindEntry,
    desired: &Resource,
    draft: &Draft,
    (last_applied, observed): (Option<&Spec>, &Spec),
    drafts: &mut Drafts,
) -> diff::Difference {
    let difference = diff::compare(entry, &desired.spec, last_applied, observed);
    match draft.metadata.management() {
        Management::Manage => return difference,
        Management::CreateOnly => {
            // What was changed outside is nobody's business here; another wish is somebody's.
            for field in difference.fields.iter().filter(|field| !field.drift) {
                let message = format!("only created, never changed: {}{LIFT}", sentence(field));
                drafts.warn(&desired.id, &message);
            }
        }
        Management::Observe => {
            for field in difference.fields {
                drafts.warn(&desired.id, &format!("only observed: {}{LIFT}", sentence(&field)));
                let (resource, source) = (desired.id.clone(), desired.source.clone());
                let only = OnlyObserved { resource, source, field, accepted: None };
                drafts.only_observed.push(only);
            }
        }
    }
    diff::Difference::default()
}

/// Says of what another set owned until now whose it becomes.
fn take_over(input: &PlanInput, draft: &mut Draft) {
    if let Some(set) = &draft.pair.taken_from {
        draft.fields.push(FieldChange {
            path: "metadata.set".to_owned(),
            before: Some((&**set).into()),
            after: Some(input.set.as_str().into()),
            drift: false,
        });
    }
}

/// The action and its reason for something that is there.
fn what_and_why(pair: &Pair, draft: &Draft, replaces: bool) -> (Action, Reason) {
    let only_drift = !draft.fields.is_empty() && draft.fields.iter().all(|field| field.drift);
    if pair.taken_from.is_some() {
        (Action::Adopt, Reason::Taken)
    } else if pair.found.is_some() {
        let reason = match pair.stored.as_ref().map(|stored| stored.observed.is_some()) {
            Some(true) => Reason::Renewed,
            Some(false) => Reason::Gone,
            None => Reason::Unmanaged,
        };
        (Action::Adopt, reason)
    } else if replaces {
        (Action::Replace, Reason::Changed)
    } else if let Some(previous) = &pair.previous {
        // A budget that moves between a selector and a manifest of its own keeps its meaning.
        let moves = previous.name.is_generated() || draft.id.name.is_generated();
        (if moves { Action::Update } else { Action::Rename }, Reason::Renamed)
    } else {
        (Action::Update, if only_drift { Reason::Drifted } else { Reason::Changed })
    }
}

/// The effective state after the change.
fn after(input: &PlanInput, entry: &KindEntry, desired: &Resource, draft: &Draft) -> Spec {
    if draft.action == Action::Replace {
        let mut made = entry.effective(&desired.spec);
        (entry.born)(&mut made, input.at);
        return made;
    }
    let mut after = draft.before.clone().unwrap_or_default();
    for field in &draft.fields {
        if let Some(path) = field.path.strip_prefix("spec.") {
            match &field.after {
                Some(value) => after.set(path, value.clone()),
                None => after.remove(path),
            }
        }
    }
    after
}

fn create(input: &PlanInput, entry: &KindEntry, draft: &mut Draft, desired: &Resource) {
    let mut after = entry.effective(&desired.spec);
    draft.fields = diff::fields_of(entry, &after)
        .into_iter()
        .map(|(path, value)| FieldChange {
            path: format!("spec.{path}"),
            before: None,
            after: Some(value.clone()),
            drift: false,
        })
        .collect();
    let gone = draft.pair.stored.as_ref().is_some_and(|stored| stored.last_applied.is_some());
    if gone {
        draft.reason = Reason::Gone;
        if (entry.bought)(&after) {
            draft.blocked.push(Block::new(
                code::BLOCK_GONE,
                "it was bought before and is no longer there; making it again would buy it again",
                "find out where it went; to buy it again, remove this one, apply, then declare it under a new name",
            ));
        }
    }
    (entry.born)(&mut after, input.at);
    draft.after = Some(after);
}

fn protect(entry: &KindEntry, stored: Option<&Stored>, draft: &mut Draft, input: &PlanInput) {
    let policy = stored.map_or(draft.metadata.deletion_policy(), |s| s.metadata.deletion_policy());
    let transition = Transition {
        id: &draft.id,
        before: draft.before.as_ref(),
        after: draft.after.as_ref(),
        at: input.at,
    };
    let stops = (entry.stops)(&transition) || draft.action == Action::Replace;
    if policy == DeletionPolicy::Protect && stops {
        let what = if draft.after.is_none() {
            entry.facts.deleting
        } else if draft.action == Action::Replace {
            "replace it"
        } else if matches!(
            transition.after.and_then(|s| s.text("state")),
            Some("Cancelled" | "Exchanged")
        ) {
            "cancel it"
        } else {
            "suspend it"
        };
        draft.blocked.push(Block::new(
            code::BLOCK_PROTECTED,
            format!("it is protected, and this would {what}"),
            "apply `partnerctl.dev/deletion-policy: Delete` on it first",
        ));
    }
}

fn undeclared(input: &PlanInput, pair: &Arc<Pair>, stored: &Stored, drafts: &mut Drafts) {
    let Some(entry) = input.kinds.get(stored.id.kind.as_str()) else { return };
    // What has ended stays in the store, and may be referred to.
    if stored.observed.as_ref().is_some_and(|observed| (entry.ended)(observed, input.at)) {
        return;
    }
    if input.scope != Scope::WholeAndPrune {
        drafts.undeclared.push(stored.clone());
        return;
    }
    let before = stored.observed.as_ref().map(|observed| entry.effective(observed));
    let release = before.is_none()
        || entry.only_released
        || stored.metadata.deletion_policy() == DeletionPolicy::Retain
        || stored.metadata.management() != Management::Manage;
    let mut draft = removal(entry, pair, stored, Reason::Undeclared, release);
    if !release {
        protect(entry, Some(stored), &mut draft, input);
    }
    drafts.changing.push(draft);
}

/// The removal of what a row stands for; a release only ends its management.
fn removal(
    entry: &KindEntry,
    pair: &Arc<Pair>,
    stored: &Stored,
    reason: Reason,
    release: bool,
) -> Draft {
    let before = stored.observed.as_ref().map(|observed| entry.effective(observed));
    let fields = stored.observed.as_ref().map(|spec| diff::fields_of(entry, spec));
    let fields = fields.unwrap_or_default();
    let fields = fields.into_iter().map(|(path, value)| FieldChange {
        path: format!("spec.{path}"),
        before: Some(value.clone()),
        after: None,
        drift: false,
    });
    Draft {
        id: stored.id.clone(),
        pair: pair.clone(),
        action: Action::Delete,
        reason,
        fields: if release { Vec::new() } else { fields.collect() },
        after: if release { before.clone() } else { None },
        before,
        metadata: stored.metadata.clone(),
        release,
        blocked: pair.blocked.clone(),
        waiting: pair.waiting.clone(),
        suspended: None,
        policies: Vec::new(),
        refund: None,
        exchange: None,
    }
}

impl Drafts {
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

    fn operation(&self, entry: &KindEntry, input: &PlanInput) -> String {
        let outside = self.fields.iter().any(|field| field.path.starts_with("spec."));
        let operation = match self.action {
            _ if self.release => "Release from management",
            Action::Adopt if !outside => "Take under management",
            Action::Rename | Action::Update if !outside => "Record name and metadata",
            _ => (entry.operation)(&self.transition(input)),
        };
        operation.to_owned()
    }

    /// The change as users see it; its place in the order comes later.
    #[must_use]
    pub fn change(&self, input: &PlanInput, worlds: &Worlds) -> Change {
        let Self { id, pair, action, reason, fields, metadata, release, blocked, waiting, .. } =
            self;
        let entry = input.kinds.get(id.kind.as_str());
        let stored = pair.stored.as_ref();
        let transition = self.transition(input);
        let undeclared = || stored.map(|stored| stored.source.clone()).unwrap_or_default();
        Change {
            id: id.clone(),
            kind: id.kind.to_string(),
            name: id.name.to_string(),
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
            operation: entry.map(|entry| self.operation(entry, input)).unwrap_or_default(),
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
            depends_on: Vec::new(),
            customer: worlds.customer_of(id).map(|customer| customer.name.to_string()),
        }
    }
}
