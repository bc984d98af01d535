//! How far a reservation has run on a day, counted in UTC calendar days.

use crate::finance::QuoteError;
use crate::finance::terms::Held;
use chrono::NaiveDate;

/// How far a reservation has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Days since the purchase.
    pub(super) days: i64,
    /// Days until the expiry.
    pub(super) remaining: i64,
    /// Days from the purchase to the expiry.
    pub(super) total: i64,
}

impl Run {
    /// Of a reservation on a day.
    ///
    /// # Errors
    /// When it was not bought yet or has expired.
    pub(super) fn of(held: &Held, at: NaiveDate) -> Result<Self, QuoteError> {
        let (reservation, purchased_on) = (held.name.clone(), held.purchased_on);
        let expired_on = held.term.end(purchased_on);
        if at < purchased_on {
            return Err(QuoteError::NotBoughtYet { reservation, purchased_on, at });
        }
        if at >= expired_on {
            return Err(QuoteError::Expired { reservation, expired_on, at });
        }
        let between = |from: NaiveDate, to: NaiveDate| (to - from).num_days();
        Ok(Self {
            days: between(purchased_on, at),
            remaining: between(at, expired_on),
            total: between(purchased_on, expired_on),
        })
    }

    pub(super) fn told(self, held: &Held, at: NaiveDate) -> String {
        format!(
            "bought {}, expires {}: {} days, of which {} remain on {at}, day {}",
            held.purchased_on,
            held.term.end(held.purchased_on),
            self.total,
            self.remaining,
            self.days
        )
    }
}
