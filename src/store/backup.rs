//! Backups: what one holds, and what going back to it would lose.

use crate::store::Head;

/// What a store held at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The store's own id.
    pub lineage: String,
    /// The end of its log.
    pub head: Head,
    /// How many resources it manages.
    pub resources: usize,
}

/// What becomes of a backup of a store that `check` finds something wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problems {
    /// There is none.
    Refused,
    /// It has them too: the old state beside a restored one.
    Kept,
}

/// A backup beside the store that would go back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What it holds.
    pub contents: Contents,
    /// How many activities of the store are not in it: gone after restoring it.
    pub lost: i64,
    /// True when the store holds nothing: whatever the backup is of, nothing is replaced.
    pub onto_nothing: bool,
}
