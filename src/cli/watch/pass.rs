//! One pass of a watch: exactly what `apply` does, as far as nobody has to be asked.

use crate::cli::carry_out::Place;
use crate::cli::error::{CommandError, Exit};
use crate::cli::events::Events;
use crate::cli::pass::{Pass, Planned};
use crate::cli::saved;
use crate::cli::session::{self, PassArgs};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::cli::watch::choice::{Choice, Held, Rules, choose};
use crate::cli::watch::eyes::Eyes;
use crate::cli::watch::stopped::Stopped;
use crate::cli::watch::stores::Stores;
use crate::engine::lease;
use crate::engine::memory::{self, Kept};
use crate::engine::operate::Ended;
use crate::engine::tree::WORKSPACE_FILE;
use crate::engine::{Workspace, gather, machine, policies};
use crate::model::text::printable;
use crate::plan::{Plan, render};
use crate::provider::Provider;
use crate::store::{Store, StoreError};
use chrono::{TimeDelta, Utc};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// Parts of one pass: after the rest was applied, what is held is planned again, and may be approved
/// by then.
const ROUNDS_MAX: usize = 4;
/// Calls under way at the same time, for providers with outside effects; as `apply` has it.
const HANDS: usize = 10;

/// What every pass is made with.
pub struct Passes<'a> {
    /// Options.
    pub settings: &'a Settings,
    /// What is read and wanted.
    pub args: PassArgs,
    /// Whether what was changed outside is put back.
    pub heal: bool,
    /// Whether that is done also where it moves money.
    pub heal_money: bool,
    /// Whether it is planned and told only.
    pub dry_run: bool,
    /// How long to wait for another apply before saying so.
    pub lock_timeout: Duration,
    /// Says when to stop.
    pub stop: watch::Receiver<bool>,
    /// The folder of the workspace, and whether it has settings: what is gone is no default.
    pub workspace: (PathBuf, bool),
    /// The lineage of the store, once it was seen: another store, or none, is no empty one.
    pub lineage: Option<String>,
    /// Its connections.
    pub stores: Stores,
    /// What the last pass remembered.
    pub kept: Option<Kept>,
}

/// A pass that got through.
pub struct Passed {
    /// How `apply` would exit.
    pub exit: Exit,
    /// What was chosen in the end, and from what.
    pub choice: Choice,
    /// Changes that are done.
    pub applied: usize,
}

/// One part of a pass.
struct Round {
    passed: Passed,
    /// Whether what is left is to be planned again.
    again: bool,
}

impl Passes<'_> {
    /// Runs a pass over the tree with this number.
    pub fn run(&mut self, eyes: &mut Eyes, tree: u64, ui: &mut Ui) -> Result<Passed, Stopped> {
        let mut applied = 0;
        for number in 1.. {
            let round = match self.round(eyes, tree, ui) {
                // What was read while it was written is no mistake of anybody.
                Err(Stopped::Error(error)) if error.is_invalid() => {
                    eyes.rested(tree)?;
                    return Err(Stopped::Error(error));
                }
                other => other?,
            };
            applied += round.passed.applied;
            if !round.again || number == ROUNDS_MAX {
                return Ok(Passed { applied, ..round.passed });
            }
        }
        Err(Stopped::Moved)
    }

    fn round(&mut self, eyes: &mut Eyes, tree: u64, ui: &mut Ui) -> Result<Round, Stopped> {
        let settings = self.settings;
        let workspace = eyes.workspace(&settings.kinds, self.workspace(ui)?, ui)?;
        self.stores.open(settings, &workspace)?;
        self.recognise(&workspace)?;
        let provider = session::provider(settings, &workspace)?;
        let store = self.stores.reading();
        eyes.accept(&workspace.set(), |mark| store.map_or(Ok(None), |store| store.followed(mark)))?;
        // Who signed is known now, and may act.
        let workspace = eyes.workspace(&settings.kinds, workspace, ui)?;
        let (planned, _) = self.plan(eyes, tree, &workspace, provider.as_ref(), None, ui)?;
        let choice = self.choose(planned, &workspace)?;
        eyes.rested(tree)?;
        // Where there is no store yet, nobody could approve.
        let asks = choice.held.is_some() && self.stores.reading().is_none();
        if self.dry_run || (choice.is_nothing() && !asks) {
            let exit = choice.exit();
            let is_there = self.stores.reading().is_some() && !self.dry_run;
            if is_there && choice.whole().refused.is_empty() {
                let store = self.stores.writing(settings, &workspace)?;
                eyes.note(store.lock().as_mut(), None)?;
            }
            return Ok(Round { passed: Passed { exit, choice, applied: 0 }, again: false });
        }
        let store = self.stores.writing(settings, &workspace)?;
        self.lineage = Some(store.lock().lineage().to_owned());
        let actor = settings.actor(&workspace);
        let me = machine::this_process(&actor);
        let held = match lease::hold(&store, &me, self.lock_timeout, |_| {})? {
            Ok(held) => held,
            Err(lease) => return Err(Stopped::Locked(printable(&lease.to_string()))),
        };
        let (epoch, stop) = (held.epoch, Some(self.stop.clone()));
        let refunds = std::sync::Arc::new(workspace.refunds());
        let place =
            Place { settings, provider, store, epoch, actor, command: "watch", refunds, stop };
        let round = self.under_lease(choice, &workspace, &place, eyes, tree, ui);
        let released: Result<(), StoreError> = held.release();
        let round = round?;
        released?;
        Ok(round)
    }

    /// Carries out what may be, planned again where anything changed before nobody else could apply.
    fn under_lease(
        &mut self,
        choice: Choice,
        workspace: &Workspace,
        place: &Place<'_>,
        eyes: &mut Eyes,
        tree: u64,
        ui: &mut Ui,
    ) -> Result<Round, Stopped> {
        let gathered = &choice.planned.gathered;
        let is_current = place.provider.outside().is_none()
            && gathered.intents.is_empty()
            && gathered.is_still(place.store.lock().as_ref())?;
        let (choice, resumed) = if is_current {
            (choice, Vec::new())
        } else {
            drop(choice);
            self.stores.open(self.settings, workspace)?;
            let provider = place.provider.as_ref();
            let (planned, resumed) = self.plan(eyes, tree, workspace, provider, Some(place), ui)?;
            (self.choose(planned, workspace)?, resumed)
        };
        // Somebody else may have brought it to another commit meanwhile.
        eyes.accept(&workspace.set(), |mark| place.store.lock().followed(mark))?;
        eyes.rested(tree)?;
        if *self.stop.borrow() {
            return Err(Stopped::Moved);
        }
        if !choice.planned.plan.refused.is_empty() {
            let passed = Passed { exit: Exit::Held, choice, applied: 0 };
            return Ok(Round { passed, again: false });
        }
        // Before anything is done: whatever becomes of it, the next commit must descend from this one.
        eyes.note(place.store.lock().as_mut(), Some(place.epoch))?;
        tell_plan(&choice.planned.plan, ui);
        let mut events = Events::open(false, None)?;
        let carried = place.carry_out(&choice.planned, HANDS, &mut events, ui)?;
        let unknown = resumed.iter().any(|how| matches!(how, Ended::Unknown(_)));
        let went_well = carried.exit.went_well();
        let exit = match carried.exit {
            _ if went_well && unknown => Exit::Partly,
            _ if went_well => choice.exit(),
            other => other,
        };
        let again = went_well && choice.held.is_some() && carried.done > 0;
        Ok(Round { passed: Passed { exit, choice, applied: carried.done }, again })
    }

    /// The plan of the tree that was seen at rest, and of no other. Where all is known that moved
    /// since the last pass, only that is looked at.
    fn plan(
        &mut self,
        eyes: &mut Eyes,
        tree: u64,
        workspace: &Workspace,
        provider: &dyn Provider,
        place: Option<&Place<'_>>,
        ui: &mut Ui,
    ) -> Result<(Planned, Vec<Ended>), Stopped> {
        eyes.rested(tree)?;
        let (settings, args, at) = (self.settings, self.args.clone(), Utc::now());
        let pass =
            Pass { keeps_input: true, ..Pass::new(settings, workspace, &args, provider, at) };
        let looks = match eyes {
            Eyes::Files(looks) => looks,
            Eyes::Branch(branch) => {
                let mut input = branch.input(settings, &args)?;
                return Ok(match place {
                    Some(place) => place.plan(&pass, &mut input, HANDS, ui)?,
                    None => (pass.plan(&mut input, self.stores.reading(), ui)?, Vec::new()),
                });
            }
        };
        let mut input = session::asked(settings, workspace, &args)?;
        let store = self.stores.reading();
        if let (Some(store), Some(kept), Some(moved)) = (store, &mut self.kept, looks.moved())
            && let Some(planned) = pass.wake(&input, store, kept, &moved)?
        {
            looks.passed();
            return Ok((planned, Vec::new()));
        }
        self.kept = None;
        input.begun = looks.begun();
        input.sources = looks.sources().cloned().unwrap_or_default();
        let planned = match place {
            Some(place) => place.plan(&pass, &mut input, HANDS, ui)?,
            None => (pass.plan(&mut input, store, ui)?, Vec::new()),
        };
        let files = looks.sources().map_or(&[][..], |sources| sources.files.as_slice());
        self.kept = store.and_then(|store| pass.keep(&input, store, files));
        if self.kept.is_some() {
            looks.passed();
        }
        Ok(planned)
    }

    /// Writes down what was kept, for passes of other processes.
    pub fn end(&self) {
        let file = self.stores.reading().and_then(Store::file);
        if let (Some(kept), Some(file)) = (&self.kept, file) {
            kept.write(&memory::Place::beside(file, kept.key().clone()));
        }
    }

    fn choose(&self, planned: Planned, workspace: &Workspace) -> Result<Choice, CommandError> {
        let rules =
            Rules { heal: self.heal, heal_money: self.heal_money, allow: workspace.watch_allows() };
        let ttl = TimeDelta::hours(saved::TTL_HOURS);
        let (store, roles) = (self.stores.reading(), workspace.policies.roles());
        let staff = store.map(|store| policies::staff(&roles, &planned.gathered, store));
        let staff = staff.transpose()?.unwrap_or_default();
        choose(planned, rules, &staff, |plan| {
            let roles = plan.roles_to_approve();
            let asked = |store| saved::is_approved(&staff, store, &plan.id, &roles, ttl);
            store.map_or(Ok(false), asked)
        })
    }

    /// The settings as they are now, of the workspace that was watched from the beginning.
    fn workspace(&self, ui: &mut Ui) -> Result<Workspace, CommandError> {
        let (folder, had_settings) = &self.workspace;
        let workspace = self.settings.workspace(&self.args.files, ui)?;
        let settings = folder.join(WORKSPACE_FILE);
        if workspace.folder != *folder || (*had_settings && !settings.is_file()) {
            let message = format!("the settings {} are gone", settings.display());
            return Err(CommandError::invalid(message)
                .hint("put them back, or begin the watch anew without them"));
        }
        Ok(workspace)
    }

    /// Demands the store that was there before.
    fn recognise(&mut self, workspace: &Workspace) -> Result<(), CommandError> {
        let found = self.stores.reading().map(|store| store.lineage().to_owned());
        match (&self.lineage, found) {
            (None, found) => self.lineage = found,
            (Some(known), Some(found)) if *known == found => {}
            (Some(known), found) => {
                let url = self.settings.store_url(workspace);
                let found = found.unwrap_or_else(|| "nothing".to_owned());
                let message = format!("the store {url} was {known}, and now {found} is there");
                return Err(CommandError::new(message)
                    .exit(Exit::Conflict)
                    .hint("put it back, or begin the watch anew for the other one"));
            }
        }
        Ok(())
    }

    /// True when what is held was approved meanwhile.
    pub fn is_approved(&mut self, held: &Held, ui: &mut Ui) -> Result<bool, CommandError> {
        let workspace = self.workspace(ui)?;
        self.stores.open(self.settings, &workspace)?;
        let ttl = TimeDelta::hours(saved::TTL_HOURS);
        let Some(store) = self.stores.reading() else { return Ok(false) };
        let Held { plan_id, roles, staff, changes: _ } = held;
        let provider = session::provider(self.settings, &workspace)?;
        // A program is not asked each second: its staff is as the pass saw it.
        if roles.is_empty() || provider.outside().is_some() {
            return saved::is_approved(staff, store, plan_id, roles, ttl);
        }
        let now = gather::some(store, Vec::new(), Vec::new())?;
        let staff = policies::staff(roles, &now, store)?;
        saved::is_approved(&staff, store, plan_id, roles, ttl)
    }
}

/// Tells what is about to be done; a plan that only writes records down is not worth a word.
fn tell_plan(plan: &Plan, ui: &mut Ui) {
    if !plan.is_empty() {
        ui.say(&printable(&render::sentence(plan)));
    }
}
