//! Refunds and exchanges once more, at the time of their effect: what is worse than the plan showed
//! is not done.

use crate::finance::{
    self, Cancelled, ExchangeQuote, Quote, QuoteError, RefundTerms, Terms, reading,
};
use crate::kinds::{ReferenceTo, reservation};
use crate::model::{Effect, KindName, Money, Observed, Value};
use crate::plan::Change;
use crate::provider::{Directory, ProviderError};
use chrono::NaiveDate;
use std::borrow::Cow;

/// The change with what it gives back and costs now.
///
/// # Errors
/// When that is worse than what was planned, or cannot be reckoned any more.
pub fn settled<'a>(
    change: &'a Change,
    directory: &Directory,
    refunds: &RefundTerms,
    at: NaiveDate,
) -> Result<Cow<'a, Change>, ProviderError> {
    if change.refund.is_none() && change.exchange.is_none() {
        return Ok(Cow::Borrowed(change));
    }
    let worse = |why: String| ProviderError::Worse { why };
    let mut now = change.clone();
    if let Some(shown) = &change.refund {
        let quote = refund(change, directory, refunds, at).map_err(|e| worse(e.to_string()))?;
        if quote.refund < shown.refund || quote.due > shown.due {
            return Err(worse(format!(
                "{} would come back and {} be due, where the plan showed {} and {}",
                quote.refund, quote.due, shown.refund, shown.due
            )));
        }
        now.refund = Some(Box::new(quote));
    }
    if let Some(shown) = &change.exchange {
        let quote = exchange(change, directory, refunds, at).map_err(|e| worse(e.to_string()))?;
        if quote.payable > shown.payable || quote.credited < shown.credited {
            return Err(worse(format!(
                "{} would be payable, where the plan showed {}",
                quote.payable, shown.payable
            )));
        }
        now.exchange = Some(Box::new(quote));
    }
    Ok(Cow::Owned(now))
}

/// Writes a refund into the state that a cancellation leaves: it counts for those that follow. Into
/// that of a purchase in exchange go the figures of the exchange.
pub fn note(effect: &mut Effect, change: &Change, directory: &Directory) {
    if let (Some(quote), Some(after)) = (&change.exchange, &mut effect.after) {
        let credit = quote.returned.iter().map(|old| old.credit.amount.value()).sum();
        if let Some(credit) = Money::of(credit, quote.price.currency) {
            after.set("exchangeCredit", credit.to_string().into());
        }
        after.set("exchangePayable", quote.payable.to_string().into());
    }
    let (Some(quote), Some(after)) = (&change.refund, &mut effect.after) else { return };
    after.set("cancelledOn", quote.at.to_string().into());
    after.set("refund", quote.refund.to_string().into());
    after.set("fee", quote.fee.to_string().into());
    after.set("cancelledCommitment", quote.cancelled_commitment.to_string().into());
    let thing = thing(change, directory);
    if let Some(customer) = thing.and_then(|thing| customer_of(thing, directory)) {
        after.set("customerRef", Value::one("external", customer.into()));
    }
}

fn thing<'a>(change: &Change, directory: &'a Directory) -> Option<&'a Observed> {
    directory.actual(&change.id.kind, change.external_id.as_deref()?)
}

fn refund(
    change: &Change,
    directory: &Directory,
    refunds: &RefundTerms,
    at: NaiveDate,
) -> Result<Quote, QuoteError> {
    let name = change.id.to_string();
    let gone = || QuoteError::Ended { reservation: name.clone() };
    let thing = thing(change, directory).ok_or_else(gone)?;
    let held = reading::returnable(&name, &thing.spec, at)?;
    let earlier = history(customer_of(thing, directory), directory);
    let policy = refunds.policies.on(at)?;
    finance::refund(&held, at, &Terms { policy, rates: &refunds.rates, earlier: &earlier })
}

fn exchange(
    change: &Change,
    directory: &Directory,
    refunds: &RefundTerms,
    at: NaiveDate,
) -> Result<ExchangeQuote, QuoteError> {
    let name = change.id.to_string();
    let gone = || QuoteError::Ended { reservation: name.clone() };
    let desired = change.desired.as_ref().map(|desired| &desired.spec).ok_or_else(gone)?;
    let mut olds = Vec::new();
    for old in reservation::exchanged_for(desired) {
        let name = old.to_string();
        let external_id = directory.row(&old).and_then(|row| row.external_id.as_deref());
        let thing = external_id.and_then(|id| directory.actual(&old.kind, id));
        let thing = thing.ok_or(QuoteError::Ended { reservation: name.clone() })?;
        olds.push(reading::returnable(&name, &thing.spec, at)?);
    }
    let wanted = reading::wanted(&name, desired).ok_or_else(gone)?;
    let policy = refunds.policies.on(at)?;
    let terms = Terms { policy, rates: &refunds.rates, earlier: &[] };
    finance::exchange(&olds, &wanted, at, &terms)
}

/// The external id of the customer of a reservation.
fn customer_of(reservation: &Observed, directory: &Directory) -> Option<String> {
    let spec = &reservation.spec;
    let external = |path: &str| spec.get(path)?.get("external")?.as_str().map(str::to_owned);
    if let Some(customer) = external("customerRef") {
        return Some(customer);
    }
    let subscription =
        directory.actual(&KindName::new("Subscription"), &external("subscriptionRef")?)?;
    let entry = directory.kinds.get("Subscription")?;
    match entry.facts.references.first()?.target(&subscription.spec)? {
        ReferenceTo::External(customer) => Some(customer),
        ReferenceTo::Resource(_) => None,
    }
}

/// The cancellations of a customer until now.
fn history(customer: Option<String>, directory: &Directory) -> Vec<Cancelled> {
    let Some(customer) = customer else { return Vec::new() };
    directory
        .things("Reservation")
        .filter_map(|thing| Some((thing, reading::cancelled(&thing.spec)?)))
        .filter(|(thing, _)| customer_of(thing, directory).as_ref() == Some(&customer))
        .map(|(_, cancelled)| cancelled)
        .collect()
}
