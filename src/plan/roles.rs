//! Whether who plans may do what is planned (domain.md 8), by the roles that are stored: nobody gives
//! himself a role and uses it in the same plan.

use crate::kinds::{
    AgentRole, Block, KindEntry, Kinds, Permit, Staff, Transition, agent, permit, staff,
};
use crate::model::{Spec, Value, code};
use crate::plan::draft::Draft;
use crate::plan::{Action, Change, Plan, PlanInput};
use chrono::DateTime;
use std::collections::BTreeSet;

/// Names told of those who could do it instead.
const NAMES_MAX: usize = 3;

/// What the roles of who plans say against a change; nothing while there are no partner users.
#[must_use]
pub fn against(input: &PlanInput, draft: &Draft) -> Vec<Block> {
    let staff = &input.staff;
    let Some(entry) = input.kinds.get(draft.id.kind.as_str()).filter(|_| staff.is_checked()) else {
        return Vec::new();
    };
    refusals(entry, staff, draft.release, &draft.transition(input))
}

/// What the roles of who acts say against a transition.
#[must_use]
pub fn refusals(
    entry: &KindEntry,
    staff: &Staff,
    release: bool,
    transition: &Transition<'_>,
) -> Vec<Block> {
    let held = staff.roles(staff.actor());
    permit::asked(entry.facts.kind, entry.facts.roles, release, transition)
        .into_iter()
        .filter(|permit| !permit.lets(held))
        .map(|permit| Block::new(code::BLOCK_ROLE, message(&permit, staff), hint(&permit, staff)))
        .collect()
}

fn message(permit: &Permit, staff: &Staff) -> String {
    let actor = staff.actor();
    let has = match staff.roles(actor) {
        [] if staff.knows(actor) => format!("{actor} has no role"),
        [] => format!("{actor} is no partner user"),
        roles => format!("{actor} has {}", agent::all_of(roles)),
    };
    format!("{} needs {}, and {has}", permit.what, needs(permit))
}

fn needs(permit: &Permit) -> String {
    if permit.all { agent::all_of(permit.roles) } else { agent::one_of(permit.roles) }
}

/// Who could do it: a few by name, else who could give the role.
fn hint(permit: &Permit, staff: &Staff) -> String {
    let names: Vec<String> = staff
        .people()
        .filter(|(_, held)| permit.lets(held))
        .map(|(name, held)| {
            let of_these = |role: &&AgentRole| held.contains(role);
            let roles: Vec<AgentRole> = permit.roles.iter().filter(of_these).copied().collect();
            format!("{name} ({})", agent::all_of(&roles))
        })
        .collect();
    if names.is_empty() {
        let givers: Vec<&str> =
            permit::STAFF.iter().flat_map(|role| staff.holders(*role)).take(NAMES_MAX).collect();
        return if givers.is_empty() {
            format!("nobody has {}: give it in the portal", needs(permit))
        } else {
            format!(
                "nobody has {}: {} could give it, by a plan of its own",
                needs(permit),
                givers.join(", ")
            )
        };
    }
    let more = match names.len().saturating_sub(NAMES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let few: Vec<String> = names.into_iter().take(NAMES_MAX).collect();
    format!("it can be done by {}{more}", few.join(", "))
}

/// What the roles of who acts now say against a plan that was made before, perhaps by somebody else:
/// each reason with its remedy once. `observed` is the state
/// of a change's resource now.
#[must_use]
pub fn against_plan<'a>(
    plan: &Plan,
    kinds: &Kinds,
    staff: &Staff,
    observed: impl Fn(&Change) -> Option<&'a Spec>,
) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    if !staff.is_checked() {
        return found;
    }
    for change in plan.proceeding() {
        let Some(entry) = kinds.get(change.kind.as_str()) else { continue };
        let before = observed(change).map(|observed| entry.effective(observed));
        let after = after(entry, change, before.as_ref());
        let (before, after) = (before.as_ref(), after.as_ref());
        let transition = Transition { id: &change.id, before, after, at: DateTime::UNIX_EPOCH };
        for block in refusals(entry, staff, change.release, &transition) {
            found.insert((block.message, block.hint));
        }
    }
    found
}

/// The state after a change, as far as its plan tells.
fn after(entry: &KindEntry, change: &Change, before: Option<&Spec>) -> Option<Spec> {
    if change.action == Action::Delete {
        return None;
    }
    if change.action.makes() {
        return change.desired.as_ref().map(|desired| entry.effective(&desired.spec));
    }
    let mut after = before.cloned().unwrap_or_default();
    for field in &change.fields {
        let Some(path) = field.path.strip_prefix("spec.") else { continue };
        match &field.after {
            Some(value) => after.set(path, value.clone()),
            None => after.remove(path),
        }
    }
    Some(after)
}

/// Roles that nobody would hold any more after the proceeding changes of a plan, though somebody does
/// now, of those that somebody must hold.
#[must_use]
pub fn lost(plan: &Plan, kinds: &Kinds, staff: &Staff) -> Vec<AgentRole> {
    let mut then = staff.clone();
    for change in
        plan.proceeding().filter(|change| change.kind.as_str() == staff::KIND && !change.release)
    {
        let Some(entry) = kinds.get(change.kind.as_str()) else { continue };
        let name = change.desired.as_ref().and_then(|d| d.spec.text("userPrincipalName"));
        let gone = change.fields.iter().find(|field| field.path == "spec.userPrincipalName");
        let name = name.or_else(|| gone?.before.as_ref()?.as_str());
        let Some(name) = name else { continue };
        let mut before = Spec::default();
        before.set("userPrincipalName", name.into());
        let held = staff.roles(name).iter().map(|role| Value::from(role.as_str())).collect();
        before.set("roles", Value::Array(held));
        match after(entry, change, Some(&before)) {
            Some(after) => then.put(&after),
            None => then.take(&before),
        }
    }
    let gone = |role: &AgentRole| {
        staff.holders(*role).next().is_some() && then.holders(*role).next().is_none()
    };
    permit::KEPT.iter().copied().filter(gone).collect()
}
