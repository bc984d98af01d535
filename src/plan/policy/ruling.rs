//! What a policy says of one change.

use crate::kinds::AgentRole;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a policy does with the changes that it matches.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", expecting = "an effect: deny, requireApproval or warn")]
pub enum Effect {
    /// The change is blocked.
    Deny,
    /// Somebody must approve the plan before it is applied.
    RequireApproval,
    /// The plan warns of it.
    Warn,
}

/// What a policy says of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ruling {
    /// The policy's name.
    pub policy: String,
    /// What it does.
    pub effect: Effect,
    /// The role that whoever approves must have; null: anybody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AgentRole>,
    /// What it says; may be empty.
    pub message: String,
}

impl Ruling {
    /// In one sentence, under the policy's name.
    #[must_use]
    pub fn sentence(&self) -> String {
        let says = match self.effect {
            _ if !self.message.is_empty() => self.message.as_str(),
            Effect::Deny => "this is not done here",
            Effect::Warn => "have a second look at this",
            Effect::RequireApproval => "somebody else should have a look at this",
        };
        format!("policy {}: {says}", self.policy)
    }
}
