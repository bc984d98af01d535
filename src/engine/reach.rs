//! How far what moved reaches: a memory in two, what is looked at and what is kept as it is.

use crate::engine::memory::page::Bound;
use crate::engine::memory::{Back, Declared, Front, Near, Other, Page, Whose, id_of};
use crate::engine::moved::Moved;
use crate::engine::remember::keys;
use crate::engine::reread::Read;
use crate::engine::spread::{Fate, Parts, Seeds};
use crate::model::parallel::parts_mut;
use crate::model::{KindName, Resource, ResourceId, Stored};
use crate::store::Touched;
use std::collections::BTreeSet;

/// What a memory knows, by the files as they are now.
pub struct Known<'m> {
    /// What each file declares as before; nothing of those that are open.
    pages: Vec<Page<'m>>,
    open: Vec<Open<'m>>,
    /// What is declared no longer, or otherwise.
    former: Vec<Declared<'m>>,
    others: Vec<(Other<'m>, Fate)>,
}

/// What a file declares as before, looked at one by one.
struct Open<'m> {
    place: usize,
    ones: Vec<(Declared<'m>, Fate)>,
    /// How it is kept where all of it is, if the file did not move.
    bound: Option<Bound<'m>>,
}

impl<'m> Open<'m> {
    fn new(place: usize, ones: Vec<Declared<'m>>, bound: Option<Bound<'m>>) -> Self {
        Self { place, ones: ones.into_iter().map(|one| (one, Fate::Kept)).collect(), bound }
    }

    /// Spreads what is reached in it; true when that reaches further.
    fn spread(&mut self, parts: &Parts, seeds: &mut Seeds) -> bool {
        let mut grown = false;
        while self.ones.iter_mut().fold(false, |more, (one, fate)| {
            more | parts.spread(fate, one.kind, keys(one.keys), seeds)
        }) {
            grown = true;
        }
        grown
    }
}

/// Opens those of some pages that may have to do with what is reached; their places are among these.
fn open_near<'m>(pages: &mut [Page<'m>], near: &Near) -> Vec<Open<'m>> {
    let mut open = Vec::new();
    for (place, page) in pages.iter_mut().enumerate() {
        if let Page::Bound(bound) = page
            && bound.may_have(near)
        {
            open.push(Open::new(place, bound.open(), Some(*bound)));
            *page = Page::default();
        }
    }
    open
}

impl<'m> Known<'m> {
    /// Of the files that moved, `read` is what they say beside what stands in them as before.
    #[must_use]
    pub fn new(mut back: Back<'m>, moved: &Moved, read: &mut [Read<'m>]) -> Self {
        let mut pages = Vec::with_capacity(moved.same.len());
        let (mut open, mut former) = (Vec::with_capacity(read.len()), Vec::new());
        let mut read = read.iter_mut().peekable();
        for (place, same) in moved.same.iter().enumerate() {
            let page = same.or(moved.before[place]).and_then(|number| back.pages.get_mut(number));
            let page = page.map(std::mem::take).unwrap_or_default();
            let opened = match (read.next_if(|file| file.place == place), page) {
                (Some(file), _) => {
                    let mut stands = file.stands.iter();
                    let mut declared = std::mem::take(&mut file.before);
                    former.extend(declared.extract_if(.., |_| stands.next() == Some(&false)));
                    Open::new(place, declared, None)
                }
                (None, Page::Bound(bound)) if bound.unsettled == 0 => {
                    pages.push(Page::Bound(bound));
                    continue;
                }
                (None, Page::Bound(bound)) => Open::new(place, bound.open(), Some(bound)),
                (None, Page::Loose(ones)) => Open::new(place, ones, None),
            };
            open.push(opened);
            pages.push(Page::default());
        }
        // What is left are files that are gone.
        former.extend(back.pages.iter().flat_map(Page::open));
        let others = back.rest.others.into_iter().map(|one| (one, Fate::Kept)).collect();
        Self { pages, open, former, others }
    }

    /// Finds what is to be done about each: everything of the islands that anything which moved belongs
    /// to, or about which there was something to say, is planned anew.
    fn spread(&mut self, parts: &Parts, mut seeds: Seeds) {
        for one in &self.former {
            seeds.add(parts, one.kind, keys(one.keys));
        }
        let open = self.open.iter_mut().flat_map(|file| &mut file.ones);
        for (one, fate) in open.filter(|(one, _)| !one.is_settled()) {
            *fate = Fate::Reached;
            seeds.add(parts, one.kind, keys(one.keys));
        }
        for (one, fate) in self.others.iter_mut().filter(|(one, _)| one.whose == Whose::Undeclared)
        {
            *fate = Fate::Reached;
            seeds.add(parts, one.kind, keys(one.keys));
        }
        loop {
            // What is open is little: the rest is looked through once that reaches no further.
            while self.spread_once(parts, &mut seeds) {}
            let near = seeds.near();
            let opened = parts_mut(&mut self.pages, |part| (part.len(), open_near(part, &near)));
            let before = self.open.len();
            let mut first = 0;
            for (length, files) in opened {
                let file = |file: Open<'m>| Open { place: first + file.place, ..file };
                self.open.extend(files.into_iter().map(file));
                first += length;
            }
            if self.open.len() == before {
                return;
            }
        }
    }

    /// Spreads what is reached in what is open; true when that reaches further.
    fn spread_once(&mut self, parts: &Parts, seeds: &mut Seeds) -> bool {
        let mut grown = false;
        for file in &mut self.open {
            grown |= file.spread(parts, seeds);
        }
        for (one, fate) in &mut self.others {
            grown |= parts.spread(fate, one.kind, keys(one.keys), seeds);
        }
        grown
    }
}

/// A memory in two: what is kept as it is, and what is looked at.
pub struct Split<'m> {
    /// What is kept, for each file that was found; some of it stands beside what is looked at.
    pub kept: Vec<Page<'m>>,
    /// Not declared, and not looked at.
    pub kept_others: Vec<Other<'m>>,
    /// What is looked at.
    pub reach: Reach<'m>,
}

impl<'m> Split<'m> {
    /// Whatever these keys reach is looked at, and everything about which there was something to say.
    #[must_use]
    pub fn new(
        mut known: Known<'m>,
        parts: &Parts,
        seeds: Seeds,
        selectors: Vec<(usize, Resource)>,
    ) -> Self {
        known.spread(parts, seeds);
        known.open.sort_unstable_by_key(|file| file.place);
        let mut split = Self {
            kept: known.pages,
            kept_others: Vec::new(),
            reach: Reach { selectors, former: known.former, ..Reach::default() },
        };
        for Open { place, ones, bound } in known.open {
            let (all, mut kept) = (ones.len(), Vec::with_capacity(ones.len()));
            for (one, fate) in ones {
                match fate {
                    Fate::Reached => split.reach.looked.push((place, one)),
                    Fate::Beside => {
                        split.reach.beside.push(one.clone());
                        kept.push(one);
                    }
                    Fate::Kept => kept.push(one),
                }
            }
            let as_it_was = bound.filter(|_| kept.len() == all).map(Page::Bound);
            split.kept[place] = as_it_was.unwrap_or(Page::Loose(kept));
        }
        for (one, fate) in known.others {
            let is_kept = fate == Fate::Kept;
            if is_kept { &mut split.kept_others } else { &mut split.reach.others }.push(one);
        }
        split
    }

    /// The manifests whose selectors choose any of what is kept.
    #[must_use]
    pub fn chosen(&self, front: &Front) -> BTreeSet<ResourceId> {
        let manifest = |one: &Declared<'_>| {
            let id = id_of(&front.kinds, one.kind, one.name);
            ResourceId::new(id.kind.as_str(), id.name.manifest())
        };
        self.kept.iter().flat_map(Page::generated).map(|one| manifest(&one)).collect()
    }
}

/// What is looked at of a memory.
#[derive(Default)]
pub struct Reach<'m> {
    /// Declared as before, with the places of their files.
    pub looked: Vec<(usize, Declared<'m>)>,
    /// The same, where nothing is planned of them: others are judged by them.
    pub beside: Vec<Declared<'m>>,
    /// Declared until now, and no longer or otherwise.
    pub former: Vec<Declared<'m>>,
    /// Not declared.
    pub others: Vec<Other<'m>>,
    /// Manifests that choose others, with their places.
    pub selectors: Vec<(usize, Resource)>,
}

impl Reach<'_> {
    /// The rows to read.
    #[must_use]
    pub fn rows(
        &self,
        kinds: &[String],
        read: &[Read<'_>],
        touched: &Touched,
    ) -> BTreeSet<ResourceId> {
        let looked = self.looked.iter().map(|(_, one)| one).chain(&self.former).chain(&self.beside);
        let mut ids: BTreeSet<ResourceId> =
            looked.map(|one| id_of(kinds, one.kind, one.name)).collect();
        let rows = self.others.iter().filter(|one| one.whose != Whose::Unmanaged);
        ids.extend(rows.map(|one| id_of(kinds, one.kind, one.name)));
        let documents = read.iter().flat_map(|one| &one.file.documents);
        ids.extend(documents.filter_map(|document| document.id.clone()));
        ids.extend(touched.rows.iter().cloned());
        ids
    }

    /// The things to read.
    #[must_use]
    pub fn things(
        &self,
        kinds: &[String],
        rows: &[&Stored],
        touched: &Touched,
    ) -> BTreeSet<(KindName, String)> {
        let unmanaged = self.others.iter().filter(|one| one.whose == Whose::Unmanaged);
        let mut ids: BTreeSet<(KindName, String)> = unmanaged
            .map(|one| (id_of(kinds, one.kind, one.name).kind, one.name.to_owned()))
            .collect();
        let managed = |row: &&Stored| Some((row.id.kind.clone(), row.external_id.clone()?));
        ids.extend(rows.iter().filter_map(managed));
        ids.extend(touched.things.iter().cloned());
        ids
    }
}
