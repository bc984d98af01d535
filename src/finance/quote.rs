//! The refund of one reservation on a day: prorate, fee, cap, each step rounded and told.

use crate::finance::QuoteError;
use crate::finance::billing::{Billing, instalments};
use crate::finance::cap::{Asked, CapState, capped};
use crate::finance::policy::{Credit, Row};
use crate::finance::rounding::{money, percent, share, within_bounds};
use crate::finance::run::Run;
use crate::finance::terms::{Held, Terms, Use};
use crate::model::day::Day;
use crate::model::money::show;
use crate::model::{Currency, Money};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What comes back when a reservation is cancelled on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl quote refund -o json")]
pub struct Quote {
    /// `Reservation/name`.
    pub reservation: String,
    /// The day of the cancellation, in UTC.
    pub at: Day,
    /// The rules by which it was made.
    pub policy_set: String,
    /// Days since the purchase, whose day is 0.
    pub days_since_purchase: i64,
    /// True when it counts as used.
    pub used: bool,
    /// The price of the whole term.
    pub price: Money,
    /// What comes back before the fee and the cap.
    pub prorated: Money,
    /// The early-termination fee.
    pub fee: Money,
    /// What comes back.
    pub refund: Money,
    /// What would come back but for the cap.
    pub forfeited: Money,
    /// What is still to be paid, when less was paid than was used.
    pub due: Money,
    /// The commitment that ends.
    pub cancelled_commitment: Money,
    /// The cap before this cancellation; null when the rules have none.
    pub cap: Option<CapState>,
    /// What was taken to be so.
    pub assumptions: Vec<String>,
    /// How it was reckoned, in order.
    pub steps: Vec<String>,
}

/// Quotes the refund of a reservation on a day.
///
/// Days are UTC calendar days; the order is prorate, fee, cap, with half away from zero to the minor
/// units at each step (domain.md 3).
///
/// # Errors
/// When it was not bought yet or has expired, when a rate is missing, when the cap refuses it.
pub fn refund(held: &Held, at: NaiveDate, terms: &Terms<'_>) -> Result<Quote, QuoteError> {
    let price = within_bounds(held.price)?;
    let currency = held.price.currency;
    let run = Run::of(held, at)?;
    let used = held.usage != Use::Unused;
    let row = terms.policy.row(run.days, used)?;
    let mut steps = vec![run.told(held, at)];
    let prorated = credit(row, price, run, currency, &mut steps);
    let fee = percent(prorated, row.fee_percent.value(), currency);
    steps.push(format!(
        "early-termination fee: {} % of {} = {}",
        row.fee_percent,
        show(prorated, currency),
        show(fee, currency)
    ));
    let back = coming_back(held, at, (price, prorated, fee), &mut steps);
    let due = (-back).max(Decimal::ZERO);
    let wanted = back.max(Decimal::ZERO);
    let (cap, refund) = match &terms.policy.cap {
        None => (None, wanted),
        Some(cap) => {
            let asked = Asked { reservation: &held.name, at, currency, wanted, prorated };
            let (state, refund) = capped(cap, &asked, terms, &mut steps)?;
            (Some(state), refund)
        }
    };
    let forfeited = wanted - refund;
    Ok(Quote {
        reservation: held.name.clone(),
        at: at.into(),
        policy_set: terms.policy.name.to_string(),
        days_since_purchase: run.days,
        used,
        price: held.price,
        prorated: money(prorated, currency)?,
        fee: money(fee, currency)?,
        refund: money(refund, currency)?,
        forfeited: money(forfeited, currency)?,
        due: money(due, currency)?,
        cancelled_commitment: money(prorated, currency)?,
        cap,
        assumptions: use_assumed(held).chain(assumptions(held, at, terms)).collect(),
        steps,
    })
}

/// That a use nobody knows of counts as one. Exchanges do not ask: they carry no fee.
fn use_assumed(held: &Held) -> impl Iterator<Item = String> {
    let name = &held.name;
    let unknown = held.usage == Use::Unknown;
    unknown.then(|| format!("whether {name} was used is not known: it counts as used")).into_iter()
}

/// What comes back before the fee.
fn credit(
    row: &Row,
    price: Decimal,
    run: Run,
    currency: Currency,
    steps: &mut Vec<String>,
) -> Decimal {
    let whole = show(price, currency);
    match row.credit {
        Credit::Full => {
            steps.push(format!("all of the price comes back: {whole} {currency}"));
            price
        }
        Credit::Prorated => {
            let part = share(price, run.remaining, run.total, currency);
            let shown = show(part, currency);
            let Run { remaining, total, .. } = run;
            steps.push(format!("prorated: {whole} × {remaining} / {total} = {shown} {currency}"));
            part
        }
    }
}

/// What comes back before the cap; below zero it is due.
///
/// Paid monthly, instalments that are not due yet are cancelled and not refunded.
fn coming_back(
    held: &Held,
    at: NaiveDate,
    (price, prorated, fee): (Decimal, Decimal, Decimal),
    steps: &mut Vec<String>,
) -> Decimal {
    let currency = held.price.currency;
    let show = |value: Decimal| show(value, currency);
    if held.billing == Billing::Upfront {
        let back = prorated - fee;
        steps.push(format!("{} − {} = {} {currency}", show(prorated), show(fee), show(back)));
        return back;
    }
    let paid = paid(held, price, at);
    let consumed = price - prorated;
    let back = paid - consumed - fee;
    steps.push(format!(
        "paid monthly: {} paid − {} used − {} fee = {} {currency}",
        show(paid),
        show(consumed),
        show(fee),
        show(back)
    ));
    back
}

/// What was paid until a day, that day's instalment with it.
pub(super) fn paid(held: &Held, price: Decimal, at: NaiveDate) -> Decimal {
    match held.billing {
        Billing::Upfront => price,
        Billing::Monthly => instalments(price, held.price.currency, held.purchased_on, held.term)
            .into_iter()
            .filter(|(due_on, _)| *due_on <= at)
            .map(|(_, part)| part)
            .sum(),
    }
}

/// What is taken to be so without being known.
pub(super) fn assumptions(held: &Held, at: NaiveDate, terms: &Terms<'_>) -> Vec<String> {
    let mut assumptions = Vec::new();
    if terms.policy.todays_price == Some(true) {
        let message = "today's price is not known: it is taken to be no lower than the price paid";
        assumptions.push(message.to_owned());
    }
    if held.billing == Billing::Monthly {
        assumptions.push(format!("every instalment due until {at} was paid"));
    }
    assumptions
}
