//! Errors of commands and the exit codes they end with: decided here and nowhere else.

use crate::engine::gather::GatherError;
use crate::model::text::printable;
use crate::store::StoreError;
use std::process::ExitCode;

/// The exit codes of design section 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, nothing to do, or only waiting.
    Done = 0,
    /// Bad input, usage, failed verification, failure before anything changed.
    Error = 1,
    /// The plan has changes; only with `--detailed-exitcode`.
    Changes = 2,
    /// Blocked, braked or approval missing.
    Held = 3,
    /// Stale, conflict or locked.
    Conflict = 4,
    /// Some failed, unknown or interrupted.
    Partly = 5,
}

impl Exit {
    /// True for an apply that did all it could: nothing failed, and what is held was left as it was.
    pub fn went_well(self) -> bool {
        matches!(self, Self::Done | Self::Held)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Manifests or settings are not valid.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Invalid(String);

/// A commit is not to be applied.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Rejected(String);

/// An error on its way to the user: what failed, what to do, how to exit. The chain of causes is
/// printed once, at the edge.
#[derive(Debug)]
pub struct CommandError {
    /// How to exit.
    pub exit: Exit,
    /// What failed.
    pub error: anyhow::Error,
    /// What to do next.
    pub hints: Vec<String>,
}

impl CommandError {
    /// An error with exit code 1.
    pub fn new(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Error, error: anyhow::anyhow!("{message}"), hints: Vec::new() }
    }

    /// An error of what was written, which only its writer can mend.
    pub fn invalid(message: impl Into<String>) -> Self {
        let error = anyhow::Error::new(Invalid(message.into()));
        Self { exit: Exit::Error, error, hints: Vec::new() }
    }

    /// A refusal of a commit, whatever its manifests say.
    pub fn rejected(message: impl Into<String>) -> Self {
        let error = anyhow::Error::new(Rejected(message.into()));
        Self { exit: Exit::Error, error, hints: Vec::new() }
    }

    /// True when a commit was refused.
    pub fn is_rejected(&self) -> bool {
        self.error.is::<Rejected>()
    }

    /// True when only the writer of manifests and settings can mend it.
    pub fn is_invalid(&self) -> bool {
        self.error.is::<Invalid>()
    }

    /// What failed with its causes, safe to print.
    pub fn chain(&self) -> String {
        let chain: Vec<_> = self.error.chain().map(|cause| printable(&cause.to_string())).collect();
        chain.join(": ")
    }

    /// The same with another exit code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same with something to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: Exit::Error, error, hints: Vec::new() }
    }
}

impl From<GatherError> for CommandError {
    fn from(error: GatherError) -> Self {
        match error {
            GatherError::Store(error) => error.into(),
            GatherError::Provider(_) => Self {
                exit: Exit::Error,
                error: error.into(),
                hints: vec!["see that the provider answers, and run it again".to_owned()],
            },
            GatherError::Restless => Self {
                exit: Exit::Conflict,
                error: error.into(),
                hints: vec!["run it again when the other apply is done".to_owned()],
            },
        }
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let (exit, hint) = match &error {
            StoreError::Stale { .. } => (Exit::Conflict, "plan again: something else changed it"),
            StoreError::Overtaken { .. } => {
                (Exit::Conflict, "run it again: another watch has applied another commit")
            }
            StoreError::AlreadyApplied { .. } => {
                (Exit::Conflict, "plan again; what is done is done")
            }
            StoreError::LeaseLost { .. } => (Exit::Conflict, "run it again when the other is done"),
            StoreError::Newer { .. } => (Exit::Error, "use the newer partnerctl"),
            StoreError::ForeignMigration { .. } => {
                (Exit::Error, "use the partnerctl that made the store, or its backup")
            }
            StoreError::Corrupt { .. } => (
                Exit::Error,
                "check the log with `partnerctl log verify`, then go back to a backup",
            ),
            StoreError::Replaced { .. } => {
                (Exit::Conflict, "run it again on the store as it is now")
            }
            StoreError::NoBackup { .. } => {
                (Exit::Error, "`partnerctl store verify` lists what is wrong with a store")
            }
            StoreError::Address { .. } => (Exit::Error, "write it as sqlite:PATH"),
            StoreError::Database { .. } | StoreError::Io { .. } => {
                (Exit::Error, "check the path, its rights and the free space")
            }
        };
        Self { exit, error: error.into(), hints: vec![hint.to_owned()] }
    }
}
