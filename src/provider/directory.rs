//! What a pass knows of rows and outside things, kept up to date while it runs.

use crate::kinds::{KindEntry, Kinds};
use crate::model::digest::Digest;
use crate::model::{KindName, Observed, ResourceId, Spec, Stored};
use serde_json::json;
use std::collections::BTreeMap;

/// Rows by id, outside things by external id, and the next place in the log.
#[derive(Clone)]
pub struct Directory {
    /// The kinds.
    pub kinds: Kinds,
    lineage: String,
    /// The last used place in the log: names of operations and outside things derive from it.
    seq: i64,
    rows: BTreeMap<ResourceId, Stored>,
    actual: BTreeMap<(KindName, String), Observed>,
    names: BTreeMap<(KindName, String), ResourceId>,
}

impl Directory {
    /// Gathers what the store and the provider say at the beginning of a pass.
    #[must_use]
    pub fn new(
        kinds: Kinds,
        lineage: &str,
        seq: i64,
        rows: Vec<Stored>,
        actual: Vec<Observed>,
    ) -> Self {
        let (rows, names) = (
            rows.iter().map(|row| (row.id.clone(), row.clone())).collect(),
            rows.into_iter()
                .filter_map(|row| Some(((row.id.kind.clone(), row.external_id?), row.id)))
                .collect(),
        );
        let actual = actual
            .into_iter()
            .map(|observed| ((observed.kind.clone(), observed.external_id.clone()), observed))
            .collect();
        Self { kinds, lineage: lineage.to_owned(), seq, rows, actual, names }
    }

    /// A row.
    #[must_use]
    pub fn row(&self, id: &ResourceId) -> Option<&Stored> {
        self.rows.get(id)
    }

    /// An outside thing.
    #[must_use]
    pub fn actual(&self, kind: &KindName, external_id: &str) -> Option<&Observed> {
        self.actual.get(&(kind.clone(), external_id.to_owned()))
    }

    /// An outside thing of an unmanaged name, when only one has it.
    #[must_use]
    pub fn unmanaged(&self, id: &ResourceId) -> Option<&Observed> {
        let mut named = self.actual.values().filter(|observed| {
            observed.kind == id.kind
                && observed.name == id.name.as_str()
                && !self.names.contains_key(&(observed.kind.clone(), observed.external_id.clone()))
        });
        named.next().filter(|_| named.next().is_none())
    }

    /// Every row, in order.
    pub fn rows(&self) -> impl Iterator<Item = &Stored> {
        self.rows.values()
    }

    /// Puts a row, under its new name when it had another.
    pub fn put_row(&mut self, row: Stored, previous: Option<&ResourceId>) {
        if let Some(previous) = previous {
            self.drop_row(previous);
        }
        if let Some(external) = &row.external_id {
            self.names.insert((row.id.kind.clone(), external.clone()), row.id.clone());
        }
        self.rows.insert(row.id.clone(), row);
    }

    /// Takes a row away.
    pub fn drop_row(&mut self, id: &ResourceId) {
        if let Some(row) = self.rows.remove(id)
            && let Some(external) = row.external_id
        {
            self.names.remove(&(row.id.kind, external));
        }
    }

    /// Puts an outside thing.
    pub fn put_actual(&mut self, observed: Observed) {
        self.actual.insert((observed.kind.clone(), observed.external_id.clone()), observed);
    }

    /// Takes an outside thing away.
    pub fn drop_actual(&mut self, kind: &KindName, external_id: &str) {
        self.actual.remove(&(kind.clone(), external_id.to_owned()));
    }

    /// The id of the next operation: unique in the store, and no clock or chance in it.
    pub fn next_operation(&mut self) -> String {
        self.seq += 1;
        self.made_id("operation")
    }

    /// An id for something that the current operation makes.
    #[must_use]
    pub fn made_id(&self, what: &str) -> String {
        Digest::default().text(what).text(&self.lineage).number(Some(self.seq)).uuid()
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
            outward.set(reference.path, json!({"external": external.ok_or(id.to_string())?}));
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
                inward.set(reference.path, json!({"name": id.name.as_str()}));
            }
        }
        inward
    }
}
