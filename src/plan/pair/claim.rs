//! What a declared resource stands for: what the store has under its name, what had another name
//! until now, what is there and nobody manages, or something new.

use super::candidates::Candidates;
use super::{Pair, Pairing};
use crate::kinds::{Block, KindEntry};
use crate::model::lookup::Lookup;
use crate::model::resource::{EXTERNAL_ID, PREVIOUS_NAME};
use crate::model::{KindName, Resource, ResourceId, ResourceName, Spec, Stored, code};
use crate::plan::Scope;
use std::sync::Arc;

/// What a plan of a part of the set cannot know.
const UNSEEN: &str = "whether it is still declared cannot be seen from a part of the set";

impl Pairing<'_> {
    /// A resource whose name the set's store knows. Where the thing itself vanished, one of the same
    /// identity, or the one that the annotation names, takes its place; where its time is over, the
    /// one that goes on with it does.
    pub(super) fn named(
        &self,
        entry: &KindEntry,
        (resource, identity): (Resource, Option<&String>),
        stored: Box<Stored>,
        candidates: &mut Candidates,
    ) -> Pair {
        let gone = stored.observed.is_none();
        let by_annotation = resource
            .metadata
            .annotation(EXTERNAL_ID)
            .filter(|external| candidates.unmanaged.contains_key(*external))
            .map(str::to_owned);
        let by_identity = || candidates.unmanaged_by_identity.get(identity?)?.first().cloned();
        let heir = || self.heir(entry, &resource, &stored, candidates);
        let external = by_annotation.or_else(by_identity).filter(|_| gone).or_else(heir);
        let found = external.and_then(|external| candidates.unmanaged.remove(&external));
        Pair { desired: Some(resource), stored: Some(stored), found, ..Pair::default() }
    }

    /// What goes on with something whose time is over: the last of those that each went on with the one
    /// before, unless a manifest takes it over under another name.
    fn heir(
        &self,
        entry: &KindEntry,
        resource: &Resource,
        stored: &Stored,
        candidates: &Candidates,
    ) -> Option<String> {
        let over = |spec: &Spec| (entry.ended)(spec, self.input.at);
        let is_claimed = |external: &str| {
            let others = self.input.desired.iter().filter(|other| other.id != resource.id);
            let mut claims = others.filter_map(|other| other.metadata.annotation(EXTERNAL_ID));
            claims.any(|claimed| claimed == external)
        };
        stored.observed.as_ref().filter(|there| over(there))?;
        let mut id = stored.external_id.as_deref()?;
        // As many as there are: what went on in a circle has no last one.
        for _ in 0..candidates.unmanaged.len() {
            let mut unmanaged = candidates.unmanaged.values();
            let next = unmanaged.find(|thing| (entry.continues)(&thing.spec) == Some(id))?;
            if !over(&next.spec) {
                return Some(next.external_id.clone()).filter(|external| !is_claimed(external));
            }
            id = &next.external_id;
        }
        None
    }

    /// What a desired resource without a stored one of its name stands for.
    pub(super) fn claim(
        &mut self,
        entry: &KindEntry,
        (desired, identity): (Resource, Option<&String>),
        candidates: &mut Candidates,
    ) -> Pair {
        let mut pair = Pair::default();
        let previous = desired.metadata.annotation(PREVIOUS_NAME).map(|name| {
            let kind = desired.id.kind.clone();
            ResourceId { kind, name: ResourceName::accepted(name) }
        });
        let same = identity.and_then(|i| candidates.own_by_identity.get(i)).cloned();
        let same = same.filter(|id| candidates.own.contains_key(id));
        let foreign = candidates
            .foreign
            .get(&desired.id)
            .or_else(|| candidates.foreign.get(candidates.foreign_by_identity.get(identity?)?));
        let foreign = foreign.map(|row| (row.id.clone(), row.set.clone()));
        if let Some(previous) = previous.filter(|id| self.is_known(id, candidates)) {
            match candidates.own.remove(&previous) {
                Some(stored) => {
                    self.renamed.insert(previous.clone(), desired.id.clone());
                    pair.stored = Some(stored);
                    pair.previous = Some(previous);
                }
                None => pair.blocked.push(Block::new(
                    code::BLOCK_TAKEN,
                    format!("{previous} is still declared or has another new name, so it cannot become {}", desired.id),
                    "remove the manifest of the old name, or the annotation previous-name",
                )),
            }
        } else if let Some((id, set)) = foreign {
            self.of_another_set(&desired.id, id, set, candidates, &mut pair);
        } else if let Some(external) = desired.metadata.annotation(EXTERNAL_ID) {
            match candidates.unmanaged.remove(external) {
                Some(found) => pair.found = Some(found),
                None => pair.blocked.push(self.nothing_to_adopt(entry, external)),
            }
        } else if let Some(same) = same {
            if self.input.scope == Scope::Part {
                // What a selector made has no name that a manifest could have had.
                let hint = if same.name.as_str().contains('/') {
                    "plan the whole set"
                } else {
                    "plan the whole set, or set the annotation previous-name"
                };
                pair.blocked.push(Block::new(
                    code::BLOCK_TAKEN,
                    format!("{same} of this set is the same thing, and {UNSEEN}"),
                    hint,
                ));
            } else {
                self.renamed.insert(same.clone(), desired.id.clone());
                pair.stored = candidates.own.remove(&same);
                pair.previous = Some(same);
            }
        } else if let Some(there) =
            identity.and_then(|i| candidates.unmanaged_by_identity.get(i).cloned())
        {
            match there.as_slice() {
                [one] => pair.found = candidates.unmanaged.remove(one),
                several => pair.blocked.push(Block::new(
                    code::BLOCK_TAKEN,
                    format!("several unmanaged things are the same: {}", several.join(", ")),
                    format!("choose one with the annotation {EXTERNAL_ID}"),
                )),
            }
        } else {
            pair.blocked.extend(self.look_alike(entry, &desired, candidates));
        }
        pair.desired = Some(desired);
        pair
    }

    /// What another set owns: taken over where that is wanted, else it stays there.
    fn of_another_set(
        &mut self,
        desired: &ResourceId,
        id: ResourceId,
        set: Arc<str>,
        candidates: &mut Candidates,
        pair: &mut Pair,
    ) {
        if !self.input.take_ownership {
            pair.blocked.push(Block::new(
                code::BLOCK_OTHER_SET,
                format!("{id} belongs to the set {set}"),
                "leave it to that set, remove it there first, or take it over with --take-ownership",
            ));
            return;
        }
        pair.stored = candidates.foreign.remove(&id);
        pair.taken_from = Some(set);
        if id != *desired {
            self.renamed.insert(id.clone(), desired.clone());
            pair.previous = Some(id);
        }
    }

    /// Why nothing can be adopted by an external id.
    fn nothing_to_adopt(&self, entry: &KindEntry, external: &str) -> Block {
        let known = self.by_external.get(&(KindName::new(entry.facts.kind), external.to_owned()));
        let (message, hint) = match known {
            Some(managed) => (
                format!("{managed} has the external id {external} already"),
                format!("for a rename set the annotation {PREVIOUS_NAME}: {}", managed.name),
            ),
            None => (
                format!("nothing unmanaged has the external id {external}"),
                "see `partnerctl get --unmanaged`, or remove the annotation external-id".to_owned(),
            ),
        };
        Block::new(code::BLOCK_TAKEN, message, hint)
    }

    /// True for a name that this set has or had until now: an old annotation may name something
    /// long forgotten.
    fn is_known(&self, id: &ResourceId, candidates: &Candidates) -> bool {
        let declared = || self.input.desired.iter().map(|resource| &resource.id).collect();
        candidates.own.contains_key(id)
            || self.declared.get_or_init(declared).contains(id)
            || self.renamed.contains_key(id)
    }

    /// For kinds without identity: what a new one may be the new name of, or a second purchase
    /// beside.
    fn look_alike(
        &mut self,
        entry: &KindEntry,
        desired: &Resource,
        candidates: &Candidates,
    ) -> Option<Block> {
        let likeness = (entry.likeness)(&desired.spec)?;
        let alike = |spec: &Spec| (entry.likeness)(spec).as_ref() == Some(&likeness);
        let goes_on = |spec: &Spec| !(entry.ended)(spec, self.input.at);
        if let Some(like) = candidates.own.values().find(|stored| {
            if !stored.observed.as_ref().is_none_or(goes_on) {
                return false;
            }
            // What is there tells whose it is, also where the row still has an old name.
            alike(&stored.spec) || stored.observed.as_ref().is_some_and(alike)
        }) {
            if !self.contested.contains_key(&like.id) {
                self.contested.insert(like.id.clone(), desired.id.clone());
            }
            let (like, name) = (&like.id, &like.id.name);
            let why = if self.input.scope == Scope::Part {
                format!("{like} has the same customer and offer, and {UNSEEN}")
            } else {
                format!(
                    "{like} is no longer declared and has the same customer and offer: this is either its new name or a second purchase"
                )
            };
            let hint = format!(
                "set the annotation {PREVIOUS_NAME}: {name} for a rename; for a second purchase {}",
                if self.input.scope == Scope::Part {
                    "plan the whole set"
                } else {
                    "apply the removal first"
                }
            );
            return Some(Block::new(code::BLOCK_AMBIGUOUS, why, hint));
        }
        let found =
            candidates.unmanaged.values().filter(|o| goes_on(&o.spec)).find(|o| alike(&o.spec))?;
        Some(Block::new(
            code::BLOCK_AMBIGUOUS,
            format!(
                "an unmanaged one of the same customer and offer is there already ({}): this would buy a second one",
                found.name
            ),
            format!(
                "set the annotation {EXTERNAL_ID}: {} to take it over; to buy one beside it, take that one over under another name first",
                found.external_id
            ),
        ))
    }

    /// Whoever would make a second thing of an identity that something has already. `first` is where
    /// pairs of this kind begin, of which `identities` tells what each is declared as.
    pub(super) fn refuse_second_ones(
        &mut self,
        entry: &KindEntry,
        first: usize,
        identities: Vec<Option<String>>,
        candidates: &Candidates,
    ) {
        let mut taken: Lookup<String, ResourceId> = Lookup::default();
        for pair in &self.pairs.own[first..] {
            // A replacement gives its identity up.
            if entry.facts.replaceable && pair.desired.is_some() {
                continue;
            }
            let identity = pair.observed().and_then(entry.identity);
            if let (Some(identity), Some(id)) = (identity, pair.id()) {
                taken.insert(identity, id.clone());
            }
        }
        let declared = self.pairs.own[first..].iter_mut().zip(identities);
        for (pair, identity) in declared.filter(|(pair, _)| pair.blocked.is_empty()) {
            let (Some(desired), Some(identity)) = (&pair.desired, identity) else { continue };
            // What it becomes by this plan may also be there already under another name, in another
            // set, or unmanaged.
            let undeclared = candidates.own_by_identity.get(&identity);
            let undeclared = undeclared.filter(|id| candidates.own.contains_key(id));
            let foreign = candidates.foreign_by_identity.get(&identity);
            let foreign = foreign.filter(|id| candidates.foreign.contains_key(id));
            let unmanaged = candidates.unmanaged_by_identity.get(&identity);
            let unmanaged = unmanaged.and_then(|all| candidates.unmanaged.get(all.first()?));
            let other = match taken.get(&identity) {
                Some(other) if *other != desired.id => other.to_string(),
                Some(_) => continue,
                None => {
                    taken.insert(identity, desired.id.clone());
                    match (undeclared.or(foreign), unmanaged) {
                        (Some(other), _) => other.to_string(),
                        (None, Some(found)) => format!("the unmanaged {}", found.name),
                        (None, None) => continue,
                    }
                }
            };
            Arc::make_mut(pair).blocked.push(Block::new(
                code::BLOCK_TAKEN,
                format!("{other} is the same thing already"),
                "remove one of the two, or declare what is there under the name of this one",
            ));
        }
    }
}
