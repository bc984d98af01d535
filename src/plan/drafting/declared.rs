//! What becomes of something that is declared: made, changed, replaced, left, or ended.

use super::removed::{protect, removal};
use crate::kinds::{AfterEnd, Block, Ending, KindEntry, expiry};
use crate::model::resource::Management;
use crate::model::{Resource, Spec, code};
use crate::plan::change::{Action, FieldChange, OnlyObserved, Reason};
use crate::plan::draft::{Draft, Drafts, sentence};
use crate::plan::pair::Pair;
use crate::plan::{PlanInput, diff, leave};
use chrono::{DateTime, SecondsFormat, Utc};
use std::borrow::Cow;
use std::sync::Arc;

/// How what is only observed or created is changed after all.
const LIFT: &str = "; with `partnerctl.dev/management: Manage` apply would change it";

/// Compares what is declared with what is there.
pub(super) fn declared(
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
    let stored = pair.stored.as_deref();
    let metadata = diff::keep_protection(&desired.metadata, stored.map(|s| &s.metadata));
    let mut draft = Draft {
        before: pair.observed().map(|observed| entry.effective(observed)),
        ..Draft::of(pair, &desired.id, (Action::Create, Reason::New), metadata)
    };
    let Some(observed) = pair.observed() else {
        absent(input, entry, desired, draft, drafts);
        return;
    };
    if (entry.ended)(observed, input.at)
        && rests(input, entry, desired, observed, &mut draft, drafts)
    {
        drafts.unchanged.push(pair.clone());
        return;
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
        draft.blocked.push(immutable(pair));
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

/// What becomes of something that is declared and not there.
fn absent(
    input: &PlanInput,
    entry: &KindEntry,
    desired: &Resource,
    mut draft: Draft,
    drafts: &mut Drafts,
) {
    let stored = draft.pair.stored.as_deref();
    let was_there = stored.is_some_and(|stored| stored.last_applied.is_some());
    if was_there && leave::stays_gone(input, entry, desired) {
        drafts.warn(&desired.id, "it vanished outside, and is left alone");
        return;
    }
    if draft.metadata.management() == Management::Observe && draft.blocked.is_empty() {
        drafts.warn(&desired.id, "it is only observed, and nothing is there to observe");
        drafts.unchanged.push(draft.pair.clone());
        return;
    }
    create(input, entry, &mut draft, desired);
    take_over(input, &mut draft);
    drafts.changing.push(draft);
}

/// True when something that has ended outside is left as it is. Where more is wanted of it than it can
/// still give, that is blocked.
fn rests(
    input: &PlanInput,
    entry: &KindEntry,
    desired: &Resource,
    observed: &Spec,
    draft: &mut Draft,
    drafts: &mut Drafts,
) -> bool {
    match (entry.after_end)(observed, &entry.effective(&desired.spec), input.at) {
        AfterEnd::Refused(block) => {
            draft.blocked.push(block);
            false
        }
        AfterEnd::Rests(_) if draft.pair.found.is_some() => false,
        AfterEnd::Rests(note) => {
            if !note.is_empty() {
                drafts.warn(&desired.id, &note);
            }
            true
        }
    }
}

/// Why something that is there does not become the one that is declared: it would have to be made anew.
fn immutable(pair: &Pair) -> Block {
    let (what, hint) = if pair.found.is_some() {
        ("adopted", "declare it as it is, or leave the annotation external-id out")
    } else {
        ("taken over", "declare it as it is, or give this one a name of its own")
    };
    let why =
        format!("what is there differs in fields that cannot be changed, so it cannot be {what}");
    Block::new(code::BLOCK_IMMUTABLE, why, hint)
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
    let (stored, source) = (pair.stored.as_deref(), &desired.source);
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
            for field in difference.fields.iter().filter(|field| !field.is_put_back()) {
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
        let (was, is) = (Some((&**set).into()), Some(input.set.as_ref().into()));
        draft.fields.push(FieldChange::new("metadata.set".to_owned(), was, is));
    }
}

/// The action and its reason for something that is there.
fn what_and_why(pair: &Pair, draft: &Draft, replaces: bool) -> (Action, Reason) {
    let only_drift = !draft.fields.is_empty() && draft.fields.iter().all(FieldChange::is_put_back);
    if pair.taken_from.is_some() {
        (Action::Adopt, Reason::Taken)
    } else if pair.found.is_some() {
        let reason = match pair.stored.as_deref().map(|stored| stored.observed.is_some()) {
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
        .map(|(path, value)| FieldChange::new(format!("spec.{path}"), None, Some(value.clone())))
        .collect();
    let gone = draft.pair.stored.as_deref().is_some_and(|stored| stored.last_applied.is_some());
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
