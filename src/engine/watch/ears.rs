//! Hearing that something moved, by what the system tells of folders.
//!
//! What is heard is never taken for what happened: it wakes, and says where to look. What the system
//! loses (a queue that ran over, a folder that was moved away or unmounted) makes the ears begin anew,
//! and everything be looked at.

use crate::engine::tree::{IGNORE_FILE, WORKSPACE_FILE};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Folders in which nothing is declared and much happens.
const DEAF_TO: &[&str] = &[".git", ".partnerctl"];

/// So many paths are kept apart; with more, everything is looked at.
const PATHS_MAX: usize = 1_000;

/// Where something was heard of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Heard {
    /// Anywhere: all of it must be looked at.
    #[default]
    Anywhere,
    /// At these paths.
    At(BTreeSet<PathBuf>),
}

impl Heard {
    fn hear(&mut self, paths: Vec<PathBuf>) {
        if let Self::At(at) = self {
            at.extend(paths);
            if at.len() > PATHS_MAX {
                *self = Self::Anywhere;
            }
        }
    }
}

/// What was heard and not asked for yet. Ears write it, eyes read it; where nobody listens it is
/// always anywhere.
#[derive(Debug, Clone, Default)]
pub struct News(Arc<Mutex<(bool, Heard)>>);

impl News {
    fn lock(&self) -> MutexGuard<'_, (bool, Heard)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was heard since this was last asked. The first answer since somebody listens is anywhere.
    #[must_use]
    pub fn take(&self) -> Heard {
        let (listens, heard) = &mut *self.lock();
        let next = if *listens { Heard::At(BTreeSet::new()) } else { Heard::Anywhere };
        std::mem::replace(heard, next)
    }

    /// From now on somebody listens, or nobody; what was heard before may not have been all.
    pub fn listens(&self, listens: bool) {
        *self.lock() = (listens, Heard::Anywhere);
    }

    /// Something was heard of: at paths, or anywhere.
    pub fn tell(&self, paths: Option<Vec<PathBuf>>) {
        let (_, heard) = &mut *self.lock();
        match paths {
            Some(paths) => heard.hear(paths),
            None => *heard = Heard::Anywhere,
        }
    }
}

/// Where a folder really is: one that was taken away and made again is another.
type Identity = Option<(u64, u64)>;

/// Ears over roots.
pub struct Ears {
    roots: Vec<PathBuf>,
    workspace: PathBuf,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// Something was heard that was not handed on yet; so a storm is one wake.
    heard: Arc<AtomicBool>,
    /// Something was lost: what is heard from now on may not be all.
    lost: Arc<AtomicBool>,
    news: News,
    watcher: Option<RecommendedWatcher>,
    listening_to: Vec<Identity>,
}

impl Ears {
    /// Ears that do not listen yet. `wake` is called once for all that is heard until
    /// [`Ears::taken`].
    #[must_use]
    pub fn new(
        roots: &[PathBuf],
        workspace: &Path,
        news: News,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            roots: roots.iter().map(|root| absolute(root)).collect(),
            workspace: absolute(workspace),
            wake: Arc::new(wake),
            heard: Arc::default(),
            lost: Arc::default(),
            news,
            watcher: None,
            listening_to: Vec::new(),
        }
    }

    /// What was heard is being looked at.
    pub fn taken(&self) {
        self.heard.store(false, Ordering::SeqCst);
    }

    /// True when the ears must begin anew: something was lost, or a root is another.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.watcher.is_none()
            || self.lost.load(Ordering::SeqCst)
            || self.listening_to != self.identities()
    }

    /// Listens, from the beginning.
    ///
    /// # Errors
    /// When the system does not tell of folders, or of so many.
    pub fn listen(&mut self) -> Result<(), notify::Error> {
        // What the old one holds is given back first: the system has a limit.
        self.close();
        self.lost.store(false, Ordering::SeqCst);
        self.listening_to = self.identities();
        let (heard, lost, wake) = (self.heard.clone(), self.lost.clone(), self.wake.clone());
        let (roots, news) = (self.roots.clone(), self.news.clone());
        let tell = move |event: notify::Result<notify::Event>| {
            let matters = event.as_ref().map_or(true, |event| matters(event, &roots));
            let is_lost = event.as_ref().map_or(true, notify::Event::need_rescan);
            if is_lost {
                lost.store(true, Ordering::SeqCst);
            }
            if matters {
                let paths = event.map(|event| event.paths).unwrap_or_default();
                news.tell((!is_lost && !paths.is_empty()).then_some(paths));
            }
            if matters && !heard.swap(true, Ordering::SeqCst) {
                wake();
            }
        };
        let mut watcher = RecommendedWatcher::new(tell, notify::Config::default())?;
        for root in &self.roots {
            if root.is_dir() {
                watcher.watch(root, RecursiveMode::Recursive)?;
            }
        }
        for folder in self.around() {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        self.news.listens(true);
        self.watcher = Some(watcher);
        Ok(())
    }

    /// Listens no more.
    pub fn close(&mut self) {
        self.watcher = None;
        self.news.listens(false);
    }

    /// Folders beside the roots: where the settings are, where files are that are roots, where
    /// roots come back, where links to them are changed.
    fn around(&self) -> Vec<PathBuf> {
        let parents = self.roots.iter().filter_map(|root| root.parent()).map(Path::to_owned);
        let mut around: Vec<PathBuf> =
            parents.chain([self.workspace.clone()]).filter(|folder| folder.is_dir()).collect();
        around.sort();
        around.dedup();
        // One that lies below a root is heard of already.
        around.retain(|folder| {
            !self.roots.iter().any(|root| root.is_dir() && folder.starts_with(root))
        });
        around
    }

    fn identities(&self) -> Vec<Identity> {
        let identity = |root: &PathBuf| {
            let metadata = root.metadata().ok()?;
            Some((metadata.dev(), metadata.ino()))
        };
        self.roots.iter().map(identity).collect()
    }
}

/// True when something may have moved that a pass reads.
fn matters(event: &notify::Event, roots: &[PathBuf]) -> bool {
    match event.kind {
        // Reading is no change: our own looks would wake us for ever.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return false,
        _ => {}
    }
    event.need_rescan()
        || event.paths.is_empty()
        || event.paths.iter().any(|path| path_matters(path, roots))
}

fn path_matters(path: &Path, roots: &[PathBuf]) -> bool {
    let name = path.file_name().unwrap_or_default();
    if name == WORKSPACE_FILE || name == IGNORE_FILE {
        return true;
    }
    roots.iter().any(|root| {
        match path.strip_prefix(root) {
        Ok(below) => !below.components().any(|part| {
            matches!(part, Component::Normal(name) if DEAF_TO.iter().any(|deaf| name == *deaf))
        }),
        // The root itself, or a folder above it, was moved.
        Err(_) => root.starts_with(path),
    }
    })
}

/// A path from the root of the file system, as the system tells of it.
#[must_use]
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Heard, News, PATHS_MAX, path_matters};
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    #[test]
    fn what_was_heard_is_anywhere_unless_all_of_it_is_known() {
        let news = News::default();
        let nothing = || Heard::At(BTreeSet::new());
        assert_eq!(
            (news.take(), news.take()),
            (Heard::Anywhere, Heard::Anywhere),
            "nobody listens"
        );
        news.listens(true);
        assert_eq!(
            (news.take(), news.take()),
            (Heard::Anywhere, nothing()),
            "not from the beginning"
        );
        news.tell(Some(vec!["a".into()]));
        news.tell(Some(vec!["b".into(), "a".into()]));
        assert_eq!(news.take(), Heard::At(["a".into(), "b".into()].into()));
        news.tell(None);
        news.tell(Some(vec!["a".into()]));
        assert_eq!((news.take(), news.take()), (Heard::Anywhere, nothing()));
        news.tell(Some((0..=PATHS_MAX).map(|number| number.to_string().into()).collect()));
        assert_eq!(news.take(), Heard::Anywhere, "too many");
        news.listens(false);
        news.tell(Some(vec!["a".into()]));
        assert_eq!(news.take(), Heard::Anywhere);
    }

    #[test]
    fn what_can_move_a_plan_matters_and_what_we_write_ourselves_does_not() {
        let roots = [PathBuf::from("/w/manifests")];
        for (path, wanted) in [
            ("/w/manifests/a.yaml", true),
            ("/w/manifests/deep/new-folder", true),
            ("/w/manifests/..data", true),
            ("/w/manifests", true),
            ("/w", true),
            ("/w/partnerctl.yaml", true),
            ("/w/.partnerctlignore", true),
            ("/w/.partnerctl", false),
            ("/w/notes.txt", false),
            ("/w/manifests/.git/index", false),
            ("/w/manifests/.partnerctl/state.db-wal", false),
        ] {
            assert_eq!(path_matters(Path::new(path), &roots), wanted, "{path}");
        }
    }
}
