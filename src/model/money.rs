//! Money: an exact amount with its currency. A float never touches it.

use crate::model::scalar::{Invalid, is_among, scalar};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::fmt;

/// Digits that fit a [`Decimal`] whatever the position of the point.
pub const AMOUNT_DIGITS_MAX: usize = 28;

/// An ISO 4217 code in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

scalar!(Currency, "a currency code", "EUR", |text| Self::parse(text), {
    "type": "string", "pattern": "^[A-Z]{3}$"
});

/// ISO 4217 codes in use by the number of their minor units.
const CURRENCIES: &[(u32, &str)] = &[
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

impl Currency {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let is_known = |text| CURRENCIES.iter().any(|(_, codes)| is_among::<4>(codes, text));
        if let (true, Ok(code)) = (is_known(text), <[u8; 3]>::try_from(text.as_bytes())) {
            return Ok(Self(code));
        }
        let upper = text.to_ascii_uppercase();
        let shown: String = text.chars().take(60).collect();
        let hint = if is_known(&upper) {
            format!("write it in upper case: {upper}")
        } else {
            "use an ISO 4217 code in use, such as EUR, USD or JPY".to_owned()
        };
        Err(Invalid::new(format!("`{shown}` is not a currency"), hint))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Digits after the point: 2 for the euro, 0 for the yen.
    #[must_use]
    pub fn minor_units(self) -> u32 {
        CURRENCIES
            .iter()
            .find(|(_, codes)| is_among::<4>(codes, self.as_str()))
            .map_or(2, |(units, _)| *units)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount as manifests write it: digits with an optional point, not negative, exact.
///
/// The unit comes from the [`Currency`] beside it. `1500`, `1500.0` and `1500.00` are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(Decimal);

scalar!(Amount, "an amount such as \"1500.00\"", "0", |text| Self::parse(text), {
    "description": "Digits with an optional point, at most 28 digits; quote it to be sure",
    "oneOf": [
        { "type": "string", "pattern": "^(?=(?:[^0-9]*[0-9]){1,28}[^0-9]*$)[0-9]+(\\.[0-9]+)?$" },
        { "type": "number", "minimum": 0 }
    ]
});

impl Amount {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let shown: String = text.chars().take(60).collect();
        let refuse = |why: &str, hint: &str| Invalid::new(format!("`{shown}` {why}"), hint);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if text.starts_with('-') && digits(&whole[1..]) && digits(fraction) {
            return Err(refuse("is negative", "amounts here are zero or more"));
        }
        if !digits(whole) || !digits(fraction) {
            return Err(refuse(
                "is not an amount",
                "write digits with an optional point, such as \"1500.00\"",
            ));
        }
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(refuse("starts with a zero", "leave leading zeros out"));
        }
        if text.bytes().filter(u8::is_ascii_digit).count() > AMOUNT_DIGITS_MAX {
            return Err(refuse("has more than 28 digits", "shorten it"));
        }
        match Decimal::from_str_exact(text) {
            Ok(value) => Ok(Self(value)),
            Err(_) => Err(refuse("is too large", "shorten it")),
        }
    }

    /// The exact value.
    #[must_use]
    pub fn value(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An amount in a currency: `{amount: "1500.00", currency: EUR}`.
///
/// Invariant: the amount has exactly the currency's minor units, so equal money is written alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Money {
    /// The amount in the currency's main unit.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct MoneyFields {
    amount: Amount,
    currency: Currency,
}

impl Money {
    /// Joins an amount with its currency.
    ///
    /// # Errors
    /// When the amount has more digits after the point than the currency has minor units.
    pub fn new(amount: Amount, currency: Currency) -> Result<Self, Invalid> {
        let mut value = amount.0.normalize();
        let units = currency.minor_units();
        if value.scale() > units {
            let places = if units == 0 { "no".to_owned() } else { units.to_string() };
            return Err(Invalid::new(
                format!("`{amount}` has more digits after the point than {currency} has"),
                format!("{currency} has {places} digits after the point"),
            ));
        }
        value.rescale(units);
        if value.scale() != units {
            return Err(Invalid::new(format!("`{amount}` {currency} is too large"), "shorten it"));
        }
        Ok(Self { amount: Amount(value), currency })
    }

    /// Money of a value that has no more than the currency's minor units; `None` when it has more, is
    /// negative or too large.
    #[must_use]
    pub fn of(value: Decimal, currency: Currency) -> Option<Self> {
        if value.is_sign_negative() && !value.is_zero() {
            return None;
        }
        Self::new(Amount(value.abs()), currency).ok()
    }

    /// Money from a canonical spec value, as `{amount, currency}`.
    #[must_use]
    pub fn from_value(value: &crate::model::Value) -> Option<Self> {
        let amount = Amount::from_text(value.get("amount")?.as_str()?).ok()?;
        Self::new(amount, Currency::from_text(value.get("currency")?.as_str()?).ok()?).ok()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

impl serde::Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        MoneyFields { amount: self.amount, currency: self.currency }.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Money;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("money, {amount: \"1500.00\", currency: EUR}")
            }

            // Joined here and not behind the visitor, so that the reader still knows the place.
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Money, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                let MoneyFields { amount, currency } = serde::Deserialize::deserialize(map)?;
                Money::new(amount, currency).map_err(serde::de::Error::custom)
            }
        }
        deserializer.deserialize_struct("Money", &["amount", "currency"], Visitor)
    }
}

/// A sum per currency; currencies are never added together. May be negative (a difference).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals(BTreeMap<Currency, Decimal>);

impl Totals {
    /// Adds money to its currency's sum; a sum beyond what a [`Decimal`] holds stays at the limit.
    pub fn add(&mut self, money: Money) {
        let sum = self.0.entry(money.currency).or_default();
        *sum = sum.saturating_add(money.amount.0);
    }

    /// The sums in the order of their codes.
    pub fn iter(&self) -> impl Iterator<Item = (Currency, Decimal)> + '_ {
        self.0.iter().map(|(currency, sum)| (*currency, *sum))
    }

    /// The sum of one currency, zero when nothing was added.
    #[must_use]
    pub fn of(&self, currency: Currency) -> Decimal {
        self.0.get(&currency).copied().unwrap_or_default()
    }
}

/// A decimal with a currency's minor units, as shown and stored.
#[must_use]
pub fn show(value: Decimal, currency: Currency) -> String {
    let mut value = value;
    value.rescale(currency.minor_units());
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Amount, CURRENCIES, Currency, Money};

    fn money(amount: &str, currency: &str) -> Result<String, String> {
        let amount = Amount::from_text(amount).map_err(|e| e.to_string())?;
        let currency = Currency::from_text(currency).map_err(|e| e.to_string())?;
        Money::new(amount, currency).map(|m| m.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn each_currency_of_the_lists_is_found_with_its_minor_units() {
        for (units, codes) in CURRENCIES {
            for code in codes.split(' ') {
                assert_eq!(Currency::from_text(code).unwrap().minor_units(), *units, "{code}");
            }
        }
    }

    #[test]
    fn amounts_are_exact_and_take_the_minor_units_of_their_currency() {
        assert_eq!(money("1500", "EUR").unwrap(), "1500.00 EUR");
        assert_eq!(money("1500.500", "EUR").unwrap(), "1500.50 EUR");
        assert_eq!(money("1234567890123456.78", "EUR").unwrap(), "1234567890123456.78 EUR");
        assert_eq!(money("1500", "JPY").unwrap(), "1500 JPY");
        assert_eq!(money("1500.0", "JPY").unwrap(), "1500 JPY");
        assert_eq!(money("1.234", "KWD").unwrap(), "1.234 KWD");
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        let digits_35 = "1".repeat(35);
        for bad in [
            "1e2", "0x10", "1_000", ".nan", "1,50", "-1", "-1.5", "+1", ".5", "5.", "", " 1",
            "1.2.3", "٣", "0o7", "007", "1.005", "inf", &digits_35,
        ] {
            assert!(money(bad, "EUR").is_err(), "{bad}");
        }
        assert!(money("1.5", "JPY").is_err());
        assert!(money(&"9".repeat(28), "EUR").is_err());
        assert!(money("1", "eur").is_err() && money("1", "XXX").is_err());
    }

    #[test]
    fn a_float_in_json_is_no_money() {
        let float = serde_json::json!({"amount": 1.5, "currency": "EUR"});
        assert!(serde_json::from_value::<Money>(float).is_err());
    }
}
