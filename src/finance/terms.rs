//! What is quoted, and by what.

use crate::finance::billing::Billing;
use crate::finance::policy::PolicySet;
use crate::finance::rates::Rates;
use crate::model::Money;
use crate::model::term::Term;
use chrono::NaiveDate;

/// A reservation as far as its refund depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What it is called, `Reservation/web`.
    pub name: String,
    /// The price of the whole term and quantity.
    pub price: Money,
    /// The day it was bought: day 0.
    pub purchased_on: NaiveDate,
    /// How long it was bought for.
    pub term: Term,
    /// How it is paid.
    pub billing: Billing,
    /// Whether it was used.
    pub usage: Use,
    /// The type of its product, for the rules of exchanges.
    pub product: String,
}

/// Whether a reservation was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It covered something.
    Used,
    /// It covered nothing since it was bought.
    Unused,
    /// Nobody said; counts as used.
    Unknown,
}

/// A cancellation of the same customer in the past. Exchanges are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled {
    /// The day.
    pub on: NaiveDate,
    /// What came back.
    pub refund: Money,
    /// The commitment that ended.
    pub commitment: Money,
}

/// By what a reservation is quoted.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The rules.
    pub policy: &'a PolicySet,
    /// The rates of the workspace.
    pub rates: &'a Rates,
    /// The customer's earlier cancellations, in any order.
    pub earlier: &'a [Cancelled],
}
