//! Something wrong with what was written, with its place and a remedy.

use crate::model::Code;
use crate::model::tree::Span;
use std::sync::Arc;

/// How bad a problem is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is planned or applied.
    Error,
    /// Worth knowing; nothing stops.
    Warning,
}

/// A place in a named file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file as the user named it or as found below the folder the user named.
    pub file: Arc<str>,
    /// Where in the file.
    pub span: Span,
}

/// One finding. The first location is the place to mend; further ones show the other side
/// (the first declaration of a duplicate, the two selectors of a conflict).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Where, the place to mend first.
    pub locations: Vec<Location>,
}

impl Problem {
    /// A finding at its places; an empty hint is none.
    pub fn new(
        code: Code,
        locations: Vec<Location>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        Self { code, message: message.into(), hint, locations }
    }

    /// A finding at one place; an empty hint is none.
    pub fn at(
        code: Code,
        file: &Arc<str>,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(code, vec![Location { file: file.clone(), span }], message, hint)
    }

    /// Error or warning, told by the code's letter.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.code.0.starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

/// A finding inside one document, before the file is known: by path rather than by place, so that
/// kinds need not know how documents are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stable code.
    pub code: Code,
    /// Dotted path of the field, `spec.monthly.amount`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
    /// Other fields it was concluded from: when one of them is faulty, it may be wrong.
    pub rests_on: &'static [&'static str],
}

impl Finding {
    /// A finding at a path.
    pub fn new(
        code: Code,
        path: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (path, message, hint) = (path.to_owned(), message.into(), hint.into());
        Self { code, path, message, hint, rests_on: &[] }
    }

    /// The same, concluded from other fields too.
    #[must_use]
    pub fn resting_on(self, rests_on: &'static [&'static str]) -> Self {
        Self { rests_on, ..self }
    }
}

/// The nearest of the known words, when it is near enough to be what was meant.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) between two words; words longer than 64
/// characters are never near, which bounds the work on hostile input.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(65).collect();
    let b: Vec<char> = b.chars().take(65).collect();
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX / 2;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best =
                (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn the_nearest_word_is_offered_and_a_far_one_is_not() {
        let fields = ["customerRef", "customerSelector", "monthly"];
        assert_eq!(did_you_mean("custmerRef", fields), Some("customerRef"));
        assert_eq!(did_you_mean("montlhy", fields), Some("monthly"));
        assert_eq!(did_you_mean("CUSTOMERREF", fields), Some("customerRef"));
        assert_eq!(did_you_mean("color", fields), None);
    }
}
