//! What a provider says is there.

use crate::model::{KindName, Spec};

/// One thing as a provider reports it; partnerctl may or may not manage it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// Its kind.
    pub kind: KindName,
    /// The provider's id, unique within the kind.
    pub external_id: String,
    /// A name to show and to call it by while it is unmanaged.
    pub name: String,
    /// Its fields. References are `{external: <id>}` as the provider knows them, until gathering
    /// turns those of managed resources into `{name: …}`.
    pub spec: Spec,
}
