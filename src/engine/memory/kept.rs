//! A memory that stays in a process which goes on: what moved is found in it by its keys, without
//! looking at the rest, and only that is put in anew.

use crate::engine::islands;
use crate::engine::memory::index::Index;
use crate::engine::memory::{
    Back, Declared, File, Front, Key, Listing, Memory, Other, Page, Place, Stat, Whose, Window,
    id_of,
};
use crate::engine::reach::Reach;
use crate::engine::remember::{Beside, Fresh, keys, taken};
use crate::engine::reread::Read;
use crate::engine::spread::{Fate, Parts, Seeds, Spreading};
use crate::engine::tree::Found;
use crate::model::{Resource, ResourceId};
use crate::plan::LeftOut;
use crate::store::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A memory in the process.
pub struct Kept {
    front: Front,
    folder: PathBuf,
    /// The files below the folder as they were found, in order of their names.
    found: Vec<Found>,
    /// SHA-256 of the bytes of each.
    digests: Vec<[u8; 32]>,
    /// Every resource; `None` at places that are free.
    ones: Vec<Option<One>>,
    free: Vec<u32>,
    /// The places of what each file declares.
    in_file: Vec<Vec<u32>>,
    index: Index,
    /// The places about which there is something to say: they are looked at each time.
    loud: BTreeSet<u32>,
    /// Manifests that choose others by a selector, with the numbers of their files.
    selectors: Vec<(usize, Resource)>,
    /// How many each of them chose.
    chosen: BTreeMap<ResourceId, usize>,
    unmanaged: usize,
}

/// Where a resource was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    File(u32),
    Beside(Whose),
}

struct One {
    home: Home,
    kind: u8,
    name: Box<str>,
    resource: Box<str>,
    keys: Box<[u8]>,
    mark: Box<[u8]>,
}

impl One {
    fn declared(&self) -> Declared<'_> {
        let Self { kind, name, resource, keys, mark, .. } = self;
        Declared { kind: *kind, name, resource, keys, mark }
    }

    fn is_loud(&self) -> bool {
        match self.home {
            Home::File(_) => !self.declared().is_settled(),
            Home::Beside(whose) => whose == Whose::Undeclared,
        }
    }
}

/// A file that was read again.
pub struct Reread {
    /// Its number.
    pub number: usize,
    /// Its stat before it was read.
    pub stat: Stat,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
}

/// What of a memory is to be looked at.
pub struct Wanted<'m> {
    /// As a pass takes it.
    pub reach: Reach<'m>,
    /// The manifests whose selectors choose any of the rest.
    pub chosen: BTreeSet<ResourceId>,
    /// How much the rest is.
    pub left_out: LeftOut,
    /// True when nobody manages some of the rest.
    pub unmanaged: bool,
    /// Its places in the memory.
    pub places: BTreeSet<u32>,
}

impl Kept {
    /// A memory that was read whole, of exactly these files below a folder, as they were found;
    /// `None` when it is of others, or of an older state of them.
    #[must_use]
    pub fn new(memory: &Memory, found: &[Found], folder: &Path) -> Option<Self> {
        let Memory { front, files, body } = memory;
        let back = body.back().filter(|_| body.is_whole())?;
        let digest_of = |(file, found): (File<'_>, &Found)| {
            let is_it = found.stat == Some(file.stat)
                && found.below(folder).is_some_and(|p| p == file.path);
            is_it.then(|| file.digest())?
        };
        let digests: Vec<[u8; 32]> =
            files.iter().zip(found).map(digest_of).collect::<Option<_>>()?;
        if files.count() != found.len() || digests.len() != found.len() {
            return None;
        }
        let mut selectors = Vec::with_capacity(back.rest.selectors.len());
        for (number, text) in &back.rest.selectors {
            selectors.push((*number, taken(text)?));
        }
        let mut kept = Self {
            in_file: vec![Vec::new(); found.len()],
            front: Front { settled: 0, foreign: 0, ..front.clone() },
            folder: folder.to_owned(),
            found: found.to_vec(),
            digests,
            ones: Vec::new(),
            free: Vec::new(),
            index: Index::default(),
            loud: BTreeSet::new(),
            selectors,
            chosen: BTreeMap::new(),
            unmanaged: 0,
        };
        for (number, page) in back.pages.iter().enumerate() {
            let home = Home::File(u32::try_from(number).ok()?);
            for Declared { kind, name, resource, keys, mark } in page.open() {
                let (name, resource) = (name.into(), resource.into());
                let (keys, mark) = (keys.into(), mark.into());
                kept.put(One { home, kind, name, resource, keys, mark });
            }
        }
        for Other { whose, kind, name, keys } in &back.rest.others {
            let (home, resource, mark) = (Home::Beside(*whose), Box::default(), Box::default());
            let (kind, name, keys) = (*kind, (*name).into(), (*keys).into());
            kept.put(One { home, kind, name, resource, keys, mark });
        }
        kept.index();
        Some(kept)
    }

    /// What it is of.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.front.key
    }

    /// The store's version that it is of.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.front.version
    }

    /// The times between which it holds.
    #[must_use]
    pub fn window(&self) -> Window {
        self.front.window
    }

    /// The kinds that its numbers mean.
    #[must_use]
    pub fn kinds(&self) -> &[String] {
        &self.front.kinds
    }

    /// A file, as it was found and with the digest of what was read.
    #[must_use]
    pub fn file(&self, number: usize) -> Option<(&Found, &[u8; 32])> {
        Some((self.found.get(number)?, self.digests.get(number)?))
    }

    /// The number of a file.
    #[must_use]
    pub fn number_of(&self, name: &str) -> Option<usize> {
        self.found.binary_search_by(|found| found.name.as_ref().cmp(name)).ok()
    }

    /// True when a manifest in one of these files chooses others.
    #[must_use]
    pub fn choose_in(&self, numbers: &BTreeSet<usize>) -> bool {
        self.selectors.iter().any(|(number, _)| numbers.contains(number))
    }

    /// The files in which something settled stands under one of these names: of it the row alone is
    /// known.
    #[must_use]
    pub fn settled_under(&self, names: &[islands::Key]) -> BTreeSet<usize> {
        let mut files = BTreeSet::new();
        for name in names {
            for one in self.index.of(*name).filter_map(|place| self.one(place)) {
                if let Home::File(number) = one.home
                    && one.declared().is_settled()
                    && keys(&one.keys).next() == Some(*name)
                {
                    files.insert(number as usize);
                }
            }
        }
        files
    }

    /// What a file declares.
    #[must_use]
    pub fn declared_in(&self, number: usize) -> Vec<Declared<'_>> {
        let places = self.in_file.get(number).into_iter().flatten();
        places.filter_map(|place| self.one(*place)).map(One::declared).collect()
    }

    /// The places in the memory of what stands in files that were read again as it did before.
    #[must_use]
    pub fn standing(&self, read: &[Read<'_>]) -> BTreeSet<u32> {
        let of_file = |file: &Read<'_>| {
            let places = self.in_file.get(file.place).into_iter().flatten().copied();
            let stands = file.stands.clone();
            places.zip(stands).filter_map(|(place, stands)| stands.then_some(place))
        };
        read.iter().flat_map(of_file).collect()
    }

    /// What these keys reach, and what these files said, but for what `stands`; and everything about
    /// which there is something to say.
    #[must_use]
    pub fn wanted(
        &self,
        files: &BTreeSet<usize>,
        stands: &BTreeSet<u32>,
        parts: &Parts,
        seeds: Seeds,
    ) -> Wanted<'_> {
        let in_files = files.iter().filter_map(|number| self.in_file.get(*number)).flatten();
        let moved = in_files.filter(|place| !stands.contains(place)).chain(&self.loud);
        let (places, beside) = self.reached(moved.copied(), parts, seeds);
        let mut reach = Reach { selectors: self.selectors.clone(), ..Reach::default() };
        let mut left_out =
            LeftOut { settled: self.front.settled, chosen: 0, foreign: self.front.foreign };
        let (mut chosen, mut unmanaged) = (self.chosen.clone(), self.unmanaged);
        for (place, one) in places.iter().filter_map(|place| Some((place, self.one(*place)?))) {
            let Home::File(number) = one.home else {
                let Home::Beside(whose) = one.home else { continue };
                left_out.foreign -= usize::from(whose == Whose::Foreign);
                unmanaged -= usize::from(whose == Whose::Unmanaged);
                reach.others.push(Other {
                    whose,
                    kind: one.kind,
                    name: &one.name,
                    keys: &one.keys,
                });
                continue;
            };
            left_out.settled -= usize::from(one.declared().is_settled());
            if let Some(count) = self.manifest_of(one).and_then(|id| chosen.get_mut(&id)) {
                *count -= 1;
            }
            if files.contains(&(number as usize)) && !stands.contains(place) {
                reach.former.push(one.declared());
            } else {
                reach.looked.push((number as usize, one.declared()));
            }
        }
        left_out.chosen = left_out.settled;
        // What stands beside is among the rows.
        left_out.settled -= beside.len();
        reach.beside = beside.iter().filter_map(|at| Some(self.one(*at)?.declared())).collect();
        let chosen = chosen.into_iter().filter_map(|(id, count)| (count > 0).then_some(id));
        let (chosen, unmanaged) = (chosen.collect(), unmanaged > 0);
        Wanted { reach, chosen, left_out, unmanaged, places }
    }

    /// The places of what is looked at, and of what stands beside it.
    fn reached(
        &self,
        moved: impl Iterator<Item = u32>,
        parts: &Parts,
        seeds: Seeds,
    ) -> (BTreeSet<u32>, BTreeSet<u32>) {
        let mut fates: BTreeMap<u32, Fate> = BTreeMap::new();
        let mut seeds = Spreading::of(seeds);
        for place in moved {
            let Some(one) = self.one(place) else { continue };
            fates.insert(place, Fate::Reached);
            seeds.add(parts, one.kind, keys(&one.keys));
        }
        while let Some(key) = seeds.next() {
            for key in [key, islands::listening_for(key)] {
                for place in self.index.of(key) {
                    let Some(one) = self.one(place) else { continue };
                    if keys(&one.keys).any(|other| other == key) {
                        let fate = fates.entry(place).or_default();
                        seeds.spread(parts, fate, one.kind, keys(&one.keys));
                    }
                }
            }
        }
        let is_other =
            |place: u32| self.one(place).is_some_and(|one| matches!(one.home, Home::Beside(_)));
        let (mut reached, mut beside) = (BTreeSet::new(), BTreeSet::new());
        for (place, fate) in fates {
            match fate {
                Fate::Kept => {}
                Fate::Beside if !is_other(place) => drop(beside.insert(place)),
                Fate::Beside | Fate::Reached => drop(reached.insert(place)),
            }
        }
        (reached, beside)
    }

    /// Puts in what a pass found out of what it looked at, in place of what was there.
    pub fn follow(
        &mut self,
        (version, window): (Version, Window),
        looked_at: &BTreeSet<u32>,
        reread: Vec<Reread>,
        fresh: Vec<Fresh>,
        others: &[Beside],
    ) {
        self.front.window = window;
        looked_at.iter().for_each(|place| self.take(*place));
        for Reread { number, stat, digest } in reread {
            if let (Some(held), Some(found)) =
                (self.digests.get_mut(number), self.found.get_mut(number))
            {
                (*held, found.stat) = (digest, Some(stat));
            }
        }
        let mut is_due = false;
        for Fresh { file, kind, name, resource, keys, mark, .. } in fresh {
            let Ok(file) = u32::try_from(file) else { continue };
            let (home, name, resource) = (Home::File(file), name.into(), resource.into());
            let (keys, mark) = (keys.into(), mark.into());
            is_due |= self.put_and_index(One { home, kind, name, resource, keys, mark });
        }
        for Other { whose, kind, name, keys } in others.iter().map(Beside::other) {
            let (home, resource, mark) = (Home::Beside(whose), Box::default(), Box::default());
            let (name, keys) = (name.into(), keys.into());
            is_due |= self.put_and_index(One { home, kind, name, resource, keys, mark });
        }
        if is_due {
            self.index();
        }
        self.front.version = version;
    }

    /// Writes it down for the passes of other processes.
    pub fn write(&self, place: &Place) {
        let mut back = Back { pages: vec![Page::default(); self.found.len()], ..Back::default() };
        for one in self.ones.iter().flatten() {
            match one.home {
                Home::File(number) => back.pages[number as usize].push(one.declared()),
                Home::Beside(whose) => back.rest.others.push(Other {
                    whose,
                    kind: one.kind,
                    name: &one.name,
                    keys: &one.keys,
                }),
            }
        }
        let selectors: Vec<(usize, String)> = self
            .selectors
            .iter()
            .map(|(number, one)| (*number, crate::engine::remember::kept(one)))
            .collect();
        back.rest.selectors =
            selectors.iter().map(|(number, text)| (*number, text.as_str())).collect();
        let front = Front { quiet: self.loud.is_empty(), ..self.front.clone() };
        let Self { folder, found, digests, .. } = self;
        place.write(&front, Listing { folder, found, digests }, &back);
    }

    fn one(&self, place: u32) -> Option<&One> {
        self.ones.get(place as usize)?.as_ref()
    }

    /// The manifest whose selector chose it.
    fn manifest_of(&self, one: &One) -> Option<ResourceId> {
        let id = id_of(&self.front.kinds, one.kind, &one.name);
        let manifest = || ResourceId::new(id.kind.as_str(), id.name.manifest());
        id.name.is_generated().then(manifest)
    }

    fn put(&mut self, one: One) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.ones.push(None);
            u32::try_from(self.ones.len() - 1).unwrap_or(u32::MAX)
        });
        self.count(&one, 1);
        if one.is_loud() {
            self.loud.insert(place);
        }
        if let Home::File(number) = one.home {
            self.in_file[number as usize].push(place);
        }
        self.ones[place as usize] = Some(one);
        place
    }

    fn put_and_index(&mut self, one: One) -> bool {
        let of_it: Vec<islands::Key> = keys(&one.keys).collect();
        let place = self.put(one);
        let mut is_due = false;
        for key in of_it {
            is_due |= self.index.add(key, place);
        }
        is_due
    }

    fn take(&mut self, place: u32) {
        let Some(one) = self.ones.get_mut(place as usize).and_then(Option::take) else { return };
        self.count(&one, -1);
        self.loud.remove(&place);
        if let Home::File(number) = one.home {
            self.in_file[number as usize].retain(|other| *other != place);
        }
        self.free.push(place);
    }

    fn count(&mut self, one: &One, by: isize) {
        let count = |number: &mut usize| *number = number.saturating_add_signed(by);
        match one.home {
            Home::File(_) if one.declared().is_settled() => count(&mut self.front.settled),
            Home::Beside(Whose::Foreign) => count(&mut self.front.foreign),
            Home::Beside(Whose::Unmanaged) => count(&mut self.unmanaged),
            _ => {}
        }
        if matches!(one.home, Home::File(_))
            && let Some(manifest) = self.manifest_of(one)
        {
            count(self.chosen.entry(manifest).or_default());
        }
    }

    fn index(&mut self) {
        let pairs = |(place, one): (usize, &Option<One>)| {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            let of_it: Vec<islands::Key> =
                one.as_ref().map(|one| keys(&one.keys).collect()).unwrap_or_default();
            of_it.into_iter().map(move |key| (key, place))
        };
        self.index = Index::new(self.ones.iter().enumerate().flat_map(pairs).collect());
    }
}
