//! The store: resources, activities and the lease, behind one trait.
//!
//! A store knows nothing of plans or providers: it commits batches of writes, each in one
//! transaction, and answers questions.

pub mod backup;
mod error;
pub mod history;
pub mod lease;
pub mod log;
pub mod migrate;
pub mod sqlite;
pub mod touches;
mod write;

pub use backup::{Contents, Examined, Problems};
pub use error::StoreError;
pub use history::{ApplyEnd, ApplyRecord, Approval};
pub use lease::{Holder, Lease};
pub use log::{Checkpoint, Filter, Head, Verification};
pub use touches::{Glance, Judgement, Touched, Version};
pub use write::{Batch, Write};

use crate::model::{Activity, KindName, Observed, ResourceId, Stored, Suspension};
use crate::plan::intent::Intent;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::path::Path;

/// Where state is kept. The conformance tests hold for every implementation.
pub trait Store: Send {
    /// The store's own id, made with it: a plan or a checkpoint of another store is refused.
    fn lineage(&self) -> &str;

    /// The file it is in, when it is in one: what this machine remembers of it lies beside.
    fn file(&self) -> Option<&Path>;

    /// Runs several questions against one state of the store: what others commit meanwhile shows to
    /// none of them.
    ///
    /// # Errors
    /// The body's, or when the database fails.
    fn consistently(
        &self,
        body: &mut dyn FnMut(&dyn Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Every managed resource of every set, in order of kind and name.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn resources(&self) -> Result<Vec<Stored>, StoreError>;

    /// The embedded provider's state, in order of kind and id.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn actual(&self) -> Result<Vec<Observed>, StoreError>;

    /// Some of the managed resources, in order of kind and name; what is not there is left out.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn resources_of(&self, ids: &BTreeSet<ResourceId>) -> Result<Vec<Stored>, StoreError>;

    /// Some things of the embedded provider, in order of kind and id; what is not there is left out.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn actual_of(&self, ids: &BTreeSet<(KindName, String)>) -> Result<Vec<Observed>, StoreError>;

    /// Everything of one kind that the embedded provider has, in order of the id.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn actual_of_kind(&self, kind: &KindName) -> Result<Vec<Observed>, StoreError>;

    /// The managed resource that has an external id.
    ///
    /// # Errors
    /// When the database fails.
    fn holder_of(
        &self,
        kind: &KindName,
        external_id: &str,
    ) -> Result<Option<ResourceId>, StoreError>;

    /// Whether any resource of a kind is managed, of whatever set.
    ///
    /// # Errors
    /// When the database fails.
    fn manages_any(&self, kind: &KindName) -> Result<bool, StoreError>;

    /// The version of the resources and of the embedded provider's state.
    ///
    /// # Errors
    /// When the database fails.
    fn version(&self) -> Result<Version, StoreError>;

    /// What was touched since a version; `None` when that is not known: all may have been.
    ///
    /// # Errors
    /// When the database fails.
    fn touched_since(&self, version: &Version) -> Result<Option<Touched>, StoreError>;

    /// The last judgement over a set.
    ///
    /// # Errors
    /// When the database fails.
    fn judgement(&self, set: &str) -> Result<Option<Judgement>, StoreError>;

    /// A glance at every managed resource, in no order.
    ///
    /// # Errors
    /// When the database fails or a row holds no text.
    fn glance(&self, seen: &mut dyn FnMut(Glance<'_>)) -> Result<(), StoreError>;

    /// The things of the embedded provider that no resource has, in order of kind and id.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn unmanaged(&self) -> Result<Vec<Observed>, StoreError>;

    /// Commits a batch durably: when this returns, the writes survive a power loss.
    ///
    /// # Errors
    /// [`StoreError::Stale`], [`StoreError::Overtaken`], [`StoreError::AlreadyApplied`] or
    /// [`StoreError::LeaseLost`] when the batch does not fit any more; nothing of it is written then.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Commits a batch that everybody sees at once, and that the disk has when what is given ends
    /// well. It comes onto the disk after those committed before it: a power loss leaves none without
    /// these, so that of many only the last has to be waited for.
    ///
    /// # Errors
    /// Those of [`Store::commit`].
    fn commit_ahead(&mut self, batch: &Batch) -> Result<Settling, StoreError>;

    /// Intents that have not ended, the oldest first.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn intents(&self) -> Result<Vec<Intent>, StoreError>;

    /// The last apply that had something to do.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn last_apply(&self) -> Result<Option<ApplyRecord>, StoreError>;

    /// The apply of the plan with this digest.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn apply_of(&self, digest: &str) -> Result<Option<ApplyRecord>, StoreError>;

    /// Plans approved beforehand and not applied yet.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn approvals(&self) -> Result<Vec<Approval>, StoreError>;

    /// Everything that is suspended, also where that has ended by itself, in order of kind and name.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn suspensions(&self) -> Result<Vec<Suspension>, StoreError>;

    /// The commit that a set, or a branch, was last brought to.
    ///
    /// # Errors
    /// When the database fails.
    fn followed(&self, what: &str) -> Result<Option<String>, StoreError>;

    /// The place and hash of the last activity.
    ///
    /// # Errors
    /// When the database fails.
    fn head(&self) -> Result<Head, StoreError>;

    /// Activities in order.
    ///
    /// # Errors
    /// When the database fails or a row cannot be read.
    fn activities(&self, filter: &Filter) -> Result<Vec<Activity>, StoreError>;

    /// Walks the whole log and its hash chain.
    ///
    /// # Errors
    /// When the database fails; what is wrong with the log is the result, no error.
    fn verify(&self, checkpoint: Option<&Checkpoint>) -> Result<Verification, StoreError>;

    /// Takes the lease, unless somebody who is still there holds it: then says who.
    ///
    /// # Errors
    /// When the database fails.
    fn acquire(
        &mut self,
        holder: &Holder,
        now: DateTime<Utc>,
        is_gone: &dyn Fn(&Lease) -> bool,
    ) -> Result<Result<i64, Lease>, StoreError>;

    /// Says that the holder is still there.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else has taken it over.
    fn renew(&mut self, epoch: i64, now: DateTime<Utc>) -> Result<(), StoreError>;

    /// Gives the lease back.
    ///
    /// # Errors
    /// When the database fails.
    fn release(&mut self, epoch: i64) -> Result<(), StoreError>;

    /// Writes one moment of the store as a single file, in place of what has that name. The file
    /// gets its name only when it is whole and on the disk; a store with problems has no backup,
    /// unless they are kept with it.
    ///
    /// # Errors
    /// [`StoreError::NoBackup`] when the copy has problems, which are then those of the store; or
    /// when the file cannot be written.
    fn backup(&self, to: &Path, problems: Problems) -> Result<Contents, StoreError>;

    /// What a backup holds, and what going back to it would lose; changes neither.
    ///
    /// # Errors
    /// [`StoreError::NoBackup`] when the file is none.
    fn examine(&self, from: &Path) -> Result<Examined, StoreError>;

    /// Puts a backup's content in place of the store's, at once or not at all, also for others that
    /// have it open. The lease stays as it is. `expected` is what [`Store::examine`] found.
    ///
    /// # Errors
    /// [`StoreError::NoBackup`] when the file is not whole or not as expected,
    /// [`StoreError::LeaseLost`] when somebody else has taken the lease over.
    fn restore_from(
        &mut self,
        from: &Path,
        expected: &Contents,
        epoch: i64,
    ) -> Result<(), StoreError>;

    /// Begins, beside whatever comes next, what a commit would have to do sooner or later anyhow.
    /// Changes nothing that can be asked; does nothing while it is under way.
    ///
    /// # Errors
    /// When it failed the last time: what was committed is durable all the same, and a commit does it.
    fn catch_up(&mut self) -> Result<(), StoreError>;

    /// Everything that is wrong with the store, in words; empty when it is whole.
    ///
    /// # Errors
    /// When nothing can be asked at all.
    fn check(&self) -> Result<Vec<String>, StoreError>;
}

/// Waits until the disk has a batch, on whatever thread; the store can be used meanwhile.
pub type Settling = Box<dyn FnOnce() -> Result<(), StoreError> + Send>;

/// Whether a store may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Make it.
    Create,
    /// Leave it: there is no store then.
    Leave,
}

/// Opens the store of an address, `sqlite:PATH`. `None` when there is none and none shall be made.
///
/// # Errors
/// When the address is none, or the store cannot be opened or brought to the newest schema.
pub fn open(url: &str, missing: Missing) -> Result<Option<Box<dyn Store>>, StoreError> {
    let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) else {
        return Err(StoreError::Address { url: url.to_owned() });
    };
    let store = sqlite::Sqlite::open(path.as_ref(), missing)?;
    Ok(store.map(|store| Box::new(store) as Box<dyn Store>))
}

/// What a backup holds, before there is a store to put it into.
///
/// # Errors
/// [`StoreError::NoBackup`] when the file is none.
pub fn read_backup(path: &Path) -> Result<Contents, StoreError> {
    sqlite::read_backup(path)
}
