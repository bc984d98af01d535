//! `drift`: what was changed outside, and what becomes of it.

mod accept;
mod revert;

use crate::cli::error::{CommandError, Exit};
use crate::cli::output::Output;
use crate::cli::pass::{Pass, Planned};
use crate::cli::session::{self, PassArgs, SelectionArgs};
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::Workspace;
use crate::model::activity::{Outcome, instant};
use crate::model::condition::ConditionType;
use crate::model::text::{counted, printable};
use crate::model::{ResourceId, Stored, Value};
use crate::plan::diff::show;
use crate::plan::drift::{Drifted, drift};
use crate::plan::records::DRIFTED;
use crate::plan::selection::Selection;
use crate::store::{Filter, Store};
use chrono::Utc;
use clap::{Args, Subcommand};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Show what was changed outside since it was applied
///
/// Each field with what is declared and what is there, and since when it can be so: after the last
/// operation that partnerctl did on it. Nothing is written, here or anywhere. `apply` puts it back as
/// declared; `drift revert` plans only that; `drift accept` declares what is there instead.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  partnerctl drift\n  partnerctl drift --customer contoso\n  \
    partnerctl drift --detailed-exitcode   # 0: none, 2: some\n  \
    partnerctl drift accept budget/contoso\n  \
    partnerctl drift accept budget/contoso --except --until 2026-12-31 --reason 'ticket 7'\n  \
    partnerctl drift revert budget/contoso --out plan.json")]
pub struct DriftArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Exit with 2 when something was changed outside that is not accepted (drift accept --except)
    #[arg(long)]
    detailed_exitcode: bool,
}

#[derive(Subcommand, Debug)]
enum Action {
    Accept(accept::AcceptArgs),
    Revert(revert::RevertArgs),
}

/// Which drift is meant.
#[derive(Args, Debug)]
struct Chosen {
    /// The resources, KIND/NAME
    #[arg(value_name = "KIND/NAME", required_unless_present = "all", conflicts_with = "all")]
    resources: Vec<String>,
    /// Everything that was changed outside
    #[arg(long)]
    all: bool,
}

/// The version of the machine format.
const API_VERSION: &str = "partnerctl.dev/drift/v1";

/// What was changed outside.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl drift -o json")]
pub struct Report {
    /// `partnerctl.dev/drift/v1`
    api_version: String,
    /// The set.
    set: String,
    /// Each resource that is not as it was applied.
    drifted: Vec<Since>,
}

/// A resource that is not as it was applied.
#[derive(Debug, Serialize, JsonSchema)]
struct Since {
    #[serde(flatten)]
    drifted: Drifted,
    /// When partnerctl last did something to it, RFC 3339: it was changed after that.
    after: Option<String>,
    /// When a watch or an apply first saw it and left it alone, RFC 3339: it was changed before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
}

pub fn run(args: &DriftArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    match &args.action {
        Some(Action::Accept(args)) => return accept::run(args, settings, ui),
        Some(Action::Revert(args)) => return revert::run(args, settings, ui),
        None => {}
    }
    let workspace = settings.workspace(&args.files, ui)?;
    let selection = args.selection.resolve(settings)?;
    let store = session::open_existing(settings, &workspace)?;
    let planned = plan(settings, &workspace, (&args.files, selection), store.as_ref(), ui)?;
    let since = |drifted: Drifted| -> Result<Since, CommandError> {
        let after = last_operation(store.as_ref(), &drifted.resource)?;
        let seen = first_seen(&planned.gathered.stored, &drifted.resource);
        Ok(Since { drifted, after, seen })
    };
    let drifted = drift(&planned.plan).into_iter().map(since).collect::<Result<Vec<_>, _>>()?;
    let is_open = drifted.iter().any(|one| one.drifted.is_open());
    let exit = if args.detailed_exitcode && is_open { Exit::Changes } else { Exit::Done };
    let report = Report { api_version: API_VERSION.to_owned(), set: workspace.set(), drifted };
    match args.output {
        Output::Text => ui.data(&text(&report)),
        Output::Json => ui.json(&report)?,
    }
    Ok(exit)
}

/// The plan that would put everything back as declared, with what it was made from.
fn plan(
    settings: &Settings,
    workspace: &Workspace,
    (files, selection): (&FileArgs, Selection),
    store: &dyn Store,
    ui: &mut Ui,
) -> Result<Planned, CommandError> {
    let args = PassArgs { files: files.clone(), ..PassArgs::of_everything() };
    let mut input = session::read(settings, workspace, &args)?;
    input.selection = selection;
    let provider = session::provider(settings, workspace)?;
    let (at, provider) = (Utc::now(), provider.as_ref());
    let pass = Pass { keeps_input: true, ..Pass::new(settings, workspace, &args, provider, at) };
    pass.plan(&mut input, Some(store), ui)
}

/// When drift of a resource was first seen by a pass that wrote it down.
fn first_seen(rows: &[Stored], id: &ResourceId) -> Option<String> {
    let row = rows.iter().find(|row| row.id == *id)?;
    let synced = row.conditions.iter().find(|one| one.kind == ConditionType::Synced)?;
    (synced.reason == DRIFTED).then(|| instant(synced.last_transition_time))
}

/// When something was last done to a resource.
fn last_operation(store: &dyn Store, id: &ResourceId) -> Result<Option<String>, CommandError> {
    let filter = Filter {
        resource: Some(id.clone()),
        outcome: Some(Outcome::Succeeded.as_str().to_owned()),
        last: Some(1),
        ..Filter::default()
    };
    Ok(store.activities(&filter)?.pop().map(|activity| activity.at))
}

fn text(report: &Report) -> String {
    if report.drifted.is_empty() {
        return "Nothing was changed outside.\n".to_owned();
    }
    let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), show);
    let mut out = String::new();
    for Since { drifted, after, seen } in &report.drifted {
        let Drifted { resource, source, gone, only_observed, fields } = drifted;
        let note = if *only_observed { "  (only observed)" } else { "" };
        let _ = writeln!(
            out,
            "{}{note}  {}",
            printable(&resource.to_string()),
            printable(&source.to_string())
        );
        if *gone {
            out.push_str("    it is not there any more\n");
        }
        for field in fields {
            let (declared, observed) = (shown(&field.declared), shown(&field.observed));
            let accepted = field.accepted.as_ref().map(|text| format!("  (accepted {text})"));
            let accepted = accepted.unwrap_or_default();
            let line = format!("{}: declared {declared}, is {observed}{accepted}", field.path);
            let _ = writeln!(out, "    {}", printable(&line));
        }
        let _ = match (after, seen) {
            (Some(after), Some(seen)) => {
                writeln!(out, "    seen since {seen}, changed after {after}")
            }
            (Some(after), None) => writeln!(out, "    since some time after {after}"),
            (None, Some(seen)) => writeln!(out, "    seen since {seen}"),
            (None, None) => Ok(()),
        };
    }
    let _ = writeln!(out, "\n{}", footer(&report.drifted));
    out
}

/// What it comes to: what is accepted is nothing to do about.
fn footer(drifted: &[Since]) -> String {
    let (open, accepted): (Vec<&Since>, Vec<&Since>) =
        drifted.iter().partition(|one| one.drifted.is_open());
    let number = counted(accepted.len(), "resource");
    if open.is_empty() {
        let fields = accepted.iter().flat_map(|one| &one.drifted.fields);
        let texts = fields.filter_map(|field| field.accepted.as_deref());
        let untils: BTreeSet<&str> = texts.filter_map(|text| text.split(':').next()).collect();
        let first = if untils.len() > 1 { ", the first " } else { " " };
        let until = untils.first().copied().unwrap_or_default();
        return format!(
            "{number} changed outside, accepted{first}{until}. Nothing else was changed."
        );
    }
    let more =
        if accepted.is_empty() { String::new() } else { format!(", and {number} as accepted") };
    let number = counted(open.len(), "resource");
    format!(
        "{number} changed outside{more}. `apply` puts back what is managed; `drift accept` declares what is there."
    )
}

impl Chosen {
    /// The resources that are meant, of those that drifted.
    fn of(&self, drifted: Vec<Drifted>, settings: &Settings) -> Result<Vec<Drifted>, CommandError> {
        if self.all {
            return Ok(drifted);
        }
        let ids = self.resources.iter().map(|text| settings.resource(text));
        let ids = ids.collect::<Result<BTreeSet<ResourceId>, _>>()?;
        let is_there = |id: &&ResourceId| drifted.iter().any(|one| one.resource == **id);
        if let Some(id) = ids.iter().find(|id| !is_there(id)) {
            return Err(CommandError::new(format!("{id} was not changed outside"))
                .hint("`partnerctl drift` lists what was"));
        }
        Ok(drifted.into_iter().filter(|one| ids.contains(&one.resource)).collect())
    }
}
