//! Saved plans and approvals as commands need them: read, checked against the store, written.

use crate::cli::error::{CommandError, Exit};
use crate::cli::settings::quoted;
use crate::engine::{Workspace, machine};
use crate::kinds::{AgentRole, Staff};
use crate::plan::Plan;
use crate::plan::saved::{self, Refused};
use crate::store::{Approval, Store};
use anyhow::Context;
use chrono::{TimeDelta, Utc};
use std::collections::BTreeSet;
use std::path::Path;

/// Hours for which a saved plan, or an approval, holds, unless `--plan-ttl` says otherwise.
pub const TTL_HOURS: i64 = 24;

impl From<Refused> for CommandError {
    fn from(refused: Refused) -> Self {
        Self::new(refused).exit(Exit::Conflict).hint("nothing was applied; plan again")
    }
}

/// Reads a saved plan of this workspace's set that is neither altered nor too old.
pub fn read(path: &Path, workspace: &Workspace, ttl: TimeDelta) -> Result<Plan, CommandError> {
    let plan = parse(path)?;
    saved::check_age(&plan, Utc::now(), ttl)?;
    let set = workspace.set();
    if plan.set != set {
        let message = format!("the plan is for the set {}, this workspace is {set}", plan.set);
        return Err(CommandError::new(message)
            .exit(Exit::Conflict)
            .hint("go to its workspace, or name it with --workspace"));
    }
    check_policies(&plan, workspace)?;
    Ok(plan)
}

/// Reads a saved plan, however old.
pub fn parse(path: &Path) -> Result<Plan, CommandError> {
    if path.is_dir() {
        return Err(no_plan(path));
    }
    let bytes =
        std::fs::read(path).with_context(|| format!("cannot read the plan {}", path.display()))?;
    if !saved::is_meant(&bytes) {
        return Err(no_plan(path));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Refused::Altered { why: "it is not UTF-8".to_owned() })?;
    Ok(saved::read(&text)?)
}

/// Refuses what is something else than a plan, most often manifests given without -f.
fn no_plan(path: &Path) -> CommandError {
    let path = path.display().to_string();
    let hint = format!("for manifests: `partnerctl apply -f {}`", quoted(&path));
    CommandError::new(format!("{path} is no saved plan")).hint(hint)
}

/// Writes a plan into a file: whole, or not at all.
pub fn write(plan: &Plan, path: &Path) -> Result<(), CommandError> {
    machine::write_whole(path, saved::text(plan).as_bytes())
        .with_context(|| format!("cannot write the plan to {}", path.display()))?;
    Ok(())
}

/// Refuses a plan of another store, and one made without a store where there is something by now.
pub fn check_store(plan: &Plan, store: Option<&dyn Store>) -> Result<(), CommandError> {
    let conflict = |message: String| {
        Err(CommandError::new(message)
            .exit(Exit::Conflict)
            .hint("nothing was applied; plan again against this store"))
    };
    match (&plan.lineage, store) {
        (None, None) => Ok(()),
        (None, Some(store)) => {
            let is_empty = store.head()?.seq == 0
                && store.resources()?.is_empty()
                && store.actual()?.is_empty()
                && store.intents()?.is_empty();
            if is_empty {
                return Ok(());
            }
            conflict("the plan was made without a store, and the store is not empty now".to_owned())
        }
        (Some(lineage), None) => {
            conflict(format!("the plan is for the store {lineage}, and there is no store"))
        }
        (Some(lineage), Some(store)) if store.lineage() != lineage => {
            conflict(format!("the plan is for the store {lineage}, this is {}", store.lineage()))
        }
        (Some(_), Some(_)) => Ok(()),
    }
}

/// Refuses a plan that was applied, or begun, before.
pub fn check_not_applied(plan: &Plan, store: &dyn Store) -> Result<(), CommandError> {
    let Some(apply) = store.apply_of(&plan.digest)? else { return Ok(()) };
    let at = apply.begun_at.format("%Y-%m-%d %H:%M:%S");
    let how = match apply.end {
        Some(end) if end.failed + end.unknown + end.not_begun == 0 => "was applied",
        _ => "was begun, and did not come to its end,",
    };
    let message = format!("the plan {how} {at} UTC by {}", apply.actor);
    Err(CommandError::new(message).exit(Exit::Conflict).hint("plan again; what is done is done"))
}

/// Who approved a plan, not too long ago.
pub fn approvers(
    store: &dyn Store,
    plan_id: &str,
    ttl: TimeDelta,
) -> Result<Vec<String>, CommandError> {
    let (approvals, now) = (store.approvals()?, Utc::now());
    let is_for_it = |given: &Approval| given.plan_id == plan_id;
    let valid = approvals.into_iter().filter(|given| is_for_it(given));
    Ok(valid.filter(|given| saved::holds(given.at, now, ttl)).map(|given| given.actor).collect())
}

/// True when somebody of the staff approved this very plan, not too long ago, and has the roles that
/// its policies ask of whoever approves.
pub fn is_approved(
    staff: &Staff,
    store: &dyn Store,
    plan_id: &str,
    roles: &BTreeSet<AgentRole>,
    ttl: TimeDelta,
) -> Result<bool, CommandError> {
    let approvers = approvers(store, plan_id, ttl)?;
    let may = |role: &AgentRole| approvers.iter().any(|who| !staff.lacks(who, *role));
    Ok(!approvers.is_empty() && roles.iter().all(may))
}

/// Refuses a plan that was made under other policies than the workspace has now.
fn check_policies(plan: &Plan, workspace: &Workspace) -> Result<(), CommandError> {
    let then = plan.policies.as_ref().map(|said| said.digest.clone());
    if then == workspace.policies.digest() {
        return Ok(());
    }
    let message = "the policies of partnerctl.yaml are others than when the plan was made";
    Err(CommandError::new(message).exit(Exit::Conflict).hint("nothing was applied; plan again"))
}
