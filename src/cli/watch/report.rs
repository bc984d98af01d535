//! How a watch stands: the status file, and what is answered over HTTP.

use crate::cli::watch::choice::{Held, HeldChange};
use crate::engine::follow::Commit;
use crate::engine::machine::write_for_now;
use crate::kinds::Risk;
use crate::model::ResourceId;
use crate::model::activity::instant;
use crate::plan::Action;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
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

/// What a watch is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WatchState {
    /// It waits for what happens, or runs a pass.
    Watching,
    /// A root is missing: nothing is applied until it is back.
    Paused,
    /// It has ended.
    Ended,
}

/// A branch that is followed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BranchReport {
    /// The repository.
    pub url: String,
    /// The branch.
    pub branch: String,
    /// The folder in it; null for its top.
    pub path: Option<String>,
    /// The commit it was at when it was last seen; null before that.
    pub commit: Option<String>,
    /// Who wrote that commit, as it claims.
    pub author: Option<String>,
    /// When it was last seen.
    pub seen_at: Option<String>,
    /// Why it cannot be seen now; null when it can. The last commit stays in force meanwhile.
    pub away: Option<String>,
}

impl BranchReport {
    /// A branch that was not seen yet.
    pub fn new(url: &str, branch: &str, path: Option<&str>) -> Self {
        Self {
            url: url.to_owned(),
            branch: branch.to_owned(),
            path: path.map(str::to_owned),
            commit: None,
            author: None,
            seen_at: None,
            away: None,
        }
    }

    /// The branch is at a commit.
    pub fn seen(&mut self, commit: &Commit, now: DateTime<Utc>) {
        self.commit = Some(commit.id.to_string());
        self.author = Some(commit.author.to_string());
        self.seen_at = Some(instant(now));
        self.away = None;
    }
}

/// A pass.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastPass {
    /// When it began.
    pub began_at: String,
    /// When it ended.
    pub ended_at: String,
    /// How.
    pub outcome: Outcome,
    /// The plan of everything that was to be done then; null when there was none.
    pub plan_id: Option<String>,
    /// Changes that it applied.
    pub applied: u64,
    /// The commit it was over; null where files are watched.
    pub commit: Option<String>,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Everything is as declared, or waits for what is outside.
    Done,
    /// It was planned, and nothing applied: `--dry-run`.
    Planned,
    /// Something is held for approval.
    Held,
    /// Something is blocked.
    Blocked,
    /// A brake holds the plan.
    Refused,
    /// The commit is not applied: the branch was rewritten, or a signature is missing.
    Rejected,
    /// The manifests or the settings are not valid.
    Invalid,
    /// Somebody else applies.
    Locked,
    /// Some changes were not done.
    Partly,
    /// It failed before anything was done.
    Failed,
}

impl Outcome {
    const ALL: [Self; 10] = [
        Self::Done,
        Self::Planned,
        Self::Held,
        Self::Blocked,
        Self::Refused,
        Self::Rejected,
        Self::Invalid,
        Self::Locked,
        Self::Partly,
        Self::Failed,
    ];

    /// The word of the status file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Planned => "planned",
            Self::Held => "held",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Invalid => "invalid",
            Self::Locked => "locked",
            Self::Partly => "partly",
            Self::Failed => "failed",
        }
    }

    /// True when the pass saw everything and did what it may.
    fn is_success(self) -> bool {
        !matches!(self, Self::Rejected | Self::Invalid | Self::Locked | Self::Partly | Self::Failed)
    }
}

/// What is held.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HeldReport {
    /// The plan to approve.
    plan_id: String,
    /// The command that approves it.
    command: String,
    /// How many changes.
    count: usize,
    /// The first of them.
    changes: Vec<HeldLine>,
}

/// A change that is held.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct HeldLine {
    /// `Kind/name`.
    #[schemars(with = "String")]
    resource: ResourceId,
    /// What would be done.
    action: Action,
    /// How much it risks; reversible ones that no policy holds depend on another that is held.
    risk: Risk,
    /// The policies that ask for an approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    policies: Vec<String>,
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

    /// What Prometheus reads.
    pub fn metrics(&self) -> String {
        let mut out = String::new();
        let mut put = |name: &str, kind: &str, help: &str, samples: &[(String, i64)]| {
            let _ = writeln!(out, "# HELP partnerctl_watch_{name} {help}");
            let _ = writeln!(out, "# TYPE partnerctl_watch_{name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(out, "partnerctl_watch_{name}{labels} {value}");
            }
        };
        let one = |value: i64| [(String::new(), value)];
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let of_outcome = |outcome: Outcome| {
            let count = self.outcomes.get(&outcome).copied().unwrap_or_default();
            (format!("{{outcome=\"{}\"}}", outcome.as_str()), number(count))
        };
        put("passes_total", "counter", "Passes that ended, by how.", &Outcome::ALL.map(of_outcome));
        let help = "Changes that were applied.";
        put("changes_applied_total", "counter", help, &one(number(self.applied)));
        let held = self.held.as_ref().map_or(0, |held| held.count as u64);
        put("changes_held", "gauge", "Changes that are held for approval.", &one(number(held)));
        let paused = i64::from(self.state == WatchState::Paused);
        put("paused", "gauge", "1 while a root of the manifests is missing.", &one(paused));
        let ready = i64::from(self.unready().is_none());
        put("ready", "gauge", "1 when the last pass got through.", &one(ready));
        if let Some(git) = &self.git {
            let help = "1 while the branch that is followed cannot be looked at.";
            put("git_away", "gauge", help, &one(i64::from(git.away.is_some())));
            let commit = git.commit.as_deref().unwrap_or_default();
            let help = "1, with the commit at which the branch was last seen.";
            put("git_commit_info", "gauge", help, &[(format!("{{commit=\"{commit}\"}}"), 1)]);
        }
        let at = |instant: Option<DateTime<Utc>>| one(instant.map_or(0, |at| at.timestamp()));
        let help = "When the last pass ended, in seconds since 1970.";
        put("last_pass_timestamp_seconds", "gauge", help, &at(self.last_end));
        let help = "When a pass last got through, in seconds since 1970.";
        put("last_success_timestamp_seconds", "gauge", help, &at(self.last_success));
        out
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
    use super::{BranchReport, Ended, Outcome, Report, WatchState};
    use crate::engine::follow::Commit;

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

    #[test]
    fn metrics_are_text_that_prometheus_reads() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let mut report = Report::new(now);
        let ended = Ended { began: now, outcome: Outcome::Done, plan_id: None, applied: 3 };
        report.ended(ended, now);
        assert!(!report.metrics().contains("git"), "files are watched");
        let mut git = BranchReport::new("a", "main", None);
        git.seen(&Commit { id: "c1".into(), author: "a".into() }, now);
        git.away = Some("no answer".to_owned());
        report.git = Some(git);
        let text = report.metrics();
        for line in text.lines() {
            let sample = line.split_once(' ').map(|(name, value)| (name, value.parse::<i64>()));
            let fits = line.starts_with("# HELP partnerctl_watch_")
                || line.starts_with("# TYPE partnerctl_watch_")
                || matches!(sample, Some((name, Ok(_))) if name.starts_with("partnerctl_watch_"));
            assert!(fits, "{line}");
        }
        for line in [
            "partnerctl_watch_passes_total{outcome=\"done\"} 1",
            "partnerctl_watch_passes_total{outcome=\"failed\"} 0",
            "partnerctl_watch_changes_applied_total 3",
            "partnerctl_watch_ready 1",
            "partnerctl_watch_git_away 1",
            "partnerctl_watch_git_commit_info{commit=\"c1\"} 1",
            "partnerctl_watch_last_success_timestamp_seconds 1795262400",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
