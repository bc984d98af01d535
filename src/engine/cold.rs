//! A pass with nothing remembered: every manifest is read and every row glanced at, and only what
//! differs is looked at.
//!
//! It rests on the store's last judgement, when everything was looked at and all that was to be done
//! was done. A row that was not touched since, with nothing said about it, whose manifest says what
//! the row says, is as settled as then.

use crate::engine::gather::FromWorkspace;
use crate::engine::islands::{self, AsItIs, Key};
use crate::engine::look::Look;
use crate::engine::memory::{Back, Declared, Front, Page, Rest, Whose, Window};
use crate::engine::moved::Moved;
use crate::engine::narrow::{Narrow, look_at};
use crate::engine::pieces::{Mark, Piece, mark_at, marks};
use crate::engine::remember::{Beside, bytes, number};
use crate::engine::tree::{Found, Sources, read_file};
use crate::kinds::expiry;
use crate::manifest;
use crate::model::digest::Digest;
use crate::model::parallel::while_found;
use crate::model::resource::{ACCEPT_DRIFT, MANAGEMENT};
use crate::model::{Resource, ResourceId, Stored};
use crate::store::{Glance, Store, StoreError, Touched};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, Ordering};

/// What was read of every manifest; the pass borrows from it.
#[derive(Default)]
pub struct Ground {
    files: Vec<Seen>,
    others: Vec<Beside>,
}

/// A file.
struct Seen {
    digest: [u8; 32],
    documents: Vec<Said>,
}

/// What one manifest says, as far as it is needed to tell whether anything differs.
struct Said {
    kind: u8,
    name: Box<str>,
    /// Of what it says, to be compared with its row.
    said: Mark,
    /// Of where it says it, as far as that is known.
    mark: Option<Mark>,
    keys: Vec<u8>,
    named: Key,
    /// True when it ends by itself: then what it says depends on the time.
    ends: bool,
}

/// What the rows say, as far as it is needed.
#[derive(Default)]
struct Rows {
    settled: HashMap<Key, Row, BuildHasherDefault<AsItIs>>,
    unsettled: BTreeSet<ResourceId>,
    foreign: BTreeSet<ResourceId>,
    /// True when two names share a key.
    confused: bool,
}

struct Row {
    said: Mark,
    external: Option<Key>,
    declared: bool,
}

/// Files that a hand takes at a time.
const HANDFUL: usize = 32;

/// Gathers what differs; `None` when everything must be looked at.
///
/// # Errors
/// When the store fails.
pub fn cold<'m>(
    look: &Look<'_>,
    sources: &mut Sources,
    ground: &'m mut Ground,
) -> Result<Option<Narrow<'m>>, StoreError> {
    let key = look.place.key();
    let (store, set) = (look.store, key.set.as_str());
    if !sources.texts.problems.is_empty() || !store.intents()?.is_empty() {
        return Ok(None);
    }
    let Some(judgement) = store.judgement(set)?.filter(|j| j.program == key.program) else {
        return Ok(None);
    };
    let Some(touched) = store.touched_since(&judgement.version)? else { return Ok(None) };
    let Some(mut moved) = Moved::new(look.folder, sources) else { return Ok(None) };
    let (read, rows) = both(look, sources, set, &touched)?;
    let Some(read) = read.filter(|_| !rows.confused) else { return Ok(None) };
    ground.files = read;
    let rest = compare(ground, rows, &mut moved);
    let unchanged = moved.same.iter().flatten().count();
    if unchanged * 2 < moved.same.len() {
        return Ok(None);
    }
    ground.others = others(look, rest, judgement.unmanaged)?;
    let ground: &'m Ground = ground;
    let front = Front {
        key: key.clone(),
        version: judgement.version,
        begun: look.begun,
        settled: 0,
        foreign: 0,
        quiet: false,
        window: Window::default(),
        kinds: look.kinds.iter().map(|entry| entry.facts.kind.to_owned()).collect(),
    };
    let back = back(ground, &moved);
    let found = look_at(look, sources, moved, back, &touched, &front)?;
    Ok(found.map(|found| Narrow { is_current: false, ..found }))
}

/// Reads the manifests on all cores, and the rows on this one meanwhile.
fn both(
    look: &Look<'_>,
    sources: &Sources,
    set: &str,
    touched: &Touched,
) -> Result<(Option<Vec<Seen>>, Rows), StoreError> {
    let faulty = AtomicBool::new(false);
    let kinds = look.kinds;
    let from_workspace = FromWorkspace::new(look.workspace, sources.linked);
    let read = |handful: &[Found]| -> Option<Vec<Seen>> {
        // Where one is faulty the others are of no use.
        if faulty.load(Ordering::Relaxed) {
            return None;
        }
        let mut from_workspace = from_workspace.clone();
        let see = |file| see(kinds, file, &mut from_workspace);
        let seen: Option<Vec<Seen>> = handful.iter().map(see).collect();
        if seen.is_none() {
            faulty.store(true, Ordering::Relaxed);
        }
        seen
    };
    let find = |give: &mut dyn FnMut(_)| {
        sources.files.chunks(HANDFUL).for_each(give);
        rows(look.store, set, touched)
    };
    let (rows, seen) = while_found(find, read);
    let seen: Option<Vec<Vec<Seen>>> = seen.into_iter().collect();
    Ok((seen.map(|seen| seen.into_iter().flatten().collect()), rows?))
}

/// What a file says; `None` when anything is wrong with it, or it stands for others.
fn see(
    kinds: &crate::kinds::Kinds,
    found: &Found,
    from_workspace: &mut FromWorkspace,
) -> Option<Seen> {
    let text = read_file(&found.path).ok()?;
    let read = manifest::read_file(kinds, &found.name, &text);
    if !read.problems.is_empty() {
        return None;
    }
    let name = from_workspace.name(found.name.clone());
    let marks = marks(&name, &Piece::all(&text));
    let mut documents = Vec::with_capacity(read.documents.len());
    for document in read.documents {
        let mut resource = document.resource?;
        resource.source.file = Some(name.clone());
        let entry = kinds.get(resource.id.kind.as_str())?;
        if (entry.expand)(&resource, &[]).is_some() {
            return None;
        }
        let keys = islands::of_resource(kinds, &resource);
        documents.push(Said {
            kind: number(kinds, entry.facts.kind),
            name: resource.id.name.as_str().into(),
            // What time alone may change is like no row.
            said: if entry.timed { [u8::MAX; 16] } else { said(&resource) },
            mark: mark_at(&marks, resource.source.line),
            named: keys[0],
            ends: expiry::until(entry, &resource.spec).is_some(),
            keys: bytes(keys),
        });
    }
    Some(Seen { digest: Sha256::digest(&text).into(), documents })
}

/// A digest of what a manifest says and where it stands.
fn said(resource: &Resource) -> Mark {
    let metadata = serde_json::to_string(&resource.metadata).unwrap_or_default();
    let place = (resource.source.file.as_deref(), resource.source.line.map(i64::from));
    row_says(&metadata, &resource.spec.canonical(), place)
}

/// The same of a row that says this, from this file and line: a commit alone moves nothing.
fn row_says(metadata: &str, spec: &str, (file, line): (Option<&str>, Option<i64>)) -> Mark {
    Digest::default().text(metadata).text(spec).optional(file).number(line).short()
}

/// A glance at every row.
fn rows(store: &dyn Store, set: &str, touched: &Touched) -> Result<Rows, StoreError> {
    let mut rows = Rows::default();
    store.glance(&mut |row: Glance<'_>| {
        let id = || ResourceId::new(row.kind, row.name);
        let well = row.is_well
            && row.is_applied
            // What is only observed or accepted may differ, and is warned of then.
            && !row.metadata.contains(MANAGEMENT)
            && !row.metadata.contains(ACCEPT_DRIFT);
        if row.set != set {
            rows.foreign.insert(id());
        } else if !well || (!touched.rows.is_empty() && touched.rows.contains(&id())) {
            rows.unsettled.insert(id());
        } else {
            let external = row.external_id.map(|id| islands::external(row.kind, id));
            let (file, line, _) = row.source;
            let said = row_says(row.metadata, row.spec, (file, line));
            let settled = Row { said, external, declared: false };
            let named = islands::named(row.kind, row.name);
            rows.confused |= rows.settled.insert(named, settled).is_some();
        }
    })?;
    Ok(rows)
}

/// Marks the files in which everything stands as its row says. What is left of the rows belongs to
/// manifests that differ, or to none.
fn compare(ground: &mut Ground, mut rows: Rows, moved: &mut Moved) -> Rows {
    let mut number = 0;
    for (place, file) in ground.files.iter_mut().enumerate() {
        moved.digests[place] = Some(file.digest);
        let agrees = |said: &Said| {
            !said.ends
                && rows
                    .settled
                    .get(&said.named)
                    .is_some_and(|row| row.said == said.said && !row.declared)
        };
        if !file.documents.iter().all(agrees) {
            continue;
        }
        for said in &mut file.documents {
            if let Some(row) = rows.settled.get_mut(&said.named) {
                row.declared = true;
                said.keys.extend(row.external.iter().flat_map(|key| key.to_le_bytes()));
            }
        }
        moved.same[place] = Some(number);
        number += 1;
    }
    rows.settled.retain(|_, row| !row.declared);
    rows
}

/// Rows that no file declares as they are, and things that nobody manages.
fn others(look: &Look<'_>, mut rows: Rows, unmanaged: bool) -> Result<Vec<Beside>, StoreError> {
    if !rows.settled.is_empty() {
        look.store.glance(&mut |row| {
            if rows.settled.contains_key(&islands::named(row.kind, row.name)) {
                rows.unsettled.insert(ResourceId::new(row.kind, row.name));
            }
        })?;
    }
    // Of a row of the set its name is enough: it is looked at in any case.
    let own = rows.unsettled.iter().map(|id| {
        let (kind, name) = (id.kind.as_str(), id.name.as_str());
        Beside::new(look.kinds, Whose::Undeclared, (kind, name), vec![islands::of_id(id)])
    });
    let mut others: Vec<Beside> = own.collect();
    let foreign = observed(look.store, &rows.foreign)?;
    others.extend(foreign.iter().map(|row| Beside::row(look.kinds, Whose::Foreign, row)));
    let free = if unmanaged { look.store.unmanaged()? } else { Vec::new() };
    others.extend(free.iter().map(|thing| Beside::thing(look.kinds, thing)));
    Ok(others)
}

/// Rows with what the provider has of them.
fn observed(store: &dyn Store, ids: &BTreeSet<ResourceId>) -> Result<Vec<Stored>, StoreError> {
    let mut rows = store.resources_of(ids)?;
    let of = |row: &Stored| Some((row.id.kind.clone(), row.external_id.clone()?));
    let things = store.actual_of(&rows.iter().filter_map(of).collect())?;
    let things: BTreeMap<_, _> =
        things.into_iter().map(|thing| ((thing.kind, thing.external_id), thing.spec)).collect();
    for row in &mut rows {
        row.observed = of(row).and_then(|of| things.get(&of).cloned());
    }
    Ok(rows)
}

/// The ground as a memory.
fn back<'m>(ground: &'m Ground, moved: &Moved) -> Back<'m> {
    let same = ground.files.iter().zip(&moved.same).filter(|(_, same)| same.is_some());
    let declared = |said: &'m Said| Declared {
        kind: said.kind,
        name: &said.name,
        resource: "",
        keys: &said.keys,
        mark: said.mark.as_ref().map_or(&[], |mark| mark.as_slice()),
    };
    let page = |file: &'m Seen| Page::Loose(file.documents.iter().map(declared).collect());
    Back {
        pages: same.map(|(file, _)| page(file)).collect(),
        rest: Rest {
            selectors: Vec::new(),
            others: ground.others.iter().map(Beside::other).collect(),
        },
    }
}
