//! What ends by itself: a declared `until`, and what becomes of the resource then.

use crate::kinds::KindEntry;
use crate::model::Spec;
use crate::model::scalar::Moment;
use chrono::{DateTime, Utc};
use std::borrow::Cow;

/// What becomes of a resource of a kind once its `until` has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The kind has no `until`.
    Never,
    /// It is removed.
    Goes,
    /// A field becomes a value, whatever is declared.
    Becomes(&'static str, &'static str),
}

/// A day on which something happens by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dated {
    /// When.
    pub at: DateTime<Utc>,
    /// What, in a few words.
    pub what: String,
}

/// When a declared spec ends.
#[must_use]
pub fn until(entry: &KindEntry, spec: &Spec) -> Option<DateTime<Utc>> {
    if entry.ending == Ending::Never {
        return None;
    }
    Some(Moment::from_text(spec.text("until")?).ok()?.instant())
}

/// When a declared resource has ended, where that is over.
#[must_use]
pub fn over(entry: &KindEntry, spec: &Spec, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    until(entry, spec).filter(|until| *until <= at)
}

/// A spec as it stands at a time: what is over has become what it becomes.
#[must_use]
pub fn as_of<'a>(entry: &KindEntry, spec: &'a Spec, at: DateTime<Utc>) -> Cow<'a, Spec> {
    match (entry.ending, over(entry, spec, at)) {
        (Ending::Becomes(path, value), Some(_)) => {
            let mut ended = spec.clone();
            ended.set(path, value.into());
            Cow::Owned(ended)
        }
        _ => Cow::Borrowed(spec),
    }
}

/// The date of an `until`, for a calendar.
#[must_use]
pub fn date(spec: &Spec, what: &str) -> Vec<Dated> {
    let until = spec.text("until").and_then(|text| Moment::from_text(text).ok());
    until.map(|until| Dated { at: until.instant(), what: what.to_owned() }).into_iter().collect()
}
