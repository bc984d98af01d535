//! One pass as commands make it: of what moved where that can be told, else of everything.

mod remembered;

use crate::cli::error::CommandError;
use crate::cli::pass::remembered::meanwhile;
use crate::cli::session::{self, Input, PassArgs, check_names};
use crate::cli::settings::{Settings, program};
use crate::cli::ui::Ui;
use crate::engine::cold::{Ground, cold};
use crate::engine::gather::from_workspace;
use crate::engine::look::Look;
use crate::engine::memory::{Kept, Listing, Place, Window};
use crate::engine::narrow::{Narrow, Next, narrow};
use crate::engine::remember::{Recollection, remember};
use crate::engine::tree::Found;
use crate::engine::wake::wake;
use crate::engine::{Gathered, Workspace};
use crate::kinds::Staff;
use crate::manifest::Manifests;
use crate::model::{Resource, ResourceId};
use crate::plan::{LeftOut, Plan, PlanInput, Scope, plan};
use crate::provider::Provider;
use crate::store::{Judgement, Store, Version};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a pass is made with.
pub struct Pass<'a> {
    /// Options.
    pub settings: &'a Settings,
    /// The workspace.
    pub workspace: &'a Workspace,
    /// What was asked for.
    pub args: &'a PassArgs,
    /// Who holds the actual state.
    pub provider: &'a dyn Provider,
    /// The plan's clock.
    pub at: DateTime<Utc>,
    /// Whether what the plan was made from is kept, to plan a part of it.
    pub keeps_input: bool,
    /// Whether the plan is carried out next. What it does is looked at again afterwards in any case: a
    /// memory of the store as it is now stays, instead of one that will be as old by then.
    pub applies: bool,
}

/// What there is, and what to do about it.
pub struct Planned {
    /// What the plan was made from.
    pub gathered: Gathered,
    /// The plan.
    pub plan: Plan,
    /// What can be said once all of it is done, where it was made from everything.
    pub judgement: Option<Judgement>,
    /// What it was planned from, where that is kept.
    pub input: Option<PlanInput>,
    /// When something that is declared, or a suspension, ends next.
    pub next_end: Option<DateTime<Utc>>,
}

impl<'a> Pass<'a> {
    /// A pass that keeps nothing but its plan.
    pub fn new(
        settings: &'a Settings,
        workspace: &'a Workspace,
        args: &'a PassArgs,
        provider: &'a dyn Provider,
        at: DateTime<Utc>,
    ) -> Self {
        Self { settings, workspace, args, provider, at, keeps_input: false, applies: false }
    }

    /// The plan, of what moved where that can be told.
    pub fn plan(
        &self,
        input: &mut Input,
        store: Option<&dyn Store>,
        ui: &mut Ui,
    ) -> Result<Planned, CommandError> {
        if let Some(store) = store
            && let Some(planned) = self.narrow(input, store, ui)?
        {
            return Ok(planned);
        }
        let gathered = session::observe(store, self.provider, ui)?;
        self.whole(input, store, gathered, ui)
    }

    /// The plan of what moved since the last pass; `None` when everything must be looked at.
    pub fn narrow(
        &self,
        input: &mut Input,
        store: &dyn Store,
        ui: &mut Ui,
    ) -> Result<Option<Planned>, CommandError> {
        let _progress = ui.progress("planning", 0);
        let planned =
            self.look(input, store, |found, input, place| self.planned(found, input, place))?;
        Ok(planned.flatten())
    }

    /// How many resources the manifests declare, when nothing is wrong with them and that can be told
    /// from what moved; `None` when they must all be read.
    pub fn declared(
        &self,
        input: &mut Input,
        store: &dyn Store,
    ) -> Result<Option<usize>, CommandError> {
        self.look(input, store, |found, _, _| found.desired.len() + found.left_out.settled)
    }

    /// Finds what moved since the last pass, and does something with it.
    fn look<R>(
        &self,
        input: &mut Input,
        store: &dyn Store,
        then: impl FnOnce(Narrow<'_>, &Input, &Place) -> R,
    ) -> Result<Option<R>, CommandError> {
        // What is chosen by a customer's name is looked at whole; what else is chosen may be anywhere.
        if !input.selection.is_everything() && input.selection.customers.is_empty() {
            return Ok(None);
        }
        let Some(place) = self.place(input, store).filter(|_| !self.args.full) else {
            return Ok(None);
        };
        let also = input.selection.names();
        let begun = input.begun;
        let folder = input.folder.clone().unwrap_or_default();
        let (mut memory, mut ground) = (place.read(), Ground::default());
        let (mut found, mut once) = (Ok(None), Some((memory.as_mut(), &mut ground)));
        store.consistently(&mut |store| {
            let look = self.eyes(store, &place, &folder, begun, &also);
            found = match once.take() {
                Some((Some(memory), _)) => narrow(&look, &mut input.sources, memory),
                Some((None, ground)) => cold(&look, &mut input.sources, ground),
                None => Ok(None),
            };
            Ok(())
        })?;
        Ok(found?.map(|found| then(found, input, &place)))
    }

    fn eyes<'b>(
        &'b self,
        store: &'b dyn Store,
        place: &'b Place,
        folder: &'b Path,
        begun: i64,
        also: &'b [ResourceId],
    ) -> Look<'b> {
        let (kinds, workspace) = (&self.settings.kinds, self.workspace.folder.as_path());
        Look { kinds, workspace, folder, store, place, begun, at: self.at, also }
    }

    /// The plan of what was heard of since the last pass of this process; `None` when more must be
    /// looked at. Nothing of `input` but what was asked for is needed.
    pub fn wake(
        &self,
        input: &Input,
        store: &dyn Store,
        kept: &mut Kept,
        moved: &[Found],
    ) -> Result<Option<Planned>, CommandError> {
        let is_whole = !self.args.full && input.selection.is_everything();
        let (Some(place), Some(folder), true) =
            (self.place(input, store), input.folder.as_ref(), is_whole)
        else {
            return Ok(None);
        };
        let mut woken = Ok(None);
        store.consistently(&mut |store| {
            woken = wake(&self.eyes(store, &place, folder, input.begun, &[]), kept, moved);
            Ok(())
        })?;
        let Some(mut woken) = woken? else { return Ok(None) };
        let desired = std::mem::take(&mut woken.desired);
        let planned = self.input(input, desired, &woken.gathered, woken.left_out);
        // Which folders are gone is seen from the list of all files.
        if planned.declares_nothing() || !planned.vanished_folders.is_empty() {
            return Ok(None);
        }
        let plan = plan(&planned);
        let judgement = self.judgement(input, &plan, woken.unmanaged);
        let next_end = self.next_end(&woken.window, &woken.gathered);
        let gathered = woken.keep(kept, &self.settings.kinds, &planned.desired, &plan);
        let input = self.keeps_input.then_some(planned);
        Ok(Some(Planned { gathered, plan, judgement, input, next_end }))
    }

    /// The plan of what was found, which is remembered; `None` when more must be known.
    fn planned(&self, found: Narrow<'_>, input: &Input, place: &Place) -> Option<Planned> {
        let Narrow { desired, gathered, mut left_out, unmanaged, window, next, is_current } = found;
        if !input.selection.is_everything() {
            left_out.chosen = 0;
        }
        // Where a name is not known, all of them are needed to say so.
        if !input.selection.names().is_empty() {
            check_names(&input.selection, known(&desired, &gathered).iter()).ok()?;
        }
        let planned = self.input(input, desired, &gathered, left_out);
        // Whether there are no manifests or empty ones is seen when they are read.
        if planned.declares_nothing() {
            return None;
        }
        let is_left = self.applies && is_current;
        let next = if input.selection.is_everything() && !is_left { next } else { Next::Holds };
        let (folder, found) = input.found();
        let note = |recollection: &Recollection<'_>| {
            let (kinds, desired) = (&self.settings.kinds, &planned.desired);
            recollection.begin(kinds, desired, &gathered, (folder, found), place)
        };
        let (plan, noted) = meanwhile(&next, note, || plan(&planned));
        match next {
            Next::Holds => {}
            Next::Renewed(front, digests) => {
                place.renew(&front, Listing { folder, found, digests: &digests });
            }
            Next::Another(recollection) => {
                let kinds = &self.settings.kinds;
                remember(*recollection, noted, kinds, &planned.desired, &plan, place);
            }
        }
        let judgement = self.judgement(input, &plan, unmanaged);
        let input = self.keeps_input.then_some(planned);
        let next_end = self.next_end(&window, &gathered);
        Some(Planned { gathered, plan, judgement, input, next_end })
    }

    /// The plan of everything, which is remembered.
    pub fn whole(
        &self,
        input: &mut Input,
        store: Option<&dyn Store>,
        gathered: Gathered,
        ui: &mut Ui,
    ) -> Result<Planned, CommandError> {
        let manifests = session::manifests(self.settings, input, &gathered.stored, ui)?;
        let recollection = self.recollection(input, &manifests, &gathered);
        let planned = self.whole_input(input, manifests, &gathered, ui)?;
        let progress = ui.progress("planning", 0);
        let plan = plan(&planned);
        progress.finish();
        let recollection = recollection.filter(|_| input.selection.is_everything());
        if let Some(mut recollection) = recollection
            && let Some(place) = store.and_then(|store| self.place(input, store))
        {
            let kinds = &self.settings.kinds;
            let (desired, mut noted) = (&planned.desired, None);
            if recollection.is_worth_it(desired, &plan) {
                recollection.mark(&input.sources, desired);
                noted = recollection.begin(kinds, desired, &gathered, input.found(), &place);
            }
            remember(recollection, noted, kinds, desired, &plan, &place);
        }
        let judgement = self.judgement(input, &plan, !gathered.unmanaged.is_empty());
        let window = Window::default().around(self.at, &planned.kinds, &planned.desired);
        let input = self.keeps_input.then_some(planned);
        let next_end = self.next_end(&window, &gathered);
        Ok(Planned { gathered, plan, judgement, input, next_end })
    }

    /// When something ends next, after the time of this pass: what is declared until then, or a
    /// suspension.
    fn next_end(&self, window: &Window, gathered: &Gathered) -> Option<DateTime<Utc>> {
        let in_force = gathered.suspensions.iter().filter(|one| !one.has_ended(self.at));
        in_force.filter_map(|one| one.until).chain(window.to).min()
    }

    /// What can be said of the set once the whole of a plan is done.
    fn judgement(&self, input: &Input, plan: &Plan, unmanaged: bool) -> Option<Judgement> {
        if !input.whole || !input.selection.is_everything() || self.provider.outside().is_some() {
            return None;
        }
        // What is let go is nobody's from then on.
        let unmanaged = unmanaged || plan.changes.iter().any(|change| change.release);
        let (set, program, version) = (self.workspace.set(), program()?, Version::default());
        Some(Judgement { set, program, unmanaged, version })
    }

    /// What everything is planned from.
    pub fn whole_input(
        &self,
        input: &Input,
        manifests: Manifests,
        gathered: &Gathered,
        ui: &mut Ui,
    ) -> Result<PlanInput, CommandError> {
        let texts = &input.sources.texts.texts;
        if manifests.resources.is_empty() && texts.values().all(|text| text.trim().is_empty()) {
            ui.caution("warning: there are no manifests");
        }
        check_names(&input.selection, known(&manifests.resources, gathered).iter())?;
        let desired = match &input.origin {
            Some(origin) => origin.name(manifests.resources),
            None => from_workspace(manifests.resources, &self.workspace.folder),
        };
        Ok(self.input(input, desired, gathered, LeftOut::default()))
    }

    /// What is planned, given what is declared and what there is.
    pub fn input(
        &self,
        input: &Input,
        desired: Vec<Resource>,
        gathered: &Gathered,
        left_out: LeftOut,
    ) -> PlanInput {
        let actor = self.settings.actor(self.workspace);
        PlanInput {
            kinds: self.settings.kinds.clone(),
            at: self.at,
            lineage: gathered.lineage.clone(),
            set: self.workspace.set().into(),
            staff: Staff::of(&actor, &gathered.staff),
            actor,
            vanished_folders: self.vanished_folders(input, &desired, gathered),
            desired,
            stored: gathered.stored.clone(),
            unmanaged: gathered.unmanaged.clone(),
            intents: gathered.intents.clone(),
            suspensions: gathered.suspensions.clone(),
            scope: match (input.whole, self.args.prune) {
                (true, true) => Scope::WholeAndPrune,
                (true, false) => Scope::Whole,
                (false, _) => Scope::Part,
            },
            selection: input.selection.clone(),
            take_ownership: self.args.take_ownership,
            limits: self.workspace.limits(),
            policies: self.workspace.policies.clone(),
            refunds: self.workspace.refunds(),
            override_id: self.args.override_id.clone(),
            beside: gathered.beside.clone(),
            left_out,
        }
    }

    /// Folders in which something was declared that is no longer, and without a manifest now.
    fn vanished_folders(
        &self,
        input: &Input,
        desired: &[Resource],
        gathered: &Gathered,
    ) -> BTreeSet<String> {
        if !self.args.prune || !input.whole {
            return BTreeSet::new();
        }
        let set = self.workspace.set();
        let declared: BTreeSet<&ResourceId> = desired.iter().map(|one| &one.id).collect();
        let undeclared = gathered.stored.iter().filter(|row| {
            *row.set == *set && !declared.contains(&row.id) && !gathered.beside.contains(&row.id)
        });
        let folders: BTreeSet<String> = undeclared
            .filter_map(|row| Some(row.source.file.as_deref()?.rsplit_once('/')?.0.to_owned()))
            .collect();
        if folders.is_empty() {
            return folders;
        }
        let (Some(root), Some(below)) = (&input.folder, self.below(input)) else {
            return BTreeSet::new();
        };
        let holds_something = |folder: &str| {
            let within = Path::new(folder).strip_prefix(&below).ok();
            within.is_none_or(|within| {
                let whole = root.join(within);
                input.sources.files.iter().any(|file| file.path.starts_with(&whole))
            })
        };
        folders.into_iter().filter(|folder| !holds_something(folder)).collect()
    }

    /// The folder of the manifests, seen from the workspace.
    fn below(&self, input: &Input) -> Option<PathBuf> {
        let folder = input.folder.as_ref()?.canonicalize().ok()?;
        let workspace = self.workspace.folder.canonicalize().ok()?;
        Some(folder.strip_prefix(workspace).ok()?.to_owned())
    }
}

/// What can be chosen by its name; what belongs to a customer that nobody manages as well.
pub fn known(desired: &[Resource], gathered: &Gathered) -> Vec<ResourceId> {
    let unmanaged = gathered.unmanaged.iter().map(|o| ResourceId::new(o.kind.as_str(), &o.name));
    let declared = desired.iter().map(|resource| resource.id.clone());
    let stored = gathered.stored.iter().map(|row| row.id.clone());
    declared.chain(unmanaged).chain(stored).collect()
}
