//! Providers: what really holds the actual state.
//!
//! A provider says what is there, and carries effects out. The embedded one's effect is the store's
//! own transaction; one with outside effects acts between two of them, under an intent.

pub mod conclude;
pub mod directory;
pub mod effects;
pub mod embedded;
pub mod exec;
pub mod ids;
pub mod record;
pub mod refund;

pub use conclude::{Conclusion, conclude};
pub use directory::Directory;
pub use effects::effects;
pub use ids::Ids;

use crate::finance::RefundTerms;
use crate::model::{Effect, KindName, Observed, Spec};
use crate::plan::change::Outlook;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

/// Who does a change, when and by which command: what the log says beside the change itself.
#[derive(Debug, Clone)]
pub struct Context {
    /// When.
    pub at: DateTime<Utc>,
    /// Who claims to do it.
    pub actor: Arc<str>,
    /// The command, `apply`.
    pub command: Arc<str>,
    /// The plan.
    pub plan_id: Arc<str>,
    /// What a person adds to the reason; may be empty.
    pub note: String,
    /// By what refunds are reckoned.
    pub refunds: Arc<RefundTerms>,
    /// How resources are once their change is done, as the plan says.
    pub outlook: Arc<Outlook>,
}

/// What can go wrong with a change before anything is asked of a provider.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A resource it needs is not there.
    #[error("{needed} is not there any more")]
    Missing {
        /// Which.
        needed: String,
    },
    /// It would give back less, or cost more, than the plan showed.
    #[error("the figures are worse than the plan showed: {why}; plan again")]
    Worse {
        /// How.
        why: String,
    },
    /// The kind is not known to this program.
    #[error("this version does not know the kind {kind}")]
    UnknownKind {
        /// Which.
        kind: String,
    },
}

/// Why the actual state could not be read whole.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider failed, or what it said cannot be.
    #[error("the provider cannot say what is there: {0}")]
    Provider(CallError),
}

/// How a call ended that did not succeed. Each says whether anything may have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing happened: too many calls.
    #[error("the provider asks to wait: {message}")]
    Throttled {
        /// Its words.
        message: String,
        /// How long, where it says.
        retry_after: Option<Duration>,
    },
    /// Nothing happened, and trying again may help.
    #[error("the provider is not ready: {message}")]
    Transient {
        /// Its words.
        message: String,
    },
    /// Nothing happened: the thing is not as it was when this was planned.
    #[error("the thing has changed meanwhile: {message}")]
    Conflict {
        /// Its words.
        message: String,
    },
    /// Nothing happened, and trying again would not help.
    #[error("the provider refuses: {message}")]
    Refused {
        /// Its words.
        message: String,
    },
    /// Nobody knows whether anything happened: no answer, a broken one, or one that says so.
    #[error("nobody knows whether it was done: {message}")]
    Unknown {
        /// What is known.
        message: String,
    },
}

/// What a provider promises about request keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKeys {
    /// The same key never has a second effect, and is never forgotten.
    Durable,
    /// No promise: a request whose end nobody knows is not made again.
    None,
}

/// What a provider knows of a request key.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyFound {
    /// It was done; the thing as it is, unless it was taken away.
    Performed(Option<Observed>),
    /// It was never done.
    NotPerformed,
    /// It cannot tell.
    Unknown,
}

/// A thing found when looking for what a request may have made.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The thing.
    pub observed: Observed,
    /// The key of the request that made it, where the provider keeps that.
    pub request_key: Option<String>,
}

/// Which things to look for.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// The one with this id.
    Id {
        /// Its kind.
        kind: KindName,
        /// Its id.
        external_id: String,
    },
    /// Those that something made with this spec may be.
    Like {
        /// Their kind.
        kind: KindName,
        /// The spec.
        spec: Spec,
    },
}

/// What holds the actual state.
pub trait Provider: Send + Sync {
    /// Everything that is there. References are by external id. Without a store there is nothing
    /// for a provider that lives in it.
    ///
    /// # Errors
    /// When the state cannot be read whole: a part would look like deletions.
    fn observe(&self, store: Option<&dyn Store>) -> Result<Vec<Observed>, ObserveError>;

    /// The provider as one with effects outside the store; `None` when carrying out is writing to
    /// the store and nothing else: many changes then go into one transaction.
    fn outside(&self) -> Option<&dyn Outside>;
}

/// A provider whose effects happen elsewhere. Calls block; several threads call at once.
pub trait Outside: Send + Sync {
    /// What tells it from other providers, the same in every run.
    fn identity(&self) -> String;

    /// What it promises about request keys.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn request_keys(&self) -> Result<RequestKeys, CallError>;

    /// Asks for one effect, and gives the thing as it is then; `None` when it was taken away.
    ///
    /// # Errors
    /// [`CallError::Unknown`] when it may have happened; every other error says that it did not.
    fn perform(&self, effect: &Effect, request_key: &str) -> Result<Option<Observed>, CallError>;

    /// What became of a request.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn key(&self, request_key: &str) -> Result<KeyFound, CallError>;

    /// Looks for things.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn find(&self, question: &Question) -> Result<Vec<Candidate>, CallError>;
}
