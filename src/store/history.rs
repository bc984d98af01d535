//! What the store keeps of applies and approvals.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One apply of a plan that had something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyRecord {
    /// Its own id.
    pub id: String,
    /// The plan.
    pub plan_id: String,
    /// The plan's digest: no plan is applied twice.
    pub digest: String,
    /// Who claims to have done it.
    pub actor: String,
    /// When it began.
    pub begun_at: DateTime<Utc>,
    /// How it ended; `None` while it is under way, or when it was killed.
    pub end: Option<ApplyEnd>,
}

/// How an apply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplyEnd {
    /// When.
    pub at: DateTime<Utc>,
    /// Changes that were done.
    pub done: usize,
    /// Changes that failed.
    pub failed: usize,
    /// Changes of which nobody knows.
    pub unknown: usize,
    /// Changes that were not begun.
    pub not_begun: usize,
}

/// A plan that somebody approved before it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The plan.
    pub plan_id: String,
    /// Who claims to have approved it.
    pub actor: String,
    /// When.
    pub at: DateTime<Utc>,
}
