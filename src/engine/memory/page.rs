//! The pages of a memory: what each file declares, bound so that most are neither read nor written
//! anew.

use crate::engine::islands::AsItIs;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashSet;
use std::hash::BuildHasherDefault;

/// A declared resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared<'a> {
    /// The number of its kind.
    pub kind: u8,
    /// Its name.
    pub name: &'a str,
    /// The resource as JSON. Empty for a settled one: the store's row says the same.
    pub resource: &'a str,
    /// What it is called by and calls others by, eight bytes each; its own name comes first.
    pub keys: &'a [u8],
    /// A digest of what its manifest says and where; empty where that is not known.
    pub mark: &'a [u8],
}

impl Declared<'_> {
    /// True when there is nothing to say about it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.resource.is_empty()
    }
}

/// How it is written: its keys stand with those of the others.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    kind: u8,
    name: &'a str,
    resource: &'a str,
    /// Bytes of its keys.
    keys: usize,
    #[serde(serialize_with = "as_bytes")]
    mark: &'a [u8],
}

/// Bytes in one piece, instead of one after the other.
pub(super) fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// What one file declares.
#[derive(Debug, Clone, PartialEq)]
pub enum Page<'a> {
    /// As it was written.
    Bound(Bound<'a>),
    /// As it will be written.
    Loose(Vec<Declared<'a>>),
}

/// What one file declares, as bytes, and beside them what tells whether they must be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bound<'a> {
    /// How many of them are settled.
    pub settled: usize,
    /// How many are not.
    pub unsettled: usize,
    /// True when a selector made one of them.
    pub generated: bool,
    /// The keys of all of them, one after the other: where none of them is looked for, no more is.
    #[serde(serialize_with = "as_bytes")]
    keys: &'a [u8],
    #[serde(serialize_with = "as_bytes")]
    rows: &'a [u8],
}

impl<'a> Bound<'a> {
    /// All of them. Bytes that are not those that were written are found out by the digest of all.
    #[must_use]
    pub fn open(&self) -> Vec<Declared<'a>> {
        let mut ones = Vec::with_capacity(self.settled + self.unsettled);
        let (mut rows, mut all_keys) = (self.rows, self.keys);
        while let Ok((row, more)) = postcard::take_from_bytes::<Row<'a>>(rows) {
            let Row { kind, name, resource, keys, mark } = row;
            let Some((keys, more_keys)) = all_keys.split_at_checked(keys) else { break };
            ones.push(Declared { kind, name, resource, keys, mark });
            (rows, all_keys) = (more, more_keys);
        }
        ones
    }

    /// False when none of them has any of these keys.
    #[must_use]
    pub fn may_have(&self, keys: &Near) -> bool {
        self.keys.chunks_exact(8).filter_map(half).any(|half| keys.contains(half))
    }
}

impl<'a> Page<'a> {
    /// All of what the file declares.
    #[must_use]
    pub fn open(&self) -> Vec<Declared<'a>> {
        match self {
            Self::Bound(bound) => bound.open(),
            Self::Loose(ones) => ones.clone(),
        }
    }

    /// False when it is known that none of them has any of these keys.
    #[must_use]
    pub fn may_have(&self, keys: &Near) -> bool {
        match self {
            Self::Bound(bound) => bound.may_have(keys),
            Self::Loose(_) => true,
        }
    }

    /// How many are settled, and how many are not.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        match self {
            Self::Bound(bound) => (bound.settled, bound.unsettled),
            Self::Loose(ones) => {
                let settled = ones.iter().filter(|one| one.is_settled()).count();
                (settled, ones.len() - settled)
            }
        }
    }

    /// Adds one.
    pub fn push(&mut self, one: Declared<'a>) {
        if let Self::Bound(bound) = self {
            *self = Self::Loose(bound.open());
        }
        if let Self::Loose(ones) = self {
            ones.push(one);
        }
    }

    /// Those that selectors made.
    #[must_use]
    pub fn generated(&self) -> Vec<Declared<'a>> {
        let mut ones = match self {
            Self::Bound(bound) if !bound.generated => return Vec::new(),
            _ => self.open(),
        };
        ones.retain(|one| one.name.contains('/'));
        ones
    }
}

impl Default for Page<'_> {
    fn default() -> Self {
        Self::Loose(Vec::new())
    }
}

impl Serialize for Page<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ones = match self {
            Self::Bound(bound) => return bound.serialize(serializer),
            Self::Loose(ones) => ones,
        };
        let (settled, unsettled) = self.counts();
        let (mut rows, mut keys) = (Vec::new(), Vec::new());
        for Declared { kind, name, resource, keys: own, mark } in ones {
            let row = Row { kind: *kind, name, resource, keys: own.len(), mark };
            rows = postcard::to_extend(&row, rows).map_err(serde::ser::Error::custom)?;
            keys.extend_from_slice(own);
        }
        let generated = ones.iter().any(|one| one.name.contains('/'));
        Bound { settled, unsettled, generated, keys: &keys, rows: &rows }.serialize(serializer)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Page<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bound::deserialize(deserializer).map(Self::Bound)
    }
}

/// The lower half of a key: without the mark of those that are only listened for.
fn half(key: &[u8]) -> Option<u32> {
    key.first_chunk().copied().map(u32::from_le_bytes)
}

/// The lower halves of keys that are looked for. Two keys may share one: then more is looked at than
/// need be.
#[derive(Debug, Default)]
pub struct Near {
    halves: HashSet<u32, BuildHasherDefault<AsItIs>>,
    /// A bit for the end of each: most of what is not among them is seen here, without looking there.
    ends: Vec<u64>,
}

/// Bits for each key.
const BITS: usize = 16;

impl Near {
    fn contains(&self, half: u32) -> bool {
        let (place, bit) = self.end_of(half);
        self.ends.get(place).is_some_and(|bits| bits & bit != 0) && self.halves.contains(&half)
    }

    fn end_of(&self, half: u32) -> (usize, u64) {
        ((half as usize / 64) & self.ends.len().wrapping_sub(1), 1 << (half % 64))
    }
}

impl FromIterator<u64> for Near {
    fn from_iter<I: IntoIterator<Item = u64>>(keys: I) -> Self {
        let halves: HashSet<u32, _> =
            keys.into_iter().filter_map(|key| half(&key.to_le_bytes())).collect();
        let ends = vec![0; (halves.len() * BITS / 64).next_power_of_two()];
        let mut near = Self { halves, ends };
        for half in &near.halves {
            let (place, bit) = near.end_of(*half);
            near.ends[place] |= bit;
        }
        near
    }
}

#[cfg(test)]
mod tests {
    use super::{Declared, Near, Page};

    fn page() -> (Page<'static>, Vec<u8>) {
        let keys: &[u8] = &[1, 0, 0, 0, 9, 9, 9, 9, 2, 0, 0, 0, 0, 0, 0, 0];
        let one = |name, resource| Declared { kind: 1, name, resource, keys, mark: &[7] };
        let page = Page::Loose(vec![one("a", ""), one("m/b", "{}")]);
        let bytes = postcard::to_stdvec(&page).unwrap();
        (page, bytes)
    }

    #[test]
    fn a_page_is_the_same_once_it_is_bound() {
        let (loose, bytes) = page();
        let bound: Page<'_> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(bound.open(), loose.open());
        assert_eq!((bound.counts(), loose.counts()), ((1, 1), (1, 1)));
        assert_eq!(bound.generated(), loose.generated());
        assert_eq!(bound.generated().len(), 1);
        assert_eq!(postcard::to_stdvec(&bound).unwrap(), bytes);
    }

    #[test]
    fn a_bound_page_tells_whether_it_must_be_opened() {
        let (_, bytes) = page();
        let Page::Bound(bound) = postcard::from_bytes(&bytes).unwrap() else { panic!() };
        let has = |key: u64| bound.may_have(&Near::from_iter([key]));
        assert!(has(1) && has(2) && has(u64::MAX << 32 | 2));
        assert!(!has(3) && !has(9 << 32));
    }
}
