//! The times between which a memory holds: what is declared may end by itself.

use crate::kinds::{Kinds, expiry};
use crate::model::Resource;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// From the last end that has come to the next one; unbounded where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    from: Option<DateTime<Utc>>,
    /// When something ends next.
    pub to: Option<DateTime<Utc>>,
}

impl Window {
    /// The part of it in which nothing of these resources ends, around a time that is in it.
    #[must_use]
    pub fn around(mut self, at: DateTime<Utc>, kinds: &Kinds, declared: &[Resource]) -> Self {
        for resource in declared {
            let entry = kinds.get(resource.id.kind.as_str());
            let Some(until) = entry.and_then(|entry| expiry::until(entry, &resource.spec)) else {
                continue;
            };
            if until <= at {
                self.from = self.from.max(Some(until));
            } else {
                self.to = Some(self.to.map_or(until, |to| to.min(until)));
            }
        }
        self
    }

    /// True when a time is in it.
    #[must_use]
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }
}

#[cfg(test)]
mod tests {
    use super::Window;
    use crate::kinds::Kinds;
    use crate::model::{Metadata, Resource, ResourceId, Source, Spec};
    use serde_json::json;

    #[test]
    fn it_reaches_from_the_last_end_to_the_next_one() {
        let ends = |until: &str| Resource {
            id: ResourceId::new("RoleAssignment", "x"),
            metadata: Metadata::default(),
            spec: Spec::from_value(json!({"until": until})),
            source: Source::default(),
        };
        let at = |text: &str| text.parse().unwrap();
        let declared = ["2026-01-01", "2026-03-01", "2026-05-01T12:00:00Z", "2026-07-01"].map(ends);
        let window =
            Window::default().around(at("2026-03-01T00:00:00Z"), &Kinds::default(), &declared);
        assert_eq!(window.to, Some(at("2026-05-01T12:00:00Z")));
        assert!(
            window.holds(at("2026-03-01T00:00:00Z")) && window.holds(at("2026-05-01T11:59:59Z"))
        );
        assert!(
            !window.holds(at("2026-02-28T23:59:59Z")) && !window.holds(at("2026-05-01T12:00:00Z"))
        );
        assert!(Window::default().holds(at("2026-03-01T00:00:00Z")));
    }
}
