//! How a watch stands, in numbers.

use super::{Outcome, Report, WatchState};
use chrono::{DateTime, Utc};
use std::fmt::Write as _;

impl Report {
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

#[cfg(test)]
mod tests {
    use crate::cli::watch::report::{BranchReport, Ended, Outcome, Report};
    use crate::engine::follow::Commit;

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
