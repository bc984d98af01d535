//! What the codes mean, how to mend what they stand for, and examples: a YAML file in the binary.

use crate::model::Code;
use crate::model::code::CODES;
use crate::model::problem::did_you_mean;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The texts, compiled into the binary.
const TEXTS: &str = include_str!("codes.yaml");

/// What is told about a code, as `codes.yaml` has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeText {
    /// What it means and why it is so.
    pub means: String,
    /// How to mend it.
    pub mend: String,
    /// An example that gives the code.
    pub wrong: String,
    /// The same, mended.
    pub right: String,
    /// True when the examples are no manifests, but what one does in a shell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shell: bool,
    /// Manifests that were applied before, for a code of blocked changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The set that applied them, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// What the outside says after that, as `ingest state` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest: Option<String>,
    /// Days between applying the state and planning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<u32>,
    /// True when it is planned with `--prune`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prune: bool,
}

/// The texts by code. Empty only if the file in the binary were not valid, which a test forbids.
#[must_use]
pub fn texts() -> BTreeMap<String, CodeText> {
    serde_yaml::from_str(TEXTS).unwrap_or_default()
}

/// A code with its title by what people type, in any letter case.
#[must_use]
pub fn find(word: &str) -> Option<(Code, &'static str)> {
    CODES.iter().find(|(code, _)| code.0.eq_ignore_ascii_case(word)).copied()
}

/// True for a word of the form of a code, whether it exists or not: `E0203`.
#[must_use]
pub fn is_code(word: &str) -> bool {
    let digits = word.get(1..).unwrap_or_default();
    word.starts_with(['E', 'W', 'B', 'e', 'w', 'b'])
        && digits.len() == 4
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The code that may be meant by one that does not exist.
#[must_use]
pub fn near(word: &str) -> Option<&'static str> {
    did_you_mean(word, CODES.iter().map(|(code, _)| code.0))
}
