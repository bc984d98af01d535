//! What is said of a plan, a policy and money in words, in the text and in comments alike.

use crate::kinds::AgentRole;
use crate::model::text::counted;
use crate::plan::change::{Change, Money, MoneyEffect, Plan};
use crate::plan::money::UNLIMITED;
use crate::plan::policy::{Effect, Matched, Ruling};
use rust_decimal::Decimal;

/// The counts in one sentence.
#[must_use]
pub fn sentence(plan: &Plan) -> String {
    let s = &plan.summary;
    let list = |pairs: &[(usize, &str)]| {
        let parts: Vec<_> = pairs
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        parts.join(", ")
    };
    let todo = list(&[
        (s.create, "to create"),
        (s.adopt, "to adopt"),
        (s.rename, "to rename"),
        (s.update, "to update"),
        (s.replace, "to replace"),
        (s.delete, "to delete"),
    ]);
    let held = list(&[(s.blocked, "blocked"), (s.waiting, "waiting")]);
    let rest = list(&[(s.unchanged, "unchanged"), (s.undeclared, "undeclared")]);
    let todo = if todo.is_empty() { "nothing to do".to_owned() } else { todo };
    let parts: Vec<_> = [todo, held, rest].into_iter().filter(|part| !part.is_empty()).collect();
    format!("Plan {}: {}", plan.id, parts.join("; "))
}

/// A policy that matches changes, with its place below a folder.
pub(in crate::plan) fn policy_line(matched: &Matched, folder: &str) -> String {
    let Matched { policy, effect, by, source, changes } = matched;
    let number = counted(*changes, "change");
    let does = match effect {
        Effect::Deny => format!("denies {number}"),
        Effect::RequireApproval => format!("holds {number} for approval{}", by_whom(*by)),
        Effect::Warn => format!("warns of {number}"),
    };
    format!("policy {policy} {does}  {folder}{source}")
}

/// What lies outside the selection, in words.
pub(in crate::plan) fn outside(number: usize) -> String {
    let lie = if number == 1 { "lies" } else { "lie" };
    format!("{} {lie} outside the selection", counted(number, "change"))
}

/// The money of a plan in lines.
#[must_use]
pub fn money_lines(money: &Money) -> Vec<String> {
    let mut lines = Vec::new();
    for (currency, effect) in money {
        if let (Some(before), Some(after)) = (&effect.monthly_before, &effect.monthly_after) {
            let change = if before == after {
                format!("{after} {currency}, as before")
            } else {
                format!("{before} → {after} {currency} ({})", difference(before, after))
            };
            lines.push(format!("Monthly budgets of the customers touched: {change}"));
        }
        for (what, amount) in [
            ("One-time cost", &effect.one_time),
            ("Refund", &effect.refund),
            ("Fee", &effect.fee),
            ("Forfeited", &effect.forfeited),
        ] {
            if let Some(amount) = amount {
                lines.push(format!("{what}: {amount} {currency}"));
            }
        }
        if let Some(amount) = effect.liability.as_ref().filter(|amount| *amount != UNLIMITED) {
            lines.push(format!("Liability: {amount} {currency} in monthly instalments"));
        } else if effect.liability.is_some() {
            let currency = if currency == "XXX" { "" } else { &format!(" in {currency}") };
            lines.push(format!(
                "Liability: the partner pays every reservation these customers buy{currency}, without limit"
            ));
        }
    }
    lines
}

pub(in crate::plan) fn difference(before: &str, after: &str) -> String {
    let number = |text: &str| text.parse::<Decimal>().unwrap_or_default();
    let difference = number(after) - number(before);
    if difference.is_sign_positive() { format!("+{difference}") } else { difference.to_string() }
}

/// What is paid once or in parts, and what comes back: words with amounts.
pub(in crate::plan) fn paid_once(effect: &MoneyEffect) -> Vec<(&'static str, &String)> {
    let in_parts = effect.liability.as_ref().filter(|amount| *amount != UNLIMITED);
    [
        ("to pay once", effect.one_time.as_ref()),
        ("to pay in monthly instalments", in_parts),
        ("comes back", effect.refund.as_ref()),
        ("early-termination fee", effect.fee.as_ref()),
        ("forfeited by the cap on refunds", effect.forfeited.as_ref()),
    ]
    .into_iter()
    .filter_map(|(what, amount)| Some((what, amount?)))
    .collect()
}

/// By which rules its figures were reckoned, and what was taken to be so.
pub(in crate::plan) fn reckoned(change: &Change) -> Vec<String> {
    let quotes = [
        change.refund.as_ref().map(|quote| (&quote.policy_set, &quote.assumptions)),
        change.exchange.as_ref().map(|quote| (&quote.policy_set, &quote.assumptions)),
    ];
    let told = quotes.into_iter().flatten().flat_map(|(policy, assumptions)| {
        let by = format!("reckoned by the refund policy {policy}");
        let assumed = assumptions.iter().map(|assumption| format!("assumed: {assumption}"));
        std::iter::once(by).chain(assumed)
    });
    told.collect()
}

/// What a policy asks for, in one line.
pub(in crate::plan) fn needs_approval(ruling: &Ruling) -> String {
    format!("needs approval{}: {}", by_whom(ruling.by), ruling.sentence())
}

fn by_whom(role: Option<AgentRole>) -> String {
    role.map(|role| format!(" by {}", role.with_article())).unwrap_or_default()
}
