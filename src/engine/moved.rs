//! Which files moved since they were remembered.

use crate::engine::memory::{File, Front};
use crate::engine::tree::{Found, Sources};
use crate::model::parallel::{each, map};
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
    /// For each file that was found: its path below the folder, its digest once it was read.
    pub files: Vec<(String, Option<[u8; 32]>)>,
    /// True when a remembered stat is to be renewed, or could not be trusted.
    pub restless: bool,
    /// What only reading tells: places of files, and among those that were remembered.
    unsure: Vec<(usize, usize)>,
}

impl Moved {
    /// Compares by stat; what that does not settle waits in `unsure`. `None` when a file has no path
    /// that can be remembered.
    #[must_use]
    pub fn of(folder: &Path, sources: &Sources, front: &Front) -> Option<Self> {
        let mut moved = Self::new(folder, sources)?;
        let mut remembered = front.files.iter().enumerate().peekable();
        for (place, found) in sources.files.iter().enumerate() {
            let path = moved.files[place].0.as_str();
            while remembered.next_if(|(_, file)| file.path.as_str() < path).is_some() {}
            let Some((number, file)) = remembered.next_if(|(_, file)| file.path == path) else {
                continue;
            };
            moved.before[place] = Some(number);
            if found.stat == Some(file.stat) && file.stat.holds_from(front.begun) {
                moved.same[place] = Some(number);
                moved.files[place].1 = Some(file.digest);
            } else {
                moved.unsure.push((place, number));
            }
        }
        moved.restless = !moved.unsure.is_empty();
        Some(moved)
    }

    /// Reads what the stats did not settle, and compares by digest; `None` when one cannot be read.
    pub fn settle(&mut self, sources: &mut Sources, front: &Front) -> Option<()> {
        let unsure = std::mem::take(&mut self.unsure);
        let places: Vec<usize> = unsure.iter().map(|(place, _)| *place).collect();
        self.read(sources, &places)?;
        for (place, number) in unsure {
            let same = self.files[place].1 == Some(front.files[number].digest);
            self.same[place] = same.then_some(number);
        }
        let mut is_same = vec![false; front.files.len()];
        self.same.iter().flatten().for_each(|number| is_same[*number] = true);
        self.former = (0..front.files.len()).filter(|number| !is_same[*number]).collect();
        Some(())
    }

    /// The files of a pass that remembers nothing.
    #[must_use]
    pub fn new(folder: &Path, sources: &Sources) -> Option<Self> {
        let folder = folder.to_str()?;
        let below = |found: &Found| {
            let path = found.path.to_str()?.strip_prefix(folder)?;
            found.stat?;
            Some((path.trim_start_matches('/').to_owned(), None))
        };
        let files = map(&sources.files, below).into_iter().collect::<Option<Vec<_>>>()?;
        let (same, before) = (vec![None; files.len()], vec![None; files.len()]);
        let (former, unsure) = (BTreeSet::new(), Vec::new());
        Some(Self { same, before, former, files, restless: false, unsure })
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
            self.files[*place].1 = Some(digest);
        }
        Some(())
    }

    /// The files that must be read as manifests.
    #[must_use]
    pub fn changed(&self) -> Vec<usize> {
        (0..self.same.len()).filter(|place| self.same[*place].is_none()).collect()
    }

    /// The files as they will be remembered; `None` when one was not read.
    #[must_use]
    pub fn remembered(self, sources: &Sources) -> Option<Vec<File>> {
        let one = |(found, (path, digest)): (&Found, (String, Option<[u8; 32]>))| {
            Some(File { path, stat: found.stat?, digest: digest? })
        };
        sources.files.iter().zip(self.files).map(one).collect()
    }
}
