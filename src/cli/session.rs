//! What `plan`, `apply` and the looking commands share: open the store, read the manifests, plan.

use crate::cli::error::{CommandError, Exit};
use crate::cli::settings::{FileArgs, Settings, parse_at};
use crate::cli::ui::Ui;
use crate::engine::gather::{from_workspace, load};
use crate::engine::tree::read_roots;
use crate::engine::{Gathered, Workspace};
use crate::manifest::{Manifests, report};
use crate::model::text::counted;
use crate::model::{Severity, Stored};
use crate::plan::{Plan, PlanInput, Scope, plan};
use crate::store::{self, Missing, Store};
use chrono::{DateTime, Utc};
use clap::Args;

/// Options of `plan` and `apply`.
#[derive(Args, Debug, Clone)]
pub struct PassArgs {
    #[command(flatten)]
    pub files: FileArgs,
    /// Delete what the set owns and the manifests no longer declare
    #[arg(long)]
    pub prune: bool,
    /// Plan as if it were this day or instant; default: now
    #[arg(long, value_name = "DATE|RFC3339", value_parser = parse_at)]
    pub at: Option<DateTime<Utc>>,
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

/// Reads the manifests and shows what is wrong with them.
///
/// # Errors
/// When anything is wrong: nothing is planned then.
pub fn manifests(
    settings: &Settings,
    workspace: &Workspace,
    files: &FileArgs,
    stored: &[Stored],
    ui: &mut Ui,
) -> Result<(Manifests, bool), CommandError> {
    let (roots, whole) = settings.roots(files, workspace)?;
    let texts = read_roots(&roots, &mut std::io::stdin().lock());
    let manifests = load(&settings.kinds, texts, stored);
    let errors = manifests.problems.iter().filter(|p| p.severity() == Severity::Error).count();
    if errors > 0 {
        ui.warn(report::text(&manifests.problems, &manifests.texts, false).trim_end());
        return Err(CommandError::new(format!("{} in the manifests", counted(errors, "error")))
            .hint("nothing was planned or applied; mend them first"));
    }
    for warning in &manifests.problems {
        let place = warning.locations.first().map(|at| format!("{}:{}: ", at.file, at.span.line));
        ui.say(&format!("warning: {}{}", place.unwrap_or_default(), warning.message));
    }
    Ok((manifests, whole))
}

/// Plans a pass.
pub fn make_plan(
    settings: &Settings,
    workspace: &Workspace,
    args: &PassArgs,
    gathered: &Gathered,
    ui: &mut Ui,
) -> Result<Plan, CommandError> {
    let (manifests, whole) = manifests(settings, workspace, &args.files, &gathered.stored, ui)?;
    if args.prune && !whole {
        return Err(CommandError::new("--prune needs the whole set, and -f names a part of it")
            .hint("leave -f out, so that the workspace's manifests are read"));
    }
    if manifests.resources.is_empty() {
        ui.say("warning: there are no manifests");
    }
    let scope = match (whole, args.prune) {
        (true, true) => Scope::WholeAndPrune,
        (true, false) => Scope::Whole,
        (false, _) => Scope::Part,
    };
    let input = PlanInput {
        kinds: settings.kinds.clone(),
        at: args.at.unwrap_or_else(Utc::now),
        lineage: gathered.lineage.clone(),
        set: workspace.set(),
        actor: settings.actor(workspace),
        desired: from_workspace(manifests.resources, &workspace.folder),
        stored: gathered.stored.clone(),
        unmanaged: gathered.unmanaged.clone(),
        scope,
        limits: workspace.limits(),
        override_id: args.override_id.clone(),
    };
    Ok(plan(&input))
}
