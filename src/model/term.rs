//! How long a reservation is bought for, in calendar months.

use chrono::{Months, NaiveDate};
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

#[cfg(test)]
mod tests {
    use super::Term;
    use chrono::NaiveDate;

    #[test]
    fn a_term_ends_on_its_day_and_29_february_on_28_february() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(Term::P1Y.end(day("2026-11-26")), day("2027-11-26"));
        assert_eq!(Term::P1Y.end(day("2028-02-29")), day("2029-02-28"));
        assert_eq!(Term::P3Y.end(day("2028-02-29")), day("2031-02-28"));
        assert_eq!(Term::P1Y.end(day("2027-02-28")), day("2028-02-28"));
    }
}
