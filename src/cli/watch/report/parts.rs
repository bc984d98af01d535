//! What the status file is made of.

use crate::engine::follow::Commit;
use crate::kinds::Risk;
use crate::model::ResourceId;
use crate::model::activity::instant;
use crate::plan::Action;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// What a watch is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WatchState {
    /// It waits for what happens, or runs a pass.
    Watching,
    /// A root is missing: nothing is applied until it is back.
    Paused,
    /// It has ended.
    Ended,
}

/// A branch that is followed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BranchReport {
    /// The repository.
    pub url: String,
    /// The branch.
    pub branch: String,
    /// The folder in it; null for its top.
    pub path: Option<String>,
    /// The commit it was at when it was last seen; null before that.
    pub commit: Option<String>,
    /// Who wrote that commit, as it claims.
    pub author: Option<String>,
    /// When it was last seen.
    pub seen_at: Option<String>,
    /// Why it cannot be seen now; null when it can. The last commit stays in force meanwhile.
    pub away: Option<String>,
}

impl BranchReport {
    /// A branch that was not seen yet.
    pub fn new(url: &str, branch: &str, path: Option<&str>) -> Self {
        Self {
            url: url.to_owned(),
            branch: branch.to_owned(),
            path: path.map(str::to_owned),
            commit: None,
            author: None,
            seen_at: None,
            away: None,
        }
    }

    /// The branch is at a commit.
    pub fn seen(&mut self, commit: &Commit, now: DateTime<Utc>) {
        self.commit = Some(commit.id.to_string());
        self.author = Some(commit.author.to_string());
        self.seen_at = Some(instant(now));
        self.away = None;
    }
}

/// A pass.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastPass {
    /// When it began.
    pub began_at: String,
    /// When it ended.
    pub ended_at: String,
    /// How.
    pub outcome: Outcome,
    /// The plan of everything that was to be done then; null when there was none.
    pub plan_id: Option<String>,
    /// Changes that it applied.
    pub applied: u64,
    /// The commit it was over; null where files are watched.
    pub commit: Option<String>,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything is as declared, or waits for what is outside.
    Done,
    /// It was planned, and nothing applied: `--dry-run`.
    Planned,
    /// Something is held for approval.
    Held,
    /// Something is blocked.
    Blocked,
    /// A brake holds the plan.
    Refused,
    /// The commit is not applied: the branch was rewritten, or a signature is missing.
    Rejected,
    /// The manifests or the settings are not valid.
    Invalid,
    /// Somebody else applies.
    Locked,
    /// Some changes were not done.
    Partly,
    /// It failed before anything was done.
    Failed,
}

impl Outcome {
    pub(super) const ALL: [Self; 10] = [
        Self::Done,
        Self::Planned,
        Self::Held,
        Self::Blocked,
        Self::Refused,
        Self::Rejected,
        Self::Invalid,
        Self::Locked,
        Self::Partly,
        Self::Failed,
    ];

    /// The word of the status file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Planned => "planned",
            Self::Held => "held",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Invalid => "invalid",
            Self::Locked => "locked",
            Self::Partly => "partly",
            Self::Failed => "failed",
        }
    }

    /// True when the pass saw everything and did what it may.
    pub(super) fn is_success(self) -> bool {
        !matches!(self, Self::Rejected | Self::Invalid | Self::Locked | Self::Partly | Self::Failed)
    }
}

/// What is held.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeldReport {
    /// The plan to approve.
    pub(super) plan_id: String,
    /// The command that approves it.
    pub(super) command: String,
    /// How many changes.
    pub(super) count: usize,
    /// The first of them.
    pub(super) changes: Vec<HeldLine>,
}

/// A change that is held.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct HeldLine {
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub(super) resource: ResourceId,
    /// What would be done.
    pub(super) action: Action,
    /// How much it risks; reversible ones that no policy holds depend on another that is held.
    pub(super) risk: Risk,
    /// The policies that ask for an approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) policies: Vec<String>,
}
