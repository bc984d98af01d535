//! Which files moved since they were remembered.

use crate::engine::memory::Files;
use crate::engine::tree::Sources;
use crate::model::parallel::each;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The files of a pass beside those that were remembered.
pub struct Moved {
    /// For each file that was found: its place among the remembered ones, when it holds the same.
    pub same: Vec<Option<usize>>,
    /// For each file that was found: its place among the remembered ones, whatever it holds.
    pub before: Vec<Option<usize>>,
    /// The remembered files that are gone or hold something else.
    pub former: BTreeSet<usize>,
    /// For each file that was found: SHA-256 of its bytes, once that is known.
    pub digests: Vec<Option<[u8; 32]>>,
    /// True when a remembered stat is to be renewed, or could not be trusted.
    pub restless: bool,
    /// How many files were remembered.
    remembered: usize,
    /// What only reading tells: places of files and among those that were remembered, and the digests
    /// of these.
    unsure: Vec<(usize, usize, [u8; 32])>,
}

impl Moved {
    /// Compares those that were remembered by a pass that began at `begun` by stat; what that does not
    /// settle waits in `unsure`. `None` when a file has no path that can be remembered.
    #[must_use]
    pub fn of(folder: &Path, sources: &Sources, files: &Files, begun: i64) -> Option<Self> {
        let mut moved = Self::unread(sources, files.count());
        let mut remembered = files.iter().enumerate().peekable();
        for (place, found) in sources.files.iter().enumerate() {
            let (path, stat) = (found.below(folder)?, found.stat?);
            while remembered.next_if(|(_, file)| file.path < path).is_some() {}
            let Some((number, file)) = remembered.next_if(|(_, file)| file.path == path) else {
                continue;
            };
            moved.before[place] = Some(number);
            let digest = file.digest()?;
            if stat == file.stat && file.stat.holds_from(begun) {
                moved.same[place] = Some(number);
                moved.digests[place] = Some(digest);
            } else {
                moved.unsure.push((place, number, digest));
            }
        }
        moved.restless = !moved.unsure.is_empty();
        Some(moved)
    }

    /// Reads what the stats did not settle, and compares by digest; `None` when one cannot be read.
    pub fn settle(&mut self, sources: &mut Sources) -> Option<()> {
        let unsure = std::mem::take(&mut self.unsure);
        let places: Vec<usize> = unsure.iter().map(|(place, ..)| *place).collect();
        self.read(sources, &places)?;
        for (place, number, digest) in unsure {
            let same = self.digests[place] == Some(digest);
            self.same[place] = same.then_some(number);
        }
        let mut is_same = vec![false; self.remembered];
        self.same.iter().flatten().for_each(|number| is_same[*number] = true);
        self.former = (0..self.remembered).filter(|number| !is_same[*number]).collect();
        Some(())
    }

    /// The files of a pass that remembers nothing; `None` when one cannot be remembered.
    #[must_use]
    pub fn new(folder: &Path, sources: &Sources) -> Option<Self> {
        let mut files = sources.files.iter();
        let all = files.all(|found| found.stat.is_some() && found.below(folder).is_some());
        all.then(|| Self::unread(sources, 0))
    }

    /// Files of which nothing is known, beside so many that were remembered.
    fn unread(sources: &Sources, remembered: usize) -> Self {
        let files = sources.files.len();
        Self {
            same: vec![None; files],
            before: vec![None; files],
            former: BTreeSet::new(),
            digests: vec![None; files],
            restless: false,
            remembered,
            unsure: Vec::new(),
        }
    }

    /// True when every file is the one that was remembered.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.former.is_empty() && self.same.iter().all(Option::is_some)
    }

    /// Reads files and takes their digests; `None` when one cannot be read.
    pub fn read(&mut self, sources: &mut Sources, places: &[usize]) -> Option<()> {
        sources.read_some(places);
        self.digest(sources, places)
    }

    /// Takes the digests of all files; `None` when one was not read.
    pub fn digest_all(&mut self, sources: &Sources) -> Option<()> {
        let all: Vec<usize> = (0..sources.files.len()).collect();
        self.digest(sources, &all)
    }

    fn digest(&mut self, sources: &Sources, places: &[usize]) -> Option<()> {
        let texts: Vec<Arc<str>> = places
            .iter()
            .map(|place| sources.texts.texts.get(&sources.files[*place].name).cloned())
            .collect::<Option<_>>()?;
        let digests = each(texts, |text| -> [u8; 32] { Sha256::digest(&*text).into() });
        for (place, digest) in places.iter().zip(digests) {
            self.digests[*place] = Some(digest);
        }
        Some(())
    }

    /// The files that must be read as manifests.
    #[must_use]
    pub fn changed(&self) -> Vec<usize> {
        (0..self.same.len()).filter(|place| self.same[*place].is_none()).collect()
    }

    /// The digests of all files, to be remembered; `None` when one was not read.
    #[must_use]
    pub fn all_digests(self) -> Option<Vec<[u8; 32]>> {
        self.digests.into_iter().collect()
    }
}
