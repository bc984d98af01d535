//! How far what moved spreads: what is planned anew, and what only stands beside it.
//!
//! A resource that moved takes its island along. A leaf ([`Kind::LEAF`](crate::kinds::Kind::LEAF))
//! does not: what it refers to, and what its rules look at there, is read as it stands, and nothing is
//! planned of it.

use crate::engine::islands::{self, Key, Keys};
use crate::engine::memory::Near;
use crate::kinds::Kinds;
use std::collections::BTreeMap;

/// The keys of what moved.
#[derive(Debug, Default)]
pub struct Seeds {
    /// Whatever has or hears one of these is planned anew.
    pub moved: Keys,
    /// What is called by one of these stands beside something that is planned anew.
    pub beside: Keys,
}

impl Seeds {
    /// Something of a kind moved, or is reached; true when that is new.
    pub fn add(
        &mut self,
        parts: &Parts,
        kind: u8,
        keys: impl Iterator<Item = Key> + Clone,
    ) -> bool {
        let listened = parts.of(kind).is_leaf && self.beside.add_listened(keys.clone());
        self.moved.add(keys) | listened
    }

    /// What tells roughly which others have to do with any of these.
    #[must_use]
    pub fn near(&self) -> Near {
        self.moved.iter().chain(self.beside.iter()).collect()
    }
}

/// What is to be done about a remembered resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: it is kept as it is.
    #[default]
    Kept,
    /// It is read, as others are judged by it.
    Beside,
    /// It is planned anew.
    Reached,
}

/// What part resources of a kind play for leaves.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// One itself.
    is_leaf: bool,
    /// What leaves refer to, or what that refers to.
    is_target: bool,
    /// What their rules look at.
    is_witness: bool,
}

/// The part of each kind, by its number.
pub struct Parts(Vec<Part>);

impl Parts {
    /// Of these kinds.
    #[must_use]
    pub fn of_kinds(kinds: &Kinds) -> Self {
        let leaves = || kinds.iter().filter(|entry| entry.leaf.is_some());
        let mut targets: Vec<&str> = Vec::new();
        let mut to_do: Vec<_> = leaves().collect();
        while let Some(entry) = to_do.pop() {
            for reference in entry.facts.references {
                if !targets.contains(&reference.kind) {
                    targets.push(reference.kind);
                    to_do.extend(kinds.get(reference.kind));
                }
            }
        }
        let witnesses: Vec<&str> =
            leaves().flat_map(|entry| entry.leaf.into_iter().flatten().copied()).collect();
        let part = |entry: &crate::kinds::KindEntry| Part {
            is_leaf: entry.leaf.is_some(),
            is_target: targets.contains(&entry.facts.kind),
            is_witness: witnesses.contains(&entry.facts.kind),
        };
        Self(kinds.iter().map(part).collect())
    }

    fn of(&self, kind: u8) -> Part {
        self.0.get(usize::from(kind)).copied().unwrap_or_default()
    }

    /// What becomes of a settled resource, given its fate until now; a change of it adds its keys.
    /// True when something is new.
    pub fn spread(
        &self,
        fate: &mut Fate,
        kind: u8,
        keys: impl Iterator<Item = Key> + Clone,
        seeds: &mut Seeds,
    ) -> bool {
        let part = self.of(kind);
        if *fate == Fate::Reached {
            return false;
        }
        if seeds.moved.meet(keys.clone()) || (part.is_leaf && seeds.beside.meet(keys.clone())) {
            *fate = Fate::Reached;
            return seeds.add(self, kind, keys);
        }
        let spoken = keys.filter(|key| islands::is_spoken(*key));
        if *fate == Fate::Kept
            && (part.is_target || part.is_witness)
            && seeds.beside.meet(spoken.clone())
        {
            *fate = Fate::Beside;
            return part.is_target && seeds.beside.add(spoken);
        }
        false
    }
}

/// Keys that spread by an index: those that came last, and what became of the others.
pub struct Spreading {
    seeds: Seeds,
    /// Those that were handed out, and whether as keys of what moved.
    seen: BTreeMap<Key, bool>,
    to_do: Vec<Key>,
}

impl Spreading {
    /// From these.
    #[must_use]
    pub fn of(seeds: Seeds) -> Self {
        let keys: Vec<Key> = seeds.moved.iter().chain(seeds.beside.iter()).collect();
        let mut spreading = Self { seeds, seen: BTreeMap::new(), to_do: Vec::new() };
        spreading.note(keys.into_iter());
        spreading
    }

    /// See [`Seeds::add`].
    pub fn add(&mut self, parts: &Parts, kind: u8, keys: impl Iterator<Item = Key> + Clone) {
        if self.seeds.add(parts, kind, keys.clone()) {
            self.note(keys);
        }
    }

    /// See [`Parts::spread`].
    pub fn spread(
        &mut self,
        parts: &Parts,
        fate: &mut Fate,
        kind: u8,
        keys: impl Iterator<Item = Key> + Clone,
    ) {
        if parts.spread(fate, kind, keys.clone(), &mut self.seeds) {
            self.note(keys);
        }
    }

    fn note(&mut self, keys: impl Iterator<Item = Key>) {
        for key in keys.map(islands::listened) {
            let moved = self.seeds.moved.contains(key);
            let is_new = |seen: Option<&bool>| seen.is_none_or(|as_moved| moved && !as_moved);
            if (moved || self.seeds.beside.contains(key)) && is_new(self.seen.get(&key)) {
                self.seen.insert(key, moved);
                self.to_do.push(key);
            }
        }
    }
}

impl Iterator for Spreading {
    type Item = Key;

    /// A key whose bearers are to be looked at.
    fn next(&mut self) -> Option<Key> {
        self.to_do.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Parts, Seeds};
    use crate::engine::islands::{Key, external, listening_for, named};
    use crate::engine::remember::number;
    use crate::kinds::Kinds;

    /// What becomes of one customer's resources, given by kind and keys, when those with these places
    /// moved.
    fn fates(resources: &[(&str, Vec<Key>)], moved: &[usize]) -> Vec<Fate> {
        let kinds = Kinds::default();
        let (parts, mut seeds) = (Parts::of_kinds(&kinds), Seeds::default());
        let number = |kind| number(&kinds, kind);
        for (kind, keys) in moved.iter().map(|place| &resources[*place]) {
            seeds.add(&parts, number(kind), keys.iter().copied());
        }
        let mut fates = vec![Fate::Kept; resources.len()];
        loop {
            let mut grown = false;
            for ((kind, keys), fate) in resources.iter().zip(&mut fates) {
                grown |= parts.spread(fate, number(kind), keys.iter().copied(), &mut seeds);
            }
            if !grown {
                return fates;
            }
        }
    }

    fn one_customer() -> Vec<(&'static str, Vec<Key>)> {
        let (customer, azure) = (named("Customer", "c"), named("Subscription", "s"));
        let tenant = external("Customer", "t");
        vec![
            ("Budget", vec![named("Budget", "b"), listening_for(customer)]),
            ("RoleAssignment", vec![named("RoleAssignment", "r"), azure]),
            ("Subscription", vec![azure, customer]),
            ("Customer", vec![customer, tenant]),
            ("Budget", vec![named("Budget", "other"), listening_for(tenant)]),
            ("Customer", vec![named("Customer", "d")]),
        ]
    }

    #[test]
    fn a_leaf_takes_along_only_leaves_of_the_same_and_what_they_are_judged_by() {
        use Fate::{Beside, Kept, Reached};
        // Both budgets are of this customer, whatever they call it.
        let of_budget = [Reached, Kept, Beside, Beside, Reached, Kept];
        assert_eq!(fates(&one_customer(), &[0]), of_budget);
        assert_eq!(fates(&one_customer(), &[4]), of_budget);
    }

    #[test]
    fn whatever_else_moves_takes_its_island_along_with_its_leaves() {
        use Fate::{Kept, Reached};
        for place in [1, 2, 3] {
            let all_but_the_other = [Reached, Reached, Reached, Reached, Reached, Kept];
            assert_eq!(fates(&one_customer(), &[place]), all_but_the_other, "{place}");
        }
    }
}
