//! What is looked up by a key: no order of its own can reach an output.

#![expect(clippy::disallowed_types, reason = "entries are given in the order of their keys only")]

use crate::model::parallel::sort_by;
use foldhash::fast::RandomState;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Index;

/// Values by keys. Of hundreds of thousands of names a sorted map compares twenty to find one; this
/// reads one.
#[derive(Debug, Clone)]
pub struct Lookup<K, V>(HashMap<K, V, RandomState>);

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Hash + Eq, V> Lookup<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// The same, to change it.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    /// True when a key has a value.
    #[must_use]
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Gives a key a value; gives the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Makes room for so many more: growing by and by moves everything again and again.
    pub fn reserve(&mut self, more: usize) {
        self.0.reserve(more);
    }

    /// Takes a key's value away.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    /// How many keys have a value.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when no key has a value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every value, in the order of the keys: these are sorted for it.
    #[must_use]
    pub fn sorted(&self) -> Vec<&V>
    where
        K: Ord + Sync,
        V: Sync,
    {
        let mut entries: Vec<(&K, &V)> = self.0.iter().collect();
        sort_by(&mut entries, |a, b| a.0.cmp(b.0));
        entries.into_iter().map(|(_, value)| value).collect()
    }

    /// The value of a key, made where there was none.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.0.entry(key).or_default()
    }
}

impl<K: Hash + Eq, V> FromIterator<(K, V)> for Lookup<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<K: Hash + Eq, V> Extend<(K, V)> for Lookup<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        self.0.extend(entries);
    }
}

impl<K: Hash + Eq, V> Index<&K> for Lookup<K, V> {
    type Output = V;

    /// The value of a key that is known to have one.
    fn index(&self, key: &K) -> &V {
        &self.0[key]
    }
}

/// Keys that are looked up.
#[derive(Debug, Clone)]
pub struct Known<K>(Lookup<K, ()>);

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self(Lookup::default())
    }
}

impl<K: Hash + Eq> Known<K> {
    /// True when it is one of them.
    #[must_use]
    pub fn contains<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one; false when it was there.
    pub fn insert(&mut self, key: K) -> bool {
        self.0.insert(key, ()).is_none()
    }

    /// All of them, in order: they are sorted for it.
    #[must_use]
    pub fn sorted(&self) -> Vec<&K>
    where
        K: Ord + Sync,
    {
        let mut keys: Vec<&K> = self.0.0.keys().collect();
        sort_by(&mut keys, |a, b| a.cmp(b));
        keys
    }
}

impl<K: Hash + Eq> FromIterator<K> for Known<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        Self(keys.into_iter().map(|key| (key, ())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, Lookup};

    #[test]
    fn values_come_in_the_order_of_their_keys_whatever_was_put_first() {
        let numbers = [7, 3, 900, 41, 0, 12];
        let mut lookup: Lookup<u32, u32> = numbers.iter().map(|key| (*key, key * 2)).collect();
        assert_eq!(lookup.sorted(), [&0, &6, &14, &24, &82, &1_800]);
        *lookup.or_default(5) += 1;
        assert_eq!(
            (lookup.remove(&0), lookup.insert(3, 9), lookup.get(&5)),
            (Some(0), Some(6), Some(&1))
        );
        assert_eq!(lookup.sorted(), [&9, &1, &14, &24, &82, &1_800]);
    }

    #[test]
    fn a_key_is_new_once() {
        let mut known: Known<&str> = Known::default();
        assert!(known.insert("contoso") && !known.insert("contoso"));
        assert!(known.contains("contoso") && !known.contains("fabrikam"));
        assert!(known.insert("adatum") && known.sorted() == [&"adatum", &"contoso"]);
    }
}
