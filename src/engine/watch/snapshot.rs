//! What the files of a tree look like, to tell whether it rests and whether a pass saw it.

use crate::engine::memory::Stat;
use crate::engine::tree::{FILE_BYTES_MAX, Found, Sources, find, in_parallel};
use crate::engine::watch::state::Seen;
use chrono::Utc;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
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
    /// Over the names, stats and faults of everything in it.
    stats: Digest,
    /// The content of what was changed so shortly before that a further change may not show in its
    /// stat.
    fresh: BTreeMap<Arc<str>, Option<Digest>>,
    /// The file systems of the roots.
    devices: Vec<u64>,
    is_empty: bool,
}

/// Looks at a tree, and numbers what it sees: the same number is the same tree.
pub struct Looks {
    roots: Vec<PathBuf>,
    /// Files beside the roots that matter as well.
    beside: Vec<PathBuf>,
    number: u64,
    last: Option<Snapshot>,
}

impl Looks {
    /// At these roots, and at files beside them.
    #[must_use]
    pub fn new(roots: Vec<PathBuf>, beside: Vec<PathBuf>) -> Self {
        Self { roots, beside, number: 0, last: None }
    }

    /// True when a root is missing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.devices().is_none()
    }

    /// Looks.
    pub fn look(&mut self) -> Seen {
        if self.devices().is_none() {
            return self.missing();
        }
        let sources = find(&self.roots, &mut std::io::empty());
        self.see(&sources)
    }

    /// Looks at what was found already.
    pub fn see(&mut self, sources: &Sources) -> Seen {
        let Some(devices) = self.devices() else { return self.missing() };
        let is_empty = sources.files.is_empty();
        // Where a file system was taken away, the empty folder under it appears.
        let unmounted = |last: &Snapshot| is_empty && !last.is_empty && last.devices != devices;
        if self.last.as_ref().is_some_and(unmounted) {
            return Seen::Missing;
        }
        let mut next = self.snapshot(sources, devices);
        // Between two files of a checkout the tree may rest, and is still not what is meant.
        let same = !self.git_is_at_work()
            && self.last.as_ref().is_some_and(|last| {
                last.stats == next.stats
                    && last
                        .fresh
                        .iter()
                        .all(|(name, content)| next.fresh.get(name) == Some(content))
            });
        if same {
            // What rested since is known by its stat from now on.
            next.fresh.retain(|name, _| is_fresh(find_by_name(sources, name)));
        } else {
            self.number += 1;
        }
        self.last = Some(next);
        Seen::Tree(self.number)
    }

    /// What comes back is looked at anew, but an unmounted root must not come back as an empty one.
    fn missing(&mut self) -> Seen {
        if let Some(last) = &mut self.last {
            last.stats = Digest::default();
        }
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

    fn snapshot(&self, sources: &Sources, devices: Vec<u64>) -> Snapshot {
        let mut stats = Sha256::new();
        let mut put = |bytes: &[u8]| {
            stats.update((bytes.len() as u64).to_le_bytes());
            stats.update(bytes);
        };
        for file in &sources.files {
            put(file.name.as_bytes());
            put(&file.stat.map_or([0; 40], |stat| stat.bytes()));
        }
        for problem in &sources.texts.problems {
            for location in &problem.locations {
                put(location.file.as_bytes());
            }
            put(problem.message.as_bytes());
        }
        for path in &self.beside {
            let stat = path.metadata().ok().map(|metadata| Stat::of(&metadata));
            put(&stat.map_or([0; 40], |stat| stat.bytes()));
        }
        let before = self.last.as_ref().map(|last| &last.fresh);
        let was_fresh = |name: &Arc<str>| before.is_some_and(|before| before.contains_key(name));
        let fresh =
            sources.files.iter().filter(|file| is_fresh(Some(file)) || was_fresh(&file.name));
        let fresh: Vec<_> = fresh.map(|file| (file.name.clone(), file.path.clone())).collect();
        let fresh = in_parallel(fresh, |(name, path)| (name, content(&path)));
        let fresh = fresh.into_iter().collect();
        Snapshot {
            stats: stats.finalize().into(),
            fresh,
            devices,
            is_empty: sources.files.is_empty(),
        }
    }
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

fn find_by_name<'a>(sources: &'a Sources, name: &str) -> Option<&'a Found> {
    let place = sources.files.binary_search_by(|file| file.name.as_ref().cmp(name)).ok()?;
    sources.files.get(place)
}

/// True when a file may change without its stat changing.
fn is_fresh(file: Option<&Found>) -> bool {
    let now = Utc::now().timestamp_nanos_opt().unwrap_or_default();
    file.and_then(|file| file.stat).is_none_or(|stat| !stat.holds_from(now))
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
mod tests {
    use super::Looks;
    use crate::engine::watch::state::Seen;
    use std::fs;
    use std::path::Path;

    fn looks(folder: &Path) -> Looks {
        Looks::new(vec![folder.join("m")], vec![folder.join("partnerctl.yaml")])
    }

    #[test]
    fn what_did_not_move_is_the_same_and_every_move_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("m")).unwrap();
        fs::write(path("m/a.yaml"), "1").unwrap();
        let mut looks = looks(folder.path());
        assert_eq!((looks.look(), looks.look()), (Seen::Tree(1), Seen::Tree(1)));
        fs::write(path("m/.partnerctl"), "no manifest").unwrap();
        fs::write(path("m/notes.txt"), "no manifest").unwrap();
        assert_eq!(looks.look(), Seen::Tree(1));
        fs::write(path("m/b.yaml"), "1").unwrap();
        assert_eq!(looks.look(), Seen::Tree(2));
        fs::rename(path("m/b.yaml"), path("m/a.yaml")).unwrap();
        assert_eq!(looks.look(), Seen::Tree(3));
        fs::write(path("partnerctl.yaml"), "set: a").unwrap();
        assert_eq!(looks.look(), Seen::Tree(4));
        fs::remove_file(path("m/a.yaml")).unwrap();
        assert_eq!((looks.look(), looks.look()), (Seen::Tree(5), Seen::Tree(5)));
    }

    #[test]
    fn a_change_that_leaves_the_stat_as_it_was_is_seen_while_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("m")).unwrap();
        let file = folder.path().join("m/a.yaml");
        let mut looks = looks(folder.path());
        for round in 0..50 {
            fs::write(&file, format!("{}", round % 10)).unwrap();
            assert_eq!(looks.look(), Seen::Tree(round + 1));
        }
    }

    #[test]
    fn a_tree_does_not_rest_while_git_is_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("tree/m")).unwrap();
        fs::create_dir_all(path("git")).unwrap();
        fs::write(path("tree/.git"), "gitdir: ../git\n").unwrap();
        let mut looks = looks(&path("tree"));
        assert_eq!((looks.look(), looks.look()), (Seen::Tree(1), Seen::Tree(1)));
        fs::write(path("git/index.lock"), "").unwrap();
        assert_eq!((looks.look(), looks.look()), (Seen::Tree(2), Seen::Tree(3)));
        let long_ago = std::time::SystemTime::now() - 2 * super::GIT_LOCK_HOLDS;
        fs::File::open(path("git/index.lock")).unwrap().set_modified(long_ago).unwrap();
        assert_eq!((looks.look(), looks.look()), (Seen::Tree(3), Seen::Tree(3)), "left behind");
        fs::rename(path("git"), path("tree/m/.git")).unwrap();
        fs::write(path("tree/m/.git/index.lock"), "").unwrap();
        assert_eq!(looks.look(), Seen::Tree(4), "the root is the repository");
        fs::remove_file(path("tree/m/.git/index.lock")).unwrap();
        assert_eq!((looks.look(), looks.look()), (Seen::Tree(4), Seen::Tree(4)));
    }

    #[test]
    fn a_root_that_is_missing_is_no_empty_tree() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("m");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("a.yaml"), "1").unwrap();
        let mut looks = looks(folder.path());
        assert_eq!(looks.look(), Seen::Tree(1));
        fs::rename(&root, folder.path().join("away")).unwrap();
        assert_eq!((looks.look(), looks.look()), (Seen::Missing, Seen::Missing));
        fs::rename(folder.path().join("away"), &root).unwrap();
        assert_eq!((looks.look(), looks.look()), (Seen::Tree(2), Seen::Tree(2)));
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        let mut looks = super::Looks::new(vec![folder.path().join("link")], Vec::new());
        assert_eq!(looks.look(), Seen::Missing);
    }

    #[test]
    fn an_empty_folder_of_another_file_system_is_a_root_that_was_unmounted() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("m");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("a.yaml"), "1").unwrap();
        let mut looks = looks(folder.path());
        assert_eq!(looks.look(), Seen::Tree(1));
        fs::remove_file(root.join("a.yaml")).unwrap();
        if let Some(last) = &mut looks.last {
            last.devices = vec![u64::MAX];
        }
        assert_eq!((looks.look(), looks.look()), (Seen::Missing, Seen::Missing));
        fs::write(root.join("a.yaml"), "2").unwrap();
        assert_eq!(looks.look(), Seen::Tree(2));
    }
}
