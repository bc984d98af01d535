//! What a plan means in money, per currency.

use crate::finance::Billing;
use crate::kinds::{KindEntry, Liability, Transition, World, reservation};
use crate::model;
use crate::model::money::{Totals, show};
use crate::model::{Currency, Spec};
use crate::plan::PlanInput;
use crate::plan::change::{Change, Money, MoneyEffect, customers_of};
use crate::plan::draft::Draft;
use crate::plan::judge::Worlds;
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// The money effect of one change.
#[must_use]
pub fn effect(
    entry: &KindEntry,
    draft: &Draft,
    transition: &Transition<'_>,
    after: &World,
) -> Money {
    let monthly = |spec: Option<&Spec>| entry.monthly.and_then(|monthly| monthly(spec?));
    let (before, then) = (monthly(transition.before), monthly(transition.after));
    let mut money = Money::new();
    if before != then {
        let (mut old, mut new) = (Totals::default(), Totals::default());
        before.into_iter().for_each(|amount| old.add(amount));
        then.into_iter().for_each(|amount| new.add(amount));
        put_monthly(&mut money, &old, &new);
    }
    if let Some(Liability::Unlimited(currency)) = (entry.liability)(transition, after) {
        put_liability(&mut money, currency);
    }
    settled(&mut money, draft, transition);
    money
}

/// What a reservation costs once and what comes back. What is paid in instalments is answered for
/// and not paid once.
fn settled(money: &mut Money, draft: &Draft, transition: &Transition<'_>) {
    let some =
        |money: model::Money| (!money.amount.value().is_zero()).then(|| money.amount.to_string());
    if let Some(quote) = &draft.refund {
        let effect = money.entry(quote.price.currency.to_string()).or_default();
        effect.one_time = some(quote.due);
        effect.refund = Some(quote.refund.amount.to_string());
        effect.fee = Some(quote.fee.amount.to_string());
        effect.forfeited = some(quote.forfeited);
    } else if let Some(quote) = &draft.exchange {
        let effect = money.entry(quote.price.currency.to_string()).or_default();
        put_price(effect, transition.after, quote.payable);
        effect.refund = some(quote.credited);
    } else if reservation::buys(transition)
        && let Some(price) = transition.after.and_then(|spec| spec.get("price"))
        && let Some(price) = model::Money::from_value(price)
    {
        let effect = money.entry(price.currency.to_string()).or_default();
        put_price(effect, transition.after, price);
    }
}

/// What is paid for a reservation: once, or in parts as they come.
fn put_price(effect: &mut MoneyEffect, bought: Option<&Spec>, price: model::Money) {
    let amount = Some(price.amount.to_string());
    match Billing::from_text(bought.and_then(|spec| spec.text("billingPlan"))) {
        Billing::Upfront => effect.one_time = amount,
        Billing::Monthly => effect.liability = amount,
    }
}

fn put_monthly(money: &mut Money, before: &Totals, after: &Totals) {
    let currencies: BTreeSet<Currency> =
        before.iter().chain(after.iter()).map(|(currency, _)| currency).collect();
    for currency in currencies {
        let effect = money.entry(currency.to_string()).or_default();
        effect.monthly_before = Some(show(before.of(currency), currency));
        effect.monthly_after = Some(show(after.of(currency), currency));
    }
}

/// The liability of who pays for whatever is bought.
pub(crate) const UNLIMITED: &str = "unlimited";

/// A customer whose currency is not known opens its liability under `XXX`, ISO 4217 for "no
/// currency".
fn put_liability(money: &mut Money, currency: Option<Currency>) {
    let code = currency.map_or_else(|| "XXX".to_owned(), |currency| currency.to_string());
    money.entry(code).or_default().liability = Some(UNLIMITED.to_owned());
}

/// An amount of a plan as a number; none is zero.
pub(crate) fn number(text: &Option<String>) -> Decimal {
    text.as_deref().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn add_apart(totals: &mut Money, effect: &Money) {
    for (code, effect) in effect {
        let Ok(currency) = Currency::from_text(code) else { continue };
        let total = totals.entry(code.clone()).or_default();
        for (sum, more) in [
            (&mut total.monthly_before, &effect.monthly_before),
            (&mut total.monthly_after, &effect.monthly_after),
        ] {
            *sum = Some(show(number(sum).saturating_add(number(more)), currency));
        }
    }
}

/// Adds what is paid or comes back once, and what is answered for: once that is without limit, it
/// stays so.
fn add_once(totals: &mut Money, code: &str, effect: &MoneyEffect) {
    let MoneyEffect { one_time, refund, fee, forfeited, liability, .. } = effect;
    if [one_time, refund, fee, forfeited, liability].iter().all(|amount| amount.is_none()) {
        return;
    }
    let total = totals.entry(code.to_owned()).or_default();
    if liability.as_deref() == Some(UNLIMITED) || total.liability.as_deref() == Some(UNLIMITED) {
        total.liability = Some(UNLIMITED.to_owned());
    } else {
        add(&mut total.liability, liability, code);
    }
    add(&mut total.one_time, one_time, code);
    add(&mut total.refund, refund, code);
    add(&mut total.fee, fee, code);
    add(&mut total.forfeited, forfeited, code);
}

fn add(sum: &mut Option<String>, more: &Option<String>, code: &str) {
    let Ok(currency) = Currency::from_text(code) else { return };
    if more.is_some() {
        *sum = Some(show(number(sum).saturating_add(number(more)), currency));
    }
}

/// Totals over the customers that the plan touches.
#[must_use]
pub fn totals(input: &PlanInput, changes: &[Change], worlds: &Worlds) -> Money {
    let touched = customers_of(changes);
    let sum = |world: &World| {
        let mut totals = Totals::default();
        let kinds = input.kinds.iter();
        for (kind, monthly) in kinds.filter_map(|entry| Some((entry.facts.kind, entry.monthly?))) {
            let spend = touched.iter().flat_map(|customer| world.referrers(customer, Some(kind)));
            spend.filter_map(|one| monthly(&one.spec)).for_each(|money| totals.add(money));
        }
        totals
    };
    let mut money = Money::new();
    put_monthly(&mut money, &sum(&worlds.before), &sum(&worlds.after));
    for change in changes.iter().filter(|change| change.proceeds()) {
        // Of a customer that nobody can see the totals are not known, but the change is.
        if change.customer.is_none() {
            add_apart(&mut money, &change.money);
        }
        for (code, effect) in &change.money {
            add_once(&mut money, code, effect);
        }
    }
    money
}
