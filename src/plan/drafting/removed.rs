//! What becomes of something that is declared no longer, or whose end has come; and what is protected
//! from that.

use crate::kinds::{Block, KindEntry, Transition};
use crate::model::resource::{DeletionPolicy, Management};
use crate::model::{Stored, code};
use crate::plan::change::{Action, FieldChange, Reason};
use crate::plan::draft::{Draft, Drafts};
use crate::plan::pair::Pair;
use crate::plan::{PlanInput, Scope, diff};
use std::sync::Arc;

pub(super) fn protect(
    entry: &KindEntry,
    stored: Option<&Stored>,
    draft: &mut Draft,
    input: &PlanInput,
) {
    let policy = stored.map_or(draft.metadata.deletion_policy(), |s| s.metadata.deletion_policy());
    let transition = Transition {
        id: &draft.id,
        before: draft.before.as_ref(),
        after: draft.after.as_ref(),
        at: input.at,
    };
    let stops = (entry.stops)(&transition) || draft.action == Action::Replace;
    let stops = stops && draft.before.is_some();
    if policy == DeletionPolicy::Protect && stops {
        let state = transition.after.and_then(|spec| spec.text("state"));
        let what = match (draft.action, state) {
            (Action::Replace, _) => "replace it",
            (_, Some("Cancelled" | "Exchanged")) => "cancel it",
            (_, Some("Suspended")) => "suspend it",
            _ => entry.facts.deleting,
        };
        draft.blocked.push(Block::new(
            code::BLOCK_PROTECTED,
            format!("it is protected, and this would {what}"),
            "apply `partnerctl.dev/deletion-policy: Delete` on it first",
        ));
    }
}

pub(super) fn undeclared(
    input: &PlanInput,
    pair: &Arc<Pair>,
    stored: &Stored,
    drafts: &mut Drafts,
) {
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
pub(super) fn removal(
    entry: &KindEntry,
    pair: &Arc<Pair>,
    stored: &Stored,
    reason: Reason,
    release: bool,
) -> Draft {
    let before = stored.observed.as_ref().map(|observed| entry.effective(observed));
    let fields = stored.observed.as_ref().map(|spec| diff::fields_of(entry, spec));
    let fields = fields.unwrap_or_default();
    let fields = fields
        .into_iter()
        .map(|(path, value)| FieldChange::new(format!("spec.{path}"), Some(value.clone()), None));
    Draft {
        fields: if release { Vec::new() } else { fields.collect() },
        after: if release { before.clone() } else { None },
        before,
        release,
        ..Draft::of(pair, &stored.id, (Action::Delete, reason), stored.metadata.clone())
    }
}
