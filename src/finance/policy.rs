//! Refund policies: the rules of a time as data, and which of them hold on a day.

use crate::finance::QuoteError;
use crate::model::day::Day;
use crate::model::problem::Finding;
use crate::model::scalar::Line;
use crate::model::{Amount, Money, code};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;
use std::num::NonZeroU32;

/// The sets compiled into the binary.
const KNOWN: &str = include_str!("policies.yaml");

/// Longer windows than this are a mistake: no reservation lives so long.
const MONTHS_MAX: u32 = 120;

/// The rules of a time for refunds and exchanges (domain.md 3).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a refund policy, {name: …, rows: […]}"
)]
pub struct PolicySet {
    /// By which quotes name it.
    pub name: Line,
    /// Where it comes from, for people.
    pub about: Option<Line>,
    /// What comes back; the first row that fits holds, and the last one has no conditions.
    pub rows: Vec<Row>,
    /// The most within a window of time; without it there is no cap.
    pub cap: Option<Cap>,
    /// True when the lower of the price paid and today's price counts. Today's price is not known
    /// here, so that a quote takes the price paid and says so.
    pub todays_price: Option<bool>,
    /// What an exchange must keep to.
    pub exchange: Option<ExchangeRules>,
}

/// What comes back of one reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a row, {credit: Prorated, feePercent: \"12\"}"
)]
pub struct Row {
    /// Fits this many days after the purchase and before; without it any number.
    pub days: Option<u32>,
    /// Fits a reservation that was used, or one that was not; without it both.
    pub used: Option<bool>,
    /// What comes back before the fee.
    pub credit: Credit,
    /// The early-termination fee in percent of that.
    pub fee_percent: Amount,
}

/// What comes back before the fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Credit {
    /// All of the price.
    Full,
    /// The price of the days that remain.
    Prorated,
}

/// The most within a window of time, of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a cap, {limit: {amount: \"50000.00\", currency: USD}, months: 12, counts: RefundsPaid}"
)]
pub struct Cap {
    /// The limit.
    pub limit: Money,
    /// How far back it counts.
    pub months: NonZeroU32,
    /// What counts toward it.
    pub counts: Counts,
}

/// What counts toward a cap, and so what happens beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Counts {
    /// Refunds that were paid; what goes past the limit is forfeited.
    RefundsPaid,
    /// Commitment that was cancelled; a cancellation that goes past the limit is refused.
    CancelledCommitment,
}

/// What an exchange must keep to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "exchange rules, {sameProductType: true}"
)]
pub struct ExchangeRules {
    /// Old and new are of one type of product.
    pub same_product_type: Option<bool>,
    /// The new one costs at least what is left of the old ones.
    pub at_least_remaining: Option<bool>,
}

/// From which day a set holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a choice, {from: 2026-11-02, policy: terms-2026-08}")]
pub struct Choice {
    /// The first day.
    pub from: Day,
    /// The name of the set.
    pub policy: Line,
}

impl PolicySet {
    /// The row for a number of days since the purchase.
    ///
    /// # Errors
    /// When none fits.
    pub fn row(&self, days: i64, used: bool) -> Result<&Row, QuoteError> {
        let fits = |row: &&Row| {
            row.days.is_none_or(|most| days <= i64::from(most))
                && row.used.is_none_or(|wanted| wanted == used)
        };
        let none = || QuoteError::NoRow { policy: self.name.to_string(), days };
        self.rows.iter().find(fits).ok_or_else(none)
    }

    /// What is wrong with a set beyond its types; paths are below it.
    fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut wrong = |path: &str, message: &str, hint: &str| {
            findings.push(Finding::new(code::INVALID_VALUE, path, message, hint));
        };
        for (number, row) in self.rows.iter().enumerate() {
            let percent = row.fee_percent.value();
            if percent > Decimal::ONE_HUNDRED || percent.normalize().scale() > 4 {
                let hint = "write up to 100, with four digits after the point at most";
                wrong(&format!("rows.[{number}].feePercent"), "a fee is no such percentage", hint);
            }
        }
        if !self.rows.last().is_some_and(|row| row.days.is_none() && row.used.is_none()) {
            let hint = "end the rows with one that has neither `days` nor `used`";
            wrong("rows", "the last row has conditions, so that none may fit", hint);
        }
        if self.cap.is_some_and(|cap| cap.months.get() > MONTHS_MAX) {
            wrong("cap.months", "the window of a cap is longer than 120 months", "shorten it");
        }
        findings
    }
}

/// The policies of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPolicies {
    sets: Vec<PolicySet>,
    choices: Vec<Choice>,
}

impl Default for RefundPolicies {
    /// Those in the binary. None only if the file in it were not valid, which a test forbids.
    fn default() -> Self {
        Self { sets: serde_yaml::from_str(KNOWN).unwrap_or_default(), choices: Vec::new() }
    }
}

impl RefundPolicies {
    /// These with more sets, and with what holds from which day.
    #[must_use]
    pub fn with(mut self, sets: Vec<PolicySet>, mut choices: Vec<Choice>) -> Self {
        self.sets.extend(sets);
        choices.sort_by_key(|choice| choice.from);
        self.choices = choices;
        self
    }

    /// What is wrong with sets and choices of a workspace; paths are below `refunds`.
    #[must_use]
    pub fn check(sets: &[PolicySet], choices: &[Choice]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut known: Vec<String> = Self::default().names();
        for (number, set) in sets.iter().enumerate() {
            let at = format!("policies.[{number}]");
            if known.contains(&set.name.to_string()) {
                let message = format!("there is a policy `{}` already", set.name);
                let path = format!("{at}.name");
                let hint = "give it another name";
                findings.push(Finding::new(code::INVALID_VALUE, &path, message, hint));
            }
            known.push(set.name.to_string());
            findings.extend(set.check().into_iter().map(|finding| {
                let path = format!("{at}.{}", finding.path);
                Finding { path, ..finding }
            }));
        }
        for (number, choice) in choices.iter().enumerate() {
            let path = |field: &str| format!("use.[{number}].{field}");
            if !known.contains(&choice.policy.to_string()) {
                let name = choice.policy.to_string();
                let error = QuoteError::UnknownPolicy { name, known: known.clone() };
                let (message, hint) = (error.to_string(), error.hint());
                findings.push(Finding::new(code::UNKNOWN_VALUE, &path("policy"), message, hint));
            }
            if choices[..number].iter().any(|earlier| earlier.from == choice.from) {
                let message = format!("another policy holds from {} already", choice.from);
                let hint = "remove one";
                findings.push(Finding::new(code::INVALID_VALUE, &path("from"), message, hint));
            }
        }
        findings
    }

    /// The set of a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self, name: &str) -> Result<&PolicySet, QuoteError> {
        let unknown = || QuoteError::UnknownPolicy { name: name.to_owned(), known: self.names() };
        self.sets.iter().find(|set| set.name.to_string() == name).ok_or_else(unknown)
    }

    /// The set that holds on a day: the workspace's choice, else the first one.
    ///
    /// # Errors
    /// When the choice names no set.
    pub fn on(&self, day: NaiveDate) -> Result<&PolicySet, QuoteError> {
        let chosen = self.choices.iter().rev().find(|choice| choice.from.date() <= day);
        match (chosen, self.sets.first()) {
            (None, Some(first)) => Ok(first),
            (chosen, _) => self.named(&chosen.map(|c| c.policy.to_string()).unwrap_or_default()),
        }
    }

    /// The numbers of days after a purchase with which a row of some set ends.
    pub fn free_days(&self) -> impl Iterator<Item = u32> {
        self.sets.iter().flat_map(|set| &set.rows).filter_map(|row| row.days)
    }

    /// The days from which on another set may hold.
    pub fn begins(&self) -> impl Iterator<Item = Day> {
        self.choices.iter().map(|choice| choice.from)
    }

    fn names(&self) -> Vec<String> {
        self.sets.iter().map(|set| set.name.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Choice, RefundPolicies};
    use crate::model::day::Day;
    use crate::model::scalar::Line;

    fn choice(from: &str, policy: &str) -> Choice {
        Choice { from: Day::from_text(from).unwrap(), policy: Line::from_text(policy).unwrap() }
    }

    #[test]
    fn the_documents_table_holds_unless_the_workspace_chooses() {
        let known = RefundPolicies::default();
        assert_eq!(known.names(), ["documents", "terms-2026-08"]);
        assert!(RefundPolicies::check(&[], &[]).is_empty());
        assert!(known.sets.iter().all(|set| set.check().is_empty()));
        let chosen = known.with(Vec::new(), vec![choice("2026-08-01", "terms-2026-08")]);
        let on = |day: &str| chosen.on(day.parse().unwrap()).unwrap().name.to_string();
        assert_eq!(on("2026-07-31"), "documents");
        assert_eq!(on("2026-08-01"), "terms-2026-08");
    }

    #[test]
    fn a_policy_nobody_knows_is_refused_with_its_place() {
        let choices = [choice("2026-08-01", "terms"), choice("2026-08-01", "documents")];
        let found: Vec<_> = RefundPolicies::check(&[], &choices)
            .into_iter()
            .map(|f| format!("{}: {}; {}", f.path, f.message, f.hint))
            .collect();
        assert_eq!(
            found,
            [
                "use.[0].policy: there is no refund policy `terms`; known policies: documents, terms-2026-08",
                "use.[1].from: another policy holds from 2026-08-01 already; remove one",
            ]
        );
    }
}
