//! The store of a watch: opened once for reading and once for writing, as long as it stays the one
//! that it was.

use crate::cli::error::CommandError;
use crate::cli::session;
use crate::cli::settings::Settings;
use crate::engine::Workspace;
use crate::engine::lease::SharedStore;
use crate::store::{Missing, Store, StoreError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The connections of a watch.
#[derive(Default)]
pub struct Stores {
    reading: Option<Opened>,
    writing: Option<SharedStore>,
}

/// A store that was opened.
struct Opened {
    store: Box<dyn Store>,
    url: String,
    /// Where the file really is: one that was put in its place is another.
    file: Option<(u64, u64)>,
}

impl Stores {
    /// Opens the store, where there is one and it is not open already.
    pub fn open(&mut self, settings: &Settings, workspace: &Workspace) -> Result<(), CommandError> {
        let url = settings.store_url(workspace);
        let pinned = workspace.file.lineage.as_ref().map(ToString::to_string);
        let is_it = |opened: &Opened| {
            opened.url == url
                && opened.file.is_some()
                && opened.file == identity(opened.store.file())
                && pinned.as_deref().is_none_or(|pinned| pinned == opened.store.lineage())
        };
        if self.reading.as_ref().is_some_and(is_it) {
            return Ok(());
        }
        *self = Self::default();
        let store = session::open(settings, workspace, Missing::Leave)?;
        let opened = |store: Box<dyn Store>| Opened { file: identity(store.file()), store, url };
        self.reading = store.map(opened);
        Ok(())
    }

    /// The store for reading; `None` while there is none.
    pub fn reading(&self) -> Option<&dyn Store> {
        self.reading.as_ref().map(|opened| opened.store.as_ref())
    }

    /// The store for writing, made where there was none.
    pub fn writing(
        &mut self,
        settings: &Settings,
        workspace: &Workspace,
    ) -> Result<SharedStore, CommandError> {
        if let Some(store) = &self.writing {
            return Ok(store.clone());
        }
        let store = SharedStore::new(session::make(settings, workspace, None)?);
        self.writing = Some(store.clone());
        Ok(store)
    }

    /// Lets the store do between two passes what would hold one up; gives how that went last time.
    pub fn rest(&self) -> Result<(), StoreError> {
        self.writing.as_ref().map_or(Ok(()), |store| store.lock().catch_up())
    }
}

fn identity(path: Option<&Path>) -> Option<(u64, u64)> {
    let metadata = path?.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}
