//! A pass over what moved: from what the last one remembered, without looking at the rest.
//!
//! What moved, whatever there was something to say about before, and everything of the same islands
//! is gathered and checked as always. The rest is settled and stays so: nothing in it moved, and
//! nothing that moved has to do with it. Where this cannot be told, or anything is wrong with the
//! manifests, there is no narrow pass: then everything is read.

use crate::engine::Gathered;
use crate::engine::gather;
use crate::engine::islands::{self, Key, Keys};
use crate::engine::look::Look;
use crate::engine::looked::{Checked, check};
use crate::engine::memory::{Back, Body, Declared, Front, Memory, Page, Whose, Window};
use crate::engine::moved::Moved;
use crate::engine::reach::{Known, Split};
use crate::engine::remember::{Recollection, keys, number, taken};
use crate::engine::reread::{Read, Text};
use crate::engine::spread::{Parts, Seeds};
use crate::engine::tree::Sources;
use crate::model::parallel::both;
use crate::model::{KindName, Resource};
use crate::plan::LeftOut;
use crate::store::{Store, StoreError, Touched, Version};

/// What a narrow pass found.
pub struct Narrow<'m> {
    /// What the manifests declare of it.
    pub desired: Vec<Resource>,
    /// What the store and the provider say of it.
    pub gathered: Gathered,
    /// How much was left out.
    pub left_out: LeftOut,
    /// True when there may be things that nobody manages.
    pub unmanaged: bool,
    /// The times between which this is so.
    pub window: Window,
    /// What is remembered of it.
    pub next: Next<'m>,
    /// True when a memory was of the store as it is now.
    pub is_current: bool,
}

/// What becomes of the memory.
pub enum Next<'m> {
    /// It holds as it is.
    Holds,
    /// It holds, and its stats were seen again; with the digests of its files.
    Renewed(Box<Front>, Vec<[u8; 32]>),
    /// Another takes its place.
    Another(Box<Recollection<'m>>),
}

/// Gathers what moved since a memory was made; `None` when everything must be looked at.
///
/// # Errors
/// When the store fails.
pub fn narrow<'m>(
    look: &Look<'_>,
    sources: &mut Sources,
    memory: &'m mut Memory,
) -> Result<Option<Narrow<'m>>, StoreError> {
    if !sources.texts.problems.is_empty() || !look.store.intents()?.is_empty() {
        return Ok(None);
    }
    // Something has ended since, or has not yet.
    if !memory.front.window.holds(look.at) {
        return Ok(None);
    }
    let Some(touched) = touched(look.store, &memory.front.version)? else { return Ok(None) };
    let Memory { front, files, body } = memory;
    let moved = Moved::of(look.folder, sources, files, front.begun);
    let Some(mut moved) = moved else { return Ok(None) };
    if moved.restless {
        // Most likely something did move: what was remembered is read while the files are.
        let (is_read, is_settled) = both(true, || body.read(), || moved.settle(sources));
        if is_read.and(is_settled).is_none() {
            return Ok(None);
        }
    } else if moved.settle(sources).is_none() {
        return Ok(None);
    }
    if moved.is_nothing() && touched.is_empty() && front.quiet && look.also.is_empty() {
        return nothing_moved(look, moved, front);
    }
    if body.read().is_none() {
        return Ok(None);
    }
    let body: &'m Body = body;
    let Some(back) = body.back() else { return Ok(None) };
    if moved.read_touched(sources, &back, &touched).is_none() {
        return Ok(None);
    }
    let looked = || look_at(look, sources, moved, back, &touched, front);
    let (is_whole, found) = both(true, || body.is_whole(), looked);
    Ok(found?.filter(|_| is_whole))
}

/// Gathers what moved, and whatever there was something to say about; `None` when anything is wrong
/// with it.
///
/// # Errors
/// When the store fails.
pub fn look_at<'m>(
    look: &Look<'_>,
    sources: &mut Sources,
    moved: Moved,
    back: Back<'m>,
    touched: &Touched,
    front: &Front,
) -> Result<Option<Narrow<'m>>, StoreError> {
    let changed = moved.changed();
    let unread = |place: &usize| !sources.texts.texts.contains_key(&sources.files[*place].name);
    let unread: Vec<usize> = changed.iter().copied().filter(unread).collect();
    sources.read_some(&unread);
    if !sources.texts.problems.is_empty() {
        return Ok(None);
    }
    let Some(selectors) = selectors(&back, &moved) else { return Ok(None) };
    let texts = texts(sources, changed, &moved, &back);
    let reading = look.reading(&front.kinds, touched, sources.linked);
    let Some(mut read) = reading.all(texts) else { return Ok(None) };
    let known = Known::new(back, &moved, &mut read);
    let parts = Parts::of_kinds(look.kinds);
    let seeds = seeds(look, &parts, &read, touched)?;
    let split = Split::new(known, &parts, seeds, selectors);
    let chosen = split.chosen(front);
    let checked = check(&split.reach, &front.kinds, chosen, look, read, touched)?;
    let Some((checked, digests)) = checked.zip(moved.all_digests()) else { return Ok(None) };
    let Checked { desired, gathered, places, marks } = checked;
    let Split { kept, kept_others, reach } = split;
    let settled: usize = kept.iter().map(|page| page.counts().0).sum();
    let count = |whose: Whose| kept_others.iter().filter(|one| one.whose == whose).count();
    // What stands beside is among the rows.
    let left_out = LeftOut {
        settled: settled - reach.beside.len(),
        chosen: settled,
        foreign: count(Whose::Foreign),
    };
    let unmanaged = count(Whose::Unmanaged) > 0 || !gathered.unmanaged.is_empty();
    let window = front.window.around(look.at, look.kinds, &desired);
    let next = Next::Another(Box::new(Recollection {
        window,
        version: look.store.version()?,
        begun: look.begun,
        selectors: reach.selectors,
        digests,
        kept,
        kept_others,
        places,
        marks,
    }));
    let is_current = touched.is_empty();
    Ok(Some(Narrow { desired, gathered, left_out, unmanaged, window, next, is_current }))
}

/// What transactions touched since; `None` when that is not known.
///
/// # Errors
/// When the store fails.
pub fn touched(store: &dyn Store, since: &Version) -> Result<Option<Touched>, StoreError> {
    if store.version()? == *since {
        return Ok(Some(Touched::default()));
    }
    store.touched_since(since)
}

fn nothing_moved<'m>(
    look: &Look<'_>,
    moved: Moved,
    front: &Front,
) -> Result<Option<Narrow<'m>>, StoreError> {
    let (settled, foreign) = (front.settled, front.foreign);
    let left_out = LeftOut { settled, chosen: settled, foreign };
    let digests = if moved.restless { moved.all_digests() } else { None };
    let next = digests.map_or(Next::Holds, |digests| {
        Next::Renewed(Box::new(Front { begun: look.begun, ..front.clone() }), digests)
    });
    let gathered = gather::some(look.store, Vec::new(), Vec::new())?;
    let (desired, unmanaged, window) = (Vec::new(), true, front.window);
    let is_current = true;
    Ok(Some(Narrow { desired, gathered, left_out, unmanaged, window, next, is_current }))
}

impl Moved {
    /// A settled resource is known by its row; where that was touched, its file is read again.
    fn read_touched(
        &mut self,
        sources: &mut Sources,
        back: &Back<'_>,
        touched: &Touched,
    ) -> Option<()> {
        let mut rows = Keys::default();
        let lost = |rows: &Keys, one: &Declared<'_>| {
            one.is_settled() && keys(one.keys).next().is_some_and(|name| rows.contains(name))
        };
        if rows.add(touched.rows.iter().map(islands::of_id)) {
            let near = rows.iter().collect();
            let is_lost = |page: &Page<'_>| {
                page.may_have(&near) && page.open().iter().any(|one| lost(&rows, one))
            };
            for place in 0..self.same.len() {
                let number = self.same[place].filter(|number| is_lost(&back.pages[*number]));
                if let Some(number) = number {
                    self.same[place] = None;
                    self.former.insert(number);
                }
            }
        }
        let unread = |place: &usize| !sources.texts.texts.contains_key(&sources.files[*place].name);
        let unread: Vec<usize> = self.changed().into_iter().filter(unread).collect();
        self.read(sources, &unread)
    }
}

/// The files with these places.
fn texts<'m>(
    sources: &Sources,
    places: Vec<usize>,
    moved: &Moved,
    back: &Back<'m>,
) -> Vec<Text<'m>> {
    let text = |place: usize| {
        let name = sources.files[place].name.clone();
        let text = sources.texts.texts.get(&name).cloned().unwrap_or_default();
        let before = moved.before[place].and_then(|number| back.pages.get(number));
        let before = before.map(Page::open).unwrap_or_default();
        Text { place, name, text, before }
    };
    places.into_iter().map(text).collect()
}

/// The manifests that choose others, with the places of their files; `None` when one moved: whatever
/// it chose may move with it.
fn selectors(back: &Back<'_>, moved: &Moved) -> Option<Vec<(usize, Resource)>> {
    let of = |(number, text): &(usize, &str)| {
        let place = moved.same.iter().position(|same| *same == Some(*number))?;
        Some((place, taken(text)?))
    };
    back.rest.selectors.iter().map(of).collect()
}

/// The keys of everything that moved, as it is now. As it was, the memory knows it.
///
/// # Errors
/// When the store fails.
pub fn seeds(
    look: &Look<'_>,
    parts: &Parts,
    read: &[Read<'_>],
    touched: &Touched,
) -> Result<Seeds, StoreError> {
    let mut seeds = Seeds::default();
    let mut add = |kind: &KindName, keys: Vec<Key>| {
        seeds.add(parts, number(look.kinds, kind.as_str()), keys.into_iter());
    };
    let documents = read.iter().flat_map(|one| &one.file.documents);
    for resource in documents.filter_map(|document| document.resource.as_ref()) {
        add(&resource.id.kind, islands::of_resource(look.kinds, resource));
    }
    for id in touched.rows.iter().chain(look.also) {
        add(&id.kind, vec![islands::of_id(id)]);
    }
    let mut things = touched.things.clone();
    for row in look.store.resources_of(&touched.rows)? {
        add(&row.id.kind, islands::of_row(look.kinds, &row));
        things.extend(row.external_id.map(|id| (row.id.kind, id)));
    }
    for (kind, id) in &things {
        add(kind, vec![islands::external(kind.as_str(), id)]);
    }
    for thing in look.store.actual_of(&things)? {
        add(&thing.kind, islands::of_thing(look.kinds, &thing));
    }
    Ok(seeds)
}
