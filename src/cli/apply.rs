//! `apply`: plan, ask, do.

use crate::cli::error::{CommandError, Exit};
use crate::cli::session::{self, Input, PassArgs};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::engine::apply::{Applied, Apply, apply};
use crate::engine::executor::{Pace, Status};
use crate::engine::lease::SharedStore;
use crate::engine::{Workspace, gather};
use crate::kinds::Risk;
use crate::model::text::{counted, printable};
use crate::plan::{Change, Plan, render};
use crate::provider::embedded::Embedded;
use crate::provider::{Context, Provider};
use crate::store::Missing;
use anyhow::Context as _;
use chrono::{SubsecRound, Utc};
use clap::{Args, ValueEnum};
use std::time::Duration;

/// More changes than this are not named one by one while they are done.
const NAMED_MAX: usize = 200;

/// Do what plan shows
///
/// Shows the plan and asks. What another apply can undo at no cost is answered by --yes; money and
/// what cannot be undone need --approve as well. If an approval is missing, nothing is changed.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl apply\n  partnerctl apply --yes\n  \
    partnerctl apply --prune --yes --approve irreversible")]
pub struct ApplyArgs {
    #[command(flatten)]
    pass: PassArgs,
    /// Answer yes for reversible changes
    #[arg(short, long)]
    yes: bool,
    /// Approve changes of this risk; irreversible includes costly
    #[arg(long, value_enum, value_name = "RISK")]
    approve: Vec<Approval>,
    /// Changes under way at the same time, for providers with outside effects; the embedded one
    /// works in transactions
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallelism: u16,
    /// Seconds to wait for another apply
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    lock_timeout: u64,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Approval {
    /// Money is spent or service stops
    Costly,
    /// It cannot be undone
    Irreversible,
}

pub fn run(args: &ApplyArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&args.pass.files, ui)?;
    let input = session::read(settings, &workspace, &args.pass)?;
    // Checked once before a store is made: bad manifests leave nothing behind.
    if session::open(settings, &workspace, Missing::Leave)?.is_none() {
        session::manifests(settings, &input, &[], ui)?;
    }
    let store =
        session::open(settings, &workspace, Missing::Create)?.context("the store was not made")?;
    let store = SharedStore::new(store);
    let timeout = Duration::from_secs(args.lock_timeout);
    let held = session::hold(&store, &settings.actor(&workspace), timeout, ui)?;
    let exit = under_lease(args, settings, &workspace, &input, &store, held.epoch, ui);
    let released = held.release();
    let exit = exit?;
    released?;
    Ok(exit)
}

fn under_lease(
    args: &ApplyArgs,
    settings: &Settings,
    workspace: &Workspace,
    input: &Input,
    store: &SharedStore,
    epoch: i64,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let gathered = gather(Some(store.lock().as_ref()), &Embedded)?;
    let at = Utc::now();
    let plan = session::make_plan(settings, workspace, &args.pass, input, at, &gathered, ui)?;
    ui.data(&render::text(&plan, ui.colours, ui.plan_width()));
    ui.seen()?;
    if !plan.refused.is_empty() {
        ui.warn("nothing was applied: the plan is refused");
        return Ok(Exit::Held);
    }
    if let Some(exit) = approve(args, settings, &plan, ui) {
        return Ok(exit);
    }
    let context = Context {
        // The log and the conditions keep milliseconds.
        at: Utc::now().trunc_subsecs(3),
        actor: plan.actor.clone(),
        command: "apply".to_owned(),
        plan_id: plan.id.clone(),
    };
    let work = Apply {
        plan: &plan,
        gathered: &gathered,
        kinds: &settings.kinds,
        provider: &Embedded,
        store: store.clone(),
        epoch,
        context,
        pace: Pace::new(Embedded.is_transactional(), usize::from(args.parallelism)),
        nonce: session::nonce(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be made")?;
    let named = plan.summary.changes() <= NAMED_MAX;
    let applied = runtime.block_on(async {
        let (sender, stop) = tokio::sync::watch::channel(false);
        tokio::spawn(stop_on_signal(sender));
        let tell = |change: &Change| {
            if named {
                ui.say(&printable(&format!("{} {}", change.operation, change.id)));
            }
        };
        apply(&work, stop, tell).await
    })?;
    Ok(conclude(&plan, &applied, ui))
}

/// First Ctrl-C: finish what is in flight. Second: stop now; what was committed stays.
async fn stop_on_signal(stop: tokio::sync::watch::Sender<bool>) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    let _done = stop.send(true);
    if tokio::signal::ctrl_c().await.is_ok() {
        #[expect(clippy::exit, reason = "the user asked twice to stop now")]
        std::process::exit(Exit::Partly as i32);
    }
}

/// Asks for what the options do not answer; `Some` when nothing may be applied.
fn approve(args: &ApplyArgs, settings: &Settings, plan: &Plan, ui: &mut Ui) -> Option<Exit> {
    let needed = plan.proceeding().map(|change| change.risk).max()?;
    let given = args.approve.iter().fold(Risk::Reversible, |given, approval| match approval {
        Approval::Irreversible => Risk::Irreversible,
        Approval::Costly => given.max(Risk::Costly),
    });
    if given < needed {
        let count = plan.proceeding().filter(|change| change.risk > given).count();
        let approved: Vec<_> = plan
            .proceeding()
            .filter(|change| change.risk > given)
            .take(5)
            .map(|change| format!("{} {}", change.action.as_str(), change.id))
            .collect();
        // On a terminal the person who reads the plan may approve it by name.
        if !args.yes
            && let Some(answer) = ui.ask(&format!(
                "{} cannot be undone for free ({}). Type `{}` to apply all:",
                counted(count, "change"),
                approved.join(", "),
                needed.as_str()
            ))
        {
            if answer == needed.as_str() {
                return None;
            }
            ui.warn("nothing was applied");
            return Some(Exit::Held);
        }
        ui.warn(&format!(
            "nothing was applied: {} ({}) needs approval\n  → partnerctl apply{} --yes --approve {}",
            counted(count, "change"),
            approved.join(", "),
            repeated(args, settings),
            needed.as_str()
        ));
        return Some(Exit::Held);
    }
    if args.yes {
        return None;
    }
    match ui.ask(&format!("Apply {}? [y/N]", counted(plan.summary.changes(), "change"))) {
        Some(answer) if matches!(answer.as_str(), "y" | "Y" | "yes") => None,
        Some(_) => {
            ui.warn("nothing was applied");
            Some(Exit::Held)
        }
        None => {
            ui.warn(&format!(
                "nothing was applied: nobody is there to ask\n  → partnerctl apply{} --yes",
                repeated(args, settings)
            ));
            Some(Exit::Held)
        }
    }
}

/// The options of this call that belong into the proposed one.
fn repeated(args: &ApplyArgs, settings: &Settings) -> String {
    let mut words = settings.repeated();
    for path in &args.pass.files.filename {
        words.extend(["-f".to_owned(), path.display().to_string()]);
    }
    if args.pass.prune {
        words.push("--prune".to_owned());
    }
    if let Some(id) = &args.pass.override_id {
        words.extend(["--override".to_owned(), id.clone()]);
    }
    words.iter().map(|word| format!(" {}", quoted(word))).collect()
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn conclude(plan: &Plan, applied: &Applied, ui: &mut Ui) -> Exit {
    let done = applied.count(|status| *status == Status::Done);
    let failed = applied.count(|status| matches!(status, Status::Failed(_)));
    for (id, status) in &applied.statuses {
        match status {
            Status::Failed(error) => ui.warn(&printable(&format!("failed: {id}: {error}"))),
            Status::Skipped(first) => {
                ui.warn(&printable(&format!("skipped: {id}, because {first} failed")));
            }
            Status::Done | Status::Pending | Status::Running => {}
        }
    }
    let not_done = applied.statuses.len() - done;
    if not_done > 0 {
        let why = if applied.interrupted { "interrupted" } else { "ended early" };
        ui.warn(&format!(
            "{why}: {done} applied, {failed} failed, {} not begun",
            not_done - failed
        ));
        ui.warn("  → run apply again: it goes on where this one ended");
        return if done == 0 && !applied.interrupted { Exit::Error } else { Exit::Partly };
    }
    ui.data(&format!("Applied {}.\n", counted(done, "change")));
    if plan.summary.blocked > 0 { Exit::Held } else { Exit::Done }
}
