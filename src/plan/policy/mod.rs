//! Policies of the workspace: rules over the changes of a plan, as data in `partnerctl.yaml`.
//!
//! A policy sees one change at a time, when everything else about it is known. What it finds stands
//! with the change as a [`Ruling`]; over the whole plan watch the brakes.

mod declared;
mod judge;
pub mod ruling;

pub use declared::{Match, MoneyMatch, Policy};
pub use judge::{put, rule, wants_approval};
pub use ruling::{Effect, Ruling};

use crate::kinds::AgentRole;
use crate::model::Source;
use crate::model::digest::Digest;
use crate::plan::change::Change;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The policies of a workspace, checked. Where none is in force, a plan says nothing of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policies {
    /// Each with its place in `partnerctl.yaml`.
    pub rules: Vec<(Policy, Source)>,
}

impl Policies {
    /// What they are known by, `None` where there are none: what they say, whatever their places.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        let text = |digest: Digest, (policy, _): &(Policy, Source)| {
            digest.text(&serde_json::to_string(policy).unwrap_or_default())
        };
        let digest = self.rules.iter().fold(Digest::default(), text);
        (!self.rules.is_empty()).then(|| digest.hex()[..16].to_owned())
    }

    /// The roles that any of them asks for.
    #[must_use]
    pub fn roles(&self) -> BTreeSet<AgentRole> {
        self.rules.iter().filter_map(|(policy, _)| policy.by).collect()
    }
}

/// What the policies of the workspace say of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyReport {
    /// What the policies are known by: a saved plan is applied under the same ones only.
    pub digest: String,
    /// Those that match a change, in the order of `partnerctl.yaml`.
    pub matched: Vec<Matched>,
}

/// A policy that matches changes of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matched {
    /// The policy's name.
    pub policy: String,
    /// What it does.
    pub effect: Effect,
    /// The role that whoever approves must have; null: anybody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AgentRole>,
    /// Where it stands.
    pub source: Source,
    /// How many changes it matches.
    pub changes: usize,
}

/// What the policies say of the changes; `None` where there are no policies. Of what is held back
/// nobody need approve anything.
#[must_use]
pub fn report(policies: &Policies, changes: &[Change]) -> Option<PolicyReport> {
    let digest = policies.digest()?;
    let matched = policies.rules.iter().filter_map(|(policy, source)| {
        let name = policy.name.as_str();
        let counts =
            |change: &Change| policy.effect != Effect::RequireApproval || change.proceeds();
        let hit = |change: &&Change| {
            counts(change) && change.policies.iter().any(|ruling| ruling.policy == name)
        };
        let changes = changes.iter().filter(hit).count();
        (changes > 0).then(|| Matched {
            policy: name.to_owned(),
            effect: policy.effect,
            by: policy.by,
            source: source.clone(),
            changes,
        })
    });
    Some(PolicyReport { digest, matched: matched.collect() })
}
