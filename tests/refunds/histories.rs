//! Random histories of purchases, cancellations and exchanges, against [`by_cents`].

use super::{by_cents, day, held, rate};
use chrono::{Days, NaiveDate};
use partnerctl::finance::billing::instalments;
use partnerctl::finance::{
    Billing, Cancelled, Held, QuoteError, Rates, RefundPolicies, Terms, Use, Wanted, exchange,
    refund,
};
use partnerctl::model::term::Term;
use partnerctl::model::{Currency, Money};
use proptest::prelude::*;
use rust_decimal::Decimal;

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
