//! `plan(&PlanInput) -> Plan`: what to do so that what is becomes what is declared.
//!
//! Pure: no clock, file, store, network or randomness. After it nothing decides.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod apart;
pub mod basis;
mod belonging;
pub mod brakes;
pub mod change;
pub mod compare;
pub mod diff;
pub mod draft;
pub mod drafting;
pub mod drift;
mod identity;
pub mod input;
pub mod intent;
pub mod judge;
pub mod leave;
pub mod markdown;
mod markup;
pub mod money;
pub mod order;
pub mod pair;
pub mod policy;
pub mod records;
pub mod render;
pub mod roles;
pub mod saved;
pub mod selection;
pub mod settle;
pub mod undo;
pub mod unended;
pub mod why;

pub use change::{Action, Change, Plan, Reason, Summary};
pub use identity::digest_of;
pub use input::{LeftOut, Limits, PlanInput, Scope};
pub use selection::Selection;

use crate::model::parallel::{ALONE_MAX, both, let_go, map};
use crate::model::text::counted;
use crate::model::{Source, Stored, Suspension};
use crate::plan::change::{PLAN_API_VERSION, Undeclared, Warning};
use crate::plan::draft::Drafts;
use crate::plan::order::Placed;
use chrono::SecondsFormat;

/// Makes the plan.
#[must_use]
pub fn plan(input: &PlanInput) -> Plan {
    let pairs = pair::pair(input);
    let mut drafts: Drafts = drafting::draft(input, &pairs);
    settle::mark_exchanged(&mut drafts, &pairs);
    let worlds = judge::judge(input, &pairs, &mut drafts);
    let mut placed = order::order(input, &worlds, &drafts.changing);
    let outside = (!input.selection.is_everything()).then_some(drafts.outside.len());
    placed.retain(|placed| !drafts.outside.contains(&placed.draft.id));
    let mut changes: Vec<Change> =
        map(&placed, |Placed { draft, customer }| draft.change(input, &worlds, customer.as_ref()));
    drop(placed);
    let unchanged = drafts.unchanged.len() + input.left_out.chosen;
    let summary = Summary { undeclared: drafts.undeclared.len(), ..summary(&changes, unchanged) };
    let ailments = worlds.ailments(&drafts);
    let ended_suspensions = ended_suspensions(input);
    let mut warnings = drafts.warnings.clone();
    warnings.extend(ailments.iter().map(|(resource, (_, message))| Warning {
        resource: Some(resource.clone()),
        message: message.clone(),
    }));
    warnings.extend(of_the_whole(input, !changes.is_empty(), &ended_suspensions));
    warnings.sort();
    let sources: Vec<Source> =
        changes.iter_mut().map(|change| std::mem::take(&mut change.source)).collect();
    let is_much = changes.len() >= ALONE_MAX;
    let (basis, (records, money)) = both(
        is_much,
        || basis::basis(input, &changes, &drafts, &pairs, &worlds),
        || {
            let records = records::records(input, &drafts, &worlds, &ailments, &changes);
            (records, money::totals(input, &changes, &worlds))
        },
    );
    let hashed = identity::hash(input.lineage.as_deref(), &input.set, &changes, &sources);
    identity::put_back(&mut changes, sources);
    let mut plan = Plan {
        api_version: PLAN_API_VERSION.to_owned(),
        id: String::new(),
        lineage: input.lineage.clone(),
        created_at: input.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        actor: input.actor.clone(),
        set: input.set.to_string(),
        summary,
        money,
        basis,
        records,
        outside,
        only_observed: std::mem::take(&mut drafts.only_observed),
        ended_suspensions: if input.selection.chooses_all() {
            ended_suspensions
        } else {
            Vec::new()
        },
        policies: policy::report(&input.policies, &changes),
        changes,
        refused: Vec::new(),
        warnings,
        undeclared: undeclared(&drafts),
        digest: String::new(),
    };
    plan.id = hashed.id(&plan);
    if !is_overridden(input, &mut plan) {
        plan.refused = brakes::refusals(input, &plan, &worlds);
    }
    let_go(plan.changes.len(), (drafts, pairs, worlds));
    plan.digest = hashed.digest(&plan);
    plan
}

/// What stays although no manifest declares it any more.
fn undeclared(drafts: &Drafts) -> Vec<Undeclared> {
    let of =
        |stored: &Stored| Undeclared { resource: stored.id.clone(), source: stored.source.clone() };
    drafts.undeclared.iter().map(of).collect()
}

/// True when somebody has said that this very plan is meant, whatever the brakes say.
fn is_overridden(input: &PlanInput, plan: &mut Plan) -> bool {
    input.override_id.as_ref().is_some_and(|wanted| {
        *wanted == plan.id || (input.manages_nothing() && *wanted == identity::first_id_of(plan))
    })
}

/// Counts the changes beside what stays as it is.
fn summary(changes: &[Change], unchanged: usize) -> Summary {
    let mut summary = Summary { unchanged, ..Summary::default() };
    for change in changes {
        if !change.blocked.is_empty() {
            summary.blocked += 1;
        } else if change.waiting.is_some() {
            summary.waiting += 1;
        } else {
            summary.count(change.action);
        }
        summary.drifted += usize::from(change.fields.iter().any(|field| field.drift));
    }
    summary
}

/// What is to be known beside every change: who is not checked, which suspensions have ended, what is
/// still open.
fn of_the_whole(input: &PlanInput, has_changes: bool, ended: &[Suspension]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if has_changes && !input.staff.is_checked() {
        let message = "agent roles are not checked, as the store has no partner users".to_owned();
        warnings.push(Warning { resource: None, message });
    }
    warnings.extend(
        ended
            .iter()
            .map(|one| Warning { resource: Some(one.resource.clone()), message: has_ended(one) }),
    );
    if !input.intents.is_empty() {
        let number = counted(input.intents.len(), "operation");
        let message = format!(
            "{number} outside of the store without a known end: `partnerctl resume`, then `partnerctl repair`"
        );
        warnings.push(Warning { resource: None, message });
    }
    warnings
}

/// The suspensions of the set that have ended by themselves: told until an apply went well.
fn ended_suspensions(input: &PlanInput) -> Vec<Suspension> {
    let mine = |one: &&Suspension| *one.set == *input.set && one.has_ended(input.at);
    input.suspensions.iter().filter(mine).cloned().collect()
}

/// That a suspension has ended, in words.
fn has_ended(one: &Suspension) -> String {
    let what = if one.with_all_of_it { "everything of it is" } else { "it is" };
    format!("its suspension has ended, {what} changed again; it was suspended {}", one.story())
}
