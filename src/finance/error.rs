//! Why there is no quote, and what to do about it.

use crate::model::{Currency, Money};
use chrono::NaiveDate;

/// Why a refund or an exchange cannot be quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum QuoteError {
    #[error("{reservation} was bought {purchased_on}, after {at}")]
    NotBoughtYet { reservation: String, purchased_on: NaiveDate, at: NaiveDate },
    #[error("{reservation} expired {expired_on}: nothing of it is left on {at}")]
    Expired { reservation: String, expired_on: NaiveDate, at: NaiveDate },
    #[error("{reservation} has ended already")]
    Ended { reservation: String },
    #[error("the {field} of {reservation} is not known")]
    Unknown { reservation: String, field: &'static str },
    #[error("there is no rate from {from} to {to} for {on}")]
    NoRate { from: Currency, to: Currency, on: NaiveDate },
    #[error("there is no refund policy `{name}`")]
    UnknownPolicy { name: String, known: Vec<String> },
    #[error(
        "{reservation} would cancel {counted} of commitment, and {remaining} is left of the cap of {limit}"
    )]
    OverCap { reservation: String, counted: Money, remaining: Money, limit: Money, months: u32 },
    #[error("{price} is too large to reckon with")]
    TooLarge { price: Money },
    #[error("a result is out of range")]
    OutOfRange,
    #[error("the refund policy `{policy}` says nothing for day {days}")]
    NoRow { policy: String, days: i64 },
    #[error("{reservation} is named twice")]
    NamedTwice { reservation: String },
    #[error("{new} is priced in {new_currency}, and {old} in {old_currency}")]
    OtherCurrency { new: String, new_currency: Currency, old: String, old_currency: Currency },
    #[error("{new} is for {new_product}, and {old} for {old_product}")]
    OtherProduct { new: String, new_product: String, old: String, old_product: String },
    #[error("{new} costs {price}, less than the {remaining} that is left of what it replaces")]
    BelowRemaining { new: String, price: Money, remaining: Money },
}

impl QuoteError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotBoughtYet { .. } => "ask for a day from its purchase on".to_owned(),
            Self::Expired { .. } => {
                "nothing comes back after the expiry; leave it as it is".to_owned()
            }
            Self::Ended { .. } => "nothing of it is left; leave it as it is".to_owned(),
            Self::Unknown { field: "price", .. } => {
                "declare it with its price and apply; Azure's list of reservations has none".to_owned()
            }
            Self::Unknown { .. } => {
                "take its state in with `partnerctl ingest reservations`, or ask the provider for it"
                    .to_owned()
            }
            Self::NoRate { from, to, on } => format!(
                "add `{{on: {on}, from: {from}, to: {to}, rate: \"…\"}}` to refunds.rates of partnerctl.yaml"
            ),
            Self::UnknownPolicy { known, .. } => format!("known policies: {}", known.join(", ")),
            Self::OverCap { months, .. } => format!(
                "wait until earlier cancellations are {months} months ago, or exchange it: an exchange does not count"
            ),
            Self::TooLarge { .. } | Self::OutOfRange => "check the price".to_owned(),
            Self::NoRow { .. } => "end the rows of the policy with one without conditions".to_owned(),
            Self::NamedTwice { .. } => "name each one once".to_owned(),
            Self::OtherCurrency { .. } => "exchange within one currency".to_owned(),
            Self::OtherProduct { .. } => {
                "these terms exchange within one type of product; cancel it and buy the other instead"
                    .to_owned()
            }
            Self::BelowRemaining { .. } => {
                "take a larger quantity or a longer term, or cancel it instead".to_owned()
            }
        }
    }
}
