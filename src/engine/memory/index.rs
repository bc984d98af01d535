//! Which resources of a memory have a key: sorted once, and what came since beside it.

use crate::engine::islands::Key;
use std::collections::BTreeSet;

/// With more pairs beside the sorted ones than this and an eighth of these, all are sorted again.
const BESIDE_MAX: usize = 4_096;

/// Pairs of a key and a resource's place. A pair may be out of date: whoever asks looks at the place.
#[derive(Debug, Default)]
pub struct Index {
    keys: Vec<Key>,
    places: Vec<u32>,
    beside: BTreeSet<(Key, u32)>,
}

impl Index {
    /// Of these pairs.
    #[must_use]
    pub fn new(mut pairs: Vec<(Key, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let (keys, places) = pairs.into_iter().unzip();
        Self { keys, places, beside: BTreeSet::new() }
    }

    /// Adds a pair. True when so many came that a new index is due.
    pub fn add(&mut self, key: Key, place: u32) -> bool {
        if self.sorted(key).binary_search(&place).is_err() {
            self.beside.insert((key, place));
        }
        self.beside.len() > BESIDE_MAX + self.keys.len() / 8
    }

    /// The places of a key.
    pub fn of(&self, key: Key) -> impl Iterator<Item = u32> {
        let beside = self.beside.range((key, 0)..=(key, u32::MAX)).map(|(_, place)| *place);
        self.sorted(key).iter().copied().chain(beside)
    }

    fn sorted(&self, key: Key) -> &[u32] {
        let start = self.keys.partition_point(|other| *other < key);
        let length = self.keys[start..].iter().take_while(|other| **other == key).count();
        &self.places[start..start + length]
    }
}

#[cfg(test)]
mod tests {
    use super::{BESIDE_MAX, Index};

    #[test]
    fn a_key_leads_to_every_place_that_was_given_for_it_once() {
        let mut index = Index::new(vec![(7, 2), (3, 1), (7, 1), (7, 2)]);
        assert!(!index.add(7, 2));
        assert!(!index.add(7, 9));
        assert!(!index.add(5, 4));
        let of = |key| index.of(key).collect::<Vec<_>>();
        assert_eq!((of(7), of(3), of(5), of(6)), (vec![1, 2, 9], vec![1], vec![4], vec![]));
    }

    #[test]
    fn it_asks_to_be_made_anew_when_much_stands_beside_it() {
        let mut index = Index::default();
        let mut due = (0..).position(|place| index.add(1, place));
        assert_eq!(due.take(), Some(BESIDE_MAX));
    }
}
