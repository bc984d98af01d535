//! Who is who: desired, stored and observed resources brought together by name, by annotation and
//! by identity, with references turned into the names that will hold after the plan.

use crate::kinds::{Block, KindEntry, Reference};
use crate::model::resource::{EXTERNAL_ID, PREVIOUS_NAME};
use crate::model::{KindName, Observed, Resource, ResourceId, Spec, Stored, code};
use crate::plan::{PlanInput, Scope};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// One resource with all that is known of it.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What the manifests say.
    pub desired: Option<Resource>,
    /// What the store says, references under their new names.
    pub stored: Option<Stored>,
    /// What the provider says of something not managed until now.
    pub found: Option<Observed>,
    /// The name it had, when that changes.
    pub previous: Option<ResourceId>,
    /// Why it cannot be paired.
    pub blocked: Vec<Block>,
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
    pub own: Vec<Pair>,
    /// Of the planned set, but outside the part that was read.
    pub outside: Vec<Stored>,
    /// Of other sets.
    pub foreign: Vec<Stored>,
    /// Managed by nobody, each under a name of its own.
    pub unmanaged: Vec<(ResourceId, Observed)>,
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
}

/// The resources of one kind that are not yet paired.
struct Candidates {
    own: BTreeMap<ResourceId, Stored>,
    foreign: BTreeMap<ResourceId, Stored>,
    unmanaged: BTreeMap<String, Observed>,
    own_by_identity: BTreeMap<String, ResourceId>,
    foreign_by_identity: BTreeMap<String, ResourceId>,
    unmanaged_by_identity: BTreeMap<String, String>,
}

impl Pairing<'_> {
    fn kind(&mut self, entry: &KindEntry) {
        let kind = entry.facts.kind;
        let mut candidates = self.candidates(entry);
        let desired = self.input.desired.iter().filter(|d| d.id.kind.as_str() == kind);
        let mut desired: Vec<Resource> = desired
            .map(|resource| {
                let spec = self.settled(entry, &resource.spec);
                Resource { spec, ..resource.clone() }
            })
            .collect();
        desired.sort_by(|a, b| a.id.cmp(&b.id));
        // Names first: an identity may only claim what no manifest names.
        let (named, nameless): (Vec<_>, Vec<_>) =
            desired.into_iter().partition(|d| candidates.own.contains_key(&d.id));
        for resource in named {
            let stored = candidates.own.remove(&resource.id);
            let found = stored
                .as_ref()
                .filter(|stored| stored.observed.is_none() && stored.last_applied.is_some())
                .and_then(|_| (entry.identity)(&resource.spec))
                .and_then(|identity| candidates.unmanaged_by_identity.get(&identity).cloned())
                .and_then(|external| candidates.unmanaged.remove(&external));
            let id = resource.id.clone();
            self.push(Pair {
                desired: Some(resource),
                stored,
                found,
                previous: None,
                blocked: vec![],
            });
            self.settle_name(&id);
        }
        for resource in nameless {
            let id = resource.id.clone();
            let pair = self.claim(entry, resource, &mut candidates);
            self.push(pair);
            self.settle_name(&id);
        }
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
        for stored in own.filter_map(|pair| pair.stored.as_mut()) {
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
            let side = if row.set == self.input.set { &mut own } else { &mut foreign };
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
        Candidates {
            own_by_identity: by(&own),
            foreign_by_identity: by(&foreign),
            unmanaged_by_identity: unmanaged
                .values()
                .filter_map(|o| Some(((entry.identity)(&o.spec)?, o.external_id.clone())))
                .collect(),
            own,
            foreign,
            unmanaged,
        }
    }

    /// What a desired resource without a stored one of its name stands for.
    fn claim(&mut self, entry: &KindEntry, desired: Resource, candidates: &mut Candidates) -> Pair {
        let mut pair =
            Pair { desired: None, stored: None, found: None, previous: None, blocked: vec![] };
        let identity = (entry.identity)(&desired.spec);
        let previous = desired.metadata.annotation(PREVIOUS_NAME).map(|name| {
            let kind = desired.id.kind.clone();
            ResourceId { kind, name: crate::model::ResourceName::accepted(name) }
        });
        let same = identity.as_ref().and_then(|i| candidates.own_by_identity.get(i)).cloned();
        let same = same.filter(|id| candidates.own.contains_key(id));
        let foreign = candidates.foreign.get(&desired.id).or_else(|| {
            candidates.foreign.get(candidates.foreign_by_identity.get(identity.as_ref()?)?)
        });
        if let Some(previous) = previous.filter(|id| candidates.own.contains_key(id)) {
            if self.declared.contains(&previous) {
                pair.blocked.push(Block::new(
                    code::BLOCK_TAKEN,
                    format!("{previous} is still declared, so it cannot become {}", desired.id),
                    "remove the manifest of the old name, or the annotation previous-name",
                ));
            } else {
                self.renamed.insert(previous.clone(), desired.id.clone());
                pair.stored = candidates.own.remove(&previous);
                pair.previous = Some(previous);
            }
        } else if let Some(foreign) = foreign {
            pair.blocked.push(Block::new(
                code::BLOCK_OTHER_SET,
                format!("{} belongs to the set {}", foreign.id, foreign.set),
                "remove it there first, or leave it to that set",
            ));
        } else if let Some(external) = desired.metadata.annotation(EXTERNAL_ID) {
            pair.found = candidates.unmanaged.remove(external);
            if pair.found.is_none() {
                pair.blocked.push(Block::new(
                    code::BLOCK_TAKEN,
                    format!("nothing unmanaged has the external id {external}"),
                    "see `partnerctl get --unmanaged`, or remove the annotation external-id",
                ));
            }
        } else if let Some(same) = same {
            if self.input.scope == Scope::Part {
                pair.blocked.push(Block::new(
                    code::BLOCK_TAKEN,
                    format!("{same} of this set is the same thing; whether it is still declared cannot be seen from a part of the set"),
                    "plan the whole set, or set the annotation previous-name",
                ));
            } else {
                self.renamed.insert(same.clone(), desired.id.clone());
                pair.stored = candidates.own.remove(&same);
                pair.previous = Some(same);
            }
        } else if let Some(external) =
            identity.and_then(|i| candidates.unmanaged_by_identity.get(&i).cloned())
        {
            pair.found = candidates.unmanaged.remove(&external);
        } else if let Some(like) = self.look_alike(entry, &desired, candidates) {
            pair.blocked.push(Block::new(
                code::BLOCK_AMBIGUOUS,
                format!("{like} is no longer declared and has the same customer and offer: this is either its new name or a second purchase"),
                format!("set the annotation partnerctl.dev/previous-name: {} for a rename; for a second purchase apply the removal first", like.name),
            ));
        }
        pair.desired = Some(desired);
        pair
    }

    /// An undeclared resource that a new one without identity may be the new name of.
    fn look_alike(
        &self,
        entry: &KindEntry,
        desired: &Resource,
        candidates: &Candidates,
    ) -> Option<ResourceId> {
        let likeness = (entry.likeness)(&desired.spec)?;
        candidates
            .own
            .values()
            .filter(|_| self.input.scope != Scope::Part)
            .find(|stored| (entry.likeness)(&stored.spec).as_ref() == Some(&likeness))
            .map(|stored| stored.id.clone())
    }

    fn push(&mut self, pair: Pair) {
        if let Some(id) = pair.id() {
            let stored = pair.stored.as_ref().and_then(|s| s.external_id.clone());
            let found = pair.found.as_ref().map(|found| found.external_id.clone());
            for external in stored.into_iter().chain(found) {
                self.by_external.insert((id.kind.clone(), external), id.clone());
            }
        }
        self.pairs.own.push(pair);
    }

    /// A name in use again is no longer an old name of something else.
    fn settle_name(&mut self, id: &ResourceId) {
        self.renamed.remove(id);
    }

    fn rest(&mut self, kind: &str, candidates: Candidates) {
        for (id, stored) in candidates.own {
            if self.input.scope == Scope::Part {
                self.know(&id, &stored);
                self.pairs.outside.push(stored);
            } else {
                let (found, previous, blocked) = (None, None, vec![]);
                self.push(Pair { desired: None, stored: Some(stored), found, previous, blocked });
            }
        }
        for (id, stored) in candidates.foreign {
            self.know(&id, &stored);
            self.pairs.foreign.push(stored);
        }
        for (external, observed) in candidates.unmanaged {
            let mut id = ResourceId::new(kind, &observed.name);
            let taken = |id: &ResourceId| {
                self.declared.contains(id)
                    || self.input.stored.iter().any(|stored| stored.id == *id)
                    || self.pairs.unmanaged.iter().any(|(other, _)| other == id)
            };
            if taken(&id) {
                id = ResourceId::new(kind, &format!("{} ({external})", observed.name));
            }
            self.by_external.insert((id.kind.clone(), external), id.clone());
            self.pairs.unmanaged.push((id, observed));
        }
    }

    fn know(&mut self, id: &ResourceId, stored: &Stored) {
        if let Some(external) = &stored.external_id {
            self.by_external.insert((id.kind.clone(), external.clone()), id.clone());
        }
    }

    /// A spec with its references under the names that hold after the plan.
    fn settled(&self, entry: &KindEntry, spec: &Spec) -> Spec {
        let mut settled = spec.clone();
        for Reference { path, kind, .. } in entry.facts.references {
            let Some(value) = spec.get(path) else { continue };
            let name = if let Some(name) = value.get("name").and_then(|n| n.as_str()) {
                self.renamed.get(&ResourceId::new(kind, name)).map(|id| id.name.to_string())
            } else {
                value.get("external").and_then(|e| e.as_str()).and_then(|external| {
                    let known = self.by_external.get(&(KindName::new(kind), external.to_owned()));
                    known.map(|id| id.name.to_string())
                })
            };
            if let Some(name) = name {
                settled.set(path, json!({"name": name}));
            }
        }
        settled
    }
}
