//! Refunds against the table of domain.md 3; rooms of their own have exchanges, random histories and
//! the same rules once more in cents.

mod by_cents;
mod exchanges;
mod histories;

use chrono::NaiveDate;
use partnerctl::finance::{
    Billing, Cancelled, Held, Quote, QuoteError, Rate, Rates, RefundPolicies, Terms, Use, refund,
};
use partnerctl::model::day::Day;
use partnerctl::model::term::Term;
use partnerctl::model::{Amount, Currency, Money};

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
