//! The days of a reservation: when it was bought, when its term ends, and what comes of it then.

use crate::kinds::reservation::rules::is_active;
use crate::kinds::{AfterEnd, Block, Dated};
use crate::model::term::Term;
use crate::model::{Spec, code, moment};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// The day of an instant or a day that the outside reports, in UTC.
fn day(text: &str) -> Option<NaiveDate> {
    Some(moment::parse(text).ok()?.date_naive())
}

/// The day it was bought, as observed.
#[must_use]
pub fn purchased_on(spec: &Spec) -> Option<NaiveDate> {
    spec.text("purchasedAt").and_then(day)
}

/// The day it expires, as observed.
#[must_use]
pub fn expires_on(spec: &Spec) -> Option<NaiveDate> {
    let said = spec.text("expiresOn").and_then(day);
    said.or_else(|| Some(Term::from_text(spec.text("term")?)?.end(purchased_on(spec)?)))
}

/// What is wrong with the days that the outside reports.
pub(super) fn wrong(spec: &Spec) -> Option<String> {
    let wrong =
        ["purchasedAt", "expiresOn"].into_iter().find_map(|field| moment::wrong(spec, field));
    let turned = || match (purchased_on(spec), expires_on(spec)) {
        (Some(bought), Some(expires)) if expires <= bought => {
            Some(format!("it expires {expires}, and was bought {bought}"))
        }
        _ => None,
    };
    wrong.or_else(turned)
}

/// True when it renews by itself at the end of its term.
pub(super) fn renews(spec: &Spec) -> bool {
    spec.get("autoRenew").and_then(crate::model::Value::as_bool) == Some(true)
}

pub(super) fn has_ended(spec: &Spec, at: DateTime<Utc>) -> bool {
    !is_active(spec) || expires_on(spec).is_some_and(|expires| expires <= at.date_naive())
}

/// Nothing is ever bought again from an unchanged manifest (domain.md 3). What Azure renewed is
/// another order: it is taken over once somebody reports it.
pub(super) fn after_end(observed: &Spec, declared: &Spec) -> AfterEnd {
    let how = observed.text("state").unwrap_or("Active");
    match how {
        "Cancelled" | "Exchanged" if is_active(declared) => AfterEnd::Refused(Block::new(
            code::BLOCK_ENDED,
            format!("it was {}, and Active would buy it again", how.to_lowercase()),
            "declare `state: Cancelled`; to buy one again, declare it under a new name",
        )),
        "Cancelled" | "Exchanged" => AfterEnd::Rests(String::new()),
        _ => {
            let on = expires_on(observed).map(|day| format!(" {day}")).unwrap_or_default();
            AfterEnd::Rests(if renews(observed) {
                format!(
                    "its term ended{on} and it renews by itself: the new order is taken over once it \
                     is reported (`partnerctl ingest reservations`), and nothing is bought here"
                )
            } else {
                format!("it expired{on}; nothing is bought again by itself")
            })
        }
    }
}

/// The end of its term. Azure acts on what it has, so that what is observed counts first.
pub(super) fn dates(declared: &Spec, observed: Option<&Spec>) -> Vec<Dated> {
    let Some(there) = observed.filter(|spec| is_active(spec)) else { return Vec::new() };
    let Some(on) = expires_on(there) else { return Vec::new() };
    let renews = renews(if there.get("autoRenew").is_some() { there } else { declared });
    let what = if renews { "it renews at the price of the day" } else { "it expires" };
    vec![Dated { at: on.and_time(NaiveTime::MIN).and_utc(), what: what.to_owned() }]
}

#[cfg(test)]
mod tests {
    use super::{after_end, dates, has_ended, wrong};
    use crate::kinds::AfterEnd;
    use crate::model::Spec;
    use serde_json::{Value, json};

    fn spec(more: &Value) -> Spec {
        let mut spec = json!({"purchasedAt": "2028-02-29T23:30:00Z", "term": "P1Y"});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        Spec::from_value(spec)
    }

    fn dated(declared: &Value, observed: &Value) -> Vec<String> {
        let dates = dates(&spec(declared), Some(&spec(observed)));
        dates.into_iter().map(|date| format!("{} {}", date.at, date.what)).collect()
    }

    #[test]
    fn a_term_ends_in_an_expiry_or_in_a_renewal_as_azure_has_it() {
        let (expires, renews) = (
            "2029-02-28 00:00:00 UTC it expires",
            "2029-02-28 00:00:00 UTC it renews at the price of the day",
        );
        assert_eq!(dated(&json!({}), &json!({})), [expires]);
        assert_eq!(dated(&json!({}), &json!({"autoRenew": true})), [renews]);
        assert_eq!(dated(&json!({"autoRenew": true}), &json!({})), [renews]);
        assert_eq!(dated(&json!({"autoRenew": true}), &json!({"autoRenew": false})), [expires]);
        let told = dated(&json!({}), &json!({"expiresOn": "2029-03-15"}));
        assert_eq!(told, ["2029-03-15 00:00:00 UTC it expires"]);
    }

    #[test]
    fn what_has_ended_before_has_no_end_to_come() {
        for state in ["Cancelled", "Exchanged", "Expired"] {
            assert!(dated(&json!({}), &json!({"state": state})).is_empty(), "{state}");
        }
        assert!(dates(&spec(&json!({})), None).is_empty());
    }

    #[test]
    fn the_last_day_of_a_term_is_the_one_before_its_expiry() {
        let at = |text: &str| text.parse().unwrap();
        let there = spec(&json!({}));
        assert!(!has_ended(&there, at("2029-02-27T23:59:59Z")));
        assert!(has_ended(&there, at("2029-02-28T00:00:00Z")));
    }

    #[test]
    fn one_that_renews_is_awaited_and_not_said_to_be_over() {
        let note = |observed: &Value| match after_end(&spec(observed), &spec(&json!({}))) {
            AfterEnd::Rests(note) => note,
            AfterEnd::Refused(block) => block.message,
        };
        assert_eq!(note(&json!({})), "it expired 2029-02-28; nothing is bought again by itself");
        assert!(
            note(&json!({"autoRenew": true}))
                .starts_with("its term ended 2029-02-28 and it renews")
        );
        let cancelled = note(&json!({"state": "Cancelled", "autoRenew": true}));
        assert_eq!(cancelled, "it was cancelled, and Active would buy it again");
    }

    #[test]
    fn days_that_cannot_be_are_told() {
        let of = |more: &Value| wrong(&spec(more)).unwrap_or_default();
        assert_eq!(
            of(&json!({"expiresOn": "soon"})),
            "expiresOn is `soon`, neither a day nor an instant"
        );
        assert_eq!(
            of(&json!({"expiresOn": "2028-02-29"})),
            "it expires 2028-02-29, and was bought 2028-02-29"
        );
        assert_eq!(of(&json!({})), "");
    }
}
