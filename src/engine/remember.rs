//! What the next pass need not look at again.

use crate::engine::Gathered;
use crate::engine::islands;
use crate::engine::memory::{
    Begun, Declared, Front, Listing, Other, Page, Place, Rest, Whose, Window,
};
use crate::engine::pieces::{Mark, Piece, mark_at, marks};
use crate::engine::tree::{Found, Sources};
use crate::kinds::Kinds;
use crate::model::lookup::{Known, Lookup};
use crate::model::{Metadata, Observed, Resource, ResourceId, Source, Spec, Stored};
use crate::plan::Plan;
use crate::store::Version;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a pass leaves to be remembered, once it was planned.
pub struct Recollection<'m> {
    /// The store's version.
    pub version: Version,
    /// When the pass began to read.
    pub begun: i64,
    /// The times between which it holds.
    pub window: Window,
    /// Manifests that choose others by a selector, with the places of their files.
    pub selectors: Vec<(usize, Resource)>,
    /// SHA-256 of the bytes of each file.
    pub digests: Vec<[u8; 32]>,
    /// What was not looked at, for each of the files.
    pub kept: Vec<Page<'m>>,
    /// What was not looked at and is not declared.
    pub kept_others: Vec<Other<'m>>,
    /// In which of the files each resource that was looked at is declared.
    pub places: Lookup<ResourceId, usize>,
    /// The marks of what declares each of them, as far as they are known.
    pub marks: Lookup<ResourceId, Mark>,
}

/// What is known of a pass before anything is planned, which is most of it.
pub struct Noted<'p> {
    writing: Begun<'p>,
    /// The files whose pages are not written yet.
    open: BTreeSet<usize>,
    /// What was looked at and is declared.
    fresh: Vec<Fresh>,
    others: Vec<Beside>,
}

/// A pass with more changes than this is not remembered, unless they are fewer than half of what is
/// declared: the memory is for what rests.
const CHANGES_MAX: usize = 200;

/// False where it is known before the plan that it has so many changes: all that is declared is new.
#[must_use]
pub fn may_be_worth_it(declared: usize, stored: usize) -> bool {
    stored > 0 || declared <= CHANGES_MAX
}

impl Recollection<'_> {
    /// False for a pass with so many changes that it is not remembered.
    #[must_use]
    pub fn is_worth_it(&self, desired: &[Resource], plan: &Plan) -> bool {
        let kept: usize =
            self.kept.iter().map(Page::counts).map(|(settled, not)| settled + not).sum();
        plan.changes.len() <= CHANGES_MAX || plan.changes.len() * 2 <= desired.len() + kept
    }

    /// Writes down what is known before anything is planned. `desired` and `gathered` are what the pass
    /// looked at, `found` the files below `folder`.
    #[must_use]
    pub fn begin<'p>(
        &self,
        kinds: &Kinds,
        desired: &[Resource],
        gathered: &Gathered,
        (folder, found): (&Path, &[Found]),
        place: &'p Place,
    ) -> Option<Noted<'p>> {
        let fresh = fresh((&self.places, &self.marks), kinds, desired, gathered);
        let open: BTreeSet<usize> = fresh.iter().map(|one| one.file).collect();
        let pages = self.kept.iter().enumerate().filter(|(place, _)| !open.contains(place));
        let files = Listing { folder, found, digests: &self.digests };
        let writing = place.begin(files, &pages.collect::<Vec<_>>())?;
        let others = others(kinds, &place.key().set, desired, gathered);
        Some(Noted { writing, open, fresh, others })
    }

    /// Takes the marks of resources from the files that declare them.
    pub fn mark(&mut self, sources: &Sources, desired: &[Resource]) {
        let mut known: BTreeMap<usize, Vec<(u32, Mark)>> = BTreeMap::new();
        for resource in desired.iter().filter(|one| !one.id.name.is_generated()) {
            let (id, source) = (&resource.id, &resource.source);
            let Some((place, name)) = self.places.get(id).zip(source.file.as_deref()) else {
                continue;
            };
            let text = || sources.texts.texts.get(&sources.files.get(*place)?.name);
            let of_file = known.entry(*place).or_insert_with(|| {
                text().map(|text| marks(name, &Piece::all(text))).unwrap_or_default()
            });
            self.marks.extend(mark_at(of_file, source.line).map(|mark| (id.clone(), mark)));
        }
    }
}

/// A declared resource in the memory.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: ResourceId,
    metadata: Metadata,
    spec: Spec,
    source: Source,
}

/// A resource as it is kept.
#[must_use]
pub fn kept(resource: &Resource) -> String {
    let Resource { id, metadata, spec, source } = resource.clone();
    serde_json::to_string(&Kept { id, metadata, spec, source }).unwrap_or_default()
}

/// A resource that was kept.
#[must_use]
pub fn taken(text: &str) -> Option<Resource> {
    let Kept { id, metadata, spec, source } = serde_json::from_str(text).ok()?;
    Some(Resource { id, metadata, spec, source })
}

/// A resource that was looked at, before it is written down.
pub struct Fresh {
    /// Its place among what is declared.
    desired: usize,
    /// The place of its file.
    pub file: usize,
    /// The number of its kind.
    pub kind: u8,
    /// Its name.
    pub name: String,
    /// The resource as it is kept; empty for a settled one.
    pub resource: String,
    /// What it is called by and calls others by.
    pub keys: Vec<u8>,
    /// The mark of what declares it; empty where that is not known.
    pub mark: Vec<u8>,
}

impl Fresh {
    fn declared(&self) -> Declared<'_> {
        let Self { kind, name, resource, keys, mark, .. } = self;
        Declared { kind: *kind, name, resource, keys, mark }
    }
}

/// Writes down what a pass found out. `desired` is what it looked at, `plan` is what came of it; `noted`
/// is what [`Recollection::begin`] wrote meanwhile.
pub fn remember(
    recollection: Recollection<'_>,
    noted: Option<Noted<'_>>,
    kinds: &Kinds,
    desired: &[Resource],
    plan: &Plan,
    place: &Place,
) {
    let Some(noted) = noted.filter(|_| recollection.is_worth_it(desired, plan)) else {
        place.forget();
        return;
    };
    let Noted { writing, open, mut fresh, others } = noted;
    speak(&mut fresh, desired, plan);
    let Recollection { version, begun, window, selectors, mut kept, kept_others, .. } =
        recollection;
    let selectors: Vec<(usize, String)> =
        selectors.iter().map(|(file, resource)| (*file, self::kept(resource))).collect();
    for one in &fresh {
        kept[one.file].push(one.declared());
    }
    let all: Vec<Other<'_>> =
        kept_others.into_iter().chain(others.iter().map(Beside::other)).collect();
    let add = |all: (usize, usize), page: (usize, usize)| (all.0 + page.0, all.1 + page.1);
    let (settled, unsettled) = kept.iter().map(Page::counts).fold((0, 0), add);
    let count = |whose: Whose| all.iter().filter(|other| other.whose == whose).count();
    let front = Front {
        key: place.key().clone(),
        version,
        begun,
        window,
        settled,
        foreign: count(Whose::Foreign),
        quiet: unsettled == 0 && count(Whose::Undeclared) == 0,
        kinds: kinds.iter().map(|entry| entry.facts.kind.to_owned()).collect(),
    };
    let selectors = selectors.iter().map(|(file, resource)| (*file, resource.as_str())).collect();
    let pages: Vec<(usize, &Page<'_>)> = open.iter().map(|place| (*place, &kept[*place])).collect();
    writing.end(&pages, &Rest { selectors, others: all }, &front);
}

/// What was looked at and is declared, with the places of the files that declare it and its marks.
/// What a plan has to say about it is not known yet: see [`speak`].
#[must_use]
pub fn fresh(
    (places, marks): (&Lookup<ResourceId, usize>, &Lookup<ResourceId, Mark>),
    kinds: &Kinds,
    desired: &[Resource],
    gathered: &Gathered,
) -> Vec<Fresh> {
    let rows = gathered.stored.iter().zip(gathered.recorded.iter());
    let rows: Lookup<&ResourceId, _> = rows.map(|both| (&both.0.id, both)).collect();
    let mut fresh = Vec::with_capacity(desired.len());
    for (place, resource) in desired.iter().enumerate() {
        let Some(file) = places.get(&resource.id) else { continue };
        let mut keys = islands::of_resource(kinds, resource);
        let row = rows.get(&resource.id);
        keys.extend(row.iter().flat_map(|(row, _)| islands::of_row(kinds, row)));
        let says_the_same = row.is_some_and(|(row, recorded)| {
            (&row.metadata, &row.spec) == (&resource.metadata, &resource.spec)
                && row.source.is_same_place(&resource.source)
                && row.observed == **recorded
        });
        let timed = kinds.get(resource.id.kind.as_str()).is_some_and(|entry| entry.timed);
        let settled = says_the_same && !timed;
        fresh.push(Fresh {
            desired: place,
            file: *file,
            kind: number(kinds, resource.id.kind.as_str()),
            name: resource.id.name.to_string(),
            resource: if settled { String::new() } else { kept(resource) },
            mark: marks.get(&resource.id).map(|mark| mark.to_vec()).unwrap_or_default(),
            keys: bytes(keys),
        });
    }
    fresh
}

/// Keeps whole what a plan has anything to say about.
pub fn speak(fresh: &mut [Fresh], desired: &[Resource], plan: &Plan) {
    let spoken_of = spoken_of(plan);
    for one in fresh.iter_mut().filter(|one| one.resource.is_empty()) {
        let resource = &desired[one.desired];
        if spoken_of.contains(&resource.id) {
            one.resource = kept(resource);
        }
    }
}

/// What a plan has anything to say about.
fn spoken_of(plan: &Plan) -> Known<&ResourceId> {
    let changes = plan.changes.iter().map(|change| &change.id);
    let records = plan.records.iter().map(|record| &record.resource);
    let warnings = plan.warnings.iter().filter_map(|warning| warning.resource.as_ref());
    changes.chain(records).chain(warnings).collect()
}

/// Rows that are not declared, and things that nobody manages.
#[must_use]
pub fn others(kinds: &Kinds, set: &str, desired: &[Resource], gathered: &Gathered) -> Vec<Beside> {
    let declared: Known<&ResourceId> = desired.iter().map(|resource| &resource.id).collect();
    let mut others = Vec::new();
    for row in gathered.stored.iter() {
        if *row.set != *set {
            others.push(Beside::row(kinds, Whose::Foreign, row));
        } else if !declared.contains(&row.id) && !gathered.beside.contains(&row.id) {
            others.push(Beside::row(kinds, Whose::Undeclared, row));
        }
    }
    others.extend(gathered.unmanaged.iter().map(|thing| Beside::thing(kinds, thing)));
    others
}

/// What is known beside the manifests, before it is written down.
pub struct Beside {
    whose: Whose,
    kind: u8,
    name: String,
    keys: Vec<u8>,
}

impl Beside {
    /// Under a kind and a name.
    #[must_use]
    pub fn new(
        kinds: &Kinds,
        whose: Whose,
        (kind, name): (&str, &str),
        keys: Vec<islands::Key>,
    ) -> Self {
        Self { whose, kind: number(kinds, kind), name: name.to_owned(), keys: bytes(keys) }
    }

    /// A row.
    #[must_use]
    pub fn row(kinds: &Kinds, whose: Whose, row: &Stored) -> Self {
        let id = (row.id.kind.as_str(), row.id.name.as_str());
        Self::new(kinds, whose, id, islands::of_row(kinds, row))
    }

    /// A thing that nobody manages.
    #[must_use]
    pub fn thing(kinds: &Kinds, thing: &Observed) -> Self {
        let id = (thing.kind.as_str(), thing.external_id.as_str());
        Self::new(kinds, Whose::Unmanaged, id, islands::of_thing(kinds, thing))
    }

    /// As it is written down.
    #[must_use]
    pub fn other(&self) -> Other<'_> {
        Other { whose: self.whose, kind: self.kind, name: &self.name, keys: &self.keys }
    }
}

/// The number of a kind.
#[must_use]
pub fn number(kinds: &Kinds, kind: &str) -> u8 {
    u8::try_from(kinds.rank(kind)).unwrap_or(u8::MAX)
}

/// Keys as bytes; the first stays first, the others without repetition.
#[must_use]
pub fn bytes(mut keys: Vec<islands::Key>) -> Vec<u8> {
    let first = keys.first().copied();
    keys.sort_unstable();
    keys.dedup();
    let rest = keys.iter().filter(|key| Some(**key) != first);
    first.iter().chain(rest).flat_map(|key| key.to_le_bytes()).collect()
}

/// The keys that bytes stand for.
pub fn keys(bytes: &[u8]) -> impl Iterator<Item = islands::Key> + Clone {
    let key = |chunk: &[u8]| chunk.try_into().ok().map(islands::Key::from_le_bytes);
    bytes.chunks_exact(8).filter_map(key)
}

/// In which of the files each resource is declared.
#[must_use]
pub fn places(resources: &[Resource], files: &[Found]) -> Lookup<ResourceId, usize> {
    let files: Lookup<&str, usize> =
        files.iter().enumerate().map(|(place, file)| (file.name.as_ref(), place)).collect();
    let place = |resource: &Resource| {
        Some((resource.id.clone(), *files.get(resource.source.file.as_deref()?)?))
    };
    resources.iter().filter_map(place).collect()
}
