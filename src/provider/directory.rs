//! What a pass knows of rows and outside things, kept up to date while it runs.

use crate::kinds::{KindEntry, Kinds, Reference, ReferenceTo};
use crate::model::lookup::{Known, Lookup};
use crate::model::parallel::{ALONE_MAX, both};
use crate::model::{KindName, Observed, ResourceId, Spec, Stored, Value};
use crate::provider::ProviderError;
use crate::store::Write;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// Rows by id and outside things by external id.
#[derive(Clone)]
pub struct Directory {
    /// The kinds.
    pub kinds: Kinds,
    rows: Lookup<ResourceId, Arc<Stored>>,
    actual: BTreeMap<(KindName, String), Arc<Observed>>,
    names: Lookup<(KindName, String), ResourceId>,
    /// Rows that this pass wrote: they say what their manifests say.
    touched: Known<ResourceId>,
    /// The row that was written last.
    latest: Option<Arc<Stored>>,
    /// Which rows refer to a name; made when it is asked for, as only a rename does.
    referrers: OnceLock<Lookup<ResourceId, BTreeSet<ResourceId>>>,
    /// External ids by the names the provider has for them, of every thing that no row has.
    by_name: Lookup<ResourceId, Vec<String>>,
}

impl Directory {
    /// Gathers what the store and the provider say at the beginning of a pass.
    #[must_use]
    pub fn new(kinds: Kinds, rows: &[Stored], actual: &[Observed]) -> Self {
        let (by_id, (names, actual)) = both(
            rows.len() >= ALONE_MAX,
            || rows.iter().map(|row| (row.id.clone(), Arc::new(row.clone()))).collect(),
            || {
                let external = |row: &Stored| Some((row.id.kind.clone(), row.external_id.clone()?));
                let names = rows.iter().filter_map(|row| Some((external(row)?, row.id.clone())));
                let thing = |one: &Observed| (one.kind.clone(), one.external_id.clone());
                let things = actual.iter().map(|one| (thing(one), Arc::new(one.clone())));
                (names.collect(), things.collect::<BTreeMap<_, _>>())
            },
        );
        let mut directory = Self {
            kinds,
            rows: by_id,
            actual: BTreeMap::new(),
            names,
            touched: Known::default(),
            latest: None,
            referrers: OnceLock::new(),
            by_name: Lookup::default(),
        };
        for (thing, observed) in &actual {
            if !directory.names.contains_key(thing) {
                directory.call(observed);
            }
        }
        directory.actual = actual;
        directory
    }

    /// Makes room for so many more rows.
    pub fn reserve(&mut self, more: usize) {
        self.rows.reserve(more);
        self.names.reserve(more);
    }

    /// A kind of the registry.
    ///
    /// # Errors
    /// When this program does not know it.
    pub fn entry(&self, kind: &str) -> Result<KindEntry, ProviderError> {
        let entry = self.kinds.get(kind).copied();
        entry.ok_or_else(|| ProviderError::UnknownKind { kind: kind.to_owned() })
    }

    /// A row.
    #[must_use]
    pub fn row(&self, id: &ResourceId) -> Option<&Stored> {
        self.rows.get(id).map(Arc::as_ref)
    }

    /// True for a row that this pass wrote for its own change.
    #[must_use]
    pub fn has_written(&self, id: &ResourceId) -> bool {
        self.touched.contains(id)
    }

    /// The row that was written last.
    #[must_use]
    pub fn latest(&self) -> Option<&Stored> {
        self.latest.as_deref()
    }

    /// An outside thing.
    #[must_use]
    pub fn actual(&self, kind: &KindName, external_id: &str) -> Option<&Observed> {
        self.actual.get(&(kind.clone(), external_id.to_owned())).map(Arc::as_ref)
    }

    /// The outside things of a kind, in the order of their external ids.
    pub fn things(&self, kind: &str) -> impl Iterator<Item = &Observed> {
        let kind = KindName::new(kind);
        let first = (kind.clone(), String::new());
        self.actual
            .range(first..)
            .take_while(move |(key, _)| key.0 == kind)
            .map(|(_, thing)| thing.as_ref())
    }

    /// An outside thing of an unmanaged name, when only one has it.
    #[must_use]
    pub fn unmanaged(&self, id: &ResourceId) -> Option<&Observed> {
        let candidates = self.by_name.get(id)?;
        let mut named = candidates
            .iter()
            .filter_map(|external_id| self.actual(&id.kind, external_id))
            .filter(|o| !self.names.contains_key(&(o.kind.clone(), o.external_id.clone())));
        named.next().filter(|_| named.next().is_none())
    }

    /// The resource that a thing belongs to.
    #[must_use]
    pub fn name(&self, thing: &Observed) -> Option<&ResourceId> {
        self.names.get(&(thing.kind.clone(), thing.external_id.clone()))
    }

    /// True when a row has this external id.
    #[must_use]
    pub fn is_managed(&self, kind: &KindName, external_id: &str) -> bool {
        self.names.contains_key(&(kind.clone(), external_id.to_owned()))
    }

    /// Moves along with the writes of a change to the resource `own`.
    pub fn absorb(&mut self, own: &ResourceId, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Put { row, previous, .. } => {
                    if row.id == *own {
                        self.touched.insert(own.clone());
                    }
                    self.put_row(row.clone(), previous.as_ref());
                }
                Write::Delete { id, .. } => self.drop_row(id),
                _ => {}
            }
        }
        // Once the rows are known: a thing that one of them has is not called by its own name.
        for write in writes {
            match write {
                Write::PutActual(observed) => self.put_actual(observed.clone()),
                Write::DeleteActual { kind, external_id } => self.drop_actual(kind, external_id),
                _ => {}
            }
        }
    }

    /// Puts a row, under its new name when it had another.
    fn put_row(&mut self, row: Arc<Stored>, previous: Option<&ResourceId>) {
        if let Some(previous) = previous {
            self.drop_row(previous);
        }
        if let Some(external) = &row.external_id {
            self.names.insert((row.id.kind.clone(), external.clone()), row.id.clone());
        }
        if let Some(referrers) = self.referrers.get_mut() {
            refer(&self.kinds, referrers, &row);
        }
        self.latest = Some(row.clone());
        self.rows.insert(row.id.clone(), row);
    }

    /// The rows that refer to a resource by its old name, with its new one in its place, and their
    /// revisions until now: what is called alike, or belongs to whom, is told by these names,
    /// declared or not.
    #[must_use]
    pub fn renamed(&self, old: &ResourceId, new: &ResourceId) -> Vec<(i64, Stored)> {
        let mut renamed = Vec::new();
        let referrers = self.referrers.get_or_init(|| {
            let mut referrers = Lookup::default();
            self.rows.sorted().into_iter().for_each(|row| refer(&self.kinds, &mut referrers, row));
            referrers
        });
        for id in referrers.get(old).into_iter().flatten() {
            // What this pass wrote says what its manifest says.
            if self.touched.contains(id) {
                continue;
            }
            let Some(before) = self.row(id) else { continue };
            let Some(entry) = self.kinds.get(id.kind.as_str()).copied() else { continue };
            let put = |spec: &mut Spec| {
                let to_old = |reference: &&Reference| {
                    reference.target(spec) == Some(ReferenceTo::Resource(old.clone()))
                };
                let paths: Vec<_> = entry.facts.references.iter().filter(to_old).collect();
                for reference in paths {
                    spec.set(reference.path, Value::reference(new.name.as_str()));
                }
            };
            let mut row = before.clone();
            put(&mut row.spec);
            row.last_applied.as_mut().map(put);
            if row != *before {
                row.revision += 1;
                renamed.push((before.revision, row));
            }
        }
        renamed
    }

    /// Takes a row away.
    fn drop_row(&mut self, id: &ResourceId) {
        if let Some(row) = self.rows.remove(id)
            && let Some(external) = &row.external_id
        {
            let thing = (row.id.kind.clone(), external.clone());
            self.names.remove(&thing);
            if let Some(observed) = self.actual.get(&thing).cloned() {
                self.call(&observed);
            }
        }
    }

    /// Puts an outside thing.
    pub fn put_actual(&mut self, observed: impl Into<Arc<Observed>>) {
        let observed = observed.into();
        let thing = (observed.kind.clone(), observed.external_id.clone());
        if !self.names.contains_key(&thing) {
            self.call(&observed);
        }
        self.actual.insert(thing, observed);
    }

    /// Lets a thing that no row has be called by its own name.
    fn call(&mut self, observed: &Observed) {
        let id = ResourceId::new(observed.kind.as_str(), &observed.name);
        let same_name = self.by_name.or_default(id);
        if !same_name.contains(&observed.external_id) {
            same_name.push(observed.external_id.clone());
        }
    }

    /// Takes an outside thing away.
    pub fn drop_actual(&mut self, kind: &KindName, external_id: &str) {
        self.actual.remove(&(kind.clone(), external_id.to_owned()));
    }

    /// A spec with references by external id, as outside things know each other.
    ///
    /// # Errors
    /// The id of the resource a reference leads to, when it has no external id.
    pub fn outward(&self, entry: &KindEntry, spec: &Spec) -> Result<Spec, String> {
        let mut outward = spec.clone();
        for reference in entry.facts.references {
            let value = spec.get(reference.path);
            let Some(name) = value.and_then(|value| value.get("name")?.as_str()) else { continue };
            let id = ResourceId::new(reference.kind, name);
            let external = self.row(&id).and_then(|row| row.external_id.clone());
            let external = external.or_else(|| Some(self.unmanaged(&id)?.external_id.clone()));
            outward.set(
                reference.path,
                Value::one("external", external.ok_or(id.to_string())?.into()),
            );
        }
        Ok(outward)
    }

    /// A spec with references by name where they lead to managed resources.
    #[must_use]
    pub fn inward(&self, entry: &KindEntry, spec: &Spec) -> Spec {
        let mut inward = spec.clone();
        for reference in entry.facts.references {
            let value = spec.get(reference.path);
            let external = value.and_then(|value| value.get("external")?.as_str());
            let id = external.and_then(|external| {
                self.names.get(&(KindName::new(reference.kind), external.to_owned()))
            });
            if let Some(id) = id {
                inward.set(reference.path, Value::reference(id.name.as_str()));
            }
        }
        inward
    }
}

/// Adds what a row refers to.
fn refer(kinds: &Kinds, referrers: &mut Lookup<ResourceId, BTreeSet<ResourceId>>, row: &Stored) {
    let Some(entry) = kinds.get(row.id.kind.as_str()) else { return };
    for spec in [Some(&row.spec), row.last_applied.as_ref()].into_iter().flatten() {
        for reference in entry.facts.references {
            if let Some(ReferenceTo::Resource(target)) = reference.target(spec) {
                referrers.or_default(target).insert(row.id.clone());
            }
        }
    }
}
