//! Rates between currencies, each of a day. They come from the workspace: partnerctl knows none.

use crate::finance::QuoteError;
use crate::finance::rounding::rounded;
use crate::model::day::Day;
use crate::model::{Amount, Currency};
use chrono::NaiveDate;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

/// What one unit of a currency is worth in another, from a day on until the next rate of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a rate, {on: 2026-11-02, from: EUR, to: USD, rate: \"1.0850\"}"
)]
pub struct Rate {
    /// The day from which it holds.
    pub on: Day,
    /// The currency it converts.
    pub from: Currency,
    /// The currency it converts to.
    pub to: Currency,
    /// How much of `to` one unit of `from` is: above zero, twelve digits at most.
    pub rate: Amount,
}

/// Digits of a rate at most, so that a product with a price is exact.
const RATE_DIGITS_MAX: usize = 12;

impl Rate {
    /// What is wrong with it, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        let rate = self.rate.value();
        if rate.is_zero() {
            Some("a rate is above zero")
        } else if rate.mantissa().to_string().len() > RATE_DIGITS_MAX {
            Some("a rate has twelve digits at most")
        } else if self.from == self.to {
            Some("a rate is between two currencies")
        } else {
            None
        }
    }
}

/// The rates of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates(Vec<Rate>);

impl Rates {
    /// The rates in the order of their days; of two with the same pair and day the later one holds.
    #[must_use]
    pub fn new(mut rates: Vec<Rate>) -> Self {
        rates.retain(|rate| rate.fault().is_none());
        rates.sort_by_key(|rate| rate.on);
        Self(rates)
    }

    /// The rate of a pair that holds on a day. None is needed within one currency.
    ///
    /// # Errors
    /// When the workspace has no rate of the day or before it.
    pub fn on(
        &self,
        day: NaiveDate,
        from: Currency,
        to: Currency,
    ) -> Result<Option<&Rate>, QuoteError> {
        if from == to {
            return Ok(None);
        }
        let known =
            self.0.iter().rev().find(|r| r.from == from && r.to == to && r.on.date() <= day);
        known.map(Some).ok_or(QuoteError::NoRate { from, to, on: day })
    }

    /// An amount in another currency at the rate of a day, rounded.
    ///
    /// # Errors
    /// When there is no rate.
    pub fn convert(
        &self,
        day: NaiveDate,
        amount: Decimal,
        from: Currency,
        to: Currency,
    ) -> Result<Decimal, QuoteError> {
        Ok(self
            .on(day, from, to)?
            .map_or(amount, |rate| rounded(amount.saturating_mul(rate.rate.value()), to)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Rate, Rates};
    use crate::finance::QuoteError;
    use crate::model::day::Day;
    use crate::model::{Amount, Currency};

    fn rate(on: &str, rate: &str) -> Rate {
        let currency = |code: &str| Currency::from_text(code).unwrap();
        let on = Day::from_text(on).unwrap();
        Rate {
            on,
            from: currency("EUR"),
            to: currency("USD"),
            rate: Amount::from_text(rate).unwrap(),
        }
    }

    #[test]
    fn the_last_rate_of_a_day_or_before_holds_and_without_one_nothing_is_converted() {
        let rates = Rates::new(vec![rate("2026-03-01", "1.20"), rate("2026-01-01", "1.10")]);
        let (eur, usd) = (Currency::from_text("EUR").unwrap(), Currency::from_text("USD").unwrap());
        let at = |day: &str| rates.convert(day.parse().unwrap(), "0.05".parse().unwrap(), eur, usd);
        assert_eq!(at("2026-02-28").unwrap().to_string(), "0.06");
        assert_eq!(at("2026-03-01").unwrap().to_string(), "0.06");
        assert!(matches!(at("2025-12-31"), Err(QuoteError::NoRate { .. })));
        let back = rates.convert("2026-03-01".parse().unwrap(), 1.into(), usd, eur);
        assert!(matches!(back, Err(QuoteError::NoRate { .. })));
        assert!(rate("2026-01-01", "0").fault().is_some());
        assert!(rate("2026-01-01", "1.1234567890123").fault().is_some());
    }
}
