//! What a pass remembers for the next one: where, and of what it is made.

use crate::cli::pass::Pass;
use crate::cli::session::Input;
use crate::cli::settings::program;
use crate::engine::Gathered;
use crate::engine::gather::from_workspace;
use crate::engine::memory::{Kept, Key, Page, Place, Window};
use crate::engine::moved::Moved;
use crate::engine::narrow::Next;
use crate::engine::remember::{Noted, Recollection, may_be_worth_it, places};
use crate::engine::tree::Found;
use crate::manifest::Manifests;
use crate::model::Resource;
use crate::model::lookup::Lookup;
use crate::model::parallel::both;
use crate::store::Store;

impl Pass<'_> {
    /// What the last pass remembered, to be kept in this process; `found` are all the files.
    pub fn keep(&self, input: &Input, store: &dyn Store, found: &[Found]) -> Option<Kept> {
        let place = self.place(input, store)?;
        let mut memory = place.read()?;
        memory.body.read()?;
        Kept::new(&memory, found, input.folder.as_deref()?)
    }

    /// Where passes over all manifests of the workspace are remembered. What a program outside
    /// holds is asked of it each time.
    pub(super) fn place(&self, input: &Input, store: &dyn Store) -> Option<Place> {
        if !input.whole || self.provider.outside().is_some() {
            return None;
        }
        let below = self.below(input)?;
        let key = Key {
            program: program()?,
            lineage: store.lineage().to_owned(),
            set: self.workspace.set(),
            folder: below.to_str()?.to_owned(),
        };
        Some(Place::beside(store.file()?, key))
    }

    /// What can be remembered of a pass over everything; nothing where anything was wrong.
    pub(super) fn recollection(
        &self,
        input: &mut Input,
        manifests: &Manifests,
        gathered: &Gathered,
    ) -> Option<Recollection<'static>> {
        if !manifests.problems.is_empty() || !gathered.intents.is_empty() || !input.whole {
            return None;
        }
        if !may_be_worth_it(manifests.resources.len(), gathered.stored.len()) {
            return None;
        }
        let version = gathered.version.clone()?;
        let mut moved = Moved::new(input.folder.as_ref()?, &input.sources)?;
        moved.digest_all(&input.sources)?;
        let digests = moved.all_digests()?;
        let places_of_selectors = places(&manifests.selectors, &input.sources.files);
        let mut selectors = manifests.selectors.clone();
        let folder = &self.workspace.folder;
        selectors = from_workspace(selectors, folder);
        let with_place = |one: Resource| Some((*places_of_selectors.get(&one.id)?, one));
        let kinds = &self.settings.kinds;
        Some(Recollection {
            window: Window::default().around(self.at, kinds, &manifests.resources),
            version,
            begun: input.begun,
            selectors: selectors.into_iter().filter_map(with_place).collect(),
            kept: digests.iter().map(|_| Page::default()).collect(),
            digests,
            kept_others: Vec::new(),
            places: places(&manifests.resources, &input.sources.files),
            marks: Lookup::default(),
        })
    }
}

/// Plans, and writes down meanwhile what will be remembered in any case.
pub(super) fn meanwhile<'m, 'p, R>(
    next: &Next<'m>,
    note: impl FnOnce(&Recollection<'m>) -> Option<Noted<'p>> + Send,
    plan: impl FnOnce() -> R,
) -> (R, Option<Noted<'p>>) {
    let Next::Another(recollection) = next else { return (plan(), None) };
    let (noted, plan) = both(true, || note(recollection), plan);
    (plan, noted)
}
