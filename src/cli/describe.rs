//! `describe`: everything about one resource.

use crate::cli::completions::KindWord;
use crate::cli::error::{CommandError, Exit};
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::table::{Cell, Leave, Table};
use crate::cli::ui::Ui;
use crate::cli::{calendar, get, log, session, support};
use crate::kinds::{Dated, KindEntry, World};
use crate::model::condition::Truth;
use crate::model::text::printable;
use crate::model::{ResourceId, Spec, Stored, Suspension};
use crate::plan::diff::show;
use crate::store::Filter;
use chrono::Utc;
use clap::Args;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Show everything about one resource
///
/// What is declared and what is observed side by side, conditions, references both ways, and the
/// last activities.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl describe budget contoso\n  partnerctl describe Budget/contoso"
)]
pub struct DescribeArgs {
    /// Kind, plural or short name; or KIND/NAME
    #[arg(value_parser = KindWord { all: false }, hide_possible_values = true)]
    kind: String,
    /// The name
    name: Option<String>,
}

const ACTIVITIES: usize = 10;

pub fn run(args: &DescribeArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let (kind, name) = match (&args.name, args.kind.split_once('/')) {
        (Some(name), _) => (args.kind.clone(), name.clone()),
        (None, Some((kind, name))) => (kind.to_owned(), name.to_owned()),
        (None, None) => {
            return Err(CommandError::new("which one?")
                .hint(format!("partnerctl describe {} NAME", args.kind)));
        }
    };
    if support::is_meant(&kind) {
        let wanted = support::Wanted { names: &[name], ..support::Wanted::default() };
        return support::run(wanted, support::Form::Whole, settings, ui);
    }
    let entry = settings.kind(&kind)?;
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let store = session::open_existing(settings, &workspace)?;
    let gathered = session::look(settings, &workspace, store.as_ref(), false)?;
    let id = ResourceId::new(entry.facts.kind, &name);
    let row = gathered.stored.iter().find(|row| row.id == id).ok_or_else(|| {
        CommandError::new(format!("{id} is not in the store")).hint(format!(
            "`partnerctl get {}` lists what is, with `--unmanaged` what nobody manages",
            entry.facts.plural
        ))
    })?;
    let directory = gathered.directory(&settings.kinds);
    let observed = row.observed.as_ref().map(|spec| directory.inward(entry, spec));
    let world = get::world(settings, &gathered);
    let customer = world.customer_of(&id);
    let suspended = Suspension::of(&gathered.suspensions, Utc::now(), &id, customer.as_ref());
    let mut out = head(row, entry, suspended);
    fields(&mut out, entry, row, observed.as_ref(), ui);
    conditions(&mut out, row);
    let names = |ids: Vec<String>| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
    let to = world.targets(&id).iter().map(ToString::to_string).collect();
    let from = world.referrers(&id, None).map(|referrer| referrer.id.to_string()).collect();
    let _ = writeln!(out, "\nRefers to:    {}\nReferred by:  {}", names(to), names(from));
    if entry.facts.kind == "Reservation" {
        out.push_str(&access(&world, &id));
    }
    out.push_str(&ahead(&calendar::dates_of(
        entry,
        &row.id,
        (&row.spec, row.observed.as_ref()),
        &workspace.refunds(),
        Utc::now(),
    )));
    let filter = Filter { resource: Some(id), last: Some(ACTIVITIES), ..Filter::default() };
    let activities = log::wanted(store.as_ref(), &filter)?;
    out.push_str("\nActivities:\n");
    for line in log::text(&activities).lines() {
        let _ = writeln!(out, "  {line}");
    }
    let out = ui.wrapped(&out, hang);
    ui.data(&out);
    Ok(Exit::Done)
}

/// How it is, condition by condition.
fn conditions(out: &mut String, row: &Stored) {
    let _ = writeln!(out, "\nConditions:");
    for condition in row.conditions.iter() {
        let status = if condition.status == Truth::True { "True" } else { "False" };
        let message = if condition.message.is_empty() {
            String::new()
        } else {
            format!(": {}", condition.message)
        };
        let since = condition.last_transition_time.format("%Y-%m-%d %H:%M:%S");
        let line = format!(
            "  {:?} {status} {}{message} (since {since} UTC)",
            condition.kind, condition.reason
        );
        let _ = writeln!(out, "{}", printable(&line));
    }
    if row.conditions.is_empty() {
        out.push_str("  none\n");
    }
}

/// What happens to it by itself from now on; nothing where nothing does.
fn ahead(dates: &[Dated]) -> String {
    let now = Utc::now();
    let ahead = dates.iter().filter(|date| date.at >= now);
    let lines = ahead.map(|date| format!("  {} {}\n", date.at.format("%Y-%m-%d %H:%M"), date.what));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\nAhead (UTC):\n{lines}") }
}

/// Who may see a reservation: the roles on it.
fn access(world: &World, id: &ResourceId) -> String {
    let on_it = world.referrers(id, Some("RoleAssignment"));
    let lines = on_it.map(|assignment| {
        let text = |path: &str| assignment.spec.text(path).unwrap_or_default().to_owned();
        let name = assignment.spec.text("principal.name").map(str::to_owned);
        let who = name.unwrap_or_else(|| text("principal.id"));
        let until = assignment.spec.text("until").map(|until| format!(", until {until}"));
        let (kind, role, until) = (text("principal.type"), text("role"), until.unwrap_or_default());
        printable(&format!("  {kind} {who} ({role}{until})"))
    });
    let lines: Vec<String> = lines.collect();
    let shown = if lines.is_empty() { "  none\n".to_owned() } else { lines.join("\n") + "\n" };
    format!("\nAccess:\n{shown}")
}

/// Columns of the keys at the top.
const KEY_WIDTH: usize = 14;

/// Where a line goes on that is too wide: values under values, activities under their changes.
fn hang(line: &str) -> usize {
    match line.strip_prefix("  ") {
        None => KEY_WIDTH,
        Some(activity) => 2 + log::hang(activity),
    }
}

fn head(row: &Stored, entry: &KindEntry, suspended: Option<&Suspension>) -> String {
    let mut out = String::new();
    let mut line = |key: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "{:<KEY_WIDTH$}{}", format!("{key}:"), printable(value));
        }
    };
    let pairs = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
    };
    line("Name", row.id.name.as_str());
    line("Kind", &format!("{} ({})", row.id.kind, entry.facts.about));
    line("Labels", &pairs(&row.metadata.labels));
    line("Annotations", &pairs(&row.metadata.annotations));
    line("Set", &row.set);
    line("Declared in", &row.source.to_string());
    line("UID", &row.uid);
    line("External id", row.external_id.as_deref().unwrap_or_default());
    line("Generation", &format!("{} (revision {})", row.generation, row.revision));
    line("On delete", entry.facts.deleting);
    let suspended = suspended.map(|one| format!("{} {}", one.subject(), one.story()));
    line("Suspended", suspended.as_deref().unwrap_or_default());
    out
}

/// Declared and observed fields side by side.
fn fields(out: &mut String, entry: &KindEntry, row: &Stored, observed: Option<&Spec>, ui: &mut Ui) {
    let none = Spec::default();
    let seen = observed.unwrap_or(&none);
    let (declared, there) = (row.spec.leaves(), seen.leaves());
    let paths: BTreeSet<&String> = declared.keys().chain(there.keys()).collect();
    let mut table = Table::new([
        ("FIELD", Leave::Never),
        ("DECLARED", Leave::Never),
        ("OBSERVED", Leave::Never),
        ("", Leave::Last),
    ]);
    for path in paths {
        let value =
            |value: Option<&&crate::model::Value>| value.map_or("-".to_owned(), |v| show(v));
        let default = entry.default_of(path).is_some() && !declared.contains_key(path);
        let differs = declared.get(path).is_some_and(|value| there.get(path) != Some(value));
        let note = if differs {
            "differs"
        } else if default {
            "default"
        } else {
            " "
        };
        let amount = path.ends_with(".amount");
        table.row(
            [path.clone(), value(declared.get(path)), value(there.get(path)), note.to_owned()]
                .map(|cell| printable(&cell))
                .map(|cell| if amount { Cell::whole(cell) } else { Cell::from(cell) }),
        );
    }
    if observed.is_none() {
        out.push_str("\nGone: the provider no longer has it.\n");
    }
    out.push('\n');
    out.push_str(&ui.fitted(&table));
}
