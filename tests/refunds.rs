//! Refunds against the table of domain.md 3, against an implementation of their own in cents, and
//! over random histories.

use chrono::{Datelike, Days, NaiveDate};
use partnerctl::finance::billing::instalments;
use partnerctl::finance::{
    Billing, Cancelled, Held, Quote, QuoteError, Rate, Rates, RefundPolicies, Terms, Use, Wanted,
    compare, exchange, refund,
};
use partnerctl::model::day::Day;
use partnerctl::model::term::Term;
use partnerctl::model::{Amount, Currency, Money};
use proptest::prelude::*;
use rust_decimal::Decimal;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn money(amount: &str, currency: &str) -> Money {
    let currency = Currency::from_text(currency).unwrap();
    Money::new(Amount::from_text(amount).unwrap(), currency).unwrap()
}

fn held(price: &str, currency: &str, purchased_on: &str, usage: Use) -> Held {
    Held {
        name: "Reservation/web".to_owned(),
        price: money(price, currency),
        purchased_on: day(purchased_on),
        term: Term::P1Y,
        billing: Billing::Upfront,
        usage,
        product: "VirtualMachines".to_owned(),
    }
}

fn rate(on: &str, from: &str, rate: &str) -> Rate {
    Rate {
        on: Day::from_text(on).unwrap(),
        from: Currency::from_text(from).unwrap(),
        to: Currency::from_text("USD").unwrap(),
        rate: Amount::from_text(rate).unwrap(),
    }
}

fn quoted(
    held: &Held,
    at: &str,
    policy: &str,
    rates: &[Rate],
    earlier: &[Cancelled],
) -> Result<Quote, QuoteError> {
    let (policies, rates) = (RefundPolicies::default(), Rates::new(rates.to_vec()));
    let policy = policies.named(policy).unwrap();
    refund(held, day(at), &Terms { policy, rates: &rates, earlier })
}

/// `prorated fee refund forfeited due` of a quote.
fn figures(quote: &Quote) -> String {
    let Quote { prorated, fee, refund, forfeited, due, .. } = quote;
    let amounts = [prorated, fee, refund, forfeited, due].map(|money| money.amount.to_string());
    amounts.join(" ")
}

fn figures_on(held: &Held, at: &str) -> String {
    quoted(held, at, "documents", &[], &[]).map_or_else(|e| e.to_string(), |q| figures(&q))
}

#[test]
fn every_cell_of_the_table_of_the_documents_holds() {
    // 365 days at 10.00 a day.
    let of = |usage| held("3650.00", "USD", "2026-01-10", usage);
    let cells = [
        (Use::Unused, "2026-01-10", "3650.00 0.00 3650.00 0.00 0.00"),
        (Use::Unused, "2026-01-15", "3650.00 0.00 3650.00 0.00 0.00"),
        (Use::Used, "2026-01-15", "3600.00 0.00 3600.00 0.00 0.00"),
        (Use::Unused, "2026-01-16", "3590.00 430.80 3159.20 0.00 0.00"),
        (Use::Used, "2026-01-16", "3590.00 430.80 3159.20 0.00 0.00"),
        (Use::Unknown, "2026-01-15", "3600.00 0.00 3600.00 0.00 0.00"),
        (Use::Used, "2027-01-09", "10.00 1.20 8.80 0.00 0.00"),
    ];
    for (usage, at, expected) in cells {
        assert_eq!(figures_on(&of(usage), at), expected, "{usage:?} on {at}");
    }
    let used = of(Use::Used);
    assert_eq!(
        figures_on(&used, "2027-01-10"),
        "Reservation/web expired 2027-01-10: nothing of it is left on 2027-01-10"
    );
    assert_eq!(
        figures_on(&used, "2026-01-09"),
        "Reservation/web was bought 2026-01-10, after 2026-01-09"
    );
}

#[test]
fn a_quote_tells_each_step_and_what_it_took_to_be_so() {
    let web = held("12000.00", "EUR", "2026-10-01", Use::Unknown);
    let rates = [rate("2026-11-02", "EUR", "1.0850")];
    let quote = quoted(&web, "2026-11-26", "documents", &rates, &[]).unwrap();
    let json = serde_json::to_value(&quote).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "reservation": "Reservation/web",
            "at": "2026-11-26",
            "policySet": "documents",
            "daysSincePurchase": 56,
            "used": true,
            "price": {"amount": "12000.00", "currency": "EUR"},
            "prorated": {"amount": "10158.90", "currency": "EUR"},
            "fee": {"amount": "1219.07", "currency": "EUR"},
            "refund": {"amount": "8939.83", "currency": "EUR"},
            "forfeited": {"amount": "0.00", "currency": "EUR"},
            "due": {"amount": "0.00", "currency": "EUR"},
            "cancelledCommitment": {"amount": "10158.90", "currency": "EUR"},
            "cap": {
                "limit": {"amount": "50000.00", "currency": "USD"},
                "used": {"amount": "0.00", "currency": "USD"},
                "remaining": {"amount": "50000.00", "currency": "USD"}
            },
            "assumptions": ["whether Reservation/web was used is not known: it counts as used"],
            "steps": [
                "bought 2026-10-01, expires 2027-10-01: 365 days, of which 309 remain on 2026-11-26, day 56",
                "prorated: 12000.00 × 309 / 365 = 10158.90 EUR",
                "early-termination fee: 12 % of 10158.90 = 1219.07",
                "10158.90 − 1219.07 = 8939.83 EUR",
                "cap of 50000.00 USD in 12 months: 0.00 used since 2025-11-27, 50000.00 left",
                "rate of 2026-11-02: 1 EUR is 1.0850 USD, so that 8939.83 EUR are 9699.72 USD"
            ]
        })
    );
}

#[test]
fn a_reservation_of_29_february_ends_on_28_february() {
    let leap = held("365.00", "USD", "2028-02-29", Use::Used);
    // 365 days until 2029-02-28.
    assert_eq!(figures_on(&leap, "2028-03-05"), "360.00 0.00 360.00 0.00 0.00");
    assert_eq!(figures_on(&leap, "2029-02-27"), "1.00 0.12 0.88 0.00 0.00");
    assert!(figures_on(&leap, "2029-02-28").contains("expired 2029-02-28"));
}

fn cancelled(on: &str, refund: &str, commitment: &str) -> Cancelled {
    let money = |amount| money(amount, "USD");
    Cancelled { on: day(on), refund: money(refund), commitment: money(commitment) }
}

#[test]
fn the_cap_cuts_the_refund_and_its_window_moves_with_the_day() {
    let big = held("36500.00", "USD", "2026-01-10", Use::Used);
    let earlier = [cancelled("2025-01-20", "30000.00", "40000.00")];
    // 36000.00 are left on day 5; the earlier cancellation is out of the window from 2026-01-20 on.
    let on = |at: &str, earlier: &[Cancelled]| {
        figures(&quoted(&big, at, "documents", &[], earlier).unwrap())
    };
    assert_eq!(on("2026-01-15", &earlier), "36000.00 0.00 20000.00 16000.00 0.00");
    assert_eq!(on("2026-01-19", &earlier), "35600.00 4272.00 20000.00 11328.00 0.00");
    assert_eq!(on("2026-01-20", &earlier), "35500.00 4260.00 31240.00 0.00 0.00");
    let all = [cancelled("2026-01-15", "50000.00", "50000.00")];
    assert_eq!(on("2026-01-15", &all), "36000.00 0.00 0.00 36000.00 0.00");
    let cap = quoted(&big, "2026-01-15", "documents", &[], &all).unwrap().cap.unwrap();
    assert_eq!(cap.remaining, money("0.00", "USD"));
    let later = [cancelled("2026-01-16", "50000.00", "50000.00")];
    assert_eq!(on("2026-01-15", &later), "36000.00 0.00 36000.00 0.00 0.00");
}

#[test]
fn today_s_terms_charge_no_fee_and_refuse_beyond_the_cap() {
    let big = held("36500.00", "USD", "2026-01-10", Use::Unused);
    let now = |at: &str, earlier: &[Cancelled]| quoted(&big, at, "terms-2026-08", &[], earlier);
    let quote = now("2026-01-12", &[]).unwrap();
    assert_eq!(figures(&quote), "36300.00 0.00 36300.00 0.00 0.00");
    assert_eq!(
        quote.assumptions,
        ["today's price is not known: it is taken to be no lower than the price paid"]
    );
    let earlier = [cancelled("2025-06-01", "1.00", "20000.00")];
    let refused = now("2026-01-12", &earlier).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Reservation/web would cancel 36300.00 USD of commitment, and 30000.00 USD is left of the cap of 50000.00 USD"
    );
    assert!(now("2026-06-01", &earlier).is_ok(), "the earlier one is a year ago");
}

#[test]
fn another_currency_needs_a_rate_of_the_day_and_keeps_to_its_own_units() {
    let yen = held("9000000", "JPY", "2026-01-10", Use::Used);
    let missing = quoted(&yen, "2026-01-16", "documents", &[], &[]).unwrap_err();
    assert_eq!(missing.to_string(), "there is no rate from JPY to USD for 2026-01-16");
    assert_eq!(
        missing.hint(),
        "add `{on: 2026-01-16, from: JPY, to: USD, rate: \"…\"}` to refunds.rates of partnerctl.yaml"
    );
    let late = [rate("2026-01-17", "JPY", "0.0067")];
    assert!(quoted(&yen, "2026-01-16", "documents", &late, &[]).is_err());
    let rates = [rate("2026-01-01", "JPY", "0.0067")];
    let quote = quoted(&yen, "2026-01-16", "documents", &rates, &[]).unwrap();
    // 9000000 × 359 / 365 = 8852054.79…, 12 % = 1062246.6; 7789808 JPY are 52191.71 USD.
    assert_eq!(figures(&quote), "8852055 1062247 7462686 327122 0");
    let back = Rates::new(rates.to_vec());
    let (jpy, usd) = (Currency::from_text("JPY").unwrap(), Currency::from_text("USD").unwrap());
    let paid = back.convert(day("2026-01-16"), 7_462_686.into(), jpy, usd).unwrap();
    assert_eq!(paid.to_string(), "50000.00", "the cap is reached and not passed");
}

#[test]
fn monthly_billing_gives_back_what_was_paid_and_not_used_or_asks_for_the_rest() {
    let monthly =
        |usage| Held { billing: Billing::Monthly, ..held("3650.00", "USD", "2026-01-10", usage) };
    // 304.17 paid, 20.00 used of it; no fee within five days.
    assert_eq!(figures_on(&monthly(Use::Used), "2026-01-12"), "3630.00 0.00 284.17 0.00 0.00");
    assert_eq!(figures_on(&monthly(Use::Unused), "2026-01-12"), "3650.00 0.00 304.17 0.00 0.00");
    // 304.17 paid, 60.00 used, 430.80 fee: 186.63 are due.
    assert_eq!(figures_on(&monthly(Use::Used), "2026-01-16"), "3590.00 430.80 0.00 0.00 186.63");
    let quote = quoted(&monthly(Use::Used), "2026-02-10", "documents", &[], &[]).unwrap();
    assert_eq!(figures(&quote), "3340.00 400.80 0.00 0.00 102.47");
    assert_eq!(quote.assumptions, ["every instalment due until 2026-02-10 was paid"]);
}

#[test]
fn a_price_too_large_to_reckon_with_is_refused() {
    let huge = held("99999999999999999999.00", "USD", "2026-01-10", Use::Used);
    let error = quoted(&huge, "2026-01-12", "documents", &[], &[]).unwrap_err();
    assert_eq!(error.to_string(), "99999999999999999999.00 USD is too large to reckon with");
}

/// The same rules once more, in whole cents of USD and with days counted one by one.
mod by_cents {
    use super::{Billing, Datelike, NaiveDate, Term, Use};

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
        let used: i128 = paid_out
            .iter()
            .filter(|(on, _)| after < *on && *on <= at)
            .map(|(_, cents)| cents)
            .sum();
        let refund = back.max(0).min(5_000_000 - used);
        let forfeited = back.max(0) - refund;
        Some(Result { prorated, fee, refund, forfeited, due: (-back).max(0) })
    }
}

fn cents(money: Money) -> i128 {
    let mut value = money.amount.value();
    value.rescale(2);
    value.mantissa()
}

fn dollars(cents: i128) -> Money {
    let amount = Decimal::from_i128_with_scale(cents, 2);
    Money::of(amount, Currency::from_text("USD").unwrap()).unwrap()
}

/// A purchase and when it is cancelled: cents, day of the purchase, days held, term, billing, use.
fn bought() -> impl Strategy<Value = (i128, u64, u64, bool, bool, u8)> {
    let held = prop_oneof![0..8u64, 0..366u64, 0..1100u64];
    (0..9_000_000i128, 0..1096u64, held, any::<bool>(), any::<bool>(), 0..3u8)
}

/// A purchase as a reservation, with the day it is cancelled.
fn reservation(one: (i128, u64, u64, bool, bool, u8)) -> (NaiveDate, Held) {
    let (price, on, days, three, monthly, usage) = one;
    let purchased_on = day("2026-01-01") + Days::new(on);
    let held = Held {
        name: "Reservation/r".to_owned(),
        price: dollars(price),
        purchased_on,
        term: if three { Term::P3Y } else { Term::P1Y },
        billing: if monthly { Billing::Monthly } else { Billing::Upfront },
        usage: usage_of(usage),
        product: String::new(),
    };
    (purchased_on + Days::new(days), held)
}

fn usage_of(number: u8) -> Use {
    [Use::Used, Use::Unused, Use::Unknown][usize::from(number)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn refunds_agree_with_whole_cents_and_no_window_pays_more_than_the_cap(
        purchases in prop::collection::vec(bought(), 1..14),
        start in 0..1500u64,
    ) {
        let (policies, rates) = (RefundPolicies::default(), Rates::default());
        let policy = policies.named("documents").unwrap();
        let mut cancelling: Vec<_> = purchases
            .into_iter()
            .map(reservation)
            .map(|(at, held)| {
                let purchased_on = held.purchased_on + Days::new(start);
                (at + Days::new(start), Held { purchased_on, ..held })
            })
            .collect();
        cancelling.sort_by_key(|(at, _)| *at);
        let (mut earlier, mut paid_out) = (Vec::new(), Vec::new());
        for (at, held) in cancelling {
            let Held { price, purchased_on, term, billing, usage, .. } = held;
            let expected = by_cents::refund(
                cents(price), purchased_on, term, billing, usage, at, &paid_out,
            );
            let quote = refund(&held, at, &Terms { policy, rates: &rates, earlier: &earlier });
            prop_assert_eq!(quote.is_ok(), expected.is_some());
            let (Ok(quote), Some(expected)) = (quote, expected) else { continue };
            prop_assert_eq!(cents(quote.prorated), expected.prorated);
            prop_assert_eq!(cents(quote.fee), expected.fee);
            prop_assert_eq!(cents(quote.refund), expected.refund);
            prop_assert_eq!(cents(quote.forfeited), expected.forfeited);
            prop_assert_eq!(cents(quote.due), expected.due);
            if billing == Billing::Upfront {
                let parts = [quote.fee, quote.refund, quote.forfeited].map(cents);
                prop_assert_eq!(parts.iter().sum::<i128>(), cents(quote.prorated));
            }
            earlier.push(Cancelled {
                on: at,
                refund: quote.refund,
                commitment: quote.cancelled_commitment,
            });
            paid_out.push((at, cents(quote.refund)));
        }
        for (end, _) in &paid_out {
            let after = by_cents::months_on(*end, -12);
            let window = paid_out.iter().filter(|(on, _)| after < *on && on <= end);
            prop_assert!(window.map(|(_, cents)| cents).sum::<i128>() <= 5_000_000);
        }
    }

    #[test]
    fn today_s_terms_never_end_more_commitment_in_a_window_than_the_cap(
        purchases in prop::collection::vec(bought(), 1..14),
    ) {
        let (policies, rates) = (RefundPolicies::default(), Rates::default());
        let policy = policies.named("terms-2026-08").unwrap();
        let mut cancelling: Vec<_> = purchases.into_iter().map(reservation).collect();
        cancelling.sort_by_key(|(at, _)| *at);
        let mut ended: Vec<(NaiveDate, i128)> = Vec::new();
        let mut earlier = Vec::new();
        for (at, held) in cancelling {
            let quote = refund(&held, at, &Terms { policy, rates: &rates, earlier: &earlier });
            let over = by_cents::months_on(at, -12);
            let before = ended.iter().filter(|(on, _)| over < *on).map(|(_, cents)| cents);
            match quote {
                Ok(quote) => {
                    prop_assert_eq!(cents(quote.fee) + cents(quote.forfeited), 0);
                    let commitment = quote.cancelled_commitment;
                    ended.push((at, cents(commitment)));
                    earlier.push(Cancelled { on: at, refund: quote.refund, commitment });
                }
                Err(QuoteError::OverCap { counted, .. }) => {
                    prop_assert!(before.sum::<i128>() + cents(counted) > 5_000_000);
                }
                Err(other) => {
                    let expired = matches!(other, QuoteError::Expired { .. });
                    prop_assert!(expired, "{}", other);
                }
            }
        }
        for (end, _) in &ended {
            let over = by_cents::months_on(*end, -12);
            let window = ended.iter().filter(|(on, _)| over < *on && on <= end);
            prop_assert!(window.map(|(_, cents)| cents).sum::<i128>() <= 5_000_000);
        }
    }

    #[test]
    fn exchanges_agree_with_whole_cents_and_split_the_new_price_to_the_cent(
        purchases in prop::collection::vec(bought(), 1..5), price in 0..20_000_000i128, after in 0..400u64,
    ) {
        let at = day("2028-06-30") + Days::new(after);
        let olds: Vec<Held> = purchases.into_iter().enumerate().map(|(number, one)| {
            let (_, held) = reservation(one);
            Held { name: format!("Reservation/r{number}"), ..held }
        }).collect();
        let toward: Option<i128> = olds.iter().map(|old| {
            let Held { price, purchased_on, term, billing, .. } = old;
            by_cents::toward(cents(*price), *purchased_on, *term, *billing, at)
        }).sum();
        let new = Wanted { name: "Reservation/new".to_owned(), price: dollars(price), product: String::new() };
        let (policies, rates) = (RefundPolicies::default(), Rates::default());
        let terms = Terms { policy: policies.named("documents").unwrap(), rates: &rates, earlier: &[] };
        let quote = exchange(&olds, &new, at, &terms);
        prop_assert_eq!(quote.is_ok(), toward.is_some());
        let (Ok(quote), Some(toward)) = (quote, toward) else { return Ok(()) };
        let (payable, credited) = (cents(quote.payable), cents(quote.credited));
        prop_assert_eq!(payable - credited, price - toward);
        prop_assert!(payable == 0 || credited == 0);
        let split = quote.returned.iter().map(|old| cents(old.credit) - cents(old.due));
        prop_assert_eq!(split.sum::<i128>(), toward);
    }

    #[test]
    fn instalments_sum_to_the_price_and_differ_by_one_unit_at_most(
        price in 0..9_000_000_000i128, start in 0..2000u64, three in any::<bool>(),
    ) {
        let term = if three { Term::P3Y } else { Term::P1Y };
        let usd = Currency::from_text("USD").unwrap();
        let amount = Decimal::from_i128_with_scale(price, 2);
        let parts = instalments(amount, usd, day("2026-01-01") + Days::new(start), term);
        prop_assert_eq!(parts.iter().map(|(_, part)| *part).sum::<Decimal>(), amount);
        let least = parts.iter().map(|(_, part)| *part).min().unwrap();
        let most = parts.iter().map(|(_, part)| *part).max().unwrap();
        prop_assert!(most - least <= Decimal::new(1, 2));
    }

    #[test]
    fn another_currency_never_pays_more_than_the_cap_either(
        prices in prop::collection::vec((1..20_000_000i64, 0..400u64), 1..8), rate_units in 1..40_000i64,
    ) {
        let jpy = Currency::from_text("JPY").unwrap();
        let usd = Currency::from_text("USD").unwrap();
        let rate_text = Decimal::new(rate_units, 6).to_string();
        let rates = Rates::new(vec![rate("2026-01-01", "JPY", &rate_text)]);
        let policies = RefundPolicies::default();
        let policy = policies.named("documents").unwrap();
        let mut prices = prices;
        prices.sort_by_key(|(_, on)| *on);
        let mut earlier: Vec<Cancelled> = Vec::new();
        for (price, on) in prices {
            let purchased_on = day("2026-01-10") + Days::new(on);
            let held = Held {
                purchased_on,
                price: Money::of(price.into(), jpy).unwrap(),
                ..held("1", "JPY", "2026-01-10", Use::Unused)
            };
            let terms = Terms { policy, rates: &rates, earlier: &earlier };
            let quote = refund(&held, purchased_on, &terms).unwrap();
            let commitment = quote.cancelled_commitment;
            earlier.push(Cancelled { on: purchased_on, refund: quote.refund, commitment });
        }
        for end in earlier.iter().map(|one| one.on) {
            let after = by_cents::months_on(end, -12);
            let paid = earlier.iter().filter(|one| after < one.on && one.on <= end).map(|one| {
                rates.convert(one.on, one.refund.amount.value(), jpy, usd).unwrap()
            });
            prop_assert!(paid.sum::<Decimal>() <= Decimal::from(50_000));
        }
    }
}

fn wanted(price: &str, currency: &str, product: &str) -> Wanted {
    let name = "Reservation/large".to_owned();
    Wanted { name, price: money(price, currency), product: product.to_owned() }
}

fn exchanged(olds: &[Held], new: &Wanted, at: &str, policy: &str) -> Result<String, String> {
    let (policies, rates) = (RefundPolicies::default(), Rates::default());
    let policy = policies.named(policy).unwrap();
    let terms = Terms { policy, rates: &rates, earlier: &[] };
    let quote = exchange(olds, new, day(at), &terms).map_err(|error| error.to_string())?;
    Ok(format!("{} to pay, {} credited", quote.payable, quote.credited))
}

#[test]
fn an_exchange_carries_no_fee_and_what_is_too_much_comes_back() {
    let old = held("3650.00", "EUR", "2026-01-10", Use::Used);
    let monthly = Held {
        name: "Reservation/cache".to_owned(),
        billing: Billing::Monthly,
        ..held("3650.00", "EUR", "2026-01-10", Use::Used)
    };
    let new = |price| wanted(price, "EUR", "VirtualMachines");
    let olds = [old.clone()];
    // 355 days are left on 20 January.
    let on =
        |olds: &[Held], price| exchanged(olds, &new(price), "2026-01-20", "documents").unwrap();
    assert_eq!(on(&olds, "5000.00"), "1450.00 EUR to pay, 0.00 EUR credited");
    assert_eq!(on(&olds, "3000.00"), "0.00 EUR to pay, 550.00 EUR credited");
    // Of 304.17 paid 100.00 are used.
    let both = [old.clone(), monthly.clone()];
    assert_eq!(on(&both, "5000.00"), "1245.83 EUR to pay, 0.00 EUR credited");
    // 3000.00 used until 6 November, 11 instalments of 304.17 paid but for rounding.
    let late = exchanged(&[monthly], &new("1000.00"), "2026-11-06", "documents").unwrap();
    assert_eq!(late, "958.33 EUR to pay, 0.00 EUR credited");
    let twice = exchanged(&[old.clone(), old], &new("1.00"), "2026-01-20", "documents");
    assert_eq!(twice.unwrap_err(), "Reservation/web is named twice");
    let dollars = wanted("5000.00", "USD", "VirtualMachines");
    assert_eq!(
        exchanged(&olds, &dollars, "2026-01-20", "documents").unwrap_err(),
        "Reservation/large is priced in USD, and Reservation/web in EUR"
    );
}

#[test]
fn today_s_terms_exchange_within_one_product_and_for_no_less_than_what_is_left() {
    let olds = [held("3650.00", "EUR", "2026-01-10", Use::Used)];
    let at = |price, product| {
        exchanged(&olds, &wanted(price, "EUR", product), "2026-01-20", "terms-2026-08")
    };
    assert_eq!(at("3550.00", "VirtualMachines").unwrap(), "0.00 EUR to pay, 0.00 EUR credited");
    assert_eq!(
        at("3549.99", "VirtualMachines").unwrap_err(),
        "Reservation/large costs 3549.99 EUR, less than the 3550.00 EUR that is left of what it replaces"
    );
    assert_eq!(
        at("5000.00", "RedisCache").unwrap_err(),
        "Reservation/large is for RedisCache, and Reservation/web for VirtualMachines"
    );
}

#[test]
fn keeping_cancelling_and_exchanging_stand_side_by_side_also_where_one_is_refused() {
    let old = Held { billing: Billing::Monthly, ..held("3650.00", "USD", "2026-01-10", Use::Used) };
    let (policies, rates) = (RefundPolicies::default(), Rates::default());
    let policy = policies.named("documents").unwrap();
    let terms = Terms { policy, rates: &rates, earlier: &[] };
    let told = |new: &Wanted| -> Vec<String> {
        let compared = compare(&old, Some(new), day("2026-01-20"), &terms).unwrap();
        let line = |choice: &partnerctl::finance::comparison::Choice| match &choice.figures {
            Some(f) => format!("{} {} {} {}", f.to_pay, f.comes_back, f.fee, f.reserved),
            None => choice.refused.clone().unwrap(),
        };
        compared.choices.iter().map(line).collect()
    };
    assert_eq!(
        told(&wanted("5000.00", "USD", "VirtualMachines")),
        [
            "3345.83 USD 0.00 USD 0.00 USD 3550.00 USD",
            "221.83 USD 0.00 USD 426.00 USD 0.00 USD",
            "4795.83 USD 0.00 USD 0.00 USD 5000.00 USD",
        ]
    );
    assert_eq!(
        told(&wanted("5000.00", "EUR", "VirtualMachines"))[2],
        "Reservation/large is priced in EUR, and Reservation/web in USD"
    );
}
