//! Days and instants as people write them.

use crate::model::Spec;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// What is wrong with a field that is to say when something was, as the outside reports it.
#[must_use]
pub fn wrong(spec: &Spec, field: &str) -> Option<String> {
    let text = spec.text(field)?;
    parse(text).is_err().then(|| format!("{field} is `{text}`, neither a day nor an instant"))
}

/// Reads a day, which means its beginning, or an instant: what `--at` takes.
///
/// # Errors
/// A sentence saying what is understood.
pub fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.to_utc())
        .map_err(|_| "write a day, 2026-11-21, or an instant, 2026-11-21T12:00:00Z".to_owned())
}
