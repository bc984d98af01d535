//! The cap on refunds: what earlier cancellations of a customer left of it, and what that lets come
//! back.

use crate::finance::QuoteError;
use crate::finance::policy::{Cap, Counts};
use crate::finance::rounding::{cut_off, money, within_bounds};
use crate::finance::terms::Terms;
use crate::model::money::show;
use crate::model::term::months_before;
use crate::model::{Currency, Money};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A cap before a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapState {
    /// The limit.
    pub limit: Money,
    /// What earlier cancellations within the window took of it.
    pub used: Money,
    /// What is left.
    pub remaining: Money,
}

/// What is asked of a cap.
pub(super) struct Asked<'a> {
    /// Of which reservation.
    pub(super) reservation: &'a str,
    /// On which day.
    pub(super) at: NaiveDate,
    /// In which currency the amounts are.
    pub(super) currency: Currency,
    /// What would come back without it.
    pub(super) wanted: Decimal,
    /// The commitment that ends.
    pub(super) prorated: Decimal,
}

/// The cap before the cancellation, and what it lets come back.
pub(super) fn capped(
    cap: &Cap,
    asked: &Asked<'_>,
    terms: &Terms<'_>,
    steps: &mut Vec<String>,
) -> Result<(CapState, Decimal), QuoteError> {
    let Asked { reservation, at, currency, wanted, prorated } = *asked;
    let state = state(cap, at, terms)?;
    let limit = cap.limit.currency;
    steps.push(format!(
        "cap of {} in {} months: {} used since {}, {} left",
        cap.limit,
        cap.months,
        show(state.used.amount.value(), limit),
        months_before(at, cap.months.get()).succ_opt().unwrap_or(at),
        show(state.remaining.amount.value(), limit)
    ));
    let counted = match cap.counts {
        Counts::RefundsPaid => wanted,
        Counts::CancelledCommitment => prorated,
    };
    let rate = terms.rates.on(at, currency, limit)?;
    let converted = terms.rates.convert(at, counted, currency, limit)?;
    if let Some(rate) = rate {
        steps.push(format!(
            "rate of {}: 1 {currency} is {} {limit}, so that {} {currency} are {} {limit}",
            rate.on,
            rate.rate,
            show(counted, currency),
            show(converted, limit)
        ));
    }
    let remaining = state.remaining.amount.value();
    if converted <= remaining {
        return Ok((state, wanted));
    }
    if cap.counts == Counts::CancelledCommitment {
        return Err(QuoteError::OverCap {
            reservation: reservation.to_owned(),
            counted: money(converted, limit)?,
            remaining: state.remaining,
            limit: cap.limit,
            months: cap.months.get(),
        });
    }
    // Cut off and not rounded, so that it never goes past what is left.
    let left = rate.and_then(|rate| remaining.checked_div(rate.rate.value())).unwrap_or(remaining);
    let refund = cut_off(left, currency).min(wanted);
    steps.push(format!(
        "cut to what is left: {} come back, {} {currency} are forfeited",
        show(refund, currency),
        show(wanted - refund, currency)
    ));
    Ok((state, refund))
}

/// What earlier cancellations left of a cap: those after the same day some months before, until the
/// day itself.
///
/// # Errors
/// When a rate is missing for one of them.
fn state(cap: &Cap, at: NaiveDate, terms: &Terms<'_>) -> Result<CapState, QuoteError> {
    let currency = cap.limit.currency;
    let after = months_before(at, cap.months.get());
    let mut used = Decimal::ZERO;
    for earlier in terms.earlier.iter().filter(|earlier| after < earlier.on && earlier.on <= at) {
        let counted = match cap.counts {
            Counts::RefundsPaid => earlier.refund,
            Counts::CancelledCommitment => earlier.commitment,
        };
        let amount = within_bounds(counted)?;
        let in_limit = terms.rates.convert(earlier.on, amount, counted.currency, currency)?;
        used = used.saturating_add(in_limit);
    }
    let remaining = (cap.limit.amount.value() - used).max(Decimal::ZERO);
    Ok(CapState {
        limit: cap.limit,
        used: money(used, currency)?,
        remaining: money(remaining, currency)?,
    })
}
