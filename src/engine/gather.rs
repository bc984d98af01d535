//! Gathering: everything a plan is made from, as values.

use crate::engine::lease::SharedStore;
use crate::engine::tree::Texts;
use crate::kinds::Kinds;
use crate::manifest::{self, Manifests};
use crate::model::{Observed, Resource, ResourceId, Spec, Stored};
use crate::plan::intent::Intent;
use crate::provider::effects::own_name;
use crate::provider::{CallError, ObserveError, Provider};
use crate::store::{Head, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
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
}

fn kept(store: &dyn Store) -> Result<Kept, StoreError> {
    Ok(Kept { rows: store.resources()?, head: Some(store.head()?), intents: store.intents()? })
}

/// Reads the store and observes the provider.
///
/// # Errors
/// When either cannot be read whole.
pub fn gather(store: Option<&dyn Store>, provider: &dyn Provider) -> Result<Gathered, GatherError> {
    let Some(store) = store else {
        let actual = provider.observe(None)?;
        return Ok(Gathered { unmanaged: actual.clone(), actual, ..Gathered::default() });
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

/// What the store alone says: things as they were last recorded, and nothing of what is unmanaged.
///
/// # Errors
/// When the store fails.
pub fn recorded(store: &dyn Store) -> Result<Gathered, StoreError> {
    let state = kept_consistently(store)?;
    let thing = |row: &Stored| {
        let (external_id, spec) = (row.external_id.clone()?, row.observed.clone()?);
        let (kind, name) = (row.id.kind.clone(), own_name(&row.id.name));
        Some(Observed { kind, external_id, name, spec })
    };
    let actual = state.rows.iter().filter_map(thing).collect();
    Ok(together(store.lineage(), state, actual))
}

/// Rows with what the provider says of them.
fn together(lineage: &str, state: Kept, actual: Vec<Observed>) -> Gathered {
    let Kept { rows, head, intents } = state;
    let by_id: BTreeMap<(&str, &str), &Observed> = actual
        .iter()
        .map(|observed| ((observed.kind.as_str(), observed.external_id.as_str()), observed))
        .collect();
    let mut managed: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut recorded = Vec::with_capacity(rows.len());
    let mut stored = rows;
    for row in &mut stored {
        recorded.push(row.observed.take());
        let Some(external_id) = &row.external_id else { continue };
        let key = (row.id.kind.as_str(), external_id.as_str());
        if let Some(observed) = by_id.get(&key) {
            managed.insert((observed.kind.as_str(), observed.external_id.as_str()));
            row.observed = Some(observed.spec.clone());
        }
    }
    let unmanaged = actual
        .iter()
        .filter(|o| !managed.contains(&(o.kind.as_str(), o.external_id.as_str())))
        .cloned()
        .collect();
    Gathered {
        lineage: Some(lineage.to_owned()),
        head,
        unmanaged,
        stored: Arc::new(stored),
        recorded: Arc::new(recorded),
        actual,
        intents,
    }
}

/// Reads texts as manifests, in parallel, and checks them together. References may lead to what
/// the store knows.
#[must_use]
pub fn load(kinds: &Kinds, texts: Texts, stored: &[Stored]) -> Manifests {
    let Texts { texts, problems } = texts;
    let files: Vec<_> = texts.iter().collect();
    let readers = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let share = files.len().div_ceil(readers).max(1);
    let read = std::thread::scope(|scope| {
        let handles: Vec<_> = files
            .chunks(share)
            .map(|files| {
                let read = |(file, text): &(&std::sync::Arc<str>, &std::sync::Arc<str>)| {
                    manifest::read_file(kinds, file, text)
                };
                scope.spawn(move || files.iter().map(read).collect::<Vec<_>>())
            })
            .collect();
        handles
            .into_iter()
            .flat_map(|handle| {
                handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let known: BTreeSet<ResourceId> = stored.iter().map(|row| row.id.clone()).collect();
    let mut manifests = manifest::check(kinds, read, texts, &known, !problems.is_empty());
    manifests.problems.extend(problems);
    manifests.problems.sort_by(|a, b| a.locations.cmp(&b.locations));
    manifests
}

/// The declared resources, their files named from the workspace: so a plan does not depend on the
/// folder it was made in.
#[must_use]
pub fn from_workspace(resources: Vec<Resource>, workspace: &Path) -> Vec<Resource> {
    let folder = workspace.canonicalize().ok();
    let mut known: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    let mut rename = |file: Arc<str>| {
        known
            .entry(file)
            .or_insert_with_key(|file| {
                let within = Path::new(file.as_ref()).canonicalize().ok().and_then(|path| {
                    let below = path.strip_prefix(folder.as_ref()?).ok()?;
                    Some(Arc::from(below.to_string_lossy()))
                });
                within.unwrap_or_else(|| file.clone())
            })
            .clone()
    };
    resources
        .into_iter()
        .map(|mut resource| {
            resource.source.file = resource.source.file.map(&mut rename);
            resource
        })
        .collect()
}
