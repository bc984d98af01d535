//! What a case expects, beside what came of it.

use crate::engine::cases::declared::{Count, Expect};
use crate::kinds::Risk;
use crate::model::problem::Problem;
use crate::model::scalar::Line;
use crate::plan::{Change, Plan};
use schemars::JsonSchema;
use serde::Serialize;
use similar::TextDiff;
use std::collections::BTreeMap;

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    /// What of the case: `plan.txt`, `expect.blocked`, …
    pub what: String,
    /// In one sentence.
    pub message: String,
    /// More lines: a difference, or what is wrong with a file; may be empty.
    pub detail: String,
}

impl Failure {
    /// A failure.
    pub fn new(what: &str, message: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { what: what.to_owned(), message: message.into(), detail: detail.into() }
    }

    /// What is expected and what is, where they differ.
    #[must_use]
    pub fn difference(what: &str, expected: &str, actual: &str) -> Option<Self> {
        if expected == actual {
            return None;
        }
        let difference = TextDiff::from_lines(expected, actual);
        let detail = difference.unified_diff().header("expected", "actual").to_string();
        Some(Self::new(what, format!("{what} is not as expected"), detail))
    }
}

/// What of the expectations does not hold. There is no plan where the manifests are not valid.
#[must_use]
pub fn failures(expect: &Expect, plan: Option<&Plan>, problems: &[Problem]) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut compare = |what: &str, expected: Option<Vec<String>>, actual: Vec<String>| {
        let Some(expected) = expected else { return };
        let text = |mut lines: Vec<String>| {
            lines.sort();
            lines.into_iter().map(|line| line + "\n").collect::<String>()
        };
        let what = format!("expect.{what}");
        failures.extend(Failure::difference(&what, &text(expected), &text(actual)));
    };
    let codes = problems.iter().map(|problem| problem.code.to_string()).collect();
    compare("problems", expect.problems.as_deref().map(lines), codes);
    let Some(plan) = plan else { return failures };
    if let Some(summary) = &expect.summary {
        let line =
            |what: &Count, count: usize| format!("{}: {count}", format!("{what:?}").to_lowercase());
        let expected = summary.iter().map(|(what, count)| line(what, *count)).collect();
        let actual = summary.keys().map(|what| line(what, counted(plan, *what))).collect();
        compare("summary", Some(expected), actual);
    }
    let line = |resource: &dyn std::fmt::Display, what: &str| format!("{resource}: {what}");
    let of = |which: &dyn Fn(&&Change) -> bool| {
        plan.changes.iter().filter(which).map(|change| change.id.to_string()).collect::<Vec<_>>()
    };
    compare(
        "changes",
        expect.changes.as_ref().map(|changes| {
            changes.iter().map(|(resource, action)| line(resource, action.as_str())).collect()
        }),
        plan.proceeding().map(|change| line(&change.id, change.action.as_str())).collect(),
    );
    compare(
        "blocked",
        expect.blocked.as_ref().map(pairs),
        plan.changes
            .iter()
            .flat_map(|change| change.blocked.iter().map(|block| line(&change.id, &block.code)))
            .collect(),
    );
    let waits = |change: &&Change| change.blocked.is_empty() && change.waiting.is_some();
    compare("waiting", expect.waiting.as_deref().map(lines), of(&waits));
    let asks = |change: &&Change| change.proceeds() && change.needs_approval(Risk::Reversible);
    compare("needsApproval", expect.needs_approval.as_deref().map(lines), of(&asks));
    compare(
        "policies",
        expect.policies.as_ref().map(pairs),
        plan.changes
            .iter()
            .flat_map(|change| {
                change.policies.iter().map(|said| line(&said.policy, &change.id.to_string()))
            })
            .collect(),
    );
    let settings = plan.refused.iter().map(|refusal| refusal.setting.clone()).collect();
    compare("refused", expect.refused.as_deref().map(lines), settings);
    let undeclared = plan.undeclared.iter().map(|one| one.resource.to_string()).collect();
    compare("undeclared", expect.undeclared.as_deref().map(lines), undeclared);
    failures
}

fn lines(words: &[Line]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn pairs(map: &BTreeMap<String, Vec<Line>>) -> Vec<String> {
    let of = |(key, words): (&String, &Vec<Line>)| {
        words.iter().map(|word| format!("{key}: {word}")).collect::<Vec<_>>()
    };
    map.iter().flat_map(of).collect()
}

fn counted(plan: &Plan, what: Count) -> usize {
    let summary = &plan.summary;
    match what {
        Count::Create => summary.create,
        Count::Update => summary.update,
        Count::Delete => summary.delete,
        Count::Replace => summary.replace,
        Count::Adopt => summary.adopt,
        Count::Rename => summary.rename,
        Count::Unchanged => summary.unchanged,
        Count::Blocked => summary.blocked,
        Count::Waiting => summary.waiting,
        Count::Undeclared => summary.undeclared,
        Count::Drifted => summary.drifted,
    }
}
