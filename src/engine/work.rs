//! What the hands of one run share, and what is told of their work.

use crate::engine::lease::SharedStore;
use crate::model::parallel::let_go;
use crate::model::{Observed, ResourceId};
use crate::provider::{Context, Directory, Ids, Provider};
use crate::store::{Batch, Judgement, Settling, Store, StoreError, Write};
use chrono::{DateTime, Utc};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is told while changes are carried out.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A call is about to be made.
    Started {
        /// The resource.
        resource: ResourceId,
        /// The operation in the portal's words.
        operation: String,
    },
    /// A call will be made again.
    Paused {
        /// The resource.
        resource: ResourceId,
        /// For how long.
        time: Duration,
        /// Why.
        why: String,
    },
}

/// Everything that the hands of one run share.
pub struct Work {
    /// Who holds the actual state.
    pub provider: Arc<dyn Provider>,
    /// The store, under the lease of `epoch`.
    pub store: SharedStore,
    /// The lease.
    pub epoch: i64,
    /// What is known of rows and things.
    pub directory: Mutex<Directory>,
    /// New ids.
    pub ids: Mutex<Ids>,
    /// What the log says beside the changes; its time is that of each record.
    pub context: Context,
    /// The clock.
    pub clock: fn() -> DateTime<Utc>,
    /// The record of this apply, when it is one with something to do.
    pub apply_id: Option<String>,
    /// Written with the first batch: that the apply has begun.
    pub prelude: Mutex<Vec<Write>>,
    /// Written in the end, when everything was looked at and all of it is done.
    pub judgement: Option<Judgement>,
    /// Told to stop.
    pub stop: AtomicBool,
    /// What is told meanwhile.
    pub notices: tokio::sync::mpsc::UnboundedSender<Notice>,
}

impl Work {
    /// What is known of rows and things. Outside it moves along only after a commit, so that a panic
    /// elsewhere leaves nothing half done in it. The embedded provider moves it along before, change by
    /// change, as the next group is prepared on it: where a group fails it is gathered anew, and a panic
    /// ends the run.
    pub fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets rows and things, so many, beside whatever comes next: of many that takes its time.
    pub fn forget(&self, things: usize) {
        let mut directory = self.directory();
        let nothing = Directory::new(directory.kinds.clone(), &[], &[]);
        let all = std::mem::replace(&mut *directory, nothing);
        let_go(things, all);
    }

    /// A new id.
    pub fn id(&self, what: &str) -> String {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).next(what)
    }

    /// The context of a record made now.
    pub fn context(&self) -> Context {
        Context { at: (self.clock)(), ..self.context.clone() }
    }

    /// Commits under the lease, with the prelude if nothing was committed yet.
    ///
    /// # Errors
    /// When the store refuses; nothing is written then.
    pub fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.with_prelude(writes, |store, batch| store.commit(batch)).map(drop)
    }

    /// The same, without waiting for the disk.
    ///
    /// # Errors
    /// When the store refuses; nothing is written then.
    pub fn commit_ahead(&self, writes: Vec<Write>) -> Result<(Batch, Settling), StoreError> {
        self.with_prelude(writes, |store, batch| store.commit_ahead(batch))
    }

    fn with_prelude<T>(
        &self,
        writes: Vec<Write>,
        commit: impl FnOnce(&mut dyn Store, &Batch) -> Result<T, StoreError>,
    ) -> Result<(Batch, T), StoreError> {
        let mut prelude = self.prelude.lock().unwrap_or_else(PoisonError::into_inner);
        let writes = prelude.iter().cloned().chain(writes).collect();
        let batch = Batch { epoch: Some(self.epoch), writes };
        let committed = commit(self.store.lock().as_mut(), &batch)?;
        prelude.clear();
        Ok((batch, committed))
    }

    /// Commits without the prelude: what is recorded although nothing was begun.
    ///
    /// # Errors
    /// When the store refuses; nothing is written then.
    pub fn commit_alone(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.store.lock().commit(&Batch { epoch: Some(self.epoch), writes })
    }

    /// The record of this apply, once something was committed.
    pub fn begun(&self) -> Option<&String> {
        let waiting = self.prelude.lock().unwrap_or_else(PoisonError::into_inner);
        self.apply_id.as_ref().filter(|_| waiting.is_empty())
    }

    /// True when nothing more is to be begun: told to stop, or the lease was seen to be lost.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.store.has_lost(self.epoch)
    }

    /// With a store and nothing else: nothing is known, and nobody listens.
    #[cfg(test)]
    pub(super) fn alone(store: SharedStore, epoch: i64) -> Self {
        Self {
            provider: Arc::new(crate::provider::embedded::Embedded),
            store,
            epoch,
            directory: Mutex::new(Directory::new(crate::kinds::Kinds::default(), &[], &[])),
            ids: Mutex::new(Ids::new("lineage", 1)),
            context: Context {
                at: DateTime::<Utc>::UNIX_EPOCH,
                actor: "a".into(),
                command: "test".into(),
                plan_id: "".into(),
                note: String::new(),
                refunds: Arc::default(),
                outlook: Arc::default(),
            },
            clock: || DateTime::<Utc>::UNIX_EPOCH,
            apply_id: None,
            prelude: Mutex::default(),
            judgement: None,
            stop: false.into(),
            notices: tokio::sync::mpsc::unbounded_channel().0,
        }
    }

    /// True when a thing belongs to a row.
    pub fn is_managed(&self, thing: &Observed) -> bool {
        self.directory().is_managed(&thing.kind, &thing.external_id)
    }
}
