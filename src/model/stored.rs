//! A resource as the store keeps it.

use std::sync::Arc;

use crate::model::{Condition, Metadata, ResourceId, Source, Spec};

/// Everything the store knows of one managed resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Kind and name.
    pub id: ResourceId,
    /// Stays through renames.
    pub uid: Arc<str>,
    /// The set that owns it.
    pub set: Arc<str>,
    /// Counts accepted desired states, from 1.
    pub generation: i64,
    /// Counts changes of any column, from 1. A plan names the revision it was made from.
    pub revision: i64,
    /// Labels and annotations as last accepted.
    pub metadata: Metadata,
    /// The last accepted desired state.
    pub spec: Spec,
    /// What was last applied with success; differs from `spec` after a failure.
    pub last_applied: Option<Spec>,
    /// What the provider last said; `None` when the thing is gone.
    pub observed: Option<Spec>,
    /// The provider's id.
    pub external_id: Option<String>,
    /// One for each type.
    pub conditions: Arc<Vec<Condition>>,
    /// Where it is declared.
    pub source: Source,
}
