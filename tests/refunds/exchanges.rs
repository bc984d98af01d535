//! Exchanges, and what stands beside them in a comparison.

use super::{day, held, money};
use partnerctl::finance::{
    Billing, Held, Rates, RefundPolicies, Terms, Use, Wanted, compare, exchange,
};

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
