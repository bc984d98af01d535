//! What can go wrong with a store.

use crate::model::ResourceId;
use std::path::PathBuf;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The resource is not as it was when the batch was made.
    #[error("{id} is at revision {}, expected {}", revision(.found), revision(.expected))]
    Stale {
        /// Which.
        id: ResourceId,
        /// What the batch was made from.
        expected: Option<i64>,
        /// What the store has.
        found: Option<i64>,
    },
    /// What is followed was brought to another commit since it was asked which.
    #[error("what is followed was brought to commit {}, expected {}", commit(.found), commit(.expected))]
    Overtaken {
        /// What was expected.
        expected: Option<String>,
        /// What the store has.
        found: Option<String>,
    },
    /// A plan is applied once, and this one was, or was begun.
    #[error("the plan {plan_id} was applied before, by {actor}")]
    AlreadyApplied {
        /// Which.
        plan_id: String,
        /// By whom.
        actor: String,
    },
    /// Another process has taken the lease over.
    #[error("another process has taken over: {holder}")]
    LeaseLost {
        /// Who.
        holder: String,
    },
    /// The store was made by a newer partnerctl.
    #[error("the store has schema version {found}, this partnerctl knows up to {known}")]
    Newer {
        /// The store's version.
        found: i64,
        /// The newest known version.
        known: i64,
    },
    /// A migration that was applied is not the one this program has.
    #[error("migration {version} of the store differs from the one of this partnerctl")]
    ForeignMigration {
        /// Which.
        version: i64,
    },
    /// A row that cannot be read.
    #[error("{what} in the store cannot be read")]
    Corrupt {
        /// Which row and column.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A backup of another store was put in place of this one since it was opened.
    #[error("the store was replaced by one of the lineage {lineage}")]
    Replaced {
        /// The lineage it has now.
        lineage: String,
    },
    /// The file is no backup that could be written or restored.
    #[error("{path} is no good as a backup: {why}")]
    NoBackup {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The address names no store.
    #[error("`{url}` is not a store")]
    Address {
        /// What was given.
        url: String,
    },
    /// The database refused.
    #[error("the store at {path} failed")]
    Database {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The file system refused.
    #[error("the store at {path} cannot be opened")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn commit(commit: &Option<String>) -> &str {
    commit.as_deref().unwrap_or("none")
}

fn revision(revision: &Option<i64>) -> String {
    revision.map_or_else(|| "none (not in the store)".to_owned(), |revision| revision.to_string())
}
