//! A policy as `partnerctl.yaml` has it.

use super::Effect;
use crate::kinds::selector::Selector;
use crate::kinds::{AgentRole, Risk};
use crate::model::Money;
use crate::model::code;
use crate::model::problem::Finding;
use crate::model::scalar::Line;
use crate::plan::Action;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule over the changes of a plan: when a change is such, then do so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a policy, {name: …, match: {…}, effect: deny}"
)]
pub struct Policy {
    /// What plans call it; unique in the workspace.
    pub name: Line,
    /// Why it is there, for whoever reads the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Line>,
    /// The changes it is about: everything given must hold, of each list any one.
    #[serde(rename = "match")]
    pub matching: Match,
    /// What it does with them.
    pub effect: Effect,
    /// For requireApproval: the role that whoever approves must have. It is checked once the store
    /// has partner users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<AgentRole>,
    /// What the plan says of each; without it, the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Line>,
}

/// The changes that a policy is about: everything given must hold, of each list any one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "what to match, {kinds: [Budget], actions: [delete]}"
)]
pub struct Match {
    /// The kind is one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<Line>>,
    /// This is done with the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<Action>>,
    /// One of these fields differs, or one in it: `spec.monthly` stands for `spec.monthly.amount` too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<Line>>,
    /// The resource has these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Selector>,
    /// It belongs to one of these customers, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<Vec<Line>>,
    /// The customer it belongs to has these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_labels: Option<Selector>,
    /// It risks this, or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_at_least: Option<Risk>,
    /// The change alone moves so much money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<MoneyMatch>,
}

/// Money that a change moves: everything given must hold. Each list has one amount for each currency;
/// of a currency that is not in it, no amount matches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "money, {monthlyIncreaseOver: [{amount: 500, currency: EUR}]}"
)]
pub struct MoneyMatch {
    /// The monthly budget grows by more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_increase_over: Option<Vec<Money>>,
    /// The monthly budget shrinks by more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_decrease_over: Option<Vec<Money>>,
    /// More than this is paid once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_time_over: Option<Vec<Money>>,
    /// More than this comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_over: Option<Vec<Money>>,
    /// More than this is kept as a fee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_over: Option<Vec<Money>>,
    /// True: the partner answers for what the customer buys from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_liability: Option<bool>,
}

impl Policy {
    /// What it says of a change; may be empty.
    #[must_use]
    pub fn says(&self) -> String {
        let said = self.message.as_ref().or(self.description.as_ref());
        said.map(ToString::to_string).unwrap_or_default()
    }

    /// What is wrong with it beyond types; paths begin at the policy.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = self.matching.check();
        if self.by.is_some() && self.effect != Effect::RequireApproval {
            findings.push(Finding::new(
                code::INVALID_VALUE,
                "by",
                "`by` says who approves, and this policy asks for no approval",
                "remove `by`, or write `effect: requireApproval`",
            ));
        }
        findings
    }
}

impl Match {
    /// A match that says nothing would match everything, which nobody means by an empty block; and
    /// an empty list matches nothing.
    fn check(&self) -> Vec<Finding> {
        // Any risk will do.
        let Self { kinds, actions, fields, labels, customers, customer_labels, money, .. } = self;
        let wrong = |path: &str, message: &str, hint: &str| {
            Finding::new(code::INVALID_VALUE, path, message, hint)
        };
        let mut findings = Vec::new();
        if *self == Self::default() {
            findings.push(wrong(
                "match",
                "the match says nothing",
                "say which changes are meant; `riskAtLeast: reversible` means all of them",
            ));
        }
        for (path, is_empty) in [
            ("match.kinds", kinds.as_ref().is_some_and(Vec::is_empty)),
            ("match.actions", actions.as_ref().is_some_and(Vec::is_empty)),
            ("match.fields", fields.as_ref().is_some_and(Vec::is_empty)),
            ("match.customers", customers.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if is_empty {
                findings.push(wrong(path, "the list is empty", "name one, or leave it out"));
            }
        }
        for (path, selector) in
            [("match.labels", labels), ("match.customerLabels", customer_labels)]
        {
            findings.extend(selector.iter().flat_map(|selector| selector.check(path)));
        }
        findings.extend(money.iter().flat_map(MoneyMatch::check));
        findings
    }
}

impl MoneyMatch {
    /// The lists by their names.
    pub(super) fn lists(&self) -> [(&'static str, Option<&[Money]>); 5] {
        [
            ("monthlyIncreaseOver", self.monthly_increase_over.as_deref()),
            ("monthlyDecreaseOver", self.monthly_decrease_over.as_deref()),
            ("oneTimeOver", self.one_time_over.as_deref()),
            ("refundOver", self.refund_over.as_deref()),
            ("feeOver", self.fee_over.as_deref()),
        ]
    }

    fn check(&self) -> Vec<Finding> {
        let wrong = |path: &str, message: String, hint: &str| {
            Finding::new(code::INVALID_VALUE, path, message, hint)
        };
        let mut findings = Vec::new();
        if *self == Self::default() {
            let hint = "write monthlyIncreaseOver: [{amount: 500, currency: EUR}], or leave it out";
            findings.push(wrong("match.money", "no money is named".to_owned(), hint));
        }
        for (name, amounts) in self.lists() {
            let Some(amounts) = amounts else { continue };
            let path = format!("match.money.{name}");
            if amounts.is_empty() {
                findings.push(wrong(&path, "the list is empty".to_owned(), "name an amount"));
            }
            for (index, amount) in amounts.iter().enumerate() {
                if amounts[..index].iter().any(|other| other.currency == amount.currency) {
                    let path = format!("{path}.[{index}]");
                    let message = format!("{} has an amount already", amount.currency);
                    findings.push(wrong(&path, message, "keep one of them"));
                }
            }
        }
        findings
    }
}
