//! Who is who: desired, stored and observed resources brought together by name, by annotation and
//! by identity, with references turned into the names that will hold after the plan.

mod candidates;
mod claim;

use crate::kinds::{Block, KindEntry, ReferenceTo};
use crate::model::lookup::{Known, Lookup};
use crate::model::parallel::map;
use crate::model::resource::PREVIOUS_NAME;
use crate::model::{KindName, Observed, Resource, ResourceId, Spec, Stored, Value, code};
use crate::plan::pair::candidates::Candidates;
use crate::plan::unended::{Hold, Unended};
use crate::plan::{PlanInput, Scope};
use std::sync::{Arc, OnceLock};

/// One resource with all that is known of it.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// What the manifests say, references under the names that hold after the plan.
    pub desired: Option<Resource>,
    /// The spec as the manifests have it, references as written.
    pub declared: Option<Spec>,
    /// What the store says, references under their new names.
    pub stored: Option<Box<Stored>>,
    /// What the provider says of something not managed until now.
    pub found: Option<Box<Observed>>,
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
        by_external: Lookup::default(),
        renamed: Lookup::default(),
        by_kind: by_kind(&input.desired, |resource| &resource.id.kind),
        stored_by_kind: by_kind(&input.stored, |row| &row.id.kind),
        declared: OnceLock::new(),
        taken: None,
        contested: Lookup::default(),
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
    by_external: Lookup<(KindName, String), ResourceId>,
    renamed: Lookup<ResourceId, ResourceId>,
    /// What is declared, and the rows.
    by_kind: Lookup<&'a KindName, Vec<&'a Resource>>,
    stored_by_kind: Lookup<&'a KindName, Vec<&'a Stored>>,
    /// Names that are declared; looked up only where something is renamed.
    declared: OnceLock<Known<&'a ResourceId>>,
    /// Names that an unmanaged thing cannot be shown under; looked up only where there is one.
    taken: Option<Known<ResourceId>>,
    /// Undeclared resources that a new one may be the new name of: neither goes ahead.
    contested: Lookup<ResourceId, ResourceId>,
    /// Operations on the kind at hand that have not ended.
    unended: Unended<'a>,
}

/// Many things, each kind for itself.
fn by_kind<T>(things: &[T], kind: impl Fn(&T) -> &KindName) -> Lookup<&KindName, Vec<&T>> {
    let mut by_kind: Lookup<&KindName, Vec<&T>> = Lookup::default();
    things.iter().for_each(|thing| by_kind.or_default(kind(thing)).push(thing));
    by_kind
}

/// The names of everything that is declared or has a row.
fn taken(input: &PlanInput) -> Known<ResourceId> {
    let declared = input.desired.iter().map(|resource| &resource.id);
    declared.chain(input.stored.iter().map(|stored| &stored.id)).cloned().collect()
}

/// What a manifest says, as pairing needs it.
struct Wanted {
    /// References under the names that hold after the plan.
    spec: Spec,
    /// What it is, whatever it is called.
    identity: Option<String>,
}

impl Pairing<'_> {
    fn kind(&mut self, entry: &KindEntry) {
        let kind = KindName::new(entry.facts.kind);
        let mut candidates = self.candidates(entry);
        self.unended = Unended::of(entry, &self.input.intents, |spec| self.settled(entry, spec));
        let mut desired = self.by_kind.remove(&kind).unwrap_or_default();
        // Names first, then those that give an old name: an identity or a likeness may only claim
        // what no manifest names.
        desired.sort_by_cached_key(|d| {
            let named = candidates.own.contains_key(&d.id);
            (!named, d.metadata.annotation(PREVIOUS_NAME).is_none(), &d.id)
        });
        // Where the pairs of this kind begin.
        let first = self.pairs.own.len();
        let refers_to_itself = entry.facts.references.iter().any(|r| r.kind == entry.facts.kind);
        // Where names of this very kind count, each is settled when those before it are paired.
        let ahead = if refers_to_itself {
            Vec::new()
        } else {
            map(&desired, |declared| self.wanted(entry, declared))
        };
        let mut ahead = ahead.into_iter();
        let mut identities = Vec::with_capacity(desired.len());
        for declared in desired {
            let wanted = ahead.next().unwrap_or_else(|| self.wanted(entry, declared));
            self.note_outdated(entry, declared);
            let resource = Resource { spec: wanted.spec, ..declared.clone() };
            let resource = (resource, wanted.identity.as_ref());
            let pair = match candidates.own.remove(&declared.id) {
                Some(stored) => self.named(entry, resource, stored, &mut candidates),
                None => self.claim(entry, resource, &mut candidates),
            };
            let id = declared.id.clone();
            self.push(Pair { declared: Some(declared.spec.clone()), ..pair });
            identities.push(wanted.identity);
            // A name in use again is no longer an old name of something else.
            self.renamed.remove(&id);
        }
        self.refuse_second_ones(entry, first, identities, &candidates);
        self.rest(kind.as_str(), candidates);
        if refers_to_itself {
            self.settle_own_references(entry, first);
        }
    }

    fn wanted(&self, entry: &KindEntry, declared: &Resource) -> Wanted {
        let spec = self.settled(entry, &declared.spec);
        Wanted { identity: (entry.identity)(&spec), spec }
    }

    /// For a kind that refers to itself: names that changed while it was paired. Its pairs are those
    /// from `first` on.
    fn settle_own_references(&mut self, entry: &KindEntry, first: usize) {
        let mut pairs = std::mem::take(&mut self.pairs.own);
        let own = pairs[first..].iter_mut();
        for stored in own.filter_map(|pair| Arc::make_mut(pair).stored.as_mut()) {
            stored.spec = self.settled(entry, &stored.spec);
            stored.last_applied =
                stored.last_applied.as_ref().map(|spec| self.settled(entry, spec));
            stored.observed = stored.observed.as_ref().map(|spec| self.settled(entry, spec));
        }
        self.pairs.own = pairs;
    }

    fn note_outdated(&mut self, entry: &KindEntry, declared: &Resource) {
        if self.renamed.is_empty() {
            return;
        }
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
        if self.unended.is_empty() {
            return;
        }
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
                self.pairs.outside.push(*stored);
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
            self.pairs.foreign.push(*stored);
        }
        for (external, observed) in candidates.unmanaged {
            let mut id = ResourceId::new(kind, &observed.name);
            let taken = self.taken.get_or_insert_with(|| taken(self.input));
            if !taken.insert(id.clone()) {
                id = ResourceId::new(kind, &format!("{} ({external})", observed.name));
            }
            self.by_external.insert((id.kind.clone(), external), id.clone());
            self.pairs.unmanaged.push((id, *observed));
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
