//! `log`: what was done, by whom, when, why and from which file.

use crate::cli::completions::KindWord;
use crate::cli::error::{CommandError, Exit};
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings, parse_at};
use crate::cli::ui::Ui;
use crate::model::activity::{Activity, Outcome, instant};
use crate::model::text::printable;
use crate::model::{ResourceId, activity};
use crate::plan::diff::show;
use crate::store::log::CHECKPOINT_API_VERSION;
use crate::store::{Checkpoint, Filter, Store, Verification};
use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Show what was done, by whom, when and why
///
/// The log is append-only and chained by hashes. `log verify` finds edits, `log checkpoint` keeps a
/// head elsewhere, with which cuts and rewrites are found as well.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl log -n 20\n  partnerctl log --resource Budget/contoso\n  \
    partnerctl log --since 2026-01-01 -o csv\n  partnerctl log checkpoint > head.json\n  \
    partnerctl log verify --checkpoint head.json"
)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LogArgs {
    #[command(subcommand)]
    command: Option<LogCommand>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Only the last so many
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = parse_count)]
    last: Option<usize>,
    /// Only after this place in the log
    #[arg(long, value_name = "SEQ")]
    after: Option<i64>,
    /// Only before this place in the log
    #[arg(long, value_name = "SEQ")]
    before: Option<i64>,
    /// Only of this resource
    #[arg(long, value_name = "KIND/NAME")]
    resource: Option<String>,
    /// Only of this kind
    #[arg(long, value_name = "KIND", value_parser = KindWord { all: false }, hide_possible_values = true)]
    kind: Option<String>,
    /// Only by this actor
    #[arg(long = "actor", value_name = "UPN")]
    by_actor: Option<String>,
    /// Only of this set
    #[arg(long, value_name = "SET")]
    set: Option<String>,
    /// Only of this plan
    #[arg(long, value_name = "PLAN-ID")]
    plan: Option<String>,
    /// Only with this operation, in the portal's words
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,
    /// Only with this outcome
    #[arg(long, value_enum, value_name = "OUTCOME")]
    outcome: Option<OutcomeArg>,
    /// Not before this day or instant
    #[arg(long, value_name = "DATE|RFC3339", value_parser = parse_at)]
    since: Option<DateTime<Utc>>,
    /// Before this day or instant
    #[arg(long, value_name = "DATE|RFC3339", value_parser = parse_at)]
    until: Option<DateTime<Utc>>,
}

#[derive(Subcommand, Debug)]
enum LogCommand {
    /// Check every row and the chain of hashes
    ///
    /// Exit code 1 names the first activity that was edited, removed, moved or cut off. A head that
    /// was kept elsewhere finds a log that was rewritten from some point on as well.
    #[command(after_help = "Examples:\n  partnerctl log verify\n  \
        partnerctl log verify --checkpoint head.json")]
    Verify {
        /// Also check that this head is still in the log
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Print the head of the log, to keep elsewhere
    ///
    /// A few lines of JSON: number and hash of the last activity. Keep them where whoever can write
    /// the store cannot.
    #[command(after_help = "Example:\n  partnerctl log checkpoint > head.json")]
    Checkpoint,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Output {
    /// For people
    Text,
    /// One array
    Json,
    /// One object a line
    Ndjson,
    /// For spreadsheets
    Csv,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum OutcomeArg {
    Succeeded,
    Failed,
    Unknown,
}

/// Reads `--last`: none of the activities is no answer, and would look like an empty log.
fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "write a number from 1 on".to_owned())
}

pub fn run(args: &LogArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let store = session::open_existing(settings, &workspace)?;
    match &args.command {
        Some(LogCommand::Verify { checkpoint }) => {
            let checkpoint = checkpoint.as_ref().map(read_checkpoint).transpose()?;
            match store.verify(checkpoint.as_ref())? {
                Verification::Good { head } => {
                    let number = usize::try_from(head.seq).unwrap_or(usize::MAX);
                    let what =
                        if number == 1 { "1 activity" } else { &format!("{number} activities") };
                    ui.data(&format!("The log is whole: {what}, head {}\n", head.hash));
                    Ok(Exit::Done)
                }
                Verification::Bad { seq, message } => {
                    Err(CommandError::new(format!("activity {seq}: {}", printable(&message)))
                        .hint("the log was changed outside partnerctl; compare it with a backup"))
                }
            }
        }
        Some(LogCommand::Checkpoint) => {
            let head = store.head()?;
            let checkpoint = Checkpoint {
                api_version: CHECKPOINT_API_VERSION.to_owned(),
                lineage: store.lineage().to_owned(),
                seq: head.seq,
                hash: head.hash,
            };
            ui.json(&checkpoint)?;
            Ok(Exit::Done)
        }
        None => {
            let activities = wanted(store.as_ref(), &filter(args, settings)?)?;
            match args.output {
                Output::Text => {
                    let text = ui.wrapped(&text(&activities), hang);
                    ui.data(&text);
                }
                Output::Json => ui.json(&activities)?,
                Output::Ndjson => {
                    for activity in &activities {
                        let line = serde_json::to_string(activity).context("an activity")?;
                        ui.data(&format!("{line}\n"));
                    }
                }
                Output::Csv => ui.data(&csv(&activities)?),
            }
            if let Some(first) = activities.first().filter(|first| first.seq > 1)
                && args.last == Some(activities.len())
            {
                ui.say(&format!("older ones: the same with --before {}", first.seq));
            }
            if activities.is_empty() {
                ui.say("no activities");
            }
            Ok(Exit::Done)
        }
    }
}

fn read_checkpoint(path: &PathBuf) -> Result<Checkpoint, CommandError> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
    let checkpoint: Checkpoint = serde_json::from_str(&text)
        .with_context(|| format!("{} is no checkpoint", path.display()))?;
    if checkpoint.api_version != CHECKPOINT_API_VERSION {
        let message = format!("{} is of version {}", path.display(), checkpoint.api_version);
        return Err(CommandError::new(message).hint(format!("{CHECKPOINT_API_VERSION} is known")));
    }
    Ok(checkpoint)
}

fn filter(args: &LogArgs, settings: &Settings) -> Result<Filter, CommandError> {
    let find = |word: &str| settings.kind(word).map(|entry| entry.facts.kind);
    let resource = args.resource.as_deref().map(|text| settings.resource(text)).transpose()?;
    let outcome = args.outcome.map(|outcome| match outcome {
        OutcomeArg::Succeeded => Outcome::Succeeded,
        OutcomeArg::Failed => Outcome::Failed,
        OutcomeArg::Unknown => Outcome::Unknown,
    });
    Ok(Filter {
        resource,
        kind: args.kind.as_deref().map(find).transpose()?.map(str::to_owned),
        actor: args.by_actor.clone(),
        set: args.set.clone(),
        plan_id: args.plan.clone(),
        operation_id: None,
        operation: args.operation.clone(),
        outcome: outcome.map(|outcome| outcome.as_str().to_owned()),
        since: args.since.map(instant),
        until: args.until.map(instant),
        after: args.after,
        before: args.before,
        last: args.last,
    })
}

/// The activities a filter wants; those of one resource also under the names it had before.
pub fn wanted(store: &dyn Store, filter: &Filter) -> Result<Vec<Activity>, CommandError> {
    let Some(id) = &filter.resource else { return Ok(store.activities(filter)?) };
    let mut all: Vec<Activity> = Vec::new();
    let mut name = Some((id.clone(), i64::MAX));
    let mut seen = BTreeSet::new();
    while let Some((id, until)) = name.take().filter(|(id, _)| seen.insert(id.clone())) {
        let of_name = Filter { resource: Some(id.clone()), ..Filter::default() };
        let renamed = store.activities(&of_name)?.iter().rev().find_map(|activity| {
            let old = activity.before.as_ref()?.get("metadata.name")?.as_str()?;
            let old = ResourceId::new(id.kind.as_str(), old);
            (activity.seq < until).then_some((old, activity.seq))
        });
        // What was done under this name before it was given is another resource's history.
        let from = renamed.as_ref().map_or(0, |(_, seq)| *seq);
        let of_name = Filter { resource: Some(id), last: None, ..filter.clone() };
        let activities = store.activities(&of_name)?;
        all.extend(activities.into_iter().filter(|a| (from..until).contains(&a.seq)));
        name = renamed;
    }
    all.sort_by_key(|activity| activity.seq);
    let cut = filter.last.map_or(0, |last| all.len().saturating_sub(last));
    Ok(all.split_off(cut))
}

/// Activities as people read them.
pub fn text(activities: &[Activity]) -> String {
    let mut out = String::new();
    for activity in activities {
        let Activity { seq, at, actor, source, resource, operation, outcome, reason, .. } =
            activity;
        let place = match (&source.file, source.line) {
            (Some(file), Some(line)) => format!("  {file}:{line}"),
            _ => String::new(),
        };
        let commit =
            source.commit.as_ref().map(|commit| format!(" at {commit}")).unwrap_or_default();
        let author =
            source.author.as_ref().map(|author| format!(" by {author}")).unwrap_or_default();
        let outcome = if *outcome == Outcome::Succeeded { "" } else { outcome.as_str() };
        let day = at.get(..19).unwrap_or(at).replace('T', " ");
        let line = format!(
            "{seq:>4}  {day}  {actor}  {operation}  {resource}  ({reason}){place}{commit}{author} {outcome}"
        );
        let _ = writeln!(out, "{}", printable(line.trim_end()));
        for line in changes(activity) {
            let _ = writeln!(out, "{CHANGES}{}", printable(&line));
        }
    }
    out
}

/// Where a line of [`text`] goes on that is too wide: under the changes.
pub fn hang(line: &str) -> usize {
    let changes = line.starts_with(CHANGES);
    CHANGES.len() + if changes { 2 } else { 0 }
}

/// What stands before a change.
const CHANGES: &str = "        ";

/// The fields an activity changed; for something new or gone they are in the other formats.
fn changes(activity: &activity::Activity) -> Vec<String> {
    let (Some(Value::Object(before)), Some(Value::Object(after))) =
        (&activity.before, &activity.after)
    else {
        return Vec::new();
    };
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |value: Option<&Value>| {
        value.map_or("(not set)".to_owned(), |value| show(&value.clone().into()))
    };
    paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| format!("{path}: {} → {}", value(before.get(path)), value(after.get(path))))
        .collect()
}

fn csv(activities: &[Activity]) -> Result<String, CommandError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed =
        |error: csv::Error| CommandError::new(format!("the log cannot be written: {error}"));
    writer
        .write_record([
            "seq",
            "at",
            "actor",
            "commit",
            "file",
            "line",
            "command",
            "set",
            "resource",
            "operation",
            "before",
            "after",
            "planId",
            "operationId",
            "outcome",
            "reason",
            "hash",
            "author",
        ])
        .map_err(failed)?;
    for activity in activities {
        let json = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
        let source = &activity.source;
        writer
            .write_record([
                activity.seq.to_string(),
                activity.at.clone(),
                cell(&activity.actor),
                source.commit.clone().unwrap_or_default(),
                cell(source.file.as_deref().unwrap_or_default()),
                source.line.map(|line| line.to_string()).unwrap_or_default(),
                source.command.clone(),
                cell(&activity.set),
                activity.resource.to_string(),
                activity.operation.clone(),
                json(&activity.before),
                json(&activity.after),
                activity.plan_id.clone(),
                activity.operation_id.clone(),
                activity.outcome.as_str().to_owned(),
                cell(&activity.reason),
                activity.hash.clone(),
                cell(source.author.as_deref().unwrap_or_default()),
            ])
            .map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| CommandError::new(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| CommandError::new(error.to_string()))
}

/// Text that a spreadsheet would run as a formula is quoted with an apostrophe.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
