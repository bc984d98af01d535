//! How commands print what they found: forms that several of them share.

use clap::ValueEnum;

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
