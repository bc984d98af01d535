//! What transactions touched: so that a pass looks again only at what moved since the last one.

use crate::model::{KindName, ResourceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A state of the resources and of the embedded provider: two with the same version hold the same.
///
/// The number counts transactions that touched either; the token is chance, so that a store that
/// went back to a backup and on from there is told from the one it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Counts from 1; 0 for a store in which nothing was touched yet.
    pub number: i64,
    /// Chance.
    pub token: String,
}

/// Which rows and things were put or taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Rows, by kind and name; of a renamed one both names.
    pub rows: BTreeSet<ResourceId>,
    /// Things of the embedded provider without a touched row of their own, by kind and external id.
    pub things: BTreeSet<(KindName, String)>,
}

impl Touched {
    /// True when nothing was touched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.things.is_empty()
    }

    /// How many were touched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len() + self.things.len()
    }
}
