//! Conditions of rows as text. Nearly all of them say that all is well: that is written shortly.

use crate::model::{Condition, condition};
use crate::store::sqlite::text_of;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How the text of what is well begins; that of a list begins with a bracket.
const WELL: &str = r#"{"well":"#;

/// What is well, and since when.
#[derive(Serialize, Deserialize)]
struct Well {
    well: DateTime<Utc>,
}

impl Well {
    fn conditions(&self) -> Vec<Condition> {
        condition::well(self.well)
    }

    /// When conditions say nothing else.
    fn of(conditions: &[Condition]) -> Option<Self> {
        let well = Self { well: conditions.first()?.last_transition_time };
        (well.conditions() == conditions).then_some(well)
    }
}

/// Texts of conditions. Rows that are written together mostly share theirs.
#[derive(Default)]
pub(super) struct Texts(Option<(Arc<Vec<Condition>>, Arc<str>)>);

impl Texts {
    /// The text of these.
    pub(super) fn of(&mut self, conditions: &Arc<Vec<Condition>>) -> Arc<str> {
        let last = self.0.take().filter(|(last, _)| Arc::ptr_eq(last, conditions));
        let text = || (conditions.clone(), text(conditions).into());
        self.0.insert(last.unwrap_or_else(text)).1.clone()
    }
}

fn text(conditions: &[Condition]) -> String {
    Well::of(conditions).map_or_else(|| text_of(&conditions), |well| text_of(&well))
}

/// Conditions as they were written.
pub(super) fn read(text: &str) -> serde_json::Result<Vec<Condition>> {
    if text.starts_with(WELL) {
        return Ok(serde_json::from_str::<Well>(text)?.conditions());
    }
    serde_json::from_str(text)
}

/// True for conditions that say nothing but that all is well: a pass over everything asks for those of
/// every row, and does not read them as values.
pub(super) fn all_is_well(text: &str) -> bool {
    text.starts_with(WELL) || read(text).is_ok_and(|conditions| says_well(&conditions))
}

/// True also where one is well for longer than the other.
fn says_well(conditions: &[Condition]) -> bool {
    let same_time = |condition: &Condition| Condition {
        last_transition_time: DateTime::UNIX_EPOCH,
        ..condition.clone()
    };
    Well::of(&conditions.iter().map(same_time).collect::<Vec<_>>()).is_some()
}

#[cfg(test)]
mod tests {
    use super::{all_is_well, read, text};
    use crate::model::Condition;
    use crate::model::condition::{ConditionType, Truth};

    fn condition(kind: ConditionType, status: Truth, reason: &str, message: &str) -> Condition {
        Condition {
            kind,
            status,
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: "2026-11-21T12:00:00.125Z".parse().unwrap(),
        }
    }

    #[test]
    fn conditions_are_well_only_when_both_say_so_and_come_back_as_they_were() {
        let ready = condition(ConditionType::Ready, Truth::True, "Available", "");
        let synced = condition(ConditionType::Synced, Truth::True, "Applied", "");
        let at = "2026-11-22T12:00:00Z".parse().unwrap();
        let later = Condition { last_transition_time: at, ..synced.clone() };
        let late = condition(ConditionType::Synced, Truth::False, "Blocked", "why");
        let said = condition(ConditionType::Ready, Truth::True, "Available", r#"{"well":"#);
        for (conditions, is_well) in [
            (vec![ready.clone(), synced.clone()], true),
            (vec![ready.clone(), later], true),
            (vec![], false),
            (vec![ready.clone()], false),
            (vec![ready.clone(), late], false),
            (vec![said, synced.clone()], false),
            (vec![ready.clone(), synced.clone(), synced.clone()], false),
            (vec![synced.clone(), ready.clone()], false),
        ] {
            let text = text(&conditions);
            assert_eq!(all_is_well(&text), is_well, "{text}");
            assert_eq!(read(&text).unwrap(), conditions);
            // As they were written by a program before.
            let before = serde_json::to_string(&conditions).unwrap();
            assert_eq!(all_is_well(&before), is_well, "{before}");
            assert_eq!(read(&before).unwrap(), conditions);
        }
        assert_eq!(text(&[ready, synced]), r#"{"well":"2026-11-21T12:00:00.125Z"}"#);
        for broken in ["x", "", r#"{"well":"then"}"#, "{}"] {
            assert!(read(broken).is_err());
        }
    }
}
