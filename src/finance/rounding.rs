//! Rounding: half away from zero to the minor units of the currency, after each step.

use crate::finance::QuoteError;
use crate::model::{Currency, Money};
use rust_decimal::{Decimal, RoundingStrategy};

/// Prices reach this number of minor units at most, ten trillion euros: with it every product here
/// fits a [`Decimal`] exactly.
pub const MINOR_UNITS_MAX: i128 = 1_000_000_000_000_000;

/// A value in the minor units of a currency.
#[must_use]
pub fn rounded(value: Decimal, currency: Currency) -> Decimal {
    value.round_dp_with_strategy(currency.minor_units(), RoundingStrategy::MidpointAwayFromZero)
}

/// A value cut off below the minor units: what must not go past a limit is rounded so.
#[must_use]
pub fn cut_off(value: Decimal, currency: Currency) -> Decimal {
    value.round_dp_with_strategy(currency.minor_units(), RoundingStrategy::ToZero)
}

/// A part of an amount, rounded: `amount × part / whole`.
#[must_use]
pub fn share(amount: Decimal, part: i64, whole: i64, currency: Currency) -> Decimal {
    let product = amount.checked_mul(Decimal::from(part));
    let share = product.and_then(|product| product.checked_div(Decimal::from(whole)));
    rounded(share.unwrap_or_default(), currency)
}

/// A percentage of an amount, rounded.
#[must_use]
pub fn percent(amount: Decimal, percent: Decimal, currency: Currency) -> Decimal {
    rounded(amount.saturating_mul(percent) / Decimal::ONE_HUNDRED, currency)
}

/// The amount of a price that is small enough to reckon with.
///
/// # Errors
/// When it is not.
pub fn within_bounds(price: Money) -> Result<Decimal, QuoteError> {
    let amount = price.amount.value();
    if amount.mantissa() > MINOR_UNITS_MAX {
        return Err(QuoteError::TooLarge { price });
    }
    Ok(amount)
}

/// Money of a value that was rounded before and is not negative.
///
/// # Errors
/// When it is negative or too large, which the bounds of prices leave no way to.
pub fn money(value: Decimal, currency: Currency) -> Result<Money, QuoteError> {
    Money::of(value, currency).ok_or(QuoteError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::{cut_off, percent, rounded, share};
    use crate::model::Currency;
    use rust_decimal::Decimal;

    #[test]
    fn halves_go_away_from_zero_in_the_currency_s_own_units() {
        let currency = |code: &str| Currency::from_text(code).unwrap();
        let at = |text: &str, code: &str| {
            rounded(text.parse::<Decimal>().unwrap(), currency(code)).to_string()
        };
        assert_eq!(at("0.005", "EUR"), "0.01");
        assert_eq!(at("-0.005", "EUR"), "-0.01");
        assert_eq!(at("2.5", "JPY"), "3");
        assert_eq!(at("1.0005", "KWD"), "1.001");
        assert_eq!(cut_off("1.999".parse().unwrap(), currency("EUR")).to_string(), "1.99");
        assert_eq!(share(100.into(), 1, 3, currency("EUR")).to_string(), "33.33");
        assert_eq!(percent("0.5".parse().unwrap(), 1.into(), currency("EUR")).to_string(), "0.01");
    }
}
