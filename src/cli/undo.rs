//! `undo`: the plan that would bring back what an operation, or an applied plan, changed.

use crate::cli::error::{CommandError, Exit};
use crate::cli::output::PlanOutput;
use crate::cli::pass::Pass;
use crate::cli::session::{self, Input, PassArgs};
use crate::cli::settings::{FileArgs, Settings, quoted};
use crate::cli::ui::Ui;
use crate::cli::{approve, saved};
use crate::engine::gather::{from_workspace, load};
use crate::engine::{Gathered, Workspace};
use crate::model::activity::Outcome;
use crate::model::text::{counted, printable};
use crate::model::{Activity, ResourceId};
use crate::plan::change::Warning;
use crate::plan::markdown::{View, markdown};
use crate::plan::selection::{Drift, Selection};
use crate::plan::undo::{self, Known, NotUndone, Undo, change_of, undo};
use crate::plan::{LeftOut, Plan, digest_of, plan, render};
use crate::store::{Filter, Store};
use chrono::Utc;
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Plan to bring back what an operation, or an applied plan, changed
///
/// The log says what every field was before: the plan puts that back, with its costs and risks, and
/// touches nothing else. Nothing is done: save it with --out, then apply that. What was adopted,
/// bought or ended, and what has moved on since, is refused with the reason and what to do instead;
/// nothing is ever bought again. What was made is deleted, and shows so. The manifests still declare
/// what is undone: the plan says where.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl undo 6   # the number that `partnerctl log` shows\n  \
    partnerctl undo 0ba689f1f5f2 --out undo.json && partnerctl apply undo.json\n  \
    partnerctl undo 0ba689f1f5f2 -o markdown\n\nExit code 3: something of it cannot be undone."
)]
pub struct UndoArgs {
    /// A plan's id, the place of an activity in the log, or an operation's id
    #[arg(value_name = "OPERATION|PLAN-ID")]
    what: String,
    /// Save the plan into this file, for `apply`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Let the brakes of exactly this plan go
    #[arg(long = "override", value_name = "PLAN-ID")]
    override_id: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = PlanOutput::Text)]
    output: PlanOutput,
}

/// The version of the machine format.
const API_VERSION: &str = "partnerctl.dev/undo/v1";

/// What undoing would do.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl undo -o json")]
pub struct Report {
    /// `partnerctl.dev/undo/v1`
    api_version: String,
    /// What was to be undone.
    undoes: String,
    /// The plan; null when nothing can be undone.
    plan: Option<Plan>,
    /// What cannot be undone.
    not_undone: Vec<NotUndone>,
}

pub fn run(args: &UndoArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    session::demand_lasting(settings, &workspace)?;
    let store = session::open_existing(settings, &workspace)?;
    let activities = named(store.as_ref(), &args.what)?;
    let provider = session::provider(settings, &workspace)?;
    let gathered = session::observe(Some(store.as_ref()), provider.as_ref(), ui)?;
    let (set, at) = (workspace.set(), Utc::now());
    let later = later(store.as_ref(), &activities)?;
    let (kinds, rows) = (&settings.kinds, gathered.stored.as_slice());
    let known = Known { kinds, set: &set, at, rows, later: &later };
    let found = undo(&known, &activities);
    let plan = if found.ways.is_empty() {
        None
    } else {
        let asked = PassArgs {
            prune: found.removes(),
            override_id: args.override_id.clone(),
            ..PassArgs::of_everything()
        };
        let pass = Pass::new(settings, &workspace, &asked, provider.as_ref(), at);
        Some(planned(&pass, found.desired.clone(), &found, &gathered)?)
    };
    let doable = plan.as_ref().filter(|plan| does_something(plan));
    if let Some((plan, path)) = doable.zip(args.out.as_ref()) {
        saved::write(plan, path)?;
    }
    let is_held = plan.as_ref().is_some_and(|plan| plan.summary.blocked > 0);
    let is_whole = found.refused.is_empty() && !is_held && doable.is_some();
    let exit = if is_whole { Exit::Done } else { Exit::Held };
    let report = Report {
        api_version: API_VERSION.to_owned(),
        undoes: args.what.clone(),
        plan,
        not_undone: found.refused,
    };
    show(&report, args, ui)?;
    Ok(exit)
}

/// True when applying the plan would do something: a plan whose changes are all blocked or wait is
/// not worth saving.
fn does_something(plan: &Plan) -> bool {
    plan.proceeding().next().is_some()
}

/// The activities that are meant: of a plan the last time it was applied.
fn named(store: &dyn Store, word: &str) -> Result<Vec<Activity>, CommandError> {
    let mut filter = Filter::default();
    if approve::is_plan_id(word) {
        filter.plan_id = Some(word.to_lowercase());
    } else if let Ok(seq) = word.parse::<i64>() {
        (filter.after, filter.before) = (seq.checked_sub(1), seq.checked_add(1));
    } else {
        filter.operation_id = Some(word.to_owned());
    }
    let activities = store.activities(&filter)?;
    if activities.is_empty() {
        return Err(CommandError::new(format!("the log has nothing of `{word}`")).hint(
            "`partnerctl log` shows the places, `log -o json` plans and operations by their ids",
        ));
    }
    let by_id = activities.iter().map(|one| (&one.resource, (&one.plan_id, one.seq)));
    let last: BTreeMap<&ResourceId, (&String, i64)> = by_id.collect();
    let mut whole = Vec::new();
    for (id, (plan_id, seq)) in last {
        let (plan_id, resource) = (Some(plan_id.clone()), Some(id.clone()));
        let all = store.activities(&Filter { plan_id, resource, ..Filter::default() })?;
        whole.extend(change_of(&all, seq));
    }
    whole.sort_by_key(|activity| activity.seq);
    Ok(whole)
}

/// What succeeded later on the same resources.
fn later(
    store: &dyn Store,
    activities: &[Activity],
) -> Result<BTreeMap<ResourceId, Vec<Activity>>, CommandError> {
    let mut last: BTreeMap<&ResourceId, i64> = BTreeMap::new();
    for activity in activities {
        last.insert(&activity.resource, activity.seq);
    }
    let mut later = BTreeMap::new();
    for (id, seq) in last {
        let filter = Filter {
            resource: Some(id.clone()),
            after: Some(seq),
            outcome: Some(Outcome::Succeeded.as_str().to_owned()),
            ..Filter::default()
        };
        later.insert(id.clone(), store.activities(&filter)?);
    }
    Ok(later)
}

/// The plan of what is undone and nothing else, with what the manifests say against it.
fn planned(
    pass: &Pass<'_>,
    desired: Vec<crate::model::Resource>,
    found: &Undo,
    gathered: &Gathered,
) -> Result<Plan, CommandError> {
    let mut input = session::read(pass.settings, pass.workspace, pass.args)?;
    // What was changed outside meanwhile is another matter.
    input.selection = Selection { only: found.only(), drift: Drift::Leave, ..Selection::default() };
    let mut plan = plan(&pass.input(&input, desired, gathered, LeftOut::default()));
    plan.outside = None;
    let still = still(found, input, pass.settings, pass.workspace, gathered);
    plan.warnings.extend(still);
    plan.warnings.sort();
    plan.digest = digest_of(&mut plan);
    Ok(plan)
}

/// What the manifests say against it. Where they cannot be read, an undo is possible all the same.
fn still(
    found: &Undo,
    mut input: Input,
    settings: &Settings,
    workspace: &Workspace,
    gathered: &Gathered,
) -> Vec<Warning> {
    input.sources.read_rest();
    let manifests = load(&settings.kinds, input.sources.texts, &gathered.stored);
    if manifests.has_errors() {
        let message = "the manifests have errors, so it is not known what they say of this: \
                       `partnerctl validate`";
        return vec![Warning { resource: None, message: message.to_owned() }];
    }
    found.still(&settings.kinds, &from_workspace(manifests.resources, &workspace.folder))
}

fn show(report: &Report, args: &UndoArgs, ui: &mut Ui) -> Result<(), CommandError> {
    let (colours, width) = (ui.colours, ui.plan_width());
    match (&report.plan, args.output) {
        (_, PlanOutput::Json) => ui.json(report)?,
        (plan, PlanOutput::Markdown) => {
            let plan = plan.as_ref().map(|plan| markdown(plan, &View::default()));
            ui.data(&plan.unwrap_or_default());
            ui.data(&undo::markdown(&report.not_undone));
        }
        (plan, PlanOutput::Text) => {
            if let Some(plan) = plan {
                render::pieces(plan, colours, width, &mut |piece| ui.data(piece));
            }
            let text = ui.wrapped(&text(&report.not_undone, plan.is_some()), |_| 8);
            ui.data(&text);
        }
    }
    match (report.plan.as_ref().filter(|plan| does_something(plan)), &args.out) {
        (Some(_), Some(path)) => {
            let path = quoted(&path.display().to_string());
            ui.say(&format!("saved; `partnerctl apply {path}` does exactly this"));
        }
        (Some(_), None) => {
            ui.say("nothing was done; --out FILE saves this plan for `partnerctl apply FILE`");
        }
        (None, _) => ui.say("nothing can be undone, and nothing was done"),
    }
    Ok(())
}

/// What cannot be undone, for people.
fn text(refused: &[NotUndone], after_plan: bool) -> String {
    let mut out = String::new();
    if refused.is_empty() {
        return out;
    }
    if after_plan {
        out.push('\n');
    }
    let _ = writeln!(out, "{} cannot be undone:", counted(refused.len(), "operation"));
    for NotUndone { resource, operation, seq, why, instead } in refused {
        let _ =
            writeln!(out, "  {}", printable(&format!("{resource}  {operation} (activity {seq})")));
        let _ = writeln!(out, "      {}", printable(why));
        if !instead.is_empty() {
            let _ = writeln!(out, "        → {}", printable(instead));
        }
    }
    out
}
