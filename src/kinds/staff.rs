//! The partner's staff, by the roles they hold: the stored ones, or those after a plan.

use crate::kinds::AgentRole;
use crate::model::{Observed, Spec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kind that a person of the staff is of.
pub const KIND: &str = "PartnerUser";

/// Who of the partner's staff holds which roles, and who acts. Clones share it until one changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Staff {
    actor: Arc<str>,
    checked: bool,
    /// By user principal name in lower case.
    people: Arc<BTreeMap<String, Person>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Person {
    name: String,
    roles: Vec<AgentRole>,
}

impl Staff {
    /// The partner users among some things, and who claims to act.
    #[must_use]
    pub fn of<'a>(actor: &str, things: impl IntoIterator<Item = &'a Observed>) -> Self {
        let mut staff = Self { actor: actor.into(), ..Self::default() };
        for thing in things.into_iter().filter(|thing| thing.kind.as_str() == KIND) {
            staff.put(&thing.spec);
        }
        staff.checked = !staff.people.is_empty();
        staff
    }

    /// Who claims to act.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// The same where partner users are managed, though none of them may be there any more: then
    /// roles are checked, and nobody holds one.
    #[must_use]
    pub fn managed(self) -> Self {
        Self { checked: true, ..self }
    }

    /// True when there were partner users to begin with: only then roles are checked.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.checked
    }

    /// True when somebody is a partner user, by the user principal name in any letter case.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        !self.people.is_empty() && self.people.contains_key(&name.to_lowercase())
    }

    /// The roles that somebody holds; none for who is no partner user.
    #[must_use]
    pub fn roles(&self, name: &str) -> &[AgentRole] {
        self.people.get(&name.to_lowercase()).map_or(&[], |person| &person.roles)
    }

    /// True when somebody holds a role.
    #[must_use]
    pub fn holds(&self, name: &str, role: AgentRole) -> bool {
        self.roles(name).contains(&role)
    }

    /// True when roles are checked and somebody does not hold this one.
    #[must_use]
    pub fn lacks(&self, name: &str, role: AgentRole) -> bool {
        self.checked && !self.holds(name, role)
    }

    /// Who holds a role, in order.
    pub fn holders(&self, role: AgentRole) -> impl Iterator<Item = &str> {
        self.people
            .values()
            .filter(move |person| person.roles.contains(&role))
            .map(|person| person.name.as_str())
    }

    /// Everybody with the roles held, in order.
    pub fn people(&self) -> impl Iterator<Item = (&str, &[AgentRole])> {
        self.people.values().map(|person| (person.name.as_str(), person.roles.as_slice()))
    }

    /// True when the state of a partner user is that of somebody, in any letter case.
    #[must_use]
    pub fn is_of(spec: &Spec, name: &str) -> bool {
        let own = spec.text("userPrincipalName");
        own.is_some_and(|own| own.to_lowercase() == name.to_lowercase())
    }

    /// The roles that the state of a partner user names; what is not known is none.
    #[must_use]
    pub fn roles_of(spec: &Spec) -> Vec<AgentRole> {
        let names = spec.get("roles").and_then(|roles| roles.as_array()).unwrap_or_default();
        names.iter().filter_map(|name| AgentRole::of_name(name.as_str()?)).collect()
    }

    /// Puts the state of a partner user in, in place of what was known of the person.
    pub fn put(&mut self, spec: &Spec) {
        let Some(name) = spec.text("userPrincipalName") else { return };
        let person = Person { name: name.to_owned(), roles: Self::roles_of(spec) };
        if self.people.get(&name.to_lowercase()) != Some(&person) {
            Arc::make_mut(&mut self.people).insert(name.to_lowercase(), person);
        }
    }

    /// Takes a partner user out.
    pub fn take(&mut self, spec: &Spec) {
        if let Some(name) = spec.text("userPrincipalName") {
            Arc::make_mut(&mut self.people).remove(&name.to_lowercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Staff;
    use crate::kinds::AgentRole;
    use crate::model::{KindName, Observed, Spec};
    use serde_json::json;

    fn user(name: &str, roles: &[&str]) -> Observed {
        Observed {
            kind: KindName::new("PartnerUser"),
            external_id: name.to_owned(),
            name: name.to_owned(),
            spec: Spec::from_value(json!({"userPrincipalName": name, "roles": roles})),
        }
    }

    #[test]
    fn names_are_the_same_in_any_letter_case_and_unknown_roles_are_none() {
        let things = [user("Ann@partner.example", &["GlobalAdmin", "Janitor"])];
        let staff = Staff::of("ANN@partner.example", &things);
        assert!(staff.is_checked() && staff.knows("ann@Partner.example"));
        assert_eq!(staff.roles(staff.actor()), [AgentRole::GlobalAdmin]);
        assert_eq!(
            staff.holders(AgentRole::GlobalAdmin).collect::<Vec<_>>(),
            ["Ann@partner.example"]
        );
        assert_eq!(staff.roles("bob@partner.example"), []);
    }

    #[test]
    fn a_role_is_lacked_by_whom_the_provider_has_without_it() {
        let role = AgentRole::AdminAgent;
        assert!(!Staff::of("", []).lacks("ana@partner.example", role));
        assert!(Staff::of("", []).managed().lacks("ana@partner.example", role), "all are gone");
        for (name, roles, lacks) in [
            ("Ana@partner.example", &["SalesAgent", "AdminAgent"][..], false),
            ("ana@partner.example", &["SalesAgent"], true),
            ("bo@partner.example", &["AdminAgent"], true),
        ] {
            let staff = Staff::of("", &[user(name, roles)]);
            assert_eq!(staff.lacks("ana@partner.example", role), lacks, "{name} {roles:?}");
        }
    }

    #[test]
    fn without_partner_users_nothing_is_checked_even_when_some_come() {
        let mut staff = Staff::of("ann@partner.example", []);
        staff.put(&user("ann@partner.example", &["AdminAgent"]).spec);
        assert!(!staff.is_checked() && staff.holds("ann@partner.example", AgentRole::AdminAgent));
        staff.take(&user("ANN@partner.example", &[]).spec);
        assert!(!staff.knows("ann@partner.example"));
    }
}
