//! Who is who: desired, stored and observed resources brought together by name, by annotation and
//! by identity, with references turned into the names that will hold after the plan.

use crate::kinds::{Block, KindEntry, ReferenceTo};
use crate::model::resource::{EXTERNAL_ID, PREVIOUS_NAME};
use crate::model::{
    KindName, Observed, Resource, ResourceId, ResourceName, Spec, Stored, Value, code,
};
use crate::plan::unended::{Hold, Unended};
use crate::plan::{PlanInput, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One resource with all that is known of it.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// What the manifests say, references under the names that hold after the plan.
    pub desired: Option<Resource>,
    /// The spec as the manifests have it, references as written.
    pub declared: Option<Spec>,
    /// What the store says, references under their new names.
    pub stored: Option<Stored>,
    /// What the provider says of something not managed until now.
    pub found: Option<Observed>,
    /// The name it had, when that changes.
    pub previous: Option<ResourceId>,
    /// The set that owns it until now, when it is taken over.
    pub taken_from: Option<Arc<str>>,
    /// Why it cannot be paired.
    pub blocked: Vec<Block>,
    /// What it waits for before anything can be said of it.
    pub waiting: Option<String>,
}

impl Pair {
    /// Its id after the plan.
    #[must_use]
    pub fn id(&self) -> Option<&ResourceId> {
        self.desired.as_ref().map(|d| &d.id).or(self.stored.as_ref().map(|s| &s.id))
    }

    /// What the provider says is there.
    #[must_use]
    pub fn observed(&self) -> Option<&Spec> {
        match &self.found {
            Some(found) => Some(&found.spec),
            None => self.stored.as_ref().and_then(|stored| stored.observed.as_ref()),
        }
    }
}

/// All resources, paired.
#[derive(Debug, Default)]
pub struct Pairs {
    /// Of the planned set: declared, or undeclared and known to be so.
    pub own: Vec<Arc<Pair>>,
    /// Of the planned set, but outside the part that was read, or only looked at beside others.
    pub outside: Vec<Stored>,
    /// Of other sets.
    pub foreign: Vec<Stored>,
    /// Managed by nobody, each under a name of its own.
    pub unmanaged: Vec<(ResourceId, Observed)>,
    /// References to a name that is given up in this plan: (who refers, old name, new name).
    pub outdated: Vec<(ResourceId, ResourceId, ResourceId)>,
}

/// Brings everything together, kind by kind in dependency order, so that references are settled
/// before what they identify.
#[must_use]
pub fn pair(input: &PlanInput) -> Pairs {
    let mut pairing = Pairing {
        input,
        pairs: Pairs::default(),
        by_external: BTreeMap::new(),
        renamed: BTreeMap::new(),
        declared: input.desired.iter().map(|resource| &resource.id).collect(),
        contested: BTreeMap::new(),
        taken: input
            .desired
            .iter()
            .map(|resource| resource.id.clone())
            .chain(input.stored.iter().map(|stored| stored.id.clone()))
            .collect(),
        unended: Unended::default(),
    };
    for entry in input.kinds.iter() {
        pairing.kind(entry);
    }
    pairing.pairs
}

struct Pairing<'a> {
    input: &'a PlanInput,
    pairs: Pairs,
    by_external: BTreeMap<(KindName, String), ResourceId>,
    renamed: BTreeMap<ResourceId, ResourceId>,
    declared: BTreeSet<&'a ResourceId>,
    /// Undeclared resources that a new one may be the new name of: neither goes ahead.
    contested: BTreeMap<ResourceId, ResourceId>,
    /// Names that an unmanaged thing cannot be shown under.
    taken: BTreeSet<ResourceId>,
    /// Operations on the kind at hand that have not ended.
    unended: Unended<'a>,
}

/// What a plan of a part of the set cannot know.
const UNSEEN: &str = "whether it is still declared cannot be seen from a part of the set";

/// The resources of one kind that are not yet paired.
struct Candidates {
    own: BTreeMap<ResourceId, Stored>,
    foreign: BTreeMap<ResourceId, Stored>,
    unmanaged: BTreeMap<String, Observed>,
    own_by_identity: BTreeMap<String, ResourceId>,
    foreign_by_identity: BTreeMap<String, ResourceId>,
    unmanaged_by_identity: BTreeMap<String, Vec<String>>,
}

impl Pairing<'_> {
    fn kind(&mut self, entry: &KindEntry) {
        let kind = entry.facts.kind;
        let mut candidates = self.candidates(entry);
        self.unended = Unended::of(entry, &self.input.intents, |spec| self.settled(entry, spec));
        let mut desired: Vec<&Resource> =
            self.input.desired.iter().filter(|d| d.id.kind.as_str() == kind).collect();
        // Names first, then those that give an old name: an identity or a likeness may only claim
        // what no manifest names.
        desired.sort_by_key(|d| {
            let named = candidates.own.contains_key(&d.id);
            (!named, d.metadata.annotation(PREVIOUS_NAME).is_none(), d.id.clone())
        });
        for declared in desired {
            let spec = self.settled(entry, &declared.spec);
            self.note_outdated(entry, declared);
            let resource = Resource { spec, ..declared.clone() };
            let pair = match candidates.own.remove(&resource.id) {
                Some(stored) => self.named(entry, resource, stored, &mut candidates),
                None => self.claim(entry, resource, &mut candidates),
            };
            let id = declared.id.clone();
            self.push(Pair { declared: Some(declared.spec.clone()), ..pair });
            // A name in use again is no longer an old name of something else.
            self.renamed.remove(&id);
        }
        self.refuse_second_ones(entry, &candidates);
        self.rest(kind, candidates);
        if entry.facts.references.iter().any(|reference| reference.kind == kind) {
            self.settle_own_references(entry);
        }
    }

    /// For a kind that refers to itself: names that changed while it was paired.
    fn settle_own_references(&mut self, entry: &KindEntry) {
        let mut pairs = std::mem::take(&mut self.pairs.own);
        let own = pairs
            .iter_mut()
            .filter(|pair| pair.id().is_some_and(|id| id.kind.as_str() == entry.facts.kind));
        for stored in own.filter_map(|pair| Arc::make_mut(pair).stored.as_mut()) {
            stored.spec = self.settled(entry, &stored.spec);
            stored.last_applied =
                stored.last_applied.as_ref().map(|spec| self.settled(entry, spec));
            stored.observed = stored.observed.as_ref().map(|spec| self.settled(entry, spec));
        }
        self.pairs.own = pairs;
    }

    fn candidates(&mut self, entry: &KindEntry) -> Candidates {
        let kind = entry.facts.kind;
        let (mut own, mut foreign) = (BTreeMap::new(), BTreeMap::new());
        let stored: Vec<&Stored> =
            self.input.stored.iter().filter(|s| s.id.kind.as_str() == kind).collect();
        // A kind may refer to itself: its names are known before its references are settled.
        for row in &stored {
            self.know(&row.id, row);
        }
        for row in stored {
            let row = Stored {
                spec: self.settled(entry, &row.spec),
                last_applied: row.last_applied.as_ref().map(|spec| self.settled(entry, spec)),
                observed: row.observed.as_ref().map(|spec| self.settled(entry, spec)),
                ..row.clone()
            };
            if self.input.beside.contains(&row.id) {
                self.pairs.outside.push(row);
                continue;
            }
            let side = if *row.set == *self.input.set { &mut own } else { &mut foreign };
            side.insert(row.id.clone(), row);
        }
        let unmanaged: BTreeMap<String, Observed> = self
            .input
            .unmanaged
            .iter()
            .filter(|observed| observed.kind.as_str() == kind)
            .map(|observed| {
                let spec = self.settled(entry, &observed.spec);
                (observed.external_id.clone(), Observed { spec, ..observed.clone() })
            })
            .collect();
        let identity = |row: &Stored| (entry.identity)(row.observed.as_ref().unwrap_or(&row.spec));
        let by = |rows: &BTreeMap<ResourceId, Stored>| {
            rows.values().filter_map(|row| Some((identity(row)?, row.id.clone()))).collect()
        };
        let mut unmanaged_by_identity: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for observed in unmanaged.values() {
            if let Some(identity) = (entry.identity)(&observed.spec) {
                unmanaged_by_identity
                    .entry(identity)
                    .or_default()
                    .push(observed.external_id.clone());
            }
        }
        Candidates {
            own_by_identity: by(&own),
            foreign_by_identity: by(&foreign),
            unmanaged_by_identity,
            own,
            foreign,
            unmanaged,
        }
    }

    /// A resource whose name the set's store knows. Where the thing itself vanished, one of the same
    /// identity, or the one that the annotation names, takes its place; where its time is over, the
    /// one that goes on with it does.
    fn named(
        &self,
        entry: &KindEntry,
        resource: Resource,
        stored: Stored,
        candidates: &mut Candidates,
    ) -> Pair {
        let gone = stored.observed.is_none();
        let by_annotation = resource
            .metadata
            .annotation(EXTERNAL_ID)
            .filter(|external| candidates.unmanaged.contains_key(*external))
            .map(str::to_owned);
        let by_identity = || {
            let identity = (entry.identity)(&resource.spec)?;
            candidates.unmanaged_by_identity.get(&identity)?.first().cloned()
        };
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
    fn claim(&mut self, entry: &KindEntry, desired: Resource, candidates: &mut Candidates) -> Pair {
        let mut pair = Pair::default();
        let identity = (entry.identity)(&desired.spec);
        let previous = desired.metadata.annotation(PREVIOUS_NAME).map(|name| {
            let kind = desired.id.kind.clone();
            ResourceId { kind, name: ResourceName::accepted(name) }
        });
        let same = identity.as_ref().and_then(|i| candidates.own_by_identity.get(i)).cloned();
        let same = same.filter(|id| candidates.own.contains_key(id));
        let foreign = candidates.foreign.get(&desired.id).or_else(|| {
            candidates.foreign.get(candidates.foreign_by_identity.get(identity.as_ref()?)?)
        });
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
                pair.blocked.push(Block::new(
                    code::BLOCK_TAKEN,
                    format!("{same} of this set is the same thing, and {UNSEEN}"),
                    "plan the whole set, or set the annotation previous-name",
                ));
            } else {
                self.renamed.insert(same.clone(), desired.id.clone());
                pair.stored = candidates.own.remove(&same);
                pair.previous = Some(same);
            }
        } else if let Some(there) =
            identity.and_then(|i| candidates.unmanaged_by_identity.get(&i).cloned())
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
        candidates.own.contains_key(id)
            || self.declared.contains(id)
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
            self.contested.entry(like.id.clone()).or_insert_with(|| desired.id.clone());
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

    /// Whoever would make a second thing of an identity that something has already.
    fn refuse_second_ones(&mut self, entry: &KindEntry, candidates: &Candidates) {
        let own = |pair: &Pair| pair.id().is_some_and(|id| id.kind.as_str() == entry.facts.kind);
        let mut taken: BTreeMap<String, ResourceId> = BTreeMap::new();
        for pair in self.pairs.own.iter().filter(|pair| own(pair)) {
            // A replacement gives its identity up.
            if entry.facts.replaceable && pair.desired.is_some() {
                continue;
            }
            if let (Some(observed), Some(id)) = (pair.observed(), pair.id()) {
                taken.extend((entry.identity)(observed).map(|identity| (identity, id.clone())));
            }
        }
        for pair in self.pairs.own.iter_mut().filter(|pair| own(pair) && pair.blocked.is_empty()) {
            let Some(desired) = &pair.desired else { continue };
            let Some(identity) = (entry.identity)(&desired.spec) else { continue };
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
                    taken.insert(identity.clone(), desired.id.clone());
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

    fn note_outdated(&mut self, entry: &KindEntry, declared: &Resource) {
        for reference in entry.facts.references {
            if let Some(ReferenceTo::Resource(old)) = reference.target(&declared.spec)
                && let Some(new) = self.renamed.get(&old)
            {
                self.pairs.outdated.push((declared.id.clone(), old, new.clone()));
            }
        }
    }

    /// Leaves a resource alone while an operation on it has not ended. One that would be made new is
    /// recognised by what it is, under whatever name.
    fn hold(&self, pair: &mut Pair) {
        let Some(id) = pair.id().cloned() else { return };
        let new = pair.desired.as_ref().filter(|_| pair.observed().is_none());
        let entry = self.input.kinds.get(id.kind.as_str());
        let made = new.zip(entry).and_then(|(desired, entry)| entry.sameness(&desired.spec));
        let names: Vec<&ResourceId> = std::iter::once(&id).chain(&pair.previous).collect();
        for intent in self.unended.about(&names, made.as_ref()) {
            // What looks like a second purchase is most likely what that operation made.
            pair.blocked.retain(|block| block.code != code::BLOCK_AMBIGUOUS.0);
            match Hold::of(intent) {
                Hold::Waits(what) => {
                    pair.waiting.get_or_insert(what);
                }
                Hold::Blocks(block) => pair.blocked.push(block),
            }
        }
    }

    fn push(&mut self, mut pair: Pair) {
        self.hold(&mut pair);
        if let Some(id) = pair.id() {
            // What vanished is not what will be made in its place: references to it lead nowhere.
            let stored = pair.stored.as_ref().filter(|stored| stored.observed.is_some());
            let stored = stored.and_then(|stored| stored.external_id.clone());
            let found = pair.found.as_ref().map(|found| found.external_id.clone());
            for external in stored.into_iter().chain(found) {
                self.by_external.insert((id.kind.clone(), external), id.clone());
            }
        }
        self.pairs.own.push(Arc::new(pair));
    }

    fn rest(&mut self, kind: &str, candidates: Candidates) {
        for (id, stored) in candidates.own {
            if self.input.scope == Scope::Part {
                self.know(&id, &stored);
                self.pairs.outside.push(stored);
            } else {
                let blocked = self.contested.get(&id).map(|new| {
                    Block::new(
                        code::BLOCK_AMBIGUOUS,
                        format!("{new} is new and has the same customer and offer: this may be its old name"),
                        format!("set the annotation {PREVIOUS_NAME}: {} on {new} for a rename, or remove {new} and apply the removal first", id.name),
                    )
                });
                let blocked = blocked.into_iter().collect();
                self.push(Pair { stored: Some(stored), blocked, ..Pair::default() });
            }
        }
        for (id, stored) in candidates.foreign {
            self.know(&id, &stored);
            self.pairs.foreign.push(stored);
        }
        for (external, observed) in candidates.unmanaged {
            let mut id = ResourceId::new(kind, &observed.name);
            if !self.taken.insert(id.clone()) {
                id = ResourceId::new(kind, &format!("{} ({external})", observed.name));
            }
            self.by_external.insert((id.kind.clone(), external), id.clone());
            self.pairs.unmanaged.push((id, observed));
        }
    }

    fn know(&mut self, id: &ResourceId, stored: &Stored) {
        if let (Some(external), Some(_)) = (&stored.external_id, &stored.observed) {
            self.by_external.insert((id.kind.clone(), external.clone()), id.clone());
        }
    }

    /// A spec with its references under the names that hold after the plan.
    fn settled(&self, entry: &KindEntry, spec: &Spec) -> Spec {
        let mut settled = spec.clone();
        for reference in entry.facts.references {
            let id = match reference.target(spec) {
                Some(ReferenceTo::Resource(id)) => self.renamed.get(&id),
                Some(ReferenceTo::External(external)) => {
                    self.by_external.get(&(KindName::new(reference.kind), external))
                }
                None => None,
            };
            if let Some(id) = id {
                settled.set(reference.path, Value::to(&id.name));
            }
        }
        settled
    }
}
