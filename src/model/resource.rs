//! A declared resource: what one manifest says.

use crate::model::{Accepted, ResourceId, Spec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The domain of our own annotations.
pub const ANNOTATION_DOMAIN: &str = "partnerctl.dev/";

/// What may happen when a resource is deleted: `Delete`, `Retain` or `Protect`.
pub const DELETION_POLICY: &str = "partnerctl.dev/deletion-policy";
/// How far partnerctl goes: `Manage`, `Observe` or `CreateOnly`.
pub const MANAGEMENT: &str = "partnerctl.dev/management";
/// The id of an existing thing to take over.
pub const EXTERNAL_ID: &str = "partnerctl.dev/external-id";
/// The name this resource had before.
pub const PREVIOUS_NAME: &str = "partnerctl.dev/previous-name";
/// Why the change is made; goes into the log.
pub const REASON: &str = "partnerctl.dev/reason";

/// Which fields may stay as the outside changed them, until when and why.
pub const ACCEPT_DRIFT: &str = "partnerctl.dev/accept-drift";

/// Our annotations with their allowed values and meanings; no values means free text.
pub const ANNOTATIONS: &[(&str, &[&str], &str)] = &[
    (
        DELETION_POLICY,
        &["Delete", "Retain", "Protect"],
        "What deleting does: the kind's own meaning (Delete, the default), only the release from management (Retain), or nothing: Protect also blocks suspending and replacing, until another value was applied.",
    ),
    (
        MANAGEMENT,
        &["Manage", "Observe", "CreateOnly"],
        "How far partnerctl goes: Manage (the default), Observe reports and never writes, CreateOnly creates and never updates or deletes.",
    ),
    (
        EXTERNAL_ID,
        &[],
        "The provider's id of an existing thing to take under management under this name.",
    ),
    (
        PREVIOUS_NAME,
        &[],
        "The name this resource had before, so that a new name is a rename and nothing is bought twice.",
    ),
    (
        ACCEPT_DRIFT,
        &[],
        "Fields that may stay as the outside changed them for a while: `spec.monthly.amount until 2026-12-31: why`, several with `;` between them. `drift accept --except` writes it.",
    ),
    (REASON, &[], "Why the change is made; the activity log keeps it."),
];

fn is_empty(map: &Arc<BTreeMap<String, String>>) -> bool {
    map.is_empty()
}

/// Labels and annotations; clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// For selectors and `-l`.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub labels: Arc<BTreeMap<String, String>>,
    /// Ours are checked, others are kept.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub annotations: Arc<BTreeMap<String, String>>,
}

impl Metadata {
    /// An annotation's value.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// Drift that is accepted for a while, also where that has ended. What cannot be read was refused
    /// when the manifest was checked.
    #[must_use]
    pub fn accepted(&self) -> Vec<Accepted> {
        self.annotation(ACCEPT_DRIFT)
            .and_then(|text| Accepted::parse(text).ok())
            .unwrap_or_default()
    }

    /// How far partnerctl goes.
    #[must_use]
    pub fn management(&self) -> Management {
        match self.annotation(MANAGEMENT) {
            Some("Observe") => Management::Observe,
            Some("CreateOnly") => Management::CreateOnly,
            _ => Management::Manage,
        }
    }

    /// What may happen on delete.
    #[must_use]
    pub fn deletion_policy(&self) -> DeletionPolicy {
        match self.annotation(DELETION_POLICY) {
            Some("Retain") => DeletionPolicy::Retain,
            Some("Protect") => DeletionPolicy::Protect,
            _ => DeletionPolicy::Delete,
        }
    }
}

/// How far partnerctl goes with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Management {
    /// Creates, updates and deletes.
    Manage,
    /// Reports, never writes.
    Observe,
    /// Creates, never updates or deletes.
    CreateOnly,
}

/// What may happen when a resource is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// The kind's own meaning of deleting.
    Delete,
    /// Released from management, nothing else happens.
    Retain,
    /// Never deleted, cancelled, suspended or replaced.
    Protect,
}

/// Where a resource or a change comes from.
#[derive(
    Debug,
    Clone,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The file, relative to the workspace where it lies below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Arc<str>>,
    /// The line of the document's start, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The commit, when the manifests came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Arc<str>>,
    /// Who wrote that commit, as it claims. The log keeps it; a row does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Arc<str>>,
}

impl Source {
    /// True when both are the same line of the same file, in whatever commit: what a commit left
    /// alone is where it was.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        (&self.file, self.line) == (&other.file, other.line)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}"),
            (Some(file), None) => f.write_str(file),
            _ => Ok(()),
        }
    }
}

/// What a manifest declares; a selector budget gives one for each customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Kind and name.
    pub id: ResourceId,
    /// Labels and annotations.
    pub metadata: Metadata,
    /// Only what was declared: defaults are not filled in.
    pub spec: Spec,
    /// File and line.
    pub source: Source,
}
