//! The roles of partner staff (domain.md, Terms).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A role of a partner user: an agent role, or a role of the partner's directory. No role implies
/// another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[expect(missing_docs, reason = "the names are those of the portal")]
pub enum AgentRole {
    AdminAgent,
    SalesAgent,
    HelpdeskAgent,
    GlobalAdmin,
    UserManagementAdmin,
    BillingAdmin,
}

impl AgentRole {
    /// Every role.
    pub const ALL: [Self; 6] = [
        Self::AdminAgent,
        Self::SalesAgent,
        Self::HelpdeskAgent,
        Self::GlobalAdmin,
        Self::UserManagementAdmin,
        Self::BillingAdmin,
    ];

    /// The role of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// The name as manifests and messages have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdminAgent => "AdminAgent",
            Self::SalesAgent => "SalesAgent",
            Self::HelpdeskAgent => "HelpdeskAgent",
            Self::GlobalAdmin => "GlobalAdmin",
            Self::UserManagementAdmin => "UserManagementAdmin",
            Self::BillingAdmin => "BillingAdmin",
        }
    }

    /// The role as a sentence has it, `an AdminAgent`.
    #[must_use]
    pub fn with_article(self) -> String {
        let article = if self == Self::AdminAgent { "an" } else { "a" };
        format!("{article} {}", self.as_str())
    }
}

/// Roles as a sentence has them: `AdminAgent or SalesAgent`.
#[must_use]
pub fn one_of(roles: &[AgentRole]) -> String {
    joined(roles, "or")
}

/// Roles as a sentence has them: `GlobalAdmin and AdminAgent`.
#[must_use]
pub fn all_of(roles: &[AgentRole]) -> String {
    joined(roles, "and")
}

fn joined(roles: &[AgentRole], word: &str) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} {word} {last}", most.join(", ")),
    }
}
