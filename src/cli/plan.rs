//! `plan`: what apply would do.

use crate::cli::commits::{self, CommitArgs};
use crate::cli::error::{CommandError, Exit};
use crate::cli::output::PlanOutput;
use crate::cli::pass::{Pass, Planned};
use crate::cli::saved;
use crate::cli::session::{self, PassArgs};
use crate::cli::settings::{Settings, parse_at};
use crate::cli::ui::Ui;
use crate::engine::Workspace;
use crate::plan::compare::compare;
use crate::plan::markdown::{View, markdown};
use crate::plan::saved::text;
use crate::plan::{Plan, render};
use crate::store::Missing;
use chrono::{DateTime, Utc};
use clap::Args;
use std::path::PathBuf;

/// Show what apply would do, and why
///
/// Changes stand by customer, the highest risk first, each with its reason, its place and its money;
/// what is blocked stands below with the whole chain of why. No store is written, nor made. With
/// --out the plan is saved for `apply PLANFILE`, which does exactly that or refuses. With --compare
/// what changed since an older plan is shown instead. With --to the manifests are those of a commit,
/// read from Git without a checkout, and with --from what an earlier one alone would change is told
/// apart.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl plan\n  partnerctl plan --prune\n  \
    partnerctl plan --detailed-exitcode   # 0: nothing to do, 2: changes, 3: only blocked ones\n  \
    partnerctl plan -o json | jq .summary\n  \
    partnerctl plan --from origin/main --to HEAD -o markdown   # a comment for a pull request")]
pub struct PlanArgs {
    #[command(flatten)]
    pass: PassArgs,
    /// Plan as if it were this day or instant; default: now
    #[arg(long, value_name = "DATE|RFC3339", value_parser = parse_at)]
    at: Option<DateTime<Utc>>,
    /// Save the plan into this file as well
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show what is different from this older plan
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    #[command(flatten)]
    commits: CommitArgs,
    /// How to print the plan; json is what --out saves
    #[arg(short, long, value_enum, default_value_t = PlanOutput::Text)]
    output: PlanOutput,
    /// Exit with 2 when there are changes, with 3 when all of them are blocked or braked
    #[arg(long)]
    detailed_exitcode: bool,
}

pub fn run(args: &PlanArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&args.pass.files, ui)?;
    let older = args.compare.as_deref().map(saved::parse).transpose()?;
    let at = args.at.unwrap_or_else(Utc::now);
    let (plan, of) = if args.commits.is_given() {
        let found = commits::of_commit(&args.commits, &args.pass, settings, &workspace, at, ui)?;
        (found.plan, Some((found.apart, found.prefix)))
    } else {
        (of_folder(args, settings, &workspace, at, ui)?, None)
    };
    let apart = of.as_ref().map(|(apart, _)| apart);
    if let Some(path) = &args.out {
        if apart.is_some_and(|apart| apart.stands_in) {
            let message = "a plan without a store that starts from a commit cannot be saved";
            return Err(CommandError::new(message)
                .hint("nothing could apply it: name the store with --store or PARTNERCTL_STORE"));
        }
        saved::write(&plan, path)?;
        let path = path.display();
        ui.say(&format!("saved; `partnerctl apply {path}` does exactly this"));
    }
    if let Some(apart) = apart.filter(|_| older.is_some() || args.output == PlanOutput::Json) {
        commits::say(apart, ui);
    }
    match (&older, args.output) {
        (Some(older), PlanOutput::Json) => ui.json(&compare(older, &plan))?,
        (Some(older), _) => {
            let comparison = compare(older, &plan);
            let width = ui.plan_width();
            ui.data(&crate::plan::compare::text(&comparison, older, &plan, width));
        }
        (None, PlanOutput::Text) => {
            let (colours, width) = (ui.colours, ui.plan_width());
            render::pieces_apart(&plan, apart, colours, width, &mut |piece| ui.data(piece));
        }
        (None, PlanOutput::Json) => ui.data(&text(&plan)),
        (None, PlanOutput::Markdown) => {
            let folder = of.as_ref().map_or("", |(_, prefix)| prefix);
            let view = View { apart, folder, ..View::default() };
            ui.data(&markdown(&plan, &view));
        }
    }
    let exit = if args.detailed_exitcode { detailed(&plan) } else { Exit::Done };
    // The process ends soon: its memory goes at once then, instead of piece by piece.
    std::mem::forget(plan);
    Ok(exit)
}

/// The plan of the manifests as they are in the folder.
fn of_folder(
    args: &PlanArgs,
    settings: &Settings,
    workspace: &Workspace,
    at: DateTime<Utc>,
    ui: &mut Ui,
) -> Result<Plan, CommandError> {
    session::demand_lasting(settings, workspace)?;
    let mut input = session::read(settings, workspace, &args.pass)?;
    let store = session::open(settings, workspace, Missing::Leave)?;
    let provider = session::provider(settings, workspace)?;
    let provider = provider.as_ref();
    let pass = Pass::new(settings, workspace, &args.pass, provider, at);
    let Planned { plan, gathered, .. } = pass.plan(&mut input, store.as_deref(), ui)?;
    // As above.
    std::mem::forget((gathered, input));
    Ok(plan)
}

/// The exit code of `--detailed-exitcode`.
pub fn detailed(plan: &Plan) -> Exit {
    if !plan.refused.is_empty() || (plan.is_empty() && plan.summary.blocked > 0) {
        Exit::Held
    } else if plan.is_empty() {
        Exit::Done
    } else {
        Exit::Changes
    }
}
