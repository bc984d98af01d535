//! When a refund becomes worse by itself: the free days are over, or other rules begin.

use crate::finance::policy::{Credit, RefundPolicies, Row};
use crate::finance::terms::{Held, Use};
use crate::model::day::Day;
use chrono::{Days, NaiveDate};
use std::collections::BTreeSet;

/// A day from which on less comes back than on the day before, beyond what a day of use costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The first day of the worse terms.
    pub on: NaiveDate,
    /// What ends, in a few words.
    pub what: String,
}

/// The days within a term from which on the rules in force give back less of a reservation. What is
/// not known to be unused counts as used, as in quotes.
#[must_use]
pub fn closings(held: &Held, policies: &RefundPolicies) -> Vec<Closing> {
    let ends = held.term.end(held.purchased_on);
    let row = |on: NaiveDate| {
        let days = (on - held.purchased_on).num_days();
        policies.on(on).and_then(|set| set.row(days, held.usage != Use::Unused)).ok().copied()
    };
    let after = |days: u32| held.purchased_on.checked_add_days(Days::new(u64::from(days) + 1));
    let free = policies.free_days().filter_map(after);
    let candidates: BTreeSet<NaiveDate> = free.chain(policies.begins().map(Day::date)).collect();
    let within = candidates.into_iter().filter(|on| held.purchased_on < *on && *on < ends);
    within
        .filter_map(|on| Some(Closing { on, what: worse(row(on.pred_opt()?)?, row(on)?)? }))
        .collect()
}

/// What ends from one row to the next.
fn worse(before: Row, then: Row) -> Option<String> {
    let mut words = Vec::new();
    if (before.credit, then.credit) == (Credit::Full, Credit::Prorated) {
        words.push("the full refund ends".to_owned());
    }
    if then.fee_percent.value() > before.fee_percent.value() {
        words.push(match before.fee_percent.value().is_zero() {
            true => format!("a refund fee of {} % begins", then.fee_percent),
            false => format!("the refund fee rises to {} %", then.fee_percent),
        });
    }
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::closings;
    use crate::finance::policy::Choice;
    use crate::finance::{Billing, Held, RefundPolicies, Use};
    use crate::model::day::Day;
    use crate::model::scalar::Line;
    use crate::model::term::Term;
    use crate::model::{Amount, Currency, Money};

    fn told(usage: Use, chosen: &[(&str, &str)]) -> Vec<String> {
        let eur = Currency::from_text("EUR").unwrap();
        let held = Held {
            name: "Reservation/web".to_owned(),
            price: Money::new(Amount::from_text("100.00").unwrap(), eur).unwrap(),
            purchased_on: "2026-06-10".parse().unwrap(),
            term: Term::P1Y,
            billing: Billing::Upfront,
            usage,
            product: String::new(),
        };
        let choices = chosen.iter().map(|(from, policy)| Choice {
            from: Day::from_text(from).unwrap(),
            policy: Line::from_text(policy).unwrap(),
        });
        let policies = RefundPolicies::default().with(Vec::new(), choices.collect());
        closings(&held, &policies).iter().map(|one| format!("{} {}", one.on, one.what)).collect()
    }

    #[test]
    fn the_fee_begins_on_the_sixth_day_and_the_full_refund_of_what_was_not_used_ends_with_it() {
        assert_eq!(told(Use::Used, &[]), ["2026-06-16 a refund fee of 12 % begins"]);
        assert_eq!(told(Use::Unknown, &[]), ["2026-06-16 a refund fee of 12 % begins"]);
        let unused = told(Use::Unused, &[]);
        assert_eq!(unused, ["2026-06-16 the full refund ends, a refund fee of 12 % begins"]);
    }

    #[test]
    fn the_rules_in_force_on_the_day_count_and_their_change_does_too() {
        let free = [("2026-06-01", "terms-2026-08")];
        assert!(told(Use::Unused, &free).is_empty(), "there is no fee under these terms");
        let back = [("2026-06-01", "terms-2026-08"), ("2026-09-01", "documents")];
        assert_eq!(told(Use::Used, &back), ["2026-09-01 a refund fee of 12 % begins"]);
        let later = [("2027-06-10", "documents")];
        assert_eq!(told(Use::Used, &later), told(Use::Used, &[]), "the term is over then");
    }
}
