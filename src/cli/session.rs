//! What `plan`, `apply` and the looking commands share: open the store, read the manifests, plan.

use crate::cli::error::{CommandError, Exit};
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::gather::{from_workspace, load};
use crate::engine::lease::{self, Held, SharedStore};
use crate::engine::tree::{Texts, read_roots};
use crate::engine::{Gathered, Workspace, machine};
use crate::manifest::{Manifests, report};
use crate::model::text::{counted, printable};
use crate::model::{Severity, Stored};
use crate::plan::{Plan, PlanInput, Scope, plan};
use crate::store::{self, Lease, Missing, Store};
use chrono::{DateTime, Utc};
use clap::Args;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Options of `plan` and `apply`.
#[derive(Args, Debug, Clone)]
pub struct PassArgs {
    #[command(flatten)]
    pub files: FileArgs,
    /// Delete what the set owns and the manifests no longer declare
    #[arg(long)]
    pub prune: bool,
    /// Let the brakes of exactly this plan go
    #[arg(long = "override", value_name = "PLAN-ID")]
    pub override_id: Option<String>,
}

/// Opens the store, when there is one.
pub fn open(
    settings: &Settings,
    workspace: &Workspace,
    missing: Missing,
) -> Result<Option<Box<dyn Store>>, CommandError> {
    let url = settings.store_url(workspace);
    let pinned = workspace.file.lineage.as_ref().map(ToString::to_string);
    // A pin is checked before anything is made: an empty store is another one.
    let missing = if pinned.is_some() { Missing::Leave } else { missing };
    let store = store::open(&url, missing)?;
    let found = store.as_ref().map(|store| store.lineage().to_owned());
    if let Some(pinned) = pinned.filter(|pinned| found.as_ref() != Some(pinned)) {
        let found = found.unwrap_or_else(|| "no store at all".to_owned());
        let message = format!("partnerctl.yaml pins the lineage {pinned}, but {url} has {found}");
        return Err(CommandError::new(message)
            .exit(Exit::Conflict)
            .hint("point --store or PARTNERCTL_STORE at the right store"));
    }
    Ok(store)
}

/// Opens a store that must be there.
pub fn open_existing(
    settings: &Settings,
    workspace: &Workspace,
) -> Result<Box<dyn Store>, CommandError> {
    open(settings, workspace, Missing::Leave)?.ok_or_else(|| {
        let message = format!("there is no store at {} yet", settings.store_url(workspace));
        CommandError::new(message).hint("`partnerctl apply` makes it")
    })
}

/// What was read: once, since standard input cannot be read again and files may change.
pub struct Input {
    /// The texts of the manifests.
    pub texts: Texts,
    /// Whether they are the whole set.
    pub whole: bool,
}

/// Reads the texts of the manifests.
pub fn read(
    settings: &Settings,
    workspace: &Workspace,
    args: &PassArgs,
) -> Result<Input, CommandError> {
    let (roots, whole) = settings.roots(&args.files, workspace)?;
    if args.prune && !whole {
        return Err(CommandError::new("--prune needs the whole set, and -f names a part of it")
            .hint("leave -f out, so that the workspace's manifests are read"));
    }
    Ok(Input { texts: read_roots(&roots, &mut std::io::stdin().lock()), whole })
}

/// Takes the lease, waiting for whoever holds it.
pub fn hold(
    store: &SharedStore,
    actor: &str,
    timeout: Duration,
    ui: &mut Ui,
) -> Result<Held, CommandError> {
    let waiting = |lease: &Lease| {
        ui.say(&format!("waiting for another apply: {}", printable(&lease.to_string())));
    };
    lease::hold(store, &machine::this_process(actor), timeout, waiting)?.map_err(|lease| {
        CommandError::new(format!("another apply is under way: {lease}"))
            .exit(Exit::Conflict)
            .hint("wait for it; a holder that is gone is replaced without your help")
    })
}

/// Chance for the ids of what is made.
pub fn nonce() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Checks the manifests and shows what is wrong with them.
///
/// # Errors
/// When anything is wrong: nothing is planned then.
pub fn manifests(
    settings: &Settings,
    input: &Input,
    stored: &[Stored],
    ui: &mut Ui,
) -> Result<Manifests, CommandError> {
    let manifests = load(&settings.kinds, input.texts.clone(), stored);
    let errors = manifests.problems.iter().filter(|p| p.severity() == Severity::Error).count();
    if errors > 0 {
        ui.warn(report::text(&manifests.problems, &manifests.texts, false).trim_end());
        return Err(CommandError::new(format!("{} in the manifests", counted(errors, "error")))
            .hint("nothing was planned or applied; mend them first"));
    }
    for warning in &manifests.problems {
        let place = warning.locations.first().map(|at| format!("{}:{}: ", at.file, at.span.line));
        let (code, place) = (warning.code, place.unwrap_or_default());
        let line = format!("warning[{code}]: {place}{}", warning.message);
        ui.say(&printable(&line));
    }
    Ok(manifests)
}

/// Plans a pass.
pub fn make_plan(
    settings: &Settings,
    workspace: &Workspace,
    args: &PassArgs,
    input: &Input,
    at: DateTime<Utc>,
    gathered: &Gathered,
    ui: &mut Ui,
) -> Result<Plan, CommandError> {
    plan_input(settings, workspace, args, input, at, gathered, ui).map(|input| plan(&input))
}

/// What a pass is planned from.
pub fn plan_input(
    settings: &Settings,
    workspace: &Workspace,
    args: &PassArgs,
    input: &Input,
    at: DateTime<Utc>,
    gathered: &Gathered,
    ui: &mut Ui,
) -> Result<PlanInput, CommandError> {
    let manifests = manifests(settings, input, &gathered.stored, ui)?;
    if manifests.resources.is_empty()
        && input.texts.texts.values().all(|text| text.trim().is_empty())
    {
        ui.say("warning: there are no manifests");
    }
    let scope = match (input.whole, args.prune) {
        (true, true) => Scope::WholeAndPrune,
        (true, false) => Scope::Whole,
        (false, _) => Scope::Part,
    };
    Ok(PlanInput {
        kinds: settings.kinds.clone(),
        at,
        lineage: gathered.lineage.clone(),
        set: workspace.set(),
        actor: settings.actor(workspace),
        desired: from_workspace(manifests.resources, &workspace.folder),
        stored: gathered.stored.clone(),
        unmanaged: gathered.unmanaged.clone(),
        scope,
        limits: workspace.limits(),
        override_id: args.override_id.clone(),
    })
}
