//! The rules once more, in whole cents of USD and with days counted one by one.

use chrono::{Datelike, NaiveDate};
use partnerctl::finance::{Billing, Use};
use partnerctl::model::term::Term;

pub struct Result {
    pub prorated: i128,
    pub fee: i128,
    pub refund: i128,
    pub forfeited: i128,
    pub due: i128,
}

/// Half away from zero; both are positive.
fn divide(amount: i128, by: i128) -> i128 {
    (2 * amount + by) / (2 * by)
}

pub fn months_on(day: NaiveDate, months: i32) -> NaiveDate {
    let month = day.month0() as i32 + months;
    let (year, month) = (day.year() + month.div_euclid(12), month.rem_euclid(12) as u32 + 1);
    let fitting = (1..=day.day()).rev();
    fitting.filter_map(|day| NaiveDate::from_ymd_opt(year, month, day)).next().unwrap()
}

fn days(from: NaiveDate, to: NaiveDate) -> i128 {
    let mut count = 0;
    let mut day = from;
    while day < to {
        day = day.succ_opt().unwrap();
        count += 1;
    }
    count
}

/// What was paid of a price until a day.
fn paid(price: i128, bought: NaiveDate, months: i32, billing: Billing, at: NaiveDate) -> i128 {
    let mut instalments = 0;
    while instalments < months && months_on(bought, instalments) <= at {
        instalments += 1;
    }
    match billing {
        Billing::Upfront => price,
        Billing::Monthly => divide(price * i128::from(instalments), i128::from(months)),
    }
}

/// What goes toward a new price: what was paid less what was used.
pub fn toward(
    price: i128,
    bought: NaiveDate,
    term: Term,
    billing: Billing,
    at: NaiveDate,
) -> Option<i128> {
    let months = if term == Term::P1Y { 12 } else { 36 };
    let end = months_on(bought, months);
    if at < bought || at >= end {
        return None;
    }
    let left = divide(price * days(at, end), days(bought, end));
    Some(paid(price, bought, months, billing, at) - (price - left))
}

pub fn refund(
    price: i128,
    bought: NaiveDate,
    term: Term,
    billing: Billing,
    usage: Use,
    at: NaiveDate,
    paid_out: &[(NaiveDate, i128)],
) -> Option<Result> {
    let months = if term == Term::P1Y { 12 } else { 36 };
    let end = months_on(bought, months);
    if at < bought || at >= end {
        return None;
    }
    let since = days(bought, at);
    let prorated = if since <= 5 && usage == Use::Unused {
        price
    } else {
        divide(price * days(at, end), days(bought, end))
    };
    let fee = if since <= 5 { 0 } else { divide(prorated * 12, 100) };
    let paid = paid(price, bought, months, billing, at);
    let back = paid - (price - prorated) - fee;
    let after = months_on(at, -12);
    let used: i128 =
        paid_out.iter().filter(|(on, _)| after < *on && *on <= at).map(|(_, cents)| cents).sum();
    let refund = back.max(0).min(5_000_000 - used);
    let forfeited = back.max(0) - refund;
    Some(Result { prorated, fee, refund, forfeited, due: (-back).max(0) })
}
