//! Which resources have to do with each other: by name, external id, identity and references.
//!
//! Planning looks from a resource only along these. So a plan of whole islands says of each of their
//! resources what the plan of everything would.

use crate::kinds::{KindEntry, Kinds, ReferenceTo};
use crate::model::resource::{EXTERNAL_ID, PREVIOUS_NAME};
use crate::model::{Metadata, Observed, Resource, ResourceId, Spec, Stored};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Something that a resource is called by, or calls another by, as a hash: two with one key are of
/// one island. A collision only makes an island larger than it need be.
pub type Key = u64;

fn key(kind: &str, what: &str, text: &str) -> Key {
    let mut hasher = DefaultHasher::new();
    (kind, what, text).hash(&mut hasher);
    hasher.finish()
}

/// The key of a name.
#[must_use]
pub fn named(kind: &str, name: &str) -> Key {
    key(kind, "name", name)
}

/// The key of an external id.
#[must_use]
pub fn external(kind: &str, id: &str) -> Key {
    key(kind, "external", id)
}

fn of_spec(entry: &KindEntry, spec: &Spec, keys: &mut Vec<Key>) {
    let kind = entry.facts.kind;
    keys.extend(entry.sameness(spec).map(|text| key(kind, "same", &text)));
    for reference in entry.facts.references {
        keys.extend(reference.target(spec).map(|target| match target {
            ReferenceTo::Resource(id) => named(reference.kind, id.name.as_str()),
            ReferenceTo::External(id) => external(reference.kind, &id),
        }));
    }
}

fn of_metadata(kind: &str, metadata: &Metadata, keys: &mut Vec<Key>) {
    keys.extend(metadata.annotation(PREVIOUS_NAME).map(|name| named(kind, name)));
    keys.extend(metadata.annotation(EXTERNAL_ID).map(|id| external(kind, id)));
}

/// The keys of a declared resource; its own name comes first.
#[must_use]
pub fn of_resource(kinds: &Kinds, resource: &Resource) -> Vec<Key> {
    let kind = resource.id.kind.as_str();
    let mut keys = vec![named(kind, resource.id.name.as_str())];
    of_metadata(kind, &resource.metadata, &mut keys);
    if let Some(entry) = kinds.get(kind) {
        of_spec(entry, &resource.spec, &mut keys);
    }
    keys
}

/// The keys of a row, with what is observed of it.
#[must_use]
pub fn of_row(kinds: &Kinds, row: &Stored) -> Vec<Key> {
    let kind = row.id.kind.as_str();
    let mut keys = vec![named(kind, row.id.name.as_str())];
    keys.extend(row.external_id.as_deref().map(|id| external(kind, id)));
    of_metadata(kind, &row.metadata, &mut keys);
    if let Some(entry) = kinds.get(kind) {
        let specs = [Some(&row.spec), row.last_applied.as_ref(), row.observed.as_ref()];
        specs.into_iter().flatten().for_each(|spec| of_spec(entry, spec, &mut keys));
    }
    keys
}

/// The keys of a thing; its external id comes first.
#[must_use]
pub fn of_thing(kinds: &Kinds, thing: &Observed) -> Vec<Key> {
    let kind = thing.kind.as_str();
    let mut keys = vec![external(kind, &thing.external_id), named(kind, &thing.name)];
    if let Some(entry) = kinds.get(kind) {
        of_spec(entry, &thing.spec, &mut keys);
    }
    keys
}

/// The key of a row's name.
#[must_use]
pub fn of_id(id: &ResourceId) -> Key {
    named(id.kind.as_str(), id.name.as_str())
}

/// Islands while they grow together.
#[derive(Default)]
pub struct Islands {
    parents: Vec<u32>,
    by_key: HashMap<Key, u32>,
}

impl Islands {
    /// Brings everything with one of these keys together.
    pub fn join(&mut self, keys: &[Key]) {
        let mut first = None;
        for key in keys {
            let next = u32::try_from(self.parents.len()).unwrap_or(u32::MAX);
            let node = *self.by_key.entry(*key).or_insert(next);
            if node == next {
                self.parents.push(next);
            }
            let root = self.root(node);
            let to = *first.get_or_insert(root);
            self.parents[root as usize] = to;
        }
    }

    fn root(&mut self, mut node: u32) -> u32 {
        while self.parents[node as usize] != node {
            let above = self.parents[self.parents[node as usize] as usize];
            self.parents[node as usize] = above;
            node = above;
        }
        node
    }

    /// The number of the island with a key; 0 for one that was never joined.
    pub fn of(&mut self, key: Key) -> u32 {
        let node = self.by_key.get(&key).copied();
        node.map_or(0, |node| self.root(node))
    }
}

#[cfg(test)]
mod tests {
    use super::Islands;

    #[test]
    fn what_shares_a_key_is_of_one_island_however_far_around() {
        let mut islands = Islands::default();
        islands.join(&[1, 2]);
        islands.join(&[3, 4]);
        islands.join(&[5]);
        assert_ne!(islands.of(1), islands.of(4));
        islands.join(&[4, 6, 2]);
        assert_eq!(islands.of(1), islands.of(3));
        assert_ne!(islands.of(1), islands.of(5));
    }
}
