//! What was said already: each cause is said once, for as long as it stands.

use std::collections::BTreeSet;

/// Why passes do not get through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The manifests or the settings are not valid: these diagnostics.
    Invalid(String),
    /// The store, the provider or a change failed.
    Failed(String),
    /// Somebody else applies.
    Locked(String),
    /// The commit is not applied: it replaces what was applied, or nobody trusted signed it.
    Rejected(String),
}

/// What is to be said now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Something stands in the way from now on.
    Trouble(Trouble),
    /// The manifests are valid again.
    Mended,
    /// Passes get through again.
    Recovered,
    /// The branch cannot be looked at.
    Away(String),
    /// It can be again.
    Near,
    /// Something stands that somebody should know.
    Cause(String),
    /// Something is worth knowing once.
    Remark(String),
}

/// What stands, and was said.
#[derive(Debug, Default)]
pub struct Told {
    trouble: Option<Trouble>,
    away: Option<String>,
    standing: BTreeSet<String>,
    remarks: BTreeSet<String>,
}

/// Remarks that are known to have been made; beyond them the same may be said twice.
const REMARKS_MAX: usize = 64;

impl Told {
    /// Something that is said once, however often it comes and goes, and not beside what stands.
    pub fn remark(&mut self, text: String) -> Option<Word> {
        if self.standing.contains(&text) {
            return None;
        }
        if self.remarks.len() >= REMARKS_MAX {
            self.remarks.clear();
        }
        self.remarks.insert(text.clone()).then_some(Word::Remark(text))
    }

    /// The branch cannot be looked at. Where only numbers differ, how long something took, it is the
    /// same cause.
    pub fn away(&mut self, text: &str) -> Option<Word> {
        let cause: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        let is_new = self.away.as_ref() != Some(&cause);
        self.away = Some(cause);
        is_new.then(|| Word::Away(text.to_owned()))
    }

    /// The branch was looked at.
    pub fn near(&mut self) -> Option<Word> {
        self.away.take().map(|_| Word::Near)
    }

    /// A pass did not get through. What stood before still does, as far as anybody knows.
    pub fn trouble(&mut self, trouble: Trouble) -> Vec<Word> {
        if self.trouble.as_ref() == Some(&trouble) {
            return Vec::new();
        }
        let mut words = Vec::new();
        if matches!(self.trouble, Some(Trouble::Invalid(_)))
            && !matches!(trouble, Trouble::Invalid(_))
        {
            words.push(Word::Mended);
        }
        self.trouble = Some(trouble.clone());
        words.push(Word::Trouble(trouble));
        words
    }

    /// A pass got through, and these causes stand.
    pub fn passed(&mut self, causes: &[String]) -> Vec<Word> {
        let mut words = match self.trouble.take() {
            Some(Trouble::Invalid(_)) => vec![Word::Mended],
            Some(Trouble::Failed(_) | Trouble::Rejected(_)) => vec![Word::Recovered],
            Some(Trouble::Locked(_)) | None => Vec::new(),
        };
        let before = std::mem::take(&mut self.standing);
        for cause in causes {
            if self.standing.insert(cause.clone()) && !before.contains(cause) {
                words.push(Word::Cause(cause.clone()));
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::{Told, Trouble, Word};

    fn causes(causes: &[&str]) -> Vec<String> {
        causes.iter().map(ToString::to_string).collect()
    }

    fn cause(text: &str) -> Word {
        Word::Cause(text.to_owned())
    }

    #[test]
    fn a_cause_is_said_once_while_it_stands_and_again_when_it_comes_back() {
        let mut told = Told::default();
        assert_eq!(told.passed(&causes(&["b", "a", "b"])), [cause("b"), cause("a")]);
        assert_eq!(told.passed(&causes(&["a", "b"])), []);
        assert_eq!(told.passed(&causes(&["a", "c"])), [cause("c")]);
        assert_eq!(told.passed(&causes(&["a", "b"])), [cause("b")]);
    }

    #[test]
    fn a_remark_is_made_once_and_not_of_what_stands_already() {
        let mut told = Told::default();
        told.passed(&causes(&["a"]));
        assert_eq!(told.remark("a".to_owned()), None);
        assert_eq!(told.remark("b".to_owned()), Some(Word::Remark("b".to_owned())));
        assert_eq!(told.remark("b".to_owned()), None);
    }

    #[test]
    fn trouble_is_said_once_for_each_cause_and_its_end_once() {
        let mut told = Told::default();
        let bad = |text: &str| Trouble::Invalid(text.to_owned());
        let full = || Trouble::Failed("disk full".to_owned());
        assert_eq!(told.trouble(bad("a")), [Word::Trouble(bad("a"))]);
        assert_eq!(told.trouble(bad("a")), []);
        assert_eq!(told.trouble(bad("b")), [Word::Trouble(bad("b"))]);
        assert_eq!(told.trouble(full()), [Word::Mended, Word::Trouble(full())]);
        assert_eq!(told.trouble(full()), []);
        assert_eq!(told.passed(&[]), [Word::Recovered]);
        assert_eq!(told.passed(&[]), []);
        assert_eq!(told.trouble(bad("a")), [Word::Trouble(bad("a"))]);
        assert_eq!(told.passed(&[]), [Word::Mended]);
    }

    #[test]
    fn a_branch_that_is_away_is_told_once_for_each_cause_whatever_passes_do_meanwhile() {
        let mut told = Told::default();
        let away = |text: &str| Some(Word::Away(text.to_owned()));
        assert_eq!(told.near(), None);
        assert_eq!(told.away("no answer after 12 ms"), away("no answer after 12 ms"));
        assert_eq!(told.passed(&[]), []);
        assert_eq!(told.away("no answer after 7 ms"), None);
        assert_eq!(told.away("no such branch"), away("no such branch"));
        assert_eq!((told.near(), told.near()), (Some(Word::Near), None));
        assert_eq!(told.away("no such branch"), away("no such branch"));
    }

    #[test]
    fn what_stood_before_the_trouble_is_not_said_again_after_it() {
        let mut told = Told::default();
        assert_eq!(told.passed(&causes(&["held"])), [cause("held")]);
        let locked = || Trouble::Locked("another".to_owned());
        assert_eq!(told.trouble(locked()), [Word::Trouble(locked())]);
        assert_eq!(told.passed(&causes(&["held"])), []);
    }
}
