//! What a narrow pass looks at: read from the store, from the files that moved and from what was
//! remembered, and checked together.

use crate::engine::Gathered;
use crate::engine::gather;
use crate::engine::look::Look;
use crate::engine::memory::{Declared, id_of};
use crate::engine::pieces::Mark;
use crate::engine::reach::Reach;
use crate::engine::remember::taken;
use crate::engine::reread::Read;
use crate::kinds::{Kinds, ReferenceTo};
use crate::manifest::{self, Beyond, Document, FileRead};
use crate::model::lookup::{Known, Lookup};
use crate::model::parallel::{ALONE_MAX, both, map};
use crate::model::{Observed, Resource, ResourceId, Source, Stored};
use crate::store::{StoreError, Touched};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is looked at, as it was read and checked.
pub struct Checked {
    /// What the manifests declare of it.
    pub desired: Vec<Resource>,
    /// What the store and the provider say of it.
    pub gathered: Gathered,
    /// The places of the files that declare it.
    pub places: Lookup<ResourceId, usize>,
    /// The marks of what declares it, as far as they are known.
    pub marks: Lookup<ResourceId, Mark>,
}

/// Reads what is looked at, and checks it; `None` when anything is wrong. `named` are the kinds that
/// the memory's numbers mean, `chosen` the manifests whose selectors choose any of what is not looked
/// at.
///
/// # Errors
/// When the store fails.
pub fn check(
    reach: &Reach<'_>,
    named: &[String],
    chosen: BTreeSet<ResourceId>,
    look: &Look<'_>,
    read: Vec<Read<'_>>,
    touched: &Touched,
) -> Result<Option<Checked>, StoreError> {
    let rows = look.store.resources_of(&reach.rows(named, &read, touched))?;
    let is_much = rows.len() >= ALONE_MAX;
    let (documents, (declared, known, beside)) = both(
        is_much,
        || {
            let by_id: Lookup<&ResourceId, &Stored> =
                rows.iter().map(|row| (&row.id, row)).collect();
            remembered(reach, look.kinds, named, &by_id)
        },
        || {
            let known: Known<ResourceId> = rows.iter().map(|row| row.id.clone()).collect();
            let beside = reach.beside.iter().map(|one| id_of(named, one.kind, one.name));
            (Declarations::of(reach, named, read), known, beside.collect::<Known<ResourceId>>())
        },
    );
    let Some(documents) = documents else { return Ok(None) };
    let Declarations { mut files, mut places, marks } = declared;
    files.push(FileRead { file: "".into(), documents, problems: Vec::new() });
    let beyond = Beyond { unread: false, chosen };
    let (mut checked, gathered) = both(
        is_much,
        || manifest::check(look.kinds, files, BTreeMap::new(), &known, &beyond),
        || {
            let (settled, looked) =
                rows.iter().partition::<Vec<_>, _>(|row| beside.contains(&row.id));
            // Of what is settled the row says what is there.
            let settled: Vec<Observed> = settled.into_iter().filter_map(gather::as_thing).collect();
            let mut things = look.store.actual_of(&reach.things(named, &looked, touched))?;
            things.extend(settled);
            gather::some(look.store, rows, things)
        },
    );
    let mut gathered = gathered?;
    if !checked.problems.is_empty() {
        return Ok(None);
    }
    let by_selector: BTreeMap<&str, usize> =
        reach.selectors.iter().map(|(place, one)| (one.id.name.as_str(), *place)).collect();
    for resource in checked.resources.iter().filter(|one| one.id.name.is_generated()) {
        let place = by_selector.get(resource.id.name.manifest());
        places.extend(place.map(|place| (resource.id.clone(), *place)));
    }
    gathered.beside = Arc::new(beside);
    checked.resources.retain(|one| !gathered.beside.contains(&one.id));
    Ok(Some(Checked { desired: checked.resources, gathered, places, marks }))
}

/// The files that moved, and where everything that is looked at is declared.
struct Declarations {
    files: Vec<FileRead>,
    places: Lookup<ResourceId, usize>,
    marks: Lookup<ResourceId, Mark>,
}

impl Declarations {
    fn of(reach: &Reach<'_>, named: &[String], read: Vec<Read<'_>>) -> Self {
        let (mut places, mut marks) = (Lookup::default(), Lookup::default());
        let mut files = Vec::with_capacity(read.len() + 1);
        for one in read {
            marks.extend(one.marks());
            let Read { place, file, .. } = one;
            places.extend(file.documents.iter().filter_map(|d| Some((d.id.clone()?, place))));
            files.push(file);
        }
        for (place, one) in &reach.looked {
            let id = id_of(named, one.kind, one.name);
            marks.extend(one.mark.try_into().ok().map(|mark| (id.clone(), mark)));
            // Declared here and in a file that moved: the check says so.
            places.insert(id, *place);
        }
        Self { files, places, marks }
    }
}

/// What is looked at in files that did not move, as if it had been read; `None` where a row is missed.
fn remembered(
    reach: &Reach<'_>,
    kinds: &Kinds,
    named: &[String],
    rows: &Lookup<&ResourceId, &Stored>,
) -> Option<Vec<Document>> {
    let looked: Vec<&Declared<'_>> =
        reach.looked.iter().map(|(_, one)| one).chain(&reach.beside).collect();
    let all = map(&looked, |one| {
        let id = id_of(named, one.kind, one.name);
        // What a selector made, it makes again.
        if id.name.is_generated() {
            return Some(None);
        }
        let settled = || rows.get(&id).map(|row| declared(row));
        let resource = if one.is_settled() { settled() } else { taken(one.resource) };
        Some(Some(document(kinds, resource?)))
    });
    let all: Option<Vec<Option<Document>>> = all.into_iter().collect();
    let mut documents: Vec<Document> = all?.into_iter().flatten().collect();
    documents.extend(reach.selectors.iter().map(|(_, one)| document(kinds, one.clone())));
    Some(documents)
}

/// A settled resource as its manifest says it; the commit of its row is of what was applied then.
fn declared(row: &Stored) -> Resource {
    Resource {
        id: row.id.clone(),
        metadata: row.metadata.clone(),
        spec: row.spec.clone(),
        source: Source { commit: None, ..row.source.clone() },
    }
}

/// A remembered resource as a document that was read.
fn document(kinds: &Kinds, resource: Resource) -> Document {
    let references = kinds.get(resource.id.kind.as_str()).map_or(&[][..], |e| e.facts.references);
    let named = |reference: &crate::kinds::Reference| match reference.target(&resource.spec)? {
        ReferenceTo::Resource(id) => Some((reference.path, id)),
        ReferenceTo::External(_) => None,
    };
    Document {
        index: 0,
        line: resource.source.line.unwrap_or(1),
        id: Some(resource.id.clone()),
        unclear: None,
        references: references.iter().filter_map(named).collect(),
        resource: Some(resource),
    }
}
