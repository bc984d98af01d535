//! A calendar day in UTC, as manifests write it.

use crate::model::scalar::{Invalid, scalar};
use chrono::{DateTime, NaiveDate, Utc};
use std::fmt;

/// A day, `2026-11-26`: four digits of year, two of month, two of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(NaiveDate);

scalar!(Day, "a day, 2026-11-26", "2026-01-01", |text| Self::parse(text), {
    "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "format": "date"
});

impl Day {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let plain =
            text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(day) if plain => Ok(Self(day)),
            _ => {
                let shown: String = text.chars().take(60).collect();
                let message = format!("`{shown}` is not a day");
                Err(Invalid::new(message, "write it as 2026-11-26"))
            }
        }
    }

    /// The day of an instant, in UTC.
    #[must_use]
    pub fn of(at: DateTime<Utc>) -> Self {
        Self(at.date_naive())
    }

    /// The day as a date.
    #[must_use]
    pub fn date(self) -> NaiveDate {
        self.0
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self(date)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[test]
    fn a_day_has_its_ten_characters_and_is_in_the_calendar() {
        assert_eq!(Day::from_text("2028-02-29").unwrap().to_string(), "2028-02-29");
        for bad in ["2026-02-29", "2026-2-9", "26-02-09", "+026-02-09", "2026-02-09T", ""] {
            assert!(Day::from_text(bad).is_err(), "{bad}");
        }
    }
}
