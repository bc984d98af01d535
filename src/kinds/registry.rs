//! The registry as a value: kinds in their order, and found by what people call them.

use crate::kinds::{KINDS, KindEntry};
use crate::model::problem::did_you_mean;

/// The registry as a value, so that tests add kinds of their own.
#[derive(Clone)]
pub struct Kinds {
    entries: Vec<KindEntry>,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { entries: KINDS.to_vec() }
    }
}

impl Kinds {
    /// This registry with one more kind.
    #[must_use]
    pub fn with(mut self, entry: KindEntry) -> Self {
        self.entries.push(entry);
        self
    }

    /// All kinds in dependency order.
    pub fn iter(&self) -> impl Iterator<Item = &KindEntry> {
        self.entries.iter()
    }

    /// A kind by its exact name.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&KindEntry> {
        self.entries.iter().find(|entry| entry.facts.kind == kind)
    }

    /// The place of a kind in the registry, for sorting.
    #[must_use]
    pub fn rank(&self, kind: &str) -> usize {
        self.entries.iter().position(|entry| entry.facts.kind == kind).unwrap_or(self.entries.len())
    }

    /// The kinds from which references may lead back to the same kind: only there can they go in a
    /// circle.
    #[must_use]
    pub fn circular(&self) -> Vec<&'static str> {
        let leads_back = |start: &&'static str| {
            let (mut seen, mut to_do) = (Vec::new(), vec![*start]);
            while let Some(entry) = to_do.pop().and_then(|kind| self.get(kind)) {
                for reference in entry.facts.references {
                    if !seen.contains(&reference.kind) {
                        seen.push(reference.kind);
                        to_do.push(reference.kind);
                    }
                }
            }
            seen.contains(start)
        };
        self.entries.iter().map(|entry| entry.facts.kind).filter(leads_back).collect()
    }

    /// A kind by what people type: kind, plural or short name in any case.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<&KindEntry> {
        let word = word.to_lowercase();
        self.entries.iter().find(|KindEntry { facts, .. }| {
            facts.kind.to_lowercase() == word
                || facts.plural == word
                || facts.short.contains(&word.as_str())
        })
    }

    /// What to say when a kind is not found.
    #[must_use]
    pub fn hint(&self, word: &str) -> String {
        let names: Vec<_> = self.entries.iter().map(|entry| entry.facts.kind).collect();
        match did_you_mean(word, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known kinds: {}", names.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KindEntry, Kinds};
    use std::collections::BTreeSet;

    #[test]
    fn names_on_the_command_line_are_unique_over_all_kinds() {
        let mut seen = BTreeSet::new();
        for entry in Kinds::default().iter() {
            let facts = entry.facts;
            let mut words: BTreeSet<String> = facts.short.iter().map(|s| (*s).to_owned()).collect();
            words.insert(facts.kind.to_lowercase());
            words.insert(facts.plural.to_owned());
            for word in words {
                assert!(seen.insert(word.clone()), "{word} names two kinds");
            }
        }
    }

    #[test]
    fn every_kind_says_what_it_is_and_what_deleting_it_means() {
        for entry in Kinds::default().iter() {
            assert!(!entry.facts.about.is_empty() && !entry.facts.deleting.is_empty());
            assert!(!entry.facts.columns.is_empty());
            assert!(!entry.facts.roles.is_empty(), "{}: nobody may change it", entry.facts.kind);
        }
    }

    #[test]
    fn nobody_refers_to_a_leaf_and_what_stands_beside_one_refers_where_it_does() {
        let kinds = Kinds::default();
        let refers =
            |from: &KindEntry, to: &str| from.facts.references.iter().any(|r| r.kind == to);
        for leaf in kinds.iter().filter(|entry| entry.leaf.is_some()) {
            let name = leaf.facts.kind;
            assert!(!kinds.iter().any(|entry| refers(entry, name)), "{name} is referred to");
            for beside in leaf.leaf.into_iter().flatten() {
                let beside = kinds.get(beside).unwrap();
                let both = |to: &str| refers(beside, to) && refers(leaf, to);
                assert!(kinds.iter().any(|entry| both(entry.facts.kind)), "{name}");
            }
        }
    }

    #[test]
    fn defaults_are_json_and_references_name_known_kinds() {
        let kinds = Kinds::default();
        for entry in kinds.iter() {
            for field in entry.facts.fields.iter().filter(|f| f.default.is_some()) {
                assert!(entry.default_of(field.path).is_some(), "{}", field.path);
            }
            for reference in entry.facts.references {
                assert!(
                    kinds.get(reference.kind).is_some() || reference.later,
                    "{}",
                    reference.path
                );
            }
        }
    }
}
