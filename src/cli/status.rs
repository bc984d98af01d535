//! `status`: how the workspace stands, on one screen.

use crate::cli::error::{CommandError, Exit};
use crate::cli::output::Output;
use crate::cli::pass::{Pass, Planned};
use crate::cli::session::{self, PassArgs};
use crate::cli::settings::{Settings, appended};
use crate::cli::ui::Ui;
use crate::cli::{consent, plan, saved};
use crate::engine::{Gathered, policies};
use crate::kinds::Risk;
use crate::model::activity::instant;
use crate::model::text::printable;
use crate::model::{ResourceId, Suspension};
use crate::plan::change::Summary;
use crate::plan::{Plan, render};
use crate::store::{ApplyEnd, ApplyRecord, Missing, Store};
use chrono::{TimeDelta, Utc};
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write as _;

/// Resources of one sort that are named; the machine format has all.
const NAMED_MAX: usize = 5;
/// Columns before what stands behind a heading.
const INDENT: usize = 16;

/// Show how the workspace stands, on one screen
///
/// The last apply, what drifted outside, what is blocked or waits, what needs approval before it is
/// applied, and operations whose end nobody knows. It plans like `plan` and changes nothing.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl status\n  \
    partnerctl status --detailed-exitcode   # 0: as declared, 2: changes, 3: only blocked ones\n  \
    partnerctl status -o json")]
pub struct StatusArgs {
    #[command(flatten)]
    pass: PassArgs,
    /// Exit as `plan --detailed-exitcode` does
    #[arg(long)]
    detailed_exitcode: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How a workspace stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl status -o json")]
pub struct Status {
    /// `partnerctl.dev/status/v1`
    api_version: String,
    /// The set.
    set: String,
    /// The store; null when there is none yet.
    lineage: Option<String>,
    /// Activities in the log.
    activities: i64,
    /// The last apply that had something to do.
    last_apply: Option<LastApply>,
    /// The plan as it is now.
    plan_id: String,
    /// What it counts.
    summary: Summary,
    /// True when a brake holds it.
    refused: bool,
    /// True when somebody approved it beforehand.
    approved: bool,
    /// Changed outside, and put back by the next apply.
    drifted: Vec<Line>,
    /// Blocked, with why.
    blocked: Vec<Line>,
    /// Waiting, with what for.
    waiting: Vec<Line>,
    /// What is suspended, by whom, until when and why, whether or not it would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    suspended: Vec<Line>,
    /// Suspensions that have ended by themselves since the last apply that went well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended_suspensions: Vec<Line>,
    /// Changes that need approval, with their risk.
    needs_approval: Vec<Line>,
    /// Operations outside that have not ended: open ones, and those whose end nobody knows.
    operations: Vec<Line>,
    /// No longer declared, and left alone.
    undeclared: Vec<Line>,
}

/// An apply.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LastApply {
    /// The plan.
    plan_id: String,
    /// Who claims to have done it.
    actor: String,
    /// When it began.
    begun_at: String,
    /// When it ended; null while it is under way, or when it was killed.
    ended_at: Option<String>,
    /// Changes done.
    done: usize,
    /// Changes not done.
    failed: usize,
    /// Changes of which nobody knows.
    unknown: usize,
    /// Changes that were not begun.
    not_begun: usize,
}

/// One thing to know.
#[derive(Debug, Serialize, JsonSchema)]
struct Line {
    /// What it is about.
    #[schemars(with = "String")]
    resource: ResourceId,
    /// In a few words.
    what: String,
}

pub fn run(args: &StatusArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&args.pass.files, ui)?;
    let mut input = session::read(settings, &workspace, &args.pass)?;
    let store = session::open(settings, &workspace, Missing::Leave)?;
    let provider = session::provider(settings, &workspace)?;
    let (at, provider) = (Utc::now(), provider.as_ref());
    let pass = Pass::new(settings, &workspace, &args.pass, provider, at);
    let Planned { gathered, plan, .. } = pass.plan(&mut input, store.as_deref(), ui)?;
    let in_force = gathered.suspensions.iter().filter(|one| !one.has_ended(at));
    let status = status(&plan, &gathered, store.as_deref(), in_force.collect())?;
    match args.output {
        Output::Text => {
            let words = [settings.repeated(), args.pass.repeated()].concat();
            let text = ui.wrapped(&text(&status, &plan, &appended(&words)), |_| INDENT + 2);
            ui.data(&text);
        }
        Output::Json => ui.json(&status)?,
    }
    Ok(if args.detailed_exitcode { plan::detailed(&plan) } else { Exit::Done })
}

fn status(
    plan: &Plan,
    gathered: &Gathered,
    store: Option<&dyn Store>,
    suspended: Vec<&Suspension>,
) -> Result<Status, CommandError> {
    let last = store.map(Store::last_apply).transpose()?.flatten();
    let ttl = TimeDelta::hours(saved::TTL_HOURS);
    let roles = plan.roles_to_approve();
    let is_approved = |store| {
        let staff = policies::staff(&roles, gathered, store)?;
        saved::is_approved(&staff, store, &plan.id, &roles, ttl)
    };
    let approved = store.map(is_approved).transpose()?;
    let line = |resource: &ResourceId, what: String| Line { resource: resource.clone(), what };
    let drifted = plan.changes.iter().filter_map(|change| {
        let fields = change.fields.iter().filter(|field| field.drift);
        let fields: Vec<_> = fields.map(render::field_line).collect();
        (!fields.is_empty()).then(|| line(&change.id, fields.join(", ")))
    });
    let blocked = plan.changes.iter().filter_map(|change| {
        let first = change.blocked.first()?;
        Some(line(&change.id, format!("{} {}", first.code, first.message)))
    });
    let waiting = plan.changes.iter().filter_map(|change| {
        let goes_on = change.blocked.is_empty() && change.suspended.is_none();
        let waiting = change.waiting.as_ref().filter(|_| goes_on)?;
        Some(line(&change.id, format!("waits for {waiting}")))
    });
    let risky = plan.proceeding().filter(|change| change.needs_approval(Risk::Reversible));
    let needs_approval = risky.map(|change| {
        let risk = Some(change.risk).filter(|risk| *risk > Risk::Reversible);
        let risk = risk.map(|risk| risk.as_str().to_owned());
        let policies = change.approvals().map(|ruling| format!("policy {}", ruling.policy));
        let why: Vec<String> = risk.into_iter().chain(policies).collect();
        line(&change.id, format!("{}, {}", change.action.as_str(), why.join(", ")))
    });
    let operations = gathered.intents.iter().map(|intent| {
        let operation = intent.effect().map_or("", |effect| effect.operation.as_ref());
        let (state, id) = (intent.state.as_str(), &intent.operation_id);
        line(intent.resource(), format!("{state}: {operation} ({id})"))
    });
    let undeclared = plan.undeclared.iter();
    Ok(Status {
        api_version: "partnerctl.dev/status/v1".to_owned(),
        set: plan.set.clone(),
        lineage: gathered.lineage.clone(),
        activities: gathered.head.as_ref().map_or(0, |head| head.seq),
        last_apply: last.map(last_apply),
        plan_id: plan.id.clone(),
        summary: plan.summary,
        refused: !plan.refused.is_empty(),
        approved: approved.unwrap_or_default(),
        drifted: drifted.collect(),
        blocked: blocked.collect(),
        waiting: waiting.collect(),
        suspended: suspended.into_iter().map(suspension).collect(),
        ended_suspensions: plan.ended_suspensions.iter().map(suspension).collect(),
        needs_approval: needs_approval.collect(),
        operations: operations.collect(),
        undeclared: undeclared.map(|u| line(&u.resource, u.source.to_string())).collect(),
    })
}

/// A suspension in one line.
fn suspension(one: &Suspension) -> Line {
    let with = if one.with_all_of_it { "with everything of it, " } else { "" };
    Line { resource: one.resource.clone(), what: format!("{with}{}", one.story()) }
}

fn last_apply(record: ApplyRecord) -> LastApply {
    let ApplyRecord { id: _, plan_id, digest: _, actor, begun_at, end } = record;
    let none = ApplyEnd { at: begun_at, done: 0, failed: 0, unknown: 0, not_begun: 0 };
    let ApplyEnd { at: _, done, failed, unknown, not_begun } = end.unwrap_or(none);
    let (begun_at, ended_at) = (instant(begun_at), end.map(|end| instant(end.at)));
    LastApply { plan_id, actor, begun_at, ended_at, done, failed, unknown, not_begun }
}

/// As people read it; `repeated` are the options that belong into a proposed command.
fn text(status: &Status, plan: &Plan, repeated: &str) -> String {
    let mut out = String::new();
    let mut line = |title: &str, text: &str| {
        let _ = writeln!(out, "{title:<INDENT$}{}", printable(text));
    };
    line("Set", &status.set);
    line("Last apply", &status.last_apply.as_ref().map_or("none".to_owned(), told));
    line("Now", &render::sentence(plan));
    for refusal in &plan.refused {
        line("Refused", &format!("{} ({} is {})", refusal.message, refusal.setting, refusal.value));
    }
    for money in render::money_lines(&plan.money) {
        line("", &money);
    }
    let approval = if status.approved { "Approved" } else { "Needs approval" };
    for (title, lines, next) in [
        ("Drifted", &status.drifted, "`partnerctl apply` puts it back"),
        ("Blocked", &status.blocked, "`partnerctl why KIND/NAME` tells why and how to mend it"),
        ("Waiting", &status.waiting, ""),
        ("Suspended", &status.suspended, "`partnerctl unsuspend` ends it"),
        ("No longer so", &status.ended_suspensions, "the next apply goes on with it"),
        (approval, &status.needs_approval, ""),
        (
            "Operations",
            &status.operations,
            "`partnerctl resume`, then `partnerctl repair`, ends them",
        ),
        (
            "Undeclared",
            &status.undeclared,
            "`partnerctl plan --prune` shows what deleting would mean",
        ),
    ] {
        if lines.is_empty() {
            continue;
        }
        for (number, Line { resource, what }) in lines.iter().take(NAMED_MAX).enumerate() {
            line(if number == 0 { title } else { "" }, &format!("{resource}  {what}"));
        }
        if let Some(more) = lines.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            line("", &format!("and {more} more"));
        }
        if title == "Needs approval" {
            // Without a store there is nowhere to note an approval.
            let approve = status.lineage.as_ref().map(|_| &status.plan_id);
            let approve = approve.map(|id| format!("`partnerctl approve {id}`, or "));
            let (approve, options) = (approve.unwrap_or_default(), consent::options(plan));
            line("", &format!("→ {approve}`partnerctl apply{repeated} {options}`"));
        } else if !next.is_empty() {
            line("", &format!("→ {next}"));
        }
    }
    out
}

/// An apply in one line.
fn told(last: &LastApply) -> String {
    let begun = last.begun_at.get(..19).unwrap_or(&last.begun_at).replace('T', " ");
    let how = if last.ended_at.is_none() {
        "did not end, or is under way".to_owned()
    } else {
        let counts = [
            (last.done, "done"),
            (last.failed, "failed"),
            (last.unknown, "unknown"),
            (last.not_begun, "not begun"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        counts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
    };
    format!("{begun} UTC by {}, plan {}: {how}", last.actor, last.plan_id)
}
