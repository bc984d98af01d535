//! Why a pass of a watch did not get through.

use crate::cli::error::CommandError;

/// Why a pass did not get through.
pub enum Stopped {
    /// The tree moved under it, or it was told to stop; nothing was done.
    Moved,
    /// Somebody else applies.
    Locked(String),
    /// Anything else.
    Error(CommandError),
}

impl<E: Into<CommandError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}
