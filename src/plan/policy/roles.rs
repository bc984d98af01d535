//! Whether somebody has the role that a policy wants of whoever approves.

use crate::kinds::staff::KIND;
use crate::kinds::{AgentRole, Staff};
use crate::model::{Spec, Stored};

/// What the store says of somebody's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// They have it.
    Yes,
    /// They do not.
    No,
    /// The store has no partner users: nobody can say.
    Unknown,
}

/// Whether `actor` has a role, by the partner users of the store as they are now.
#[must_use]
pub fn held(actor: &str, role: AgentRole, stored: &[Stored]) -> Held {
    let mut users = stored.iter().filter(|row| row.id.kind.as_str() == KIND).peekable();
    if users.peek().is_none() {
        return Held::Unknown;
    }
    let is_theirs = |spec: &Spec| {
        let name = spec.text("userPrincipalName");
        name.is_some_and(|name| name.eq_ignore_ascii_case(actor))
    };
    let has_role = |spec: &Spec| Staff::roles_of(spec).contains(&role);
    let has =
        users.filter_map(|row| row.observed.as_ref()).any(|spec| is_theirs(spec) && has_role(spec));
    if has { Held::Yes } else { Held::No }
}

#[cfg(test)]
mod tests {
    use super::{Held, KIND, held};
    use crate::kinds::AgentRole;
    use crate::model::{Metadata, ResourceId, Source, Spec, Stored};

    fn user(name: &str, roles: &[&str], is_there: bool) -> Stored {
        let spec = Spec::from_value(serde_json::json!({"userPrincipalName": name, "roles": roles}));
        Stored {
            id: ResourceId::new(KIND, "somebody"),
            uid: "1".into(),
            set: "test".into(),
            generation: 1,
            revision: 1,
            metadata: Metadata::default(),
            spec: spec.clone(),
            last_applied: None,
            observed: is_there.then_some(spec),
            external_id: None,
            conditions: Default::default(),
            source: Source::default(),
        }
    }

    #[test]
    fn a_role_is_held_by_whom_the_provider_has_with_it() {
        let role = AgentRole::AdminAgent;
        assert_eq!(held("ana@partner.example", role, &[]), Held::Unknown);
        for (name, roles, is_there, expected) in [
            ("Ana@partner.example", &["SalesAgent", "AdminAgent"][..], true, Held::Yes),
            ("ana@partner.example", &["SalesAgent"], true, Held::No),
            ("ana@partner.example", &["AdminAgent"], false, Held::No),
            ("bo@partner.example", &["AdminAgent"], true, Held::No),
        ] {
            let stored = [user(name, roles, is_there)];
            assert_eq!(held("ana@partner.example", role, &stored), expected, "{name} {roles:?}");
        }
    }
}
