//! How commands print what they found: forms that several of them share.

use crate::cli::error::CommandError;
use clap::ValueEnum;
use serde_json::Value;

/// Of a command whose answer is read by people or by programs.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// For people
    Text,
    /// For machines
    Json,
}

/// Of a command whose answer is a plan.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanOutput {
    /// For people
    Text,
    /// For machines
    Json,
    /// For pull requests
    Markdown,
}

/// YAML that every reader of YAML 1.1 and 1.2 reads alike.
pub fn yaml(value: &Value) -> Result<String, CommandError> {
    serde_saphyr::to_string(value).map_err(|error| {
        CommandError::new(format!("the output cannot be written as YAML: {error}"))
    })
}
