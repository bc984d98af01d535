//! Reservations as the store and manifests have them, read for what finance needs of them.

use crate::finance::billing::Billing;
use crate::finance::error::QuoteError;
use crate::finance::exchange::Wanted;
use crate::finance::policy::RefundPolicies;
use crate::finance::rates::Rates;
use crate::finance::terms::{Cancelled, Held, Use};
use crate::model::term::Term;
use crate::model::{Amount, Currency, Money, Spec, moment};
use chrono::NaiveDate;

/// By what a workspace reckons refunds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefundTerms {
    /// Which rules hold when.
    pub policies: RefundPolicies,
    /// What currencies are worth in each other.
    pub rates: Rates,
}

/// The day of an instant, or a day, that the outside reports.
fn day(text: &str) -> Option<NaiveDate> {
    Some(moment::parse(text).ok()?.date_naive())
}

/// What is there of a reservation, to be given back.
///
/// # Errors
/// When nothing of it is left: it was cancelled or exchanged, and paid back then. When something
/// that it cannot be reckoned without is not known.
pub fn returnable(name: &str, spec: &Spec, at: NaiveDate) -> Result<Held, QuoteError> {
    if let Some("Cancelled" | "Exchanged") = spec.text("state") {
        return Err(QuoteError::Ended { reservation: name.to_owned() });
    }
    held(name, spec, at)
        .map_err(|field| QuoteError::Unknown { reservation: name.to_owned(), field })
}

/// The field that is missing is the error.
fn held(name: &str, spec: &Spec, at: NaiveDate) -> Result<Held, &'static str> {
    Ok(Held {
        name: name.to_owned(),
        price: spec.get("price").and_then(Money::from_value).ok_or("price")?,
        purchased_on: spec.text("purchasedAt").and_then(day).ok_or("purchasedAt")?,
        term: spec.text("term").and_then(Term::from_text).ok_or("term")?,
        billing: Billing::from_text(spec.text("billingPlan")),
        usage: usage(spec, at),
        product: spec.text("product.type").unwrap_or_default().to_owned(),
    })
}

/// Whether it was used until a day: as the outside says, else by its utilization in percent. That it
/// was not used counts only until the day somebody looked.
fn usage(spec: &Spec, at: NaiveDate) -> Use {
    let seen_until = spec.text("utilizationOn").and_then(day);
    let percent = spec.text("utilization").and_then(|text| Amount::from_text(text).ok());
    match spec.text("used") {
        Some("true") => Use::Used,
        Some("false") if seen_until.is_none_or(|seen| at <= seen) => Use::Unused,
        _ if percent.is_some_and(|percent| !percent.value().is_zero()) => Use::Used,
        _ => Use::Unknown,
    }
}

/// One that takes the place of others, as it is declared.
#[must_use]
pub fn wanted(name: &str, spec: &Spec) -> Option<Wanted> {
    Some(Wanted {
        name: name.to_owned(),
        price: Money::from_value(spec.get("price")?)?,
        product: spec.text("product.type").unwrap_or_default().to_owned(),
    })
}

/// A cancellation in the past, as it was recorded; `None` for anything else.
#[must_use]
pub fn cancelled(spec: &Spec) -> Option<Cancelled> {
    if spec.text("state") != Some("Cancelled") {
        return None;
    }
    let refund = amount(spec.text("refund")?)?;
    let commitment = spec.text("cancelledCommitment").and_then(amount).unwrap_or(refund);
    Some(Cancelled { on: spec.text("cancelledOn").and_then(day)?, refund, commitment })
}

/// Money as one text, `8939.83 EUR`.
fn amount(text: &str) -> Option<Money> {
    let (amount, currency) = text.split_once(' ')?;
    let currency = Currency::from_text(currency).ok()?;
    Money::new(Amount::from_text(amount).ok()?, currency).ok()
}
