//! What the files of a tree look like, to tell whether it rests and whether a pass saw it.
//!
//! The whole tree is walked where anything may have moved. Where all is known that was heard since a
//! pass saw it, and that is only of files which are there as before, these alone are looked at.

use crate::engine::memory::Stat;
use crate::engine::tree::{FILE_BYTES_MAX, Found, IGNORE_FILE, Sources, find, is_manifest};
use crate::engine::watch::ears::{Heard, News, absolute};
use crate::engine::watch::state::Seen;
use crate::model::parallel::each;
use chrono::Utc;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

type Digest = [u8; 32];

/// A lock of git that is older was left behind by one that was killed.
const GIT_LOCK_HOLDS: Duration = Duration::from_secs(60);

/// A tree as it was at one moment.
struct Snapshot {
    /// The names and stats of everything in it, and what was wrong.
    sources: Sources,
    /// The stats of the files beside it.
    beside: Vec<Option<Stat>>,
    /// The content of what was changed so shortly before that a further change may not show in its
    /// stat.
    fresh: BTreeMap<Arc<str>, Option<Digest>>,
    /// The file systems of the roots.
    devices: Vec<u64>,
}

/// Where something may have moved since a pass saw the tree.
enum Since {
    /// Anywhere.
    Anywhere,
    /// In these of its files, by their places.
    Files(BTreeSet<usize>),
}

/// Looks at a tree, and numbers what it sees: the same number is the same tree.
pub struct Looks {
    roots: Vec<PathBuf>,
    /// Files beside the roots that matter as well.
    beside: Vec<PathBuf>,
    news: News,
    number: u64,
    last: Option<Snapshot>,
    since: Since,
    /// A root was missing: what comes back is another tree.
    was_missing: bool,
    /// When the last look at all of it began.
    begun: i64,
}

impl Looks {
    /// At these roots, and at files beside them.
    #[must_use]
    pub fn new(roots: Vec<PathBuf>, beside: Vec<PathBuf>, news: News) -> Self {
        let (since, last) = (Since::Anywhere, None);
        Self { roots, beside, news, number: 0, last, since, was_missing: false, begun: 0 }
    }

    /// Looks.
    pub fn look(&mut self) -> Seen {
        let Some(devices) = self.devices() else { return self.missing() };
        self.hear();
        match self.look_at_files(&devices) {
            Some(seen) => seen,
            None => self.look_at_all(devices),
        }
    }

    /// Looks at all of it, whatever was heard.
    pub fn look_anew(&mut self) -> Seen {
        self.since = Since::Anywhere;
        self.look()
    }

    /// When the last look at all of it began, in nanoseconds since 1970.
    #[must_use]
    pub fn begun(&self) -> i64 {
        self.begun
    }

    /// The tree as it was seen last; nothing of it was read.
    #[must_use]
    pub fn sources(&self) -> Option<&Sources> {
        self.last.as_ref().map(|last| &last.sources)
    }

    /// The files in which alone something may have moved since a pass saw the tree; `None` where it
    /// may be anywhere.
    #[must_use]
    pub fn moved(&self) -> Option<Vec<Found>> {
        let (Since::Files(files), Some(sources)) = (&self.since, self.sources()) else {
            return None;
        };
        files.iter().map(|place| sources.files.get(*place).cloned()).collect()
    }

    /// A pass saw the tree as it was seen last.
    pub fn passed(&mut self) {
        self.since = Since::Files(BTreeSet::new());
    }

    /// Where to look from now on.
    fn hear(&mut self) {
        let heard = self.news.take();
        let known = match (&heard, &self.last) {
            (Heard::At(paths), Some(last)) => {
                let places = paths.iter().map(|path| last.place_of(path, &self.roots));
                places.collect::<Result<Vec<_>, Unsure>>().ok()
            }
            _ => None,
        };
        match (known, &mut self.since) {
            (Some(places), Since::Files(files)) => files.extend(places.into_iter().flatten()),
            _ => self.since = Since::Anywhere,
        }
    }

    fn look_at_all(&mut self, devices: Vec<u64>) -> Seen {
        self.since = Since::Anywhere;
        self.begun = now();
        let sources = find(&self.roots, &mut std::io::empty());
        let is_empty = sources.files.is_empty();
        // Where a file system was taken away, the empty folder under it appears.
        let unmounted =
            |last: &Snapshot| is_empty && !last.sources.files.is_empty() && last.devices != devices;
        if self.last.as_ref().is_some_and(unmounted) {
            return Seen::Missing;
        }
        let before = self.last.as_ref().map(|last| &last.fresh);
        let was_fresh = |name: &Arc<str>| before.is_some_and(|before| before.contains_key(name));
        let fresh =
            sources.files.iter().filter(|file| is_fresh(Some(file)) || was_fresh(&file.name));
        let fresh = contents(fresh);
        let next = Snapshot { beside: self.stats_beside(), fresh, devices, sources };
        let same = self.last.as_ref().is_some_and(|last| last.is_same(&next));
        self.last = Some(next);
        self.number(same)
    }

    /// Looks at the files that something was heard of; `None` where that is not enough.
    fn look_at_files(&mut self, devices: &[u64]) -> Option<Seen> {
        let beside = self.stats_beside();
        let (Since::Files(heard), Some(last)) = (&mut self.since, &mut self.last) else {
            return None;
        };
        if self.was_missing || last.devices != devices || last.beside != beside {
            return None;
        }
        let files = &mut last.sources.files;
        let kept = last.fresh.keys().filter_map(|name| find_by_name(files, name));
        let places: BTreeSet<usize> = heard.iter().copied().chain(kept).collect();
        let mut moved = BTreeSet::new();
        for place in &places {
            let file = files.get_mut(*place)?;
            let stat = regular(&file.path).map(|metadata| Stat::of(&metadata))?;
            if file.stat.replace(stat) != Some(stat) {
                moved.insert(*place);
            }
        }
        let wanted = |file: &&Found| is_fresh(Some(file)) || last.fresh.contains_key(&file.name);
        let fresh = contents(places.iter().filter_map(|place| files.get(*place)).filter(wanted));
        let other = last.fresh.iter().filter(|(name, content)| fresh.get(*name) != Some(content));
        moved.extend(other.filter_map(|(name, _)| find_by_name(files, name)));
        last.fresh = fresh;
        // What is seen before it is heard of must not be lost on the pass.
        heard.extend(&moved);
        Some(self.number(moved.is_empty()))
    }

    /// The number of what was seen.
    fn number(&mut self, same: bool) -> Seen {
        // Between two files of a checkout the tree may rest, and is still not what is meant.
        if same && !self.was_missing && !self.git_is_at_work() {
            if let Some(last) = &mut self.last {
                // What rested since is known by its stat from now on.
                let files = &last.sources.files;
                let file = |name: &Arc<str>| files.get(find_by_name(files, name)?);
                last.fresh.retain(|name, _| is_fresh(file(name)));
            }
        } else {
            self.number += 1;
        }
        self.was_missing = false;
        Seen::Tree(self.number)
    }

    /// What comes back is looked at anew, but an unmounted root must not come back as an empty one.
    fn missing(&mut self) -> Seen {
        self.was_missing = true;
        Seen::Missing
    }

    /// True while git changes the files of a repository that the roots are in.
    fn git_is_at_work(&self) -> bool {
        let fresh = |lock: PathBuf| {
            let changed = lock.metadata().and_then(|found| found.modified());
            changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < GIT_LOCK_HOLDS))
        };
        let roots = self.roots.iter().filter_map(|root| root.canonicalize().ok());
        roots
            .into_iter()
            .any(|root| root.ancestors().any(|folder| fresh(git_folder(folder).join("index.lock"))))
    }

    /// The file systems of the roots; `None` when one is missing.
    fn devices(&self) -> Option<Vec<u64>> {
        self.roots.iter().map(|root| Some(root.metadata().ok()?.dev())).collect()
    }

    fn stats_beside(&self) -> Vec<Option<Stat>> {
        let stat = |path: &PathBuf| path.metadata().ok().map(|metadata| Stat::of(&metadata));
        self.beside.iter().map(stat).collect()
    }
}

/// What was heard may be of more than files that are known.
struct Unsure;

impl Snapshot {
    /// True when nothing moved between this and a later one of everything.
    fn is_same(&self, later: &Self) -> bool {
        let same_file = |(a, b): (&Found, &Found)| (&a.name, a.stat) == (&b.name, b.stat);
        let (files, others) = (&self.sources.files, &later.sources.files);
        files.len() == others.len()
            && files.iter().zip(others).all(same_file)
            && self.beside == later.beside
            && is_continued(&self.fresh, &later.fresh)
            && self.sources.texts.problems == later.sources.texts.problems
    }

    /// The file that is meant by a path that was heard of; `None` for what is no manifest.
    fn place_of(&self, path: &Path, roots: &[PathBuf]) -> Result<Option<usize>, Unsure> {
        let [root] = roots else { return Err(Unsure) };
        if self.sources.linked || !self.sources.texts.problems.is_empty() || !root.is_dir() {
            return Err(Unsure);
        }
        let below = path.strip_prefix(absolute(root)).map_err(|_| Unsure)?;
        let name = root.join(below).to_string_lossy().into_owned();
        let files = &self.sources.files;
        if let Some(place) = find_by_name(files, &name) {
            return Ok(Some(place));
        }
        let is_other = match path.symlink_metadata() {
            Ok(found) => found.is_file() && !is_manifest(path) && !path.ends_with(IGNORE_FILE),
            // What is gone may have been a folder.
            Err(_) => {
                let folder = format!("{name}/");
                let next = files.partition_point(|file| *file.name < *folder);
                !files.get(next).is_some_and(|file| file.name.starts_with(&folder))
                    && !path.ends_with(IGNORE_FILE)
            }
        };
        if is_other { Ok(None) } else { Err(Unsure) }
    }
}

/// True when every content that was kept is still the same.
fn is_continued(
    before: &BTreeMap<Arc<str>, Option<Digest>>,
    now: &BTreeMap<Arc<str>, Option<Digest>>,
) -> bool {
    before.iter().all(|(name, content)| now.get(name) == Some(content))
}

/// The contents of files.
fn contents<'a>(files: impl Iterator<Item = &'a Found>) -> BTreeMap<Arc<str>, Option<Digest>> {
    let files: Vec<_> = files.map(|file| (file.name.clone(), file.path.clone())).collect();
    each(files, |(name, path)| (name, content(&path))).into_iter().collect()
}

/// A file that is one itself, and no link to one.
fn regular(path: &Path) -> Option<Metadata> {
    path.symlink_metadata().ok().filter(Metadata::is_file)
}

/// Where a repository has its own files, if a folder is one: a second working tree says where.
fn git_folder(folder: &Path) -> PathBuf {
    let git = folder.join(".git");
    let text = if git.is_file() { std::fs::read_to_string(&git).ok() } else { None };
    match text.as_deref().and_then(|text| text.strip_prefix("gitdir:")) {
        Some(path) => folder.join(path.trim()),
        None => git,
    }
}

fn find_by_name(files: &[Found], name: &str) -> Option<usize> {
    files.binary_search_by(|file| file.name.as_ref().cmp(name)).ok()
}

fn now() -> i64 {
    Utc::now().timestamp_nanos_opt().unwrap_or_default()
}

/// True when a file may change without its stat changing.
fn is_fresh(file: Option<&Found>) -> bool {
    file.and_then(|file| file.stat).is_none_or(|stat| !stat.holds_from(now()))
}

/// The digest of a file's content; `None` when it cannot be read.
fn content(path: &Path) -> Option<Digest> {
    let metadata = path.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(Sha256::digest(&bytes).into())
}

#[cfg(test)]
mod tests;
