//! `suspend`: leave a resource, or everything of a customer, alone for a while.

use crate::cli::error::{CommandError, Exit};
use crate::cli::pass::Pass;
use crate::cli::session::{self, PassArgs};
use crate::cli::settings::{FileArgs, Settings, parse_at};
use crate::cli::table::{Leave, Table};
use crate::cli::ui::Ui;
use crate::engine::Workspace;
use crate::engine::lease::SharedStore;
use crate::model::problem::did_you_mean;
use crate::model::suspension::shown;
use crate::model::text::printable;
use crate::model::{ResourceId, Suspension};
use crate::store::{Batch, Store, Write};
use chrono::{DateTime, SubsecRound, Utc};
use clap::Args;
use std::collections::BTreeSet;
use std::time::Duration;

/// Leave a resource, or everything of a customer, alone for a while
///
/// Until `unsuspend`, or until the day given, neither apply nor watch writes anything to it, by
/// whatever set it is declared. A plan shows what it would change under a heading of its own, with
/// who, since when, until when and why; what depends on that waits. An end that comes by itself is
/// told by every plan until an apply went well. What is open outside already is not called back.
/// Without a resource, everything that is suspended is listed.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  partnerctl suspend budget/contoso --reason 'audit, ticket 12'\n  \
    partnerctl suspend --customer contoso --until 2026-12-31\n  \
    partnerctl suspend\n  partnerctl unsuspend --customer contoso"
)]
pub struct SuspendArgs {
    #[command(flatten)]
    what: What,
    /// End by itself at this instant, or as this day begins (UTC)
    #[arg(long, value_name = "DATE|RFC3339", value_parser = parse_at)]
    until: Option<DateTime<Utc>>,
    /// Why, for everybody who sees it in a plan
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

/// What is suspended, or not any more.
#[derive(Args, Debug)]
pub struct What {
    /// One resource
    #[arg(value_name = "KIND/NAME", conflicts_with = "customer")]
    resource: Option<String>,
    /// This customer with everything that belongs to it
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
}

/// How long to wait.
#[derive(Args, Debug)]
pub struct Wait {
    /// Seconds to wait for an apply that is under way
    #[arg(long, default_value_t = 30, value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(..=604_800))]
    lock_timeout: u64,
}

impl What {
    /// The resource, and whether everything of it is meant; `None` when nothing was named.
    pub fn resolve(&self, settings: &Settings) -> Result<Option<(ResourceId, bool)>, CommandError> {
        Ok(match (&self.resource, &self.customer) {
            (Some(text), _) => Some((settings.resource(text)?, false)),
            (None, Some(name)) => Some((ResourceId::new("Customer", name), true)),
            (None, None) => None,
        })
    }
}

pub fn run(args: &SuspendArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    session::demand_lasting(settings, &workspace)?;
    let store = session::open_existing(settings, &workspace)?;
    let now = Utc::now().trunc_subsecs(3);
    let Some((resource, with_all_of_it)) = args.what.resolve(settings)? else {
        if args.until.is_some() || !args.reason.is_empty() {
            return Err(CommandError::new("what is to be suspended?")
                .hint("name it: `partnerctl suspend KIND/NAME`, or --customer NAME"));
        }
        list(&store.suspensions()?, now, ui);
        return Ok(Exit::Done);
    };
    if let Some(until) = args.until.filter(|until| *until <= now) {
        let message = format!("{} is over already: nothing would be suspended", shown(until));
        return Err(CommandError::new(message).hint("give a later --until, or none"));
    }
    exists(&resource, settings, &workspace, store.as_ref(), ui)?;
    let mut one = Suspension {
        resource,
        with_all_of_it,
        set: workspace.set(),
        actor: settings.actor(&workspace),
        since: now,
        until: args.until.map(|until| until.trunc_subsecs(3)),
        reason: args.reason.clone(),
    };
    // Said anew while it lasts, it goes on from when it began.
    let same =
        |old: &&Suspension| (&old.resource, old.with_all_of_it) == (&one.resource, with_all_of_it);
    if let Some(old) = store.suspensions()?.iter().find(same).filter(|old| !old.has_ended(now)) {
        one.since = old.since;
    }
    let told = format!("{} is suspended {}", one.subject(), one.story());
    let end = format!("`partnerctl unsuspend {}` ends it", one.argument());
    write(store, Write::Suspend(Box::new(one)), &args.wait, (settings, &workspace), ui)?;
    ui.say(&printable(&told));
    ui.say(&printable(&end));
    Ok(Exit::Done)
}

/// Writes under the lease: an apply that is under way ends first, so that nothing is written to what
/// is suspended once this returned.
pub fn write(
    store: Box<dyn Store>,
    write: Write,
    wait: &Wait,
    (settings, workspace): (&Settings, &Workspace),
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let store = SharedStore::new(store);
    let timeout = Duration::from_secs(wait.lock_timeout);
    let held = session::hold(&store, &settings.actor(workspace), timeout, ui)?;
    let written = store.lock().commit(&Batch { epoch: Some(held.epoch), writes: vec![write] });
    let released = held.release();
    written?;
    Ok(released?)
}

/// Refuses what is neither in the store nor declared: a slip of the pen would suspend nothing.
fn exists(
    id: &ResourceId,
    settings: &Settings,
    workspace: &Workspace,
    store: &dyn Store,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    if !store.resources_of(&BTreeSet::from([id.clone()]))?.is_empty() {
        return Ok(());
    }
    let args = PassArgs::of_everything();
    let mut input = session::read(settings, workspace, &args)?;
    let provider = session::provider(settings, workspace)?;
    let pass = Pass::new(settings, workspace, &args, provider.as_ref(), Utc::now());
    let planned = pass.plan(&mut input, Some(store), ui)?;
    if planned.plan.changes.iter().any(|change| change.id == *id) {
        return Ok(());
    }
    let rows = store.resources()?;
    let names = rows.iter().filter(|row| row.id.kind == id.kind).map(|row| row.id.name.as_str());
    let hint = did_you_mean(id.name.as_str(), names).map_or_else(
        || format!("`partnerctl get {}` lists those there are", id.kind.as_str().to_lowercase()),
        |name| format!("did you mean {}/{name}?", id.kind),
    );
    Err(CommandError::new(format!("{id} is neither in the store nor declared")).hint(hint))
}

fn list(suspensions: &[Suspension], now: DateTime<Utc>, ui: &mut Ui) {
    if suspensions.is_empty() {
        ui.say("nothing is suspended");
        return;
    }
    let heads = [
        ("SUSPENDED", Leave::Never),
        ("UNTIL", Leave::Never),
        ("SINCE", Leave::Last),
        ("BY", Leave::Later),
        ("REASON", Leave::Later),
    ];
    let mut table = Table::new(heads);
    for one in suspensions {
        let until = match one.until {
            Some(until) if one.has_ended(now) => format!("ended {}", shown(until)),
            Some(until) => shown(until),
            None => "-".to_owned(),
        };
        let reason = if one.reason.is_empty() { "-" } else { &one.reason };
        let cells = [one.subject(), until, shown(one.since), one.actor.clone(), reason.to_owned()];
        table.row(cells.map(|cell| printable(&cell)));
    }
    let text = ui.fitted(&table);
    ui.data(&text);
}
