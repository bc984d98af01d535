//! The store of a watch: opened once for reading and once for writing, as long as it stays the one
//! that it was.

use crate::cli::error::CommandError;
use crate::cli::session;
use crate::cli::settings::Settings;
use crate::engine::Workspace;
use crate::engine::lease::SharedStore;
use crate::store::{self, Missing, Store, StoreError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread::JoinHandle;

/// The connections of a watch.
#[derive(Default)]
pub struct Stores {
    reading: Option<Opened>,
    writing: Option<SharedStore>,
    resting: Option<JoinHandle<Result<(), StoreError>>>,
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
        (self.reading, self.writing) = (None, None);
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

    /// Lets the store catch up beside whatever comes next, with a connection of its own. Gives how it
    /// went the last time; while that is still under way, nothing is begun.
    pub fn rest(&mut self) -> Result<(), StoreError> {
        if self.resting.as_ref().is_some_and(|resting| !resting.is_finished()) {
            return Ok(());
        }
        let before = self.end_rest();
        if let Some(opened) = &self.reading {
            let url = opened.url.clone();
            self.resting = Some(std::thread::spawn(move || {
                store::open(&url, Missing::Leave)?.map_or(Ok(()), |store| store.catch_up())
            }));
        }
        before
    }

    /// Waits for what is under way, and gives how it went.
    pub fn end_rest(&mut self) -> Result<(), StoreError> {
        let ended = self.resting.take().map(JoinHandle::join);
        ended.map_or(Ok(()), |ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

fn identity(path: Option<&Path>) -> Option<(u64, u64)> {
    let metadata = path?.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}
