//! `apply`: plan, ask, do; or do what a saved plan says.

use crate::cli::carry_out::{self, Place};
use crate::cli::consent::{self, Approvals, ConsentArgs};
use crate::cli::error::{CommandError, Exit};
use crate::cli::events::Events;
use crate::cli::output::Output;
use crate::cli::pass::{Pass, Planned};
use crate::cli::saved;
use crate::cli::session::{self, Input, LockArgs, PassArgs};
use crate::cli::settings::{Settings, appended, quoted};
use crate::cli::ui::Ui;
use crate::engine::lease::SharedStore;
use crate::engine::operate::Ended;
use crate::engine::{Gathered, Workspace, policies, stale};
use crate::kinds::{AgentRole, Staff};
use crate::model::text::{few, printable};
use crate::model::{ResourceId, Stored};
use crate::plan::{Change, Plan, render, roles};
use crate::store::Missing;
use chrono::{TimeDelta, Utc};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Do what plan shows
///
/// Shows the plan and asks. What another apply can undo at no cost is answered by --yes; money and
/// what cannot be undone need --approve as well. If an approval is missing, nothing is changed.
/// With PLANFILE it does exactly what `plan --out` saved, or refuses when that no longer fits.
/// Operations that an earlier run left open are ended first.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl apply\n  partnerctl apply --yes\n  \
    partnerctl apply --prune --yes --approve irreversible\n  \
    partnerctl plan --out plan.json && partnerctl apply plan.json --yes\n  \
    partnerctl apply --customer contoso --kind budget --yes\n  \
    partnerctl apply --yes -o json --events events.ndjson")]
pub struct ApplyArgs {
    /// A plan saved by `plan --out`: do exactly that
    #[arg(value_name = "PLANFILE", conflicts_with_all = [
        "filename", "prune", "take_ownership", "full", "override_id", "selector", "customer", "kind", "exclude"])]
    plan_file: Option<PathBuf>,
    #[command(flatten)]
    pass: PassArgs,
    #[command(flatten)]
    consent: ConsentArgs,
    /// How to tell what is done; json: events, one JSON object a line
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Also write the events into this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Changes under way at the same time, for providers with outside effects; the embedded one
    /// works in transactions
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallelism: u16,
    #[command(flatten)]
    lock: LockArgs,
    /// Hours for which a saved plan, or an approval, holds
    #[arg(long, default_value_t = saved::TTL_HOURS, value_name = "HOURS",
        value_parser = clap::value_parser!(i64).range(1..=9_999))]
    plan_ttl: i64,
}

impl ApplyArgs {
    fn ttl(&self) -> TimeDelta {
        TimeDelta::hours(self.plan_ttl)
    }
}

/// What is to be applied, before the lease is held.
enum Wanted {
    Fresh(Box<Input>),
    Saved(Box<Plan>),
}

pub fn run(args: &ApplyArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let mut events = Events::open(args.output == Output::Json, args.events.as_deref())?;
    let ended = begin(args, settings, &mut events, ui);
    // Whoever follows hears of the end also when there was hardly a beginning.
    match &ended {
        Ok(exit) => events.finished(*exit, None, ui),
        Err(error) => events.finished(error.exit, Some(&error.error), ui),
    }
    ended
}

fn begin(
    args: &ApplyArgs,
    settings: &Settings,
    events: &mut Events,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&args.pass.files, ui)?;
    session::demand_lasting(settings, &workspace)?;
    let mut wanted = match &args.plan_file {
        Some(path) => Wanted::Saved(Box::new(saved::read(path, &workspace, args.ttl())?)),
        None => Wanted::Fresh(Box::new(session::read(settings, &workspace, &args.pass)?)),
    };
    let existing = session::open(settings, &workspace, Missing::Leave)?;
    // Checked once before a store is made: what is refused leaves nothing behind.
    match &mut wanted {
        Wanted::Saved(plan) => saved::check_store(plan, existing.as_deref())?,
        Wanted::Fresh(input) if existing.is_none() => {
            input.checked = Some(session::manifests(settings, input, &[], ui)?);
        }
        Wanted::Fresh(_) => {}
    }
    let provider = session::provider(settings, &workspace)?;
    let store = SharedStore::new(session::make(settings, &workspace, existing)?);
    let (here, how) = ((settings, &workspace), ("apply", args.lock.timeout()));
    let ended = carry_out::under_lease(here, (provider, store), how, ui, |place, ui| {
        under_lease(args, &workspace, &mut wanted, place, events, ui)
    });
    // The process ends soon: its memory goes at once then, instead of piece by piece.
    std::mem::forget(wanted);
    ended
}

fn under_lease(
    args: &ApplyArgs,
    workspace: &Workspace,
    wanted: &mut Wanted,
    place: &Place<'_>,
    events: &mut Events,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let hands = usize::from(args.parallelism);
    let (planned, resumed) = match wanted {
        Wanted::Fresh(input) => {
            let (settings, provider, at) = (place.settings, place.provider.as_ref(), Utc::now());
            let pass = Pass::new(settings, workspace, &args.pass, provider, at);
            let pass = Pass { applies: true, ..pass };
            place.plan(&pass, input, hands, ui)?
        }
        Wanted::Saved(plan) => {
            let (gathered, resumed) = place.resume(place.gather(ui)?, hands, ui)?;
            fits(plan, &gathered, place)?;
            let plan = plan.as_ref().clone();
            (Planned { gathered, plan, judgement: None, input: None, next_end: None }, resumed)
        }
    };
    let plan = &planned.plan;
    events.planned(plan, ui);
    if !events.own_stdout() {
        let (colours, width) = (ui.colours, ui.plan_width());
        render::pieces(plan, colours, width, &mut |piece| ui.data(piece));
    }
    ui.seen()?;
    if !plan.refused.is_empty() {
        ui.warn("nothing was applied: the plan is refused");
        if let Some(file) = &args.plan_file {
            ui.warn(&printable(&again(file, plan)));
        }
        return Ok(Exit::Held);
    }
    let approved = approvals(args, plan, &planned.gathered, place)?;
    let command = format!("partnerctl apply{}", repeated(args, place.settings));
    if let Some(exit) = consent::ask(&args.consent, plan, &approved, &command, ui) {
        return Ok(exit);
    }
    let exit = place.carry_out(&planned, hands, events, ui)?.exit;
    // What could not be ended now is no success, even where everything else is.
    let unknown = resumed.iter().any(|how| matches!(how, Ended::Unknown(_)));
    // As above.
    std::mem::forget(planned);
    Ok(if unknown && exit.went_well() { Exit::Partly } else { exit })
}

/// What of a plan is approved beforehand, and whether who acts may approve the rest.
fn approvals(
    args: &ApplyArgs,
    plan: &Plan,
    gathered: &Gathered,
    place: &Place<'_>,
) -> Result<Approvals, CommandError> {
    let store = place.store.lock();
    let (store, roles) = (store.as_ref(), plan.roles_to_approve());
    let staff = policies::staff(&roles, gathered, store)?;
    let lacks = |role: &&AgentRole| staff.lacks(&place.actor, **role);
    Ok(Approvals {
        plan: !saved::approvers(store, &plan.id, args.ttl())?.is_empty(),
        policies: saved::is_approved(&staff, store, &plan.id, &roles, args.ttl())?,
        lacking: roles.iter().find(lacks).copied(),
    })
}

/// Refuses a saved plan that was applied already, or whose resources moved on.
fn fits(plan: &Plan, gathered: &Gathered, place: &Place<'_>) -> Result<(), CommandError> {
    saved::check_not_applied(plan, place.store.lock().as_ref())?;
    let (kinds, now) = (&place.settings.kinds, Utc::now());
    let mut moved = stale::moved(plan, gathered, kinds, now);
    moved.extend(stale::worse(plan, gathered, kinds, &place.refunds, now.date_naive()));
    if moved.is_empty() {
        return may(plan, gathered, place);
    }
    let error = CommandError::new(format!("the plan is stale: {}", few(moved)));
    Err(error.exit(Exit::Conflict).hint(
        "nothing was applied; plan again, `plan --compare` with this file shows what is different",
    ))
}

/// Refuses a saved plan that who applies it may not do: the roles are those of now.
fn may(plan: &Plan, gathered: &Gathered, place: &Place<'_>) -> Result<(), CommandError> {
    let staff = Staff::of(&place.actor, &gathered.staff);
    let rows: BTreeMap<&ResourceId, &Stored> =
        gathered.stored.iter().map(|row| (&row.id, row)).collect();
    let observed = |change: &Change| {
        rows.get(change.previous.as_ref().unwrap_or(&change.id))?.observed.as_ref()
    };
    let refused = roles::against_plan(plan, &place.settings.kinds, &staff, observed);
    let Some((_, hint)) = refused.first() else { return Ok(()) };
    let reasons: Vec<&str> = refused.iter().map(|(message, _)| message.as_str()).collect();
    let message = format!("{} may not apply this plan: {}", place.actor, reasons.join("; "));
    Err(CommandError::new(message).exit(Exit::Held).hint(format!("nothing was applied; {hint}")))
}

/// How the brakes of a saved plan are let go: that is part of the plan.
fn again(file: &Path, plan: &Plan) -> String {
    let (file, id) = (quoted(&file.display().to_string()), &plan.id);
    format!("  → save it again as before, with `--override {id} --out {file}`, then apply that")
}

/// The options of this call that belong into the proposed one.
fn repeated(args: &ApplyArgs, settings: &Settings) -> String {
    let mut words = settings.repeated();
    words.extend(args.plan_file.iter().map(|path| path.display().to_string()));
    words.extend(args.pass.repeated());
    appended(&words)
}
