//! An exchange: what is left of old reservations goes toward the price of a new one.
//!
//! It carries no fee and never counts toward a cap (domain.md 3).

use crate::finance::QuoteError;
use crate::finance::quote::{assumptions, paid};
use crate::finance::rounding::{money, share, within_bounds};
use crate::finance::run::Run;
use crate::finance::terms::{Held, Terms};
use crate::model::Money;
use crate::model::day::Day;
use crate::model::money::show;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reservation that takes the place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it is called.
    pub name: String,
    /// The price of its whole term and quantity.
    pub price: Money,
    /// The type of its product.
    pub product: String,
}

/// What an exchange on a day costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl quote exchange -o json")]
pub struct ExchangeQuote {
    /// The new reservation.
    pub reservation: String,
    /// The day, in UTC.
    pub at: Day,
    /// The rules by which it was made.
    pub policy_set: String,
    /// The price of the new one.
    pub price: Money,
    /// The reservations that go.
    pub returned: Vec<Returned>,
    /// What is to be paid beyond what comes back.
    pub payable: Money,
    /// What comes back beyond the new price, to the partner's account.
    pub credited: Money,
    /// What was taken to be so.
    pub assumptions: Vec<String>,
    /// How it was reckoned, in order.
    pub steps: Vec<String>,
}

/// A reservation that goes in an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Returned {
    /// `Reservation/name`.
    pub reservation: String,
    /// Days since its purchase.
    pub days_since_purchase: i64,
    /// Its price.
    pub price: Money,
    /// The price of the days that remain: the commitment that ends.
    pub prorated: Money,
    /// What of it goes toward the new price.
    pub credit: Money,
    /// What is still to be paid for it, when less was paid than was used.
    pub due: Money,
}

/// Quotes an exchange on a day.
///
/// # Errors
/// When an old one is named twice, was not bought yet or has expired, when currencies differ, when
/// the rules do not let these be exchanged.
pub fn exchange(
    olds: &[Held],
    new: &Wanted,
    at: NaiveDate,
    terms: &Terms<'_>,
) -> Result<ExchangeQuote, QuoteError> {
    let currency = new.price.currency;
    let price = within_bounds(new.price)?;
    let (mut returned, mut steps, mut assumed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut net, mut remaining) = (price, Decimal::ZERO);
    for (number, old) in olds.iter().enumerate() {
        if olds[..number].iter().any(|earlier| earlier.name == old.name) {
            return Err(QuoteError::NamedTwice { reservation: old.name.clone() });
        }
        fits(old, new, terms)?;
        let (one, credit) = give_back(old, at, &mut steps)?;
        net -= credit;
        remaining += one.prorated.amount.value();
        returned.push(one);
        for assumption in assumptions(old, at, terms) {
            if !assumed.contains(&assumption) {
                assumed.push(assumption);
            }
        }
    }
    let rules = terms.policy.exchange.unwrap_or_default();
    if rules.at_least_remaining == Some(true) && price < remaining {
        let remaining = money(remaining, currency)?;
        return Err(QuoteError::BelowRemaining {
            new: new.name.clone(),
            price: new.price,
            remaining,
        });
    }
    steps.push(format!(
        "new price: {} − {} = {} {currency}",
        show(price, currency),
        show(price - net, currency),
        show(net, currency)
    ));
    Ok(ExchangeQuote {
        reservation: new.name.clone(),
        at: at.into(),
        policy_set: terms.policy.name.to_string(),
        price: new.price,
        returned,
        payable: money(net.max(Decimal::ZERO), currency)?,
        credited: money((-net).max(Decimal::ZERO), currency)?,
        assumptions: assumed,
        steps,
    })
}

/// What an old one gives: the price of the days that remain, less what was not paid yet.
fn give_back(
    old: &Held,
    at: NaiveDate,
    steps: &mut Vec<String>,
) -> Result<(Returned, Decimal), QuoteError> {
    let currency = old.price.currency;
    let price = within_bounds(old.price)?;
    let run = Run::of(old, at)?;
    let prorated = share(price, run.remaining, run.total, currency);
    let credit = paid(old, price, at) - (price - prorated);
    steps.push(format!("{} was {}", old.name, run.told(old, at)));
    steps.push(format!(
        "{}: {} × {} / {} = {} {currency} left, {} {currency} toward the new price",
        old.name,
        show(price, currency),
        run.remaining,
        run.total,
        show(prorated, currency),
        show(credit, currency)
    ));
    let returned = Returned {
        reservation: old.name.clone(),
        days_since_purchase: run.days,
        price: old.price,
        prorated: money(prorated, currency)?,
        credit: money(credit.max(Decimal::ZERO), currency)?,
        due: money((-credit).max(Decimal::ZERO), currency)?,
    };
    Ok((returned, credit))
}

fn fits(old: &Held, new: &Wanted, terms: &Terms<'_>) -> Result<(), QuoteError> {
    let (new_currency, old_currency) = (new.price.currency, old.price.currency);
    if new_currency != old_currency {
        let (new, old) = (new.name.clone(), old.name.clone());
        return Err(QuoteError::OtherCurrency { new, new_currency, old, old_currency });
    }
    let rules = terms.policy.exchange.unwrap_or_default();
    if rules.same_product_type == Some(true) && old.product != new.product {
        return Err(QuoteError::OtherProduct {
            new: new.name.clone(),
            new_product: new.product.clone(),
            old: old.name.clone(),
            old_product: old.product.clone(),
        });
    }
    Ok(())
}
