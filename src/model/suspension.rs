//! Suspensions: what is left alone for a while, by whom, until when and why.

use crate::model::ResourceId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A resource, or a customer with everything that belongs to it, to which nothing is written.
///
/// It is no operation on the resource, so the log has nothing of it: who, when and why stand here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// `Kind/name`.
    #[schemars(with = "String")]
    pub resource: ResourceId,
    /// True when everything of this customer is suspended with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_all_of_it: bool,
    /// The set in which it was said, and which hears of the end.
    pub set: String,
    /// Who claims to have suspended it.
    pub actor: String,
    /// Since when, RFC 3339.
    #[schemars(with = "String")]
    pub since: DateTime<Utc>,
    /// Until when, RFC 3339; without it, until somebody ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<DateTime<Utc>>,
    /// Why; may be empty.
    pub reason: String,
}

impl Suspension {
    /// True when it has ended by itself at an instant.
    #[must_use]
    pub fn has_ended(&self, at: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= at)
    }

    /// True when a resource, which belongs to a customer, is meant.
    #[must_use]
    pub fn covers(&self, id: &ResourceId, customer: Option<&ResourceId>) -> bool {
        self.resource == *id || (self.with_all_of_it && customer == Some(&self.resource))
    }

    /// The one in force at an instant that a resource is meant by: its own before that of its
    /// customer.
    #[must_use]
    pub fn of<'a>(
        all: &'a [Self],
        at: DateTime<Utc>,
        id: &ResourceId,
        customer: Option<&ResourceId>,
    ) -> Option<&'a Self> {
        let mut meant = all.iter().filter(|one| !one.has_ended(at) && one.covers(id, customer));
        meant.clone().find(|one| one.resource == *id).or_else(|| meant.next())
    }

    /// The same for something that changes: under whatever name, and of whatever customer, before or
    /// after.
    #[must_use]
    pub fn of_any<'a>(
        all: &'a [Self],
        at: DateTime<Utc>,
        names: &[&ResourceId],
        customers: &[&ResourceId],
    ) -> Option<&'a Self> {
        let of = |name| {
            let of_customers = customers.iter().find_map(|one| Self::of(all, at, name, Some(*one)));
            of_customers.or_else(|| Self::of(all, at, name, None))
        };
        names.iter().find_map(|name| of(*name))
    }

    /// What is suspended, in words.
    #[must_use]
    pub fn subject(&self) -> String {
        if self.with_all_of_it {
            format!("{} with everything of it", self.resource)
        } else {
            self.resource.to_string()
        }
    }

    /// What `suspend` and `unsuspend` call it.
    #[must_use]
    pub fn argument(&self) -> String {
        if self.with_all_of_it {
            format!("--customer {}", self.resource.name)
        } else {
            self.resource.to_string()
        }
    }

    /// Who, since when, until when and why.
    #[must_use]
    pub fn story(&self) -> String {
        let mut story = format!("by {} since {}", self.actor, shown(self.since));
        if let Some(until) = self.until {
            story.push_str(&format!(" until {}", shown(until)));
        }
        if !self.reason.is_empty() {
            story.push_str(&format!(": {}", self.reason));
        }
        story
    }
}

/// An instant as people read it.
#[must_use]
pub fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::Suspension;
    use crate::model::ResourceId;

    fn suspension(kind: &str, name: &str, with_all_of_it: bool) -> Suspension {
        Suspension {
            resource: ResourceId::new(kind, name),
            with_all_of_it,
            set: "test".to_owned(),
            actor: "a".to_owned(),
            since: "2026-11-20T12:00:00Z".parse().unwrap(),
            until: Some("2026-11-21T00:00:00Z".parse().unwrap()),
            reason: "audit".to_owned(),
        }
    }

    #[test]
    fn it_ends_at_the_very_instant_it_names() {
        let one = suspension("Budget", "contoso", false);
        assert!(!one.has_ended("2026-11-20T23:59:59.999Z".parse().unwrap()));
        assert!(one.has_ended("2026-11-21T00:00:00Z".parse().unwrap()));
        assert_eq!(
            one.story(),
            "by a since 2026-11-20 12:00:00 UTC until 2026-11-21 00:00:00 UTC: audit"
        );
    }

    #[test]
    fn a_customer_is_suspended_with_what_belongs_to_it_or_alone_and_its_own_comes_first() {
        let at = "2026-11-20T13:00:00Z".parse().unwrap();
        let (budget, contoso) =
            (ResourceId::new("Budget", "b"), ResourceId::new("Customer", "contoso"));
        let alone = [suspension("Customer", "contoso", false)];
        assert_eq!(Suspension::of(&alone, at, &budget, Some(&contoso)), None);
        assert_eq!(Suspension::of(&alone, at, &contoso, Some(&contoso)), Some(&alone[0]));
        let both = [suspension("Customer", "contoso", true), suspension("Budget", "b", false)];
        assert_eq!(Suspension::of(&both, at, &budget, Some(&contoso)), Some(&both[1]));
        let later = "2026-11-22T00:00:00Z".parse().unwrap();
        assert_eq!(Suspension::of(&both, later, &budget, Some(&contoso)), None);
    }
}
