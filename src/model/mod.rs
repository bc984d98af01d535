//! What everything else speaks about: resources, ids, money, changes, activities, conditions.
//!
//! Imports nothing of ours. Pure: no file, clock, environment, network or randomness.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod accepted;
pub mod activity;
pub mod code;
pub mod condition;
pub mod day;
pub mod decode;
pub mod digest;
pub mod display;
pub mod effect;
pub mod id;
pub mod lookup;
pub mod moment;
pub mod money;
pub mod observed;
pub mod parallel;
pub mod problem;
pub mod resource;
pub mod scalar;
pub mod spec;
pub mod stored;
pub mod suspension;
pub mod term;
pub mod text;
pub mod tree;
pub mod value;

pub use accepted::Accepted;
pub use activity::Activity;
pub use code::Code;
pub use condition::Condition;
pub use effect::{Effect, Verb};
pub use id::{KindName, ResourceId, ResourceName};
pub use money::{Amount, Currency, Money};
pub use observed::Observed;
pub use problem::{Location, Problem, Severity};
pub use resource::{Metadata, Resource, Source};
pub use spec::Spec;
pub use stored::Stored;
pub use suspension::Suspension;
pub use value::Value;
