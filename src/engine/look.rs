//! Where a narrow pass looks.

use crate::engine::memory::Place;
use crate::engine::reread::Reading;
use crate::kinds::Kinds;
use crate::model::ResourceId;
use crate::store::{Store, Touched};
use chrono::{DateTime, Utc};
use std::path::Path;

/// Where a narrow pass looks.
pub struct Look<'a> {
    /// The kinds.
    pub kinds: &'a Kinds,
    /// The folder of the workspace.
    pub workspace: &'a Path,
    /// The folder of the manifests.
    pub folder: &'a Path,
    /// The store.
    pub store: &'a dyn Store,
    /// Where the memory is, and of what.
    pub place: &'a Place,
    /// When the pass began to read, in nanoseconds since 1970.
    pub begun: i64,
    /// The plan's clock.
    pub at: DateTime<Utc>,
    /// Resources to look at in any case.
    pub also: &'a [ResourceId],
}

impl Look<'_> {
    /// How files that moved are read again, given the kinds that a memory's numbers mean.
    #[must_use]
    pub fn reading<'b>(
        &'b self,
        named: &'b [String],
        touched: &'b Touched,
        linked: bool,
    ) -> Reading<'b> {
        Reading { kinds: self.kinds, workspace: self.workspace, named, touched, linked }
    }
}
