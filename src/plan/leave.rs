//! What was changed outside and stays as it is: all of it, what moves money, or what is accepted.

use crate::kinds::{KindEntry, Risk, Transition};
use crate::model::{Accepted, Resource, ResourceId, Spec};
use crate::plan::PlanInput;
use crate::plan::change::{FieldChange, OnlyObserved};
use crate::plan::diff::{self, Difference};
use crate::plan::draft::{Draft, Drafts, sentence};
use crate::plan::selection::Drift;

/// Whether something that vanished outside stays gone.
#[must_use]
pub fn stays_gone(input: &PlanInput, entry: &KindEntry, desired: &Resource) -> bool {
    match input.selection.drift {
        Drift::PutBack => false,
        Drift::Leave => true,
        Drift::LeaveMoney => {
            let made = entry.effective(&desired.spec);
            moves_money(input, entry, &desired.id, (None, Some(&made)))
        }
    }
}

/// What differs when what was changed outside, and is to stay so, stays as it is. It is told.
#[must_use]
pub fn without(
    input: &PlanInput,
    entry: &KindEntry,
    desired: &Resource,
    draft: &Draft,
    difference: Difference,
    drafts: &mut Drafts,
) -> Difference {
    let Some(observed) = draft.pair.observed() else { return difference };
    let accepted = draft.metadata.accepted();
    let mut as_declared = observed.clone();
    let mut any = false;
    for field in difference.fields.iter().filter(|field| field.drift) {
        let (id, what) = (&desired.id, sentence(field));
        let mine: Option<&Accepted> = accepted.iter().find(|one| one.path == field.path);
        if field.edited {
            // What is declared anew is somebody's wish, and goes ahead.
            if let Some(Accepted { path, until, reason }) = mine {
                let over = format!("{path} is accepted until {until}, {reason}");
                drafts.warn(id, &format!("{over}: another value is declared since"));
            }
            continue;
        }
        if let Some(one) = mine.filter(|one| !one.has_ended(input.at)) {
            let Accepted { path: _, until, reason } = one;
            drafts.warn(id, &format!("accepted until {until}, {reason}: {what}"));
            drafts.only_observed.push(OnlyObserved {
                resource: id.clone(),
                source: desired.source.clone(),
                field: field.clone(),
                accepted: Some(format!("until {until}: {reason}")),
            });
        } else {
            if let Some(Accepted { path, until, reason }) = mine {
                drafts.warn(
                    id,
                    &format!("{path} was accepted until {until}, {reason}: that is over"),
                );
            }
            if !leaves(input, entry, draft, field) {
                continue;
            }
            drafts.warn(id, &format!("changed outside, and left alone: {what}"));
            drafts.left.insert(id.clone());
        }
        any = true;
        if let (Some(path), Some(value)) = (field.path.strip_prefix("spec."), &field.after) {
            as_declared.set(path, value.clone());
        }
    }
    if !any {
        return difference;
    }
    let last_applied = draft.pair.stored.as_ref().and_then(|stored| stored.last_applied.as_ref());
    diff::compare(entry, &desired.spec, last_applied, &as_declared)
}

/// Whether a value that was changed outside is left alone by this pass.
fn leaves(input: &PlanInput, entry: &KindEntry, draft: &Draft, field: &FieldChange) -> bool {
    match input.selection.drift {
        Drift::PutBack => false,
        Drift::Leave => true,
        Drift::LeaveMoney => {
            let (Some(is), Some(path)) = (&draft.before, field.path.strip_prefix("spec.")) else {
                return true;
            };
            let mut put_back = is.clone();
            match &field.after {
                Some(value) => put_back.set(path, value.clone()),
                None => put_back.remove(path),
            }
            moves_money(input, entry, &draft.id, (Some(is), Some(&put_back)))
        }
    }
}

/// Whether a change spends or stops money, or lets another amount be spent each month.
fn moves_money(
    input: &PlanInput,
    entry: &KindEntry,
    id: &ResourceId,
    (before, after): (Option<&Spec>, Option<&Spec>),
) -> bool {
    let monthly = |spec: Option<&Spec>| entry.monthly.and_then(|monthly| monthly(spec?));
    let transition = Transition { id, before, after, at: input.at };
    monthly(before) != monthly(after) || (entry.risk)(&transition) > Risk::Reversible
}
