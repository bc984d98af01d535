//! How a watch stands: the status file, and what is answered over HTTP.

mod metrics;
mod parts;

pub use parts::{BranchReport, LastPass, Outcome, WatchState};

use crate::cli::watch::choice::{Held, HeldChange};
use crate::engine::machine::write_for_now;
use crate::model::activity::instant;
use chrono::{DateTime, Utc};
use parts::{HeldLine, HeldReport};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The version of the format.
const API_VERSION: &str = "partnerctl.dev/watch/v1";
/// The most of a text that is kept: a folder may have thousands of mistakes.
const TEXT_MAX: usize = 8_192;
/// The most changes that are named.
const NAMED_MAX: usize = 200;

/// How a watch stands.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl watch --status-file")]
pub struct Report {
    /// `partnerctl.dev/watch/v1`
    api_version: String,
    /// What it is at.
    pub state: WatchState,
    /// The process.
    pid: u32,
    /// When it began, RFC 3339 in UTC.
    started_at: String,
    /// Passes that ended, also those that found nothing to do.
    pub passes: u64,
    /// Changes that were applied in all of them.
    pub applied: u64,
    /// The last of them; null before the first.
    pub last_pass: Option<LastPass>,
    /// When a pass last got through; null before that.
    last_success_at: Option<String>,
    /// What is held for approval; null when nothing is.
    held: Option<HeldReport>,
    /// The branch that is followed; null where files are watched.
    pub git: Option<BranchReport>,
    /// What stands in the way now: diagnostics, failures, another apply.
    pub errors: Vec<String>,
    /// What else somebody should know: what is blocked, refused, changed outside, undeclared.
    pub notes: Vec<String>,
    #[serde(skip)]
    outcomes: BTreeMap<Outcome, u64>,
    #[serde(skip)]
    last_success: Option<DateTime<Utc>>,
    #[serde(skip)]
    last_end: Option<DateTime<Utc>>,
}

/// A pass that ended.
pub struct Ended {
    /// When it began.
    pub began: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// The plan.
    pub plan_id: Option<String>,
    /// Changes that it applied.
    pub applied: usize,
}

impl Report {
    /// A watch that begins.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            state: WatchState::Watching,
            pid: std::process::id(),
            started_at: instant(now),
            passes: 0,
            applied: 0,
            last_pass: None,
            last_success_at: None,
            held: None,
            git: None,
            errors: Vec::new(),
            notes: Vec::new(),
            outcomes: BTreeMap::new(),
            last_success: None,
            last_end: None,
        }
    }

    /// A pass ended.
    pub fn ended(&mut self, pass: Ended, now: DateTime<Utc>) {
        let Ended { began, outcome, plan_id, applied } = pass;
        let applied = applied as u64;
        self.passes += 1;
        self.applied += applied;
        *self.outcomes.entry(outcome).or_default() += 1;
        self.last_end = Some(now);
        if outcome.is_success() {
            self.last_success = Some(now);
            self.last_success_at = Some(instant(now));
        }
        let (began_at, ended_at) = (instant(began), instant(now));
        let commit = self.git.as_ref().and_then(|git| git.commit.clone());
        self.last_pass = Some(LastPass { began_at, ended_at, outcome, plan_id, applied, commit });
    }

    /// What stands now beside the changes: what is held, errors, notes.
    pub fn stands(&mut self, held: Option<(&Held, String)>, errors: &[String], notes: &[String]) {
        self.held = held.map(|(held, command)| HeldReport {
            plan_id: held.plan_id.clone(),
            command,
            count: held.changes.len(),
            changes: held.changes.iter().take(NAMED_MAX).map(line).collect(),
        });
        self.trouble(errors);
        self.notes = notes.iter().take(NAMED_MAX).map(|text| cut(text)).collect();
    }

    /// What stands in the way; the rest is as it was, as far as anybody knows.
    pub fn trouble(&mut self, errors: &[String]) {
        self.errors = errors.iter().take(NAMED_MAX).map(|text| cut(text)).collect();
    }

    /// Writes the status file, whole or not at all.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        text.push('\n');
        write_for_now(path, text.as_bytes())
    }

    /// Why it is not ready; `None` when it is.
    pub fn unready(&self) -> Option<String> {
        let outcome = self.last_pass.as_ref().map(|last| last.outcome);
        match (self.state, outcome) {
            (WatchState::Paused, _) => Some("a root of the manifests is missing".to_owned()),
            (WatchState::Ended, _) => Some("the watch has ended".to_owned()),
            (WatchState::Watching, None) => Some("the first pass has not ended".to_owned()),
            (WatchState::Watching, Some(outcome)) if outcome.is_success() => None,
            (WatchState::Watching, Some(outcome)) => {
                Some(format!("the last pass ended {}", outcome.as_str()))
            }
        }
    }
}

fn line(change: &HeldChange) -> HeldLine {
    let HeldChange { resource, action, operation: _, risk, policies } = change;
    let (resource, policies) = (resource.clone(), policies.clone());
    HeldLine { resource, action: *action, risk: *risk, policies }
}

/// A text that is not too long.
fn cut(text: &str) -> String {
    if text.len() <= TEXT_MAX {
        return text.to_owned();
    }
    let end = (0..=TEXT_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::{Ended, Outcome, Report, WatchState};

    #[test]
    fn it_is_ready_when_the_last_pass_got_through_and_no_root_is_missing() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let mut report = Report::new(now);
        let mut said = vec![report.unready()];
        for outcome in Outcome::ALL {
            report.ended(Ended { began: now, outcome, plan_id: None, applied: 2 }, now);
            said.push(report.unready());
        }
        for state in [WatchState::Paused, WatchState::Ended] {
            report.state = state;
            said.push(report.unready());
        }
        let said: Vec<_> = said.iter().map(|text| text.as_deref().unwrap_or("-")).collect();
        assert_eq!(
            said,
            [
                "the first pass has not ended",
                "-",
                "-",
                "-",
                "-",
                "-",
                "the last pass ended rejected",
                "the last pass ended invalid",
                "the last pass ended locked",
                "the last pass ended partly",
                "the last pass ended failed",
                "a root of the manifests is missing",
                "the watch has ended",
            ]
        );
    }
}
