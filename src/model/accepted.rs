//! Drift that is accepted for a while: the annotation `partnerctl.dev/accept-drift`.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// One field that may stay as the outside changed it, until a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Dotted path, `spec.monthly.amount`.
    pub path: String,
    /// The day as which it begins to drift again, in UTC.
    pub until: NaiveDate,
    /// Why.
    pub reason: String,
}

impl Accepted {
    /// Reads the annotation: `PATH until DATE: REASON`, several with `;` between them.
    ///
    /// # Errors
    /// What is wrong, in one sentence.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        parts.map(Self::one).collect()
    }

    fn one(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().take(60).collect();
        let wrong =
            || format!("`{shown}` does not say which field is accepted, until when and why");
        let (path, rest) = text.split_once(" until ").ok_or_else(wrong)?;
        let (day, reason) = rest.split_once(':').ok_or_else(wrong)?;
        let (path, day, reason) = (path.trim(), day.trim(), reason.trim());
        let until = NaiveDate::parse_from_str(day, "%Y-%m-%d")
            .map_err(|_| format!("`{}` is no day", day.chars().take(20).collect::<String>()))?;
        if !path.starts_with("spec.") || path.contains(' ') || reason.is_empty() {
            return Err(wrong());
        }
        Ok(Self { path: path.to_owned(), until, reason: reason.to_owned() })
    }

    /// The annotation of several.
    #[must_use]
    pub fn text(all: &[Self]) -> String {
        let one = |Self { path, until, reason }: &Self| format!("{path} until {until}: {reason}");
        all.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    /// True when it has ended at an instant.
    #[must_use]
    pub fn has_ended(&self, at: DateTime<Utc>) -> bool {
        self.until.and_time(NaiveTime::MIN).and_utc() <= at
    }
}

#[cfg(test)]
mod tests {
    use super::Accepted;

    #[test]
    fn what_is_written_is_read_again() {
        let text = "spec.monthly.amount until 2026-12-31: agreed: ticket 7; spec.alertThresholds until 2027-01-01: x";
        let read = Accepted::parse(text).unwrap();
        assert_eq!((read.len(), read[0].reason.as_str()), (2, "agreed: ticket 7"));
        assert_eq!(Accepted::text(&read), text);
        assert!(!read[0].has_ended("2026-12-30T23:59:59Z".parse().unwrap()));
        assert!(read[0].has_ended("2026-12-31T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_says_less_is_refused() {
        for text in [
            "spec.a",
            "spec.a until tomorrow: x",
            "spec.a until 2026-12-31",
            "spec.a until 2026-12-31:",
            "metadata.name until 2026-12-31: x",
            "spec.a b until 2026-12-31: x",
        ] {
            assert!(Accepted::parse(text).is_err(), "{text}");
        }
    }
}
