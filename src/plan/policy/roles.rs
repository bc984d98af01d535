//! Whether somebody has the role that a policy wants of whoever approves.

use crate::kinds::AgentRole;
use crate::model::{Spec, Stored, Value};

/// The kind whose resources say who has which role.
pub const PARTNER_USER: &str = "PartnerUser";

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
    let mut users = stored.iter().filter(|row| row.id.kind.as_str() == PARTNER_USER).peekable();
    if users.peek().is_none() {
        return Held::Unknown;
    }
    let is_theirs = |spec: &Spec| {
        let name = spec.text("userPrincipalName");
        name.is_some_and(|name| name.eq_ignore_ascii_case(actor))
    };
    let has_role = |spec: &Spec| {
        let Some(Value::Array(roles)) = spec.get("roles") else { return false };
        roles.iter().any(|one| one.as_str() == Some(role.as_str()))
    };
    let has =
        users.filter_map(|row| row.observed.as_ref()).any(|spec| is_theirs(spec) && has_role(spec));
    if has { Held::Yes } else { Held::No }
}
