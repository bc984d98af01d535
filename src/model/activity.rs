//! Activities: the append-only, hash-chained log of what happened to resources.

use crate::model::Value;
use crate::model::digest::Digest;
use crate::model::{ResourceId, Source};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Succeeded,
    /// It was not done.
    Failed,
    /// Nobody knows; `repair` finds out.
    Unknown,
}

impl Outcome {
    /// The word in the store and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed, Self::Unknown].into_iter().find(|o| o.as_str() == word)
    }
}

/// An activity before it has its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Who claims to have done it.
    pub actor: Arc<str>,
    /// File, line and commit it came from.
    pub source: Source,
    /// The command that did it, `apply`.
    pub command: Arc<str>,
    /// The set.
    pub set: Arc<str>,
    /// What it was done to.
    pub resource: ResourceId,
    /// In the portal's words (domain.md 7).
    pub operation: Cow<'static, str>,
    /// The fields that changed, as they were; `None` for something new.
    pub before: Option<Value>,
    /// The fields that changed, as they are; `None` for something gone.
    pub after: Option<Value>,
    /// The plan.
    pub plan_id: Arc<str>,
    /// The operation, unique in the store.
    pub operation_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why: the plan's reason, and the manifest's where it gives one.
    pub reason: Cow<'static, str>,
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// Its place, from 1 without gaps.
    pub seq: i64,
    /// When it ended, RFC 3339 in UTC with milliseconds.
    pub at: String,
    /// Who claims to have done it.
    pub actor: String,
    /// Where it came from.
    pub source: ActivitySource,
    /// The set.
    pub set: String,
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// In the portal's words.
    pub operation: String,
    /// The fields that changed, as they were.
    pub before: Option<serde_json::Value>,
    /// The fields that changed, as they are.
    pub after: Option<serde_json::Value>,
    /// The plan.
    pub plan_id: String,
    /// The operation.
    pub operation_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
    /// SHA-256 over the row before, the lineage and every other column of this row.
    pub hash: String,
}

/// Where an activity came from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivitySource {
    /// The commit of the manifests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who wrote that commit, as it claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The command.
    pub command: String,
}

/// An instant as the log writes it: RFC 3339, UTC, milliseconds.
#[must_use]
pub fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The hash before the first activity: it binds the chain to one store.
#[must_use]
pub fn chain_start(lineage: &str) -> String {
    Digest::default().text("partnerctl.dev/activities/v1").text(lineage).hex()
}

/// The columns of an activity as the store holds them, so that verifying compares the very bytes
/// of the row: `NULL` differs from the empty text. Where they are only hashed, their texts may be bytes.
#[derive(Debug)]
pub struct Columns<'a, T: ?Sized = str> {
    /// Place in the log.
    pub seq: i64,
    /// RFC 3339.
    pub at: &'a T,
    /// Who.
    pub actor: &'a T,
    /// Commit.
    pub source_commit: Option<&'a T>,
    /// File.
    pub source_file: Option<&'a T>,
    /// Line.
    pub source_line: Option<i64>,
    /// Command.
    pub command: &'a T,
    /// Set.
    pub set_name: &'a T,
    /// Kind of the resource.
    pub kind: &'a T,
    /// Name of the resource.
    pub name: &'a T,
    /// Operation.
    pub operation: &'a T,
    /// JSON.
    pub before: Option<&'a T>,
    /// JSON.
    pub after: Option<&'a T>,
    /// Plan.
    pub plan_id: &'a T,
    /// Operation id.
    pub operation_id: &'a T,
    /// Outcome.
    pub outcome: &'a T,
    /// Reason.
    pub reason: &'a T,
    /// Who wrote the commit.
    pub source_author: Option<&'a T>,
}

impl<T: AsRef<[u8]> + ?Sized> Columns<'_, T> {
    /// The hash of this row after the row whose hash is `previous`.
    #[must_use]
    pub fn hash(&self, previous: &str, lineage: &str) -> String {
        let Self {
            seq,
            at,
            actor,
            source_commit,
            source_file,
            source_line,
            command,
            set_name,
            kind,
            name,
            operation,
            before,
            after,
            plan_id,
            operation_id,
            outcome,
            reason,
            source_author,
        } = *self;
        let digest = Digest::default()
            .text(previous)
            .text(lineage)
            .number(Some(seq))
            .text(at)
            .text(actor)
            .optional(source_commit)
            .optional(source_file)
            .number(source_line)
            .text(command)
            .text(set_name)
            .text(kind)
            .text(name)
            .text(operation)
            .optional(before)
            .optional(after)
            .text(plan_id)
            .text(operation_id)
            .text(outcome)
            .text(reason);
        // Rows from before authors were kept have the hash that they had.
        match source_author {
            Some(author) => digest.text(author).hex(),
            None => digest.hex(),
        }
    }
}
