//! How a reservation is paid: at once, or in instalments.

use crate::finance::rounding::share;
use crate::model::Currency;
use crate::model::term::{Term, months_after};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a reservation is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Billing {
    /// All of it at the purchase.
    #[default]
    Upfront,
    /// One part each month.
    Monthly,
}

impl Billing {
    /// The plan by its name; without one, all is paid at the purchase.
    #[must_use]
    pub fn from_text(text: Option<&str>) -> Self {
        if text == Some("Monthly") { Self::Monthly } else { Self::Upfront }
    }
}

/// The instalments of a price that is paid monthly, with the days they are due. They differ by one
/// minor unit at most, and their sum is the price.
#[must_use]
pub fn instalments(
    price: Decimal,
    currency: Currency,
    purchased_on: NaiveDate,
    term: Term,
) -> Vec<(NaiveDate, Decimal)> {
    let count = i64::from(term.months());
    let until = |paid: i64| share(price, paid, count, currency);
    (0..term.months())
        .map(|month| {
            let number = i64::from(month);
            (months_after(purchased_on, month), until(number + 1) - until(number))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::instalments;
    use crate::model::Currency;
    use crate::model::term::Term;
    use chrono::NaiveDate;
    use rust_decimal::Decimal;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn instalments_are_due_monthly_and_their_sum_is_the_price() {
        let eur = Currency::from_text("EUR").unwrap();
        let price: Decimal = "100.00".parse().unwrap();
        let parts = instalments(price, eur, day("2026-01-31"), Term::P1Y);
        assert_eq!(parts.len(), 12);
        assert_eq!(parts[1].0, day("2026-02-28"));
        assert_eq!(parts[2].0, day("2026-03-31"));
        assert_eq!(parts.iter().map(|(_, part)| *part).sum::<Decimal>(), price);
        let texts: Vec<String> = parts.iter().take(3).map(|(_, part)| part.to_string()).collect();
        assert_eq!(texts, ["8.33", "8.34", "8.33"]);
    }
}
