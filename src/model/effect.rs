//! Effects: what a provider is asked to do to one outside thing.

use crate::model::{KindName, Spec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What is done to the thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Made new. Never asked for twice, unless the provider promises to know the request again.
    Create,
    /// Brought to the state in `after`, whatever it is in: asking twice is asking once.
    Update,
    /// Taken away: something that is not there any more is done already.
    Delete,
}

impl Verb {
    /// The word in the store and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One request to a provider, complete: it can be made again after a crash without the plan or the
/// manifests it came from. References in its specs are by external id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// What is done.
    pub verb: Verb,
    /// The kind.
    pub kind: KindName,
    /// What the outside would call it.
    pub name: String,
    /// The provider's id; `None` for something new.
    pub external_id: Option<String>,
    /// Its state now, as observed; `None` for something new.
    pub before: Option<Spec>,
    /// Its state then; `None` for something that goes.
    pub after: Option<Spec>,
    /// The operation in the portal's words (domain.md 7).
    pub operation: Cow<'static, str>,
}
