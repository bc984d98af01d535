//! Refunds, exchanges and their caps: exact arithmetic over [`Money`](crate::model::Money).
//!
//! Rules that change in time are data, [`policies.yaml`](policy::PolicySet), and a quote names those
//! it was made by. Days and rates are arguments; nothing here knows what day it is.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod billing;
pub mod cap;
pub mod comparison;
pub mod error;
pub mod exchange;
pub mod policy;
pub mod quote;
pub mod rates;
pub mod reading;
pub mod rounding;
mod run;
pub mod terms;
pub mod window;

pub use billing::Billing;
pub use cap::CapState;
pub use comparison::{Comparison, compare};
pub use error::QuoteError;
pub use exchange::{ExchangeQuote, Wanted, exchange};
pub use policy::{PolicySet, RefundPolicies};
pub use quote::{Quote, refund};
pub use rates::{Rate, Rates};
pub use reading::RefundTerms;
pub use terms::{Cancelled, Held, Terms, Use};
pub use window::{Closing, closings};
