//! How long a reservation is bought for, and how it is paid.

use crate::finance::rounding::share;
use crate::model::Currency;
use chrono::{Months, NaiveDate};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The term of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are ISO 8601 durations")]
pub enum Term {
    P1Y,
    P3Y,
}

impl Term {
    /// The term by its name.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "P1Y" => Some(Self::P1Y),
            "P3Y" => Some(Self::P3Y),
            _ => None,
        }
    }

    /// Its months.
    #[must_use]
    pub fn months(self) -> u32 {
        match self {
            Self::P1Y => 12,
            Self::P3Y => 36,
        }
    }

    /// The day it expires: 29 February ends on 28 February.
    #[must_use]
    pub fn end(self, purchased_on: NaiveDate) -> NaiveDate {
        months_after(purchased_on, self.months())
    }
}

/// A day a number of months later, on the last day of a shorter month.
#[must_use]
pub fn months_after(day: NaiveDate, months: u32) -> NaiveDate {
    day.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

/// A day a number of months earlier, on the last day of a shorter month.
#[must_use]
pub fn months_before(day: NaiveDate, months: u32) -> NaiveDate {
    day.checked_sub_months(Months::new(months)).unwrap_or(NaiveDate::MIN)
}

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
    use super::{Term, instalments};
    use crate::model::Currency;
    use chrono::NaiveDate;
    use rust_decimal::Decimal;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_term_ends_on_its_day_and_29_february_on_28_february() {
        assert_eq!(Term::P1Y.end(day("2026-11-26")), day("2027-11-26"));
        assert_eq!(Term::P1Y.end(day("2028-02-29")), day("2029-02-28"));
        assert_eq!(Term::P3Y.end(day("2028-02-29")), day("2031-02-28"));
        assert_eq!(Term::P1Y.end(day("2027-02-28")), day("2028-02-28"));
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
