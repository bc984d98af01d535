//! Which resources have to do with each other: by name, external id, identity and references.
//!
//! Planning looks from a resource only along these. So a plan of whole islands says of each of their
//! resources what the plan of everything would.

use crate::kinds::staff;
use crate::kinds::{KindEntry, Kinds, ReferenceTo};
use crate::model::resource::{EXTERNAL_ID, PREVIOUS_NAME};
use crate::model::{Metadata, Observed, Resource, ResourceId, Spec, Stored};
use foldhash::quality::FixedState;
use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

/// Something that a resource is called by, or calls another by, as a hash: two that share a key are
/// of one island, and so is whatever shares one with either. A collision only makes an island larger
/// than it need be.
pub type Key = u64;

fn key(kind: &str, what: &str, text: &str) -> Key {
    FixedState::default().hash_one((kind, what, text)) & !LISTENS
}

/// The mark of a key that is only listened for: whoever has it is reached when the other moves, and
/// reaches nobody by it. Else everybody's access would be one island with the partner's staff, and a
/// leaf ([`Kind::LEAF`](crate::kinds::Kind::LEAF)) would take along everything of its customer.
const LISTENS: Key = 1 << 63;

/// The key under which others listen for a key.
#[must_use]
pub fn listening_for(key: Key) -> Key {
    key | LISTENS
}

/// The key itself, of one that is listened for.
#[must_use]
pub fn listened(key: Key) -> Key {
    key & !LISTENS
}

/// True when a key reaches others, and does not only listen for them.
#[must_use]
pub fn is_spoken(key: Key) -> bool {
    key & LISTENS == 0
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
    let listens =
        (entry.looks_at_staff)(spec).map(|text| listening_for(key(staff::KIND, "same", &text)));
    keys.extend(listens);
    keys.extend((entry.continues)(spec).map(|id| external(kind, id)));
    for reference in entry.facts.references {
        let key = reference.target(spec).map(|target| match target {
            ReferenceTo::Resource(id) => named(reference.kind, id.name.as_str()),
            ReferenceTo::External(id) => external(reference.kind, &id),
        });
        keys.extend(key.map(|key| if entry.leaf.is_some() { listening_for(key) } else { key }));
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
        of_spec(entry, &row.spec, &mut keys);
        // Mostly the three are alike.
        let others = [row.last_applied.as_ref(), row.observed.as_ref()];
        for spec in others.into_iter().flatten().filter(|spec| **spec != row.spec) {
            of_spec(entry, spec, &mut keys);
        }
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

/// Keys that are looked for. They are hashes already.
#[derive(Debug, Default)]
pub struct Keys(HashSet<Key, BuildHasherDefault<AsItIs>>);

impl Keys {
    /// Adds keys; true when one of them is new.
    pub fn add(&mut self, keys: impl IntoIterator<Item = Key>) -> bool {
        let before = self.0.len();
        self.0.extend(keys.into_iter().filter(|key| is_spoken(*key)));
        self.0.len() > before
    }

    /// Adds what these listen for; true when one of them is new.
    pub fn add_listened(&mut self, keys: impl IntoIterator<Item = Key>) -> bool {
        let before = self.0.len();
        self.0.extend(keys.into_iter().filter(|key| !is_spoken(*key)).map(listened));
        self.0.len() > before
    }

    /// True when one of these is among them, or what it listens for.
    pub fn meet(&self, mut keys: impl Iterator<Item = Key>) -> bool {
        keys.any(|key| self.0.contains(&listened(key)))
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Key> {
        self.0.iter().copied()
    }

    /// True when it is among them.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.0.contains(&key)
    }
}

/// Takes a number for its hash.
#[derive(Debug, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    /// Half of a hash fills only half of what a table looks at: it is spread over the whole.
    fn write_u32(&mut self, number: u32) {
        self.0 = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
