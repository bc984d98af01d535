//! `{name: contoso}` or `{external: <id>}`.

use crate::model::ResourceName;
use crate::model::scalar::Line;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reference to another resource: by name when it is declared or in the store, by the provider's
/// id when partnerctl does not manage it. Exactly one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a reference, {name: contoso}")]
#[schemars(extend("oneOf" = [{"required": ["name"]}, {"required": ["external"]}]))]
pub struct Ref {
    /// The name of a declared or stored resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ResourceName>,
    /// The provider's id of something partnerctl does not manage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<Line>,
}
