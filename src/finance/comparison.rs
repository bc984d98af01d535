//! Keep, cancel or exchange: what each means in money from a day on.

use crate::finance::billing::Billing;
use crate::finance::exchange::Wanted;
use crate::finance::quote::{assumptions, paid, refund};
use crate::finance::rounding::{money, share, within_bounds};
use crate::finance::run::Run;
use crate::finance::terms::{Held, Terms};
use crate::finance::{QuoteError, exchange};
use crate::model::Money;
use crate::model::day::Day;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may be done with a reservation, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl quote compare -o json")]
pub struct Comparison {
    /// `Reservation/name`.
    pub reservation: String,
    /// The day, in UTC.
    pub at: Day,
    /// The rules by which it was made.
    pub policy_set: String,
    /// Keep, cancel, and exchange where another was named.
    pub choices: Vec<Choice>,
    /// What was taken to be so.
    pub assumptions: Vec<String>,
}

/// One of the things that may be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// What is done.
    pub choice: What,
    /// The figures; null when the rules do not let it be done.
    pub figures: Option<Figures>,
    /// Why it cannot be done.
    pub refused: Option<String>,
}

/// What is done with a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum What {
    Keep,
    Cancel,
    Exchange,
}

/// What a choice means in money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// To be paid from now on.
    pub to_pay: Money,
    /// What comes back.
    pub comes_back: Money,
    /// The early-termination fee, which is taken off already.
    pub fee: Money,
    /// What the cap takes, which is taken off already.
    pub forfeited: Money,
    /// The price of what is reserved from now on.
    pub reserved: Money,
}

/// Compares keeping a reservation with cancelling it and with exchanging it for another.
///
/// # Errors
/// When it was not bought yet or has expired: then nothing can be chosen.
pub fn compare(
    held: &Held,
    new: Option<&Wanted>,
    at: NaiveDate,
    terms: &Terms<'_>,
) -> Result<Comparison, QuoteError> {
    let currency = held.price.currency;
    let price = within_bounds(held.price)?;
    let run = Run::of(held, at)?;
    let none = money(rust_decimal::Decimal::ZERO, currency)?;
    let left = money(share(price, run.remaining, run.total, currency), currency)?;
    let open = match held.billing {
        Billing::Upfront => none,
        Billing::Monthly => money(price - paid(held, price, at), currency)?,
    };
    let nothing =
        Figures { to_pay: none, comes_back: none, fee: none, forfeited: none, reserved: none };
    let keep = Figures { to_pay: open, reserved: left, ..nothing };
    let cancelled = refund(held, at, terms);
    let assumed = match &cancelled {
        Ok(quote) => quote.assumptions.clone(),
        Err(_) => assumptions(held, at, terms),
    };
    let cancel = cancelled.map(|quote| Figures {
        to_pay: quote.due,
        comes_back: quote.refund,
        fee: quote.fee,
        forfeited: quote.forfeited,
        ..nothing
    });
    let mut choices = vec![choice(What::Keep, Ok(keep)), choice(What::Cancel, cancel)];
    if let Some(new) = new {
        let quote = exchange(std::slice::from_ref(held), new, at, terms);
        let figures = quote.map(|quote| Figures {
            to_pay: quote.payable,
            comes_back: quote.credited,
            reserved: quote.price,
            ..nothing
        });
        choices.push(choice(What::Exchange, figures));
    }
    Ok(Comparison {
        reservation: held.name.clone(),
        at: at.into(),
        policy_set: terms.policy.name.to_string(),
        choices,
        assumptions: assumed,
    })
}

fn choice(choice: What, figures: Result<Figures, QuoteError>) -> Choice {
    match figures {
        Ok(figures) => Choice { choice, figures: Some(figures), refused: None },
        Err(error) => Choice { choice, figures: None, refused: Some(error.to_string()) },
    }
}
