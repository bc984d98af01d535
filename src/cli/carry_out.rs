//! Carrying out under the lease, for every command that does: the runtime, Ctrl-C, what is told.

use crate::cli::error::{CommandError, Exit};
use crate::cli::events::Events;
use crate::cli::pass::{Pass, Planned};
use crate::cli::session::{self, Input};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::engine::apply::{Applied, apply};
use crate::engine::executor::{Pace, Status};
use crate::engine::gather::gather_shared;
use crate::engine::lease::SharedStore;
use crate::engine::operate::Ended;
use crate::engine::progress::Progress;
use crate::engine::resume::{can_resume, resume};
use crate::engine::work::{Notice, Work};
use crate::engine::{Gathered, Workspace};
use crate::finance::RefundTerms;
use crate::model::ResourceId;
use crate::model::text::{counted, printable};
use crate::plan::change::Outlook;
use crate::plan::intent::Intent;
use crate::plan::{Change, Plan};
use crate::provider::{Context, Ids, Outside, Provider};
use crate::store::{ApplyRecord, Batch, Judgement, Missing, Write};
use anyhow::Context as _;
use chrono::{DateTime, SubsecRound, Utc};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;

/// More changes than this are not named one by one while they are done.
const NAMED_MAX: usize = 200;

/// The clock: the log and the conditions keep milliseconds.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

/// Where something is carried out.
pub struct Place<'a> {
    /// Options.
    pub settings: &'a Settings,
    /// Who holds the actual state.
    pub provider: Arc<dyn Provider>,
    /// The store.
    pub store: SharedStore,
    /// The lease.
    pub epoch: i64,
    /// Who acts.
    pub actor: String,
    /// The command, for the log.
    pub command: &'static str,
    /// By what refunds are reckoned.
    pub refunds: Arc<RefundTerms>,
    /// Says when to stop; without it, Ctrl-C does.
    pub stop: Option<watch::Receiver<bool>>,
}

/// Does something under the lease, which is given back whatever comes of it.
pub fn under_lease<R>(
    (settings, workspace): (&Settings, &Workspace),
    (provider, store): (Arc<dyn Provider>, SharedStore),
    (command, timeout): (&'static str, Duration),
    ui: &mut Ui,
    body: impl FnOnce(&Place<'_>, &mut Ui) -> Result<R, CommandError>,
) -> Result<R, CommandError> {
    let actor = settings.actor(workspace);
    let held = session::hold(&store, &actor, timeout, ui)?;
    let (epoch, refunds) = (held.epoch, Arc::new(workspace.refunds()));
    let place = Place { settings, provider, store, epoch, actor, command, refunds, stop: None };
    let done = body(&place, ui);
    // What was done counts, not that the lease stays: it ends with this process.
    if let Err(error) = held.release() {
        let why = CommandError::from(error).chain();
        ui.warn(&format!("warning: the lease could not be given back, and ends by itself: {why}"));
    }
    done
}

/// How carrying out ended.
pub struct CarriedOut {
    /// How to exit.
    pub exit: Exit,
    /// Changes that are done.
    pub done: usize,
}

impl Place<'_> {
    /// The plan of the manifests, once what an earlier run left open has ended.
    pub fn plan(
        &self,
        pass: &Pass<'_>,
        input: &mut Input,
        hands: usize,
        ui: &mut Ui,
    ) -> Result<(Planned, Vec<Ended>), CommandError> {
        // Read on a connection of its own: the lease is renewed meanwhile on the other.
        let reading = session::open(self.settings, pass.workspace, Missing::Leave)?;
        let reading = reading.as_deref().context("the store is gone")?;
        if let Some(planned) = pass.narrow(input, reading, ui)? {
            return Ok((planned, Vec::new()));
        }
        let (gathered, resumed) = self.resume(self.gather(ui)?, hands, ui)?;
        let planned = pass.whole(input, Some(reading), gathered, ui)?;
        Ok((planned, resumed))
    }

    /// What the store and the provider say now.
    pub fn gather(&self, ui: &mut Ui) -> Result<Gathered, CommandError> {
        let _progress = ui.progress("observing", 0);
        Ok(gather_shared(&self.store, self.provider.as_ref())?)
    }

    /// The provider's outside, where operations are left that only it can end.
    pub fn outside(&self) -> Result<&dyn Outside, CommandError> {
        self.provider.outside().ok_or_else(|| {
            CommandError::new("operations of another provider have not ended")
                .exit(Exit::Conflict)
                .hint("put `provider:` back into partnerctl.yaml, then `partnerctl resume`")
        })
    }

    /// What the hands of one run share. With a plan, the first batch says that it was begun.
    pub fn work(
        &self,
        gathered: &Gathered,
        plan: Option<&Plan>,
        judgement: Option<Judgement>,
        note: &str,
    ) -> (Arc<Work>, UnboundedReceiver<Notice>) {
        let (notices, told) = unbounded_channel();
        let lineage = self.store.lock().lineage().to_owned();
        let mut ids = Ids::new(&lineage, session::nonce());
        let begun = plan.filter(|plan| !plan.is_empty()).map(|plan| ApplyRecord {
            id: ids.next("apply"),
            plan_id: plan.id.clone(),
            digest: plan.digest.clone(),
            actor: self.actor.clone(),
            begun_at: now(),
            end: None,
        });
        let apply_id = begun.as_ref().map(|begun| begun.id.clone());
        let prelude = begun.into_iter().flat_map(|begun| {
            // An approval is for one apply.
            let used = Write::WithdrawApproval { plan_id: begun.plan_id.clone() };
            [Write::BeginApply(Box::new(begun)), used]
        });
        let outlook = plan.map_or_else(Outlook::default, |plan| Outlook::of(&plan.records));
        let context = Context {
            at: now(),
            actor: self.actor.as_str().into(),
            command: self.command.into(),
            plan_id: plan.map_or("", |plan| &plan.id).into(),
            note: note.to_owned(),
            refunds: self.refunds.clone(),
            outlook: Arc::new(outlook),
        };
        let mut directory = gathered.directory(&self.settings.kinds);
        directory.reserve(plan.map_or(0, |plan| plan.proceeding().count()));
        let work = Work {
            provider: self.provider.clone(),
            store: self.store.clone(),
            epoch: self.epoch,
            directory: Mutex::new(directory),
            ids: Mutex::new(ids),
            context,
            clock: now,
            apply_id,
            prelude: Mutex::new(prelude.collect()),
            judgement,
            stop: AtomicBool::new(false),
            notices,
        };
        (Arc::new(work), told)
    }

    /// Ends what an earlier run left open, and says how; gives what there is then.
    pub fn resume(
        &self,
        gathered: Gathered,
        hands: usize,
        ui: &mut Ui,
    ) -> Result<(Gathered, Vec<Ended>), CommandError> {
        let open = || gathered.intents.iter().filter(|intent| intent.state.is_open());
        let outside = self.provider.outside();
        let mine = |intent: &&Intent| outside.is_some_and(|outside| can_resume(intent, outside));
        for other in open().filter(|intent| !mine(intent)) {
            let (id, provider) = (&other.operation_id, &other.provider);
            ui.warn(&printable(&format!(
                "operation {id} on {} was asked of another provider, `{provider}`, and is left alone",
                other.resource()
            )));
        }
        if !open().any(|intent| mine(&intent)) {
            return Ok((gathered, Vec::new()));
        }
        let (work, _told) = self.work(&gathered, None, None, "");
        let progress = ui.progress("ending open operations", 0);
        let resumed = resume(&work, self.outside()?, &gathered.intents, hands);
        progress.finish();
        for (intent, ended) in &resumed {
            let operation = intent.effect().map_or("", |effect| effect.operation.as_ref());
            let how = match ended {
                Ok(Ended::Done) => "it was done, and is recorded now".to_owned(),
                Ok(Ended::Withdrawn) => "it was not done".to_owned(),
                Ok(Ended::Failed(why)) => format!("it was not done: {why}"),
                Ok(Ended::Unknown(why)) => format!("nobody knows: {why}"),
                Err(error) => format!("it cannot be recorded: {error}"),
            };
            let line = format!("resumed: {operation} {}: {how}", intent.resource());
            ui.say(&printable(&line));
        }
        let resumed = resumed.into_iter().map(|(_, ended)| ended).collect::<Result<_, _>>()?;
        Ok((self.gather(ui)?, resumed))
    }

    /// Carries out a plan that was agreed to, and tells how it ended.
    pub fn carry_out(
        &self,
        Planned { plan, gathered, judgement, input: _, next_end: _ }: &Planned,
        parallelism: usize,
        events: &mut Events,
        ui: &mut Ui,
    ) -> Result<CarriedOut, CommandError> {
        let (work, told) = self.work(gathered, Some(plan), judgement.clone(), "");
        let pace = Pace::new(self.provider.outside().is_none(), parallelism);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(parallelism + 8)
            .build()
            .context("the runtime cannot be made")?;
        let named = plan.summary.changes() <= NAMED_MAX;
        let shown = ui.progress("applying", plan.summary.changes() as u64);
        let applied = runtime.block_on(async {
            let stop = self.stop.clone().unwrap_or_else(|| {
                let (sender, stop) = watch::channel(false);
                tokio::spawn(stop_on_signal(sender));
                stop
            });
            let mut tell = |progress: Progress<'_>| {
                events.progress(&progress, ui);
                if matches!(progress, Progress::Ended(..)) {
                    shown.advance(1);
                }
                match progress {
                    Progress::Ended(change, Status::Done) if named => {
                        ui.say(&printable(&format!("{} {}", change.operation, change.id)));
                    }
                    Progress::Notice(Notice::Paused { resource, time, why }) => {
                        let seconds = time.as_millis();
                        ui.say(&printable(&format!("{resource}: {why}; again in {seconds} ms")));
                    }
                    _ => {}
                }
            };
            apply(&work, plan, gathered, pace, stop, told, &mut tell).await
        })?;
        if !named {
            work.forget(gathered.stored.len() + plan.changes.len());
        }
        shown.finish();
        let done = applied.count(|status| *status == Status::Done);
        let exit = conclude(plan, &applied, events, ui);
        let mut after = self.hand_on(plan, &applied, ui);
        if exit.went_well() {
            after = after.and_then(|()| self.forget_ended(plan));
        }
        // Whoever reads "nothing was changed" must be able to rely on it.
        after.map_err(|error| if done > 0 { error.exit(Exit::Partly) } else { error })?;
        Ok(CarriedOut { exit, done })
    }

    /// Tells what a person must hand on of what was made.
    fn hand_on(&self, plan: &Plan, applied: &Applied, ui: &mut Ui) -> Result<(), CommandError> {
        let kinds = &self.settings.kinds;
        let wants = |change: &&Change| {
            let text = || -> Option<String> {
                let entry = kinds.get(change.kind.as_str())?;
                let handout = entry.handout?;
                let mut made = entry.effective(&change.desired.as_ref()?.spec);
                (entry.born)(&mut made, DateTime::UNIX_EPOCH);
                handout(&made)
            };
            text().is_some()
        };
        let made = plan.proceeding().filter(|change| change.action.makes()).filter(wants);
        let mut ids: BTreeSet<ResourceId> = made.map(|change| change.id.clone()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let done = applied.statuses.iter().filter(|(_, status)| *status == Status::Done);
        let done: BTreeSet<&ResourceId> = done.map(|(id, _)| id).collect();
        ids.retain(|id| done.contains(id));
        for row in self.store.lock().resources_of(&ids)? {
            let handout = kinds.get(row.id.kind.as_str()).and_then(|entry| entry.handout);
            let text = handout.zip(row.observed.as_ref()).and_then(|(text, seen)| text(seen));
            if let Some(text) = text {
                ui.say(&printable(&format!("{}: {text}", row.id)));
            }
        }
        Ok(())
    }

    /// Forgets suspensions that have ended by themselves: an apply of everything went well since.
    fn forget_ended(&self, plan: &Plan) -> Result<(), CommandError> {
        let ended = plan.ended_suspensions.iter();
        let writes: Vec<_> = ended.map(|one| Write::Unsuspend(Box::new(one.clone()))).collect();
        if !writes.is_empty() {
            self.store.lock().commit(&Batch { epoch: Some(self.epoch), writes })?;
        }
        Ok(())
    }
}

/// First Ctrl-C: finish what is in flight. Second: stop now; what was committed stays.
async fn stop_on_signal(stop: watch::Sender<bool>) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    let _done = stop.send(true);
    if tokio::signal::ctrl_c().await.is_ok() {
        #[expect(clippy::exit, reason = "the user asked twice to stop now")]
        std::process::exit(Exit::Partly as i32);
    }
}

fn conclude(plan: &Plan, applied: &Applied, events: &mut Events, ui: &mut Ui) -> Exit {
    let done = applied.count(|status| *status == Status::Done);
    let failed = applied.count(|status| matches!(status, Status::Failed(_)));
    let unknown = applied.count(|status| matches!(status, Status::Unknown(_)));
    for (id, status) in &applied.statuses {
        match status {
            Status::Failed(error) => ui.warn(&printable(&format!("failed: {id}: {error}"))),
            Status::Unknown(why) => ui.warn(&printable(&format!("unknown: {id}: {why}"))),
            Status::Skipped(first) => {
                events.skipped(id, first, ui);
                ui.warn(&printable(&format!("skipped: {id}, because {first} was not done")));
            }
            Status::Done | Status::Pending | Status::Running => {}
        }
    }
    if let Some(why) = &applied.unrecorded {
        ui.warn(&printable(&format!(
            "what is recorded beside the changes could not be written: {why}"
        )));
    }
    let not_done = applied.statuses.len() - done;
    if not_done > 0 {
        let why = if applied.interrupted { "interrupted" } else { "ended early" };
        let knows = if unknown > 0 { format!(", {unknown} unknown") } else { String::new() };
        ui.warn(&format!(
            "{why}: {done} applied, {failed} failed{knows}, {} not begun",
            not_done - failed - unknown
        ));
        if unknown > 0 {
            ui.warn("  → `partnerctl repair` shows what nobody knows the end of");
        }
        ui.warn("  → run apply again: it goes on where this one ended");
        let nothing = done == 0 && unknown == 0 && !applied.interrupted;
        return if nothing { Exit::Error } else { Exit::Partly };
    }
    if !events.own_stdout() && (done > 0 || !ui.is_log()) {
        ui.data(&format!("Applied {}.\n", counted(done, "change")));
    }
    if applied.unrecorded.is_some() {
        Exit::Partly
    } else if plan.summary.blocked > 0 {
        Exit::Held
    } else {
        Exit::Done
    }
}
