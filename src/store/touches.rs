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

/// The last time everything of a set was looked at and all that was to be done was done: since then a
/// resource moved only where it was touched or its manifest says something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The set.
    pub set: String,
    /// The program whose judgement it was.
    pub program: String,
    /// True when there may have been things that nobody manages.
    pub unmanaged: bool,
    /// The version the store was at then.
    #[serde(default)]
    pub version: Version,
}

/// A row as it lies in the store, for a glance at every one of them. Texts are as they were written:
/// equal values have equal texts.
#[derive(Debug, Clone, Copy)]
pub struct Glance<'a> {
    /// The kind.
    pub kind: &'a str,
    /// The name.
    pub name: &'a str,
    /// The set that owns it.
    pub set: &'a str,
    /// Labels and annotations.
    pub metadata: &'a str,
    /// The last accepted desired state.
    pub spec: &'a str,
    /// True when it is what was last applied as well.
    pub is_applied: bool,
    /// The provider's id.
    pub external_id: Option<&'a str>,
    /// True when the conditions say nothing but that all is well.
    pub is_well: bool,
    /// Where it is declared: file, line, commit.
    pub source: (Option<&'a str>, Option<i64>, Option<&'a str>),
}
