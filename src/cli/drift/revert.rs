//! `drift revert`: the plan that puts back what was changed outside, and nothing else.

use crate::cli::drift::{Chosen, plan};
use crate::cli::error::{CommandError, Exit};
use crate::cli::settings::{FileArgs, Settings, quoted};
use crate::cli::ui::Ui;
use crate::cli::{saved, session};
use crate::plan::drift::drift;
use crate::plan::render;
use crate::plan::selection::Selection;
use crate::plan::{LeftOut, PlanInput};
use anyhow::Context as _;
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Plan to put back what was changed outside
///
/// Shows the plan of these resources only, with its money and what stands against it. Nothing is
/// done: save it with --out, then apply that.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl drift revert budget/contoso\n  \
    partnerctl drift revert --all --out plan.json && partnerctl apply plan.json")]
pub struct RevertArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Save the plan into this file, for `apply`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(args: &RevertArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let files = FileArgs::default();
    let workspace = settings.workspace(&files, ui)?;
    session::demand_lasting(settings, &workspace)?;
    let store = session::open_existing(settings, &workspace)?;
    let everything =
        plan(settings, &workspace, (&files, Selection::default()), store.as_ref(), ui)?;
    let drifted = args.chosen.of(drift(&everything.plan), settings)?;
    let only: BTreeSet<_> = drifted
        .into_iter()
        .filter(|one| !one.only_observed && one.is_open())
        .map(|one| one.resource)
        .collect();
    if only.is_empty() {
        ui.say("nothing to put back: what is only observed, or accepted, is left alone");
        return Ok(Exit::Done);
    }
    let selection = Selection { only, ..Selection::default() };
    let input = everything.input.context("what was planned from was not kept")?;
    // Of what was left out nothing is chosen: it has nothing to do with what drifted.
    let left_out = LeftOut { chosen: 0, ..input.left_out };
    let part = crate::plan::plan(&PlanInput { selection, left_out, ..input });
    let (colours, width) = (ui.colours, ui.plan_width());
    render::pieces(&part, colours, width, &mut |piece| ui.data(piece));
    match &args.out {
        Some(path) => {
            saved::write(&part, path)?;
            let path = quoted(&path.display().to_string());
            ui.say(&format!("saved; `partnerctl apply {path}` does exactly this"));
        }
        None => ui.say("nothing was done; --out FILE saves this plan for `partnerctl apply FILE`"),
    }
    Ok(Exit::Done)
}
