//! Providers: what really holds the actual state.
//!
//! A provider says what is there, and carries a change out. The embedded one's effect is the
//! store's own transaction; a provider with outside effects will act between two of them.

pub mod directory;
pub mod embedded;

pub use directory::Directory;

use crate::model::Observed;
use crate::plan::Change;
use crate::store::{Store, StoreError, Write};
use chrono::{DateTime, Utc};

/// Who does a change, when and by which command: what the log says beside the change itself.
#[derive(Debug, Clone)]
pub struct Context {
    /// When.
    pub at: DateTime<Utc>,
    /// Who claims to do it.
    pub actor: String,
    /// The command, `apply`.
    pub command: String,
    /// The plan.
    pub plan_id: String,
}

/// What can go wrong with one change.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A resource it needs is not there.
    #[error("{needed} is not there any more")]
    Missing {
        /// Which.
        needed: String,
    },
    /// The kind is not known to this program.
    #[error("this version does not know the kind {kind}")]
    UnknownKind {
        /// Which.
        kind: String,
    },
}

/// What holds the actual state.
pub trait Provider: Send + Sync {
    /// True when carrying out is writing to the store and nothing else: many changes then go into
    /// one transaction, and one transaction comes after another.
    fn is_transactional(&self) -> bool;

    /// Everything that is there. References are by external id.
    ///
    /// # Errors
    /// When the state cannot be read whole: a part would look like deletions.
    fn observe(&self, store: &dyn Store) -> Result<Vec<Observed>, StoreError>;

    /// Carries one change out, and gives the writes that record it. The directory moves along, so
    /// that later changes of the same pass find what this one made.
    ///
    /// # Errors
    /// When the change cannot be made; nothing happened then.
    fn perform(
        &self,
        change: &Change,
        directory: &mut Directory,
        context: &Context,
    ) -> Result<Vec<Write>, ProviderError>;
}
