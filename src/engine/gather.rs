//! Gathering: everything a plan is made from, as values.

use crate::engine::lease::SharedStore;
use crate::engine::tree::Texts;
use crate::kinds::{Kinds, ReferenceTo, staff};
use crate::manifest::document::FileRead;
use crate::manifest::{self, Beyond, Manifests};
use crate::model::lookup::{Known, Lookup};
use crate::model::parallel::{each, parts};
use crate::model::{KindName, Observed, Resource, ResourceId, Spec, Stored, Suspension};
use crate::plan::intent::Intent;
use crate::provider::effects::own_name;
use crate::provider::{CallError, Directory, ObserveError, Provider};
use crate::store::{Head, Store, StoreError, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the store and the provider say.
#[derive(Debug, Default, Clone)]
pub struct Gathered {
    /// The store's lineage; `None` without a store.
    pub lineage: Option<String>,
    /// Rows, with what the provider says now.
    pub stored: Arc<Vec<Stored>>,
    /// What was recorded as observed of each of these rows, in the same order.
    pub recorded: Arc<Vec<Option<Spec>>>,
    /// What the provider has beyond them.
    pub unmanaged: Vec<Observed>,
    /// Everything the provider has.
    pub actual: Vec<Observed>,
    /// The end of the log.
    pub head: Option<Head>,
    /// Operations outside that have not ended.
    pub intents: Vec<Intent>,
    /// What is suspended, also where that has ended by itself.
    pub suspensions: Vec<Suspension>,
    /// The version of the store.
    pub version: Option<Version>,
    /// The partner users that there are, managed or not.
    pub staff: Vec<Observed>,
    /// Rows that stand as they are and that nothing is planned of: others are judged by them.
    pub beside: Arc<Known<ResourceId>>,
}

impl Gathered {
    /// True while a store still says all that was taken from it: then there is no need to gather
    /// again. Suspensions touch no resource, so no version tells of them.
    ///
    /// # Errors
    /// When the store fails.
    pub fn is_still(&self, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(self.version.as_ref() == Some(&store.version()?)
            && self.intents == store.intents()?
            && self.suspensions == store.suspensions()?)
    }

    /// What a pass knows at its beginning.
    #[must_use]
    pub fn directory(&self, kinds: &Kinds) -> Directory {
        Directory::new(kinds.clone(), &self.stored, &self.actual)
    }
}

/// Why a pass could not begin.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider cannot say what is there, or what it says cannot be.
    #[error("{}", unseen(.0))]
    Provider(CallError),
    /// Somebody else kept changing the store meanwhile.
    #[error("the store changed {TRIES} times while the provider was observed")]
    Restless,
}

/// Looking does nothing: only its own words are of use where a call might have done something.
fn unseen(error: &CallError) -> String {
    match error {
        CallError::Unknown { message } => {
            format!("the provider cannot say what is there: {message}")
        }
        other => other.to_string(),
    }
}

impl From<ObserveError> for GatherError {
    fn from(error: ObserveError) -> Self {
        match error {
            ObserveError::Store(error) => Self::Store(error),
            ObserveError::Provider(error) => Self::Provider(error),
        }
    }
}

/// Observations made before giving up, when others apply meanwhile.
const TRIES: usize = 3;

/// What the store says at one moment.
#[derive(Default)]
struct Kept {
    rows: Vec<Stored>,
    head: Option<Head>,
    intents: Vec<Intent>,
    suspensions: Vec<Suspension>,
    version: Option<Version>,
}

fn kept(store: &dyn Store) -> Result<Kept, StoreError> {
    kept_with(store, store.resources()?)
}

fn kept_with(store: &dyn Store, rows: Vec<Stored>) -> Result<Kept, StoreError> {
    let (head, version) = (Some(store.head()?), Some(store.version()?));
    let (intents, suspensions) = (store.intents()?, store.suspensions()?);
    Ok(Kept { rows, head, intents, suspensions, version })
}

/// Reads the store and observes the provider.
///
/// # Errors
/// When either cannot be read whole.
pub fn gather(store: Option<&dyn Store>, provider: &dyn Provider) -> Result<Gathered, GatherError> {
    let Some(store) = store else {
        let actual = provider.observe(None)?;
        let (staff, unmanaged) = (staff_of(&actual), actual.clone());
        return Ok(Gathered { unmanaged, actual, staff, ..Gathered::default() });
    };
    if provider.outside().is_none() {
        let (mut state, mut actual) = (Kept::default(), Ok(Vec::new()));
        store.consistently(&mut |store| {
            state = kept(store)?;
            actual = provider.observe(Some(store));
            Ok(())
        })?;
        return Ok(together(store.lineage(), state, actual?));
    }
    apart(provider, store.lineage(), || kept_consistently(store))
}

/// The same for a store that others use meanwhile: it is not held while an outside provider answers,
/// so that the lease is renewed.
///
/// # Errors
/// When either cannot be read whole.
pub fn gather_shared(
    store: &SharedStore,
    provider: &dyn Provider,
) -> Result<Gathered, GatherError> {
    if provider.outside().is_none() {
        return gather(Some(store.lock().as_ref()), provider);
    }
    let lineage = store.lock().lineage().to_owned();
    apart(provider, &lineage, || kept_consistently(store.lock().as_ref()))
}

/// Observing takes a while and cannot be part of a transaction: rows and things must not be from two
/// times, or what was just made would look unmanaged, and what was just removed gone.
fn apart(
    provider: &dyn Provider,
    lineage: &str,
    read: impl Fn() -> Result<Kept, StoreError>,
) -> Result<Gathered, GatherError> {
    for _ in 0..TRIES {
        let state = read()?;
        let actual = provider.observe(None)?;
        let after = read()?;
        if after.head == state.head && after.intents == state.intents {
            return Ok(together(lineage, state, actual));
        }
    }
    Err(GatherError::Restless)
}

fn kept_consistently(store: &dyn Store) -> Result<Kept, StoreError> {
    let mut state = Kept::default();
    store.consistently(&mut |store| {
        state = kept(store)?;
        Ok(())
    })?;
    Ok(state)
}

/// What the store and the embedded provider say, given the rows and the things.
///
/// # Errors
/// When the store fails.
pub fn some(
    store: &dyn Store,
    rows: Vec<Stored>,
    things: Vec<Observed>,
) -> Result<Gathered, StoreError> {
    let staff = store.actual_of_kind(&KindName::new(staff::KIND))?;
    Ok(Gathered { staff, ..together(store.lineage(), kept_with(store, rows)?, things) })
}

/// The partner users among rows, as things.
#[must_use]
pub fn staff_among(rows: &[Stored]) -> Vec<Observed> {
    let of_staff = rows.iter().filter(|row| row.id.kind.as_str() == staff::KIND);
    of_staff.filter_map(as_thing).collect()
}

/// A row as the thing it was recorded from; `None` where none was.
#[must_use]
pub fn as_thing(row: &Stored) -> Option<Observed> {
    let (external_id, spec) = (row.external_id.clone()?, row.observed.clone()?);
    let (kind, name) = (row.id.kind.clone(), own_name(&row.id.name));
    Some(Observed { kind, external_id, name, spec })
}

/// The partner users among everything there is.
fn staff_of(actual: &[Observed]) -> Vec<Observed> {
    actual.iter().filter(|thing| thing.kind.as_str() == staff::KIND).cloned().collect()
}

/// What there is where rows and things are given as values, and no store is.
#[must_use]
pub fn stated(lineage: &str, rows: Vec<Stored>, actual: Vec<Observed>) -> Gathered {
    together(lineage, Kept { rows, ..Kept::default() }, actual)
}

/// What there is of some resources, and of what they refer to by its external id.
///
/// # Errors
/// When the store fails.
pub fn named(
    kinds: &Kinds,
    store: &dyn Store,
    ids: &BTreeSet<ResourceId>,
) -> Result<Gathered, StoreError> {
    let mut gathered = Ok(Gathered::default());
    store.consistently(&mut |store| {
        gathered = named_now(kinds, store, ids);
        Ok(())
    })?;
    gathered
}

fn named_now(
    kinds: &Kinds,
    store: &dyn Store,
    ids: &BTreeSet<ResourceId>,
) -> Result<Gathered, StoreError> {
    let of = |row: &Stored| Some((row.id.kind.clone(), row.external_id.clone()?));
    let mut rows = store.resources_of(ids)?;
    let things = store.actual_of(&rows.iter().filter_map(of).collect())?;
    // Names stand in place of external ids where these belong to resources.
    let mut others = BTreeSet::new();
    for thing in &things {
        let Some(entry) = kinds.get(thing.kind.as_str()) else { continue };
        for reference in entry.facts.references {
            if let Some(ReferenceTo::External(id)) = reference.target(&thing.spec) {
                others.extend(store.holder_of(&KindName::new(reference.kind), &id)?);
            }
        }
    }
    rows.extend(store.resources_of(&others.difference(ids).cloned().collect())?);
    some(store, rows, things)
}

/// What the store alone says: things as they were last recorded, and nothing of what is unmanaged.
///
/// # Errors
/// When the store fails.
pub fn recorded(store: &dyn Store) -> Result<Gathered, StoreError> {
    let state = kept_consistently(store)?;
    let actual = state.rows.iter().filter_map(as_thing).collect();
    Ok(together(store.lineage(), state, actual))
}

/// Rows with what the provider says of them.
fn together(lineage: &str, state: Kept, actual: Vec<Observed>) -> Gathered {
    let Kept { rows, head, intents, suspensions, version } = state;
    let mut places: Lookup<(&KindName, &str), usize> = Lookup::default();
    for (place, observed) in actual.iter().enumerate() {
        places.insert((&observed.kind, observed.external_id.as_str()), place);
    }
    let mut is_managed = vec![false; actual.len()];
    let mut recorded = Vec::with_capacity(rows.len());
    let mut stored = rows;
    for row in &mut stored {
        recorded.push(row.observed.take());
        let Some(external_id) = &row.external_id else { continue };
        if let Some(place) = places.get(&(&row.id.kind, external_id.as_str())) {
            is_managed[*place] = true;
            row.observed = Some(actual[*place].spec.clone());
        }
    }
    let unmanaged = actual.iter().zip(&is_managed).filter(|(_, is_managed)| !**is_managed);
    let unmanaged = unmanaged.map(|(observed, _)| observed.clone()).collect();
    Gathered {
        lineage: Some(lineage.to_owned()),
        head,
        unmanaged,
        stored: Arc::new(stored),
        recorded: Arc::new(recorded),
        staff: staff_of(&actual),
        actual,
        intents,
        suspensions,
        version,
        beside: Arc::default(),
    }
}

/// Reads texts as manifests, in parallel, and checks them together. References may lead to what
/// the store knows.
#[must_use]
pub fn load(kinds: &Kinds, texts: Texts, stored: &[Stored]) -> Manifests {
    let Texts { texts, problems } = texts;
    let read = read_files(kinds, texts.iter().map(|(file, text)| (file.clone(), text.clone())));
    let known: Known<ResourceId> = stored.iter().map(|row| row.id.clone()).collect();
    let beyond = Beyond { unread: !problems.is_empty(), ..Beyond::default() };
    let mut manifests = manifest::check(kinds, read, texts, &known, &beyond);
    manifests.problems.extend(problems);
    manifests.problems.sort_by(|a, b| a.locations.cmp(&b.locations));
    manifests
}

/// Reads files one by one, in parallel.
pub fn read_files(
    kinds: &Kinds,
    files: impl Iterator<Item = (Arc<str>, Arc<str>)>,
) -> Vec<FileRead> {
    each(files.collect(), |(file, text)| manifest::read_file(kinds, &file, &text))
}

/// The declared resources, their files named from the workspace: so a plan does not depend on the
/// folder it was made in.
#[must_use]
pub fn from_workspace(mut resources: Vec<Resource>, workspace: &Path) -> Vec<Resource> {
    let files: Known<Arc<str>> = resources.iter().filter_map(|r| r.source.file.clone()).collect();
    let named = parts(&files.sorted(), |files| {
        let mut from_workspace = FromWorkspace::new(workspace, true);
        let named = |file: &&Arc<str>| (Arc::clone(file), from_workspace.name(Arc::clone(file)));
        files.iter().map(named).collect::<Vec<_>>()
    });
    let named: Lookup<Arc<str>, Arc<str>> = named.into_iter().flatten().collect();
    for resource in &mut resources {
        let file = resource.source.file.as_mut();
        file.into_iter().for_each(|file| *file = named[&*file].clone());
    }
    resources
}

/// Names files from the workspace.
#[derive(Clone)]
pub struct FromWorkspace {
    folder: Option<PathBuf>,
    /// True when one of the files may be a link.
    linked: bool,
    /// Folders by the paths they were found under.
    folders: BTreeMap<PathBuf, Option<PathBuf>>,
    /// The names that were given.
    names: Lookup<Arc<str>, Arc<str>>,
}

impl FromWorkspace {
    /// Of a workspace. Where none of the files is a link, each is not asked for it.
    #[must_use]
    pub fn new(workspace: &Path, linked: bool) -> Self {
        let (folders, names) = (BTreeMap::new(), Lookup::default());
        Self { folder: workspace.canonicalize().ok(), linked, folders, names }
    }

    /// The name of a file that was found under another.
    pub fn name(&mut self, file: Arc<str>) -> Arc<str> {
        if let Some(name) = self.names.get(&file) {
            return name.clone();
        }
        let real = self.real(Path::new(file.as_ref()));
        let within = real.and_then(|path| {
            let below = path.strip_prefix(self.folder.as_ref()?).ok()?;
            Some(Arc::from(below.to_string_lossy()))
        });
        let name = within.unwrap_or_else(|| file.clone());
        self.names.insert(file, name.clone());
        name
    }

    /// Where a file really is. Most are no links: then only their folder is asked for, once.
    fn real(&mut self, path: &Path) -> Option<PathBuf> {
        if self.linked && path.symlink_metadata().ok()?.is_symlink() {
            return path.canonicalize().ok();
        }
        let (folder, name) = (path.parent()?, path.file_name()?);
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        if !self.folders.contains_key(folder) {
            self.folders.insert(folder.to_owned(), folder.canonicalize().ok());
        }
        Some(self.folders.get(folder)?.as_ref()?.join(name))
    }
}
