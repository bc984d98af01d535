//! Questions to the log.

use crate::model::ResourceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which activities are wanted; everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of one resource.
    pub resource: Option<ResourceId>,
    /// Of one kind.
    pub kind: Option<String>,
    /// By one actor.
    pub actor: Option<String>,
    /// Of one set.
    pub set: Option<String>,
    /// Of one plan.
    pub plan_id: Option<String>,
    /// With one operation id.
    pub operation_id: Option<String>,
    /// With one operation.
    pub operation: Option<String>,
    /// With one outcome.
    pub outcome: Option<String>,
    /// Not before, RFC 3339 in UTC.
    pub since: Option<String>,
    /// Before, RFC 3339 in UTC.
    pub until: Option<String>,
    /// After this place in the log.
    pub after: Option<i64>,
    /// Before this place in the log.
    pub before: Option<i64>,
    /// The last so many.
    pub last: Option<usize>,
}

/// The end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The place of the last activity; 0 while there is none.
    pub seq: i64,
    /// Its hash; the chain's start while there is none.
    pub hash: String,
}

/// A head to keep elsewhere: with it truncation and rewriting are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "partnerctl log checkpoint")]
pub struct Checkpoint {
    /// `partnerctl.dev/checkpoint/v1`
    pub api_version: String,
    /// The store's.
    pub lineage: String,
    /// The place of the last activity.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
}

/// The version of the checkpoint format.
pub const CHECKPOINT_API_VERSION: &str = "partnerctl.dev/checkpoint/v1";

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Every row is as it was written, and the checkpoint, if any, is among them.
    Good {
        /// The end of the log.
        head: Head,
    },
    /// The first place where it is not.
    Bad {
        /// The sequence number.
        seq: i64,
        /// What is wrong there.
        message: String,
    },
}
