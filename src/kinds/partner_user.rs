//! PartnerUser: somebody of the partner's staff, and the roles he or she holds (domain.md, Terms and 8).

use crate::kinds::staff::Staff;
use crate::kinds::{
    AgentRole, Column, Facts, Field, Kind, Mend, Missing, Operation, Rule, Transition, Verdict,
    World, permit, rule,
};
use crate::model::problem::Finding;
use crate::model::scalar::{Email, Line};
use crate::model::{Spec, code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// The spec of a PartnerUser.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "the spec of a PartnerUser")]
pub struct PartnerUser {
    /// The name to sign in with; identifies the person and cannot be changed.
    user_principal_name: Email,
    /// Agent roles and roles of the partner's directory. No role implies another.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_order", default)]
    #[schemars(extend("uniqueItems" = true))]
    roles: Option<Vec<AgentRole>>,
    /// What the person is told of, and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    notifications: Option<Notifications>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "notifications, {azureSpending: Email}"
)]
struct Notifications {
    /// Where they are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    /// The language they are written in, `nl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Line>,
    /// Whether the person is told when a customer has used 80 % or more of its budget; default Off.
    #[serde(skip_serializing_if = "Option::is_none")]
    azure_spending: Option<Notice>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum Notice {
    Email,
    Off,
}

fn in_order<S: Serializer>(
    list: &Option<Vec<AgentRole>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut list = list.clone().unwrap_or_default();
    list.sort();
    list.dedup();
    list.serialize(serializer)
}

/// The first partner users: from then on roles are checked, and nobody shall be locked out by that.
const BEGINNING: Rule = Rule::blocks(
    "to declare the first partner users: who plans it becomes GlobalAdmin with them",
    beginning,
)
.code(code::BLOCK_BEGINNING)
.asked(|transition| transition.after.is_some());

const KEEPS_A_GLOBAL_ADMIN: Rule =
    Rule::blocks("to take GlobalAdmin away: somebody else keeps it", |transition, after| {
        keeps(AgentRole::GlobalAdmin, transition, after)
    })
    .code(code::BLOCK_LAST_ADMIN)
    .asked(|transition| loses(AgentRole::GlobalAdmin, transition));

const KEEPS_AN_ADMIN_AGENT: Rule =
    Rule::blocks("to take AdminAgent away: somebody else keeps it", |transition, after| {
        keeps(AgentRole::AdminAgent, transition, after)
    })
    .code(code::BLOCK_LAST_ADMIN)
    .asked(|transition| loses(AgentRole::AdminAgent, transition));

fn beginning(transition: &Transition<'_>, after: &World) -> Verdict {
    let staff = after.staff();
    let actor = staff.actor();
    if staff.is_checked() || actor.is_empty() {
        return Verdict::Moot;
    }
    if staff.holds(actor, AgentRole::GlobalAdmin) {
        return Verdict::Holds(format!("{actor} becomes GlobalAdmin"));
    }
    let missing = Missing::new(
        format!(
            "these are the first partner users, and {actor}, who plans it, would not be GlobalAdmin: \
             from then on roles are checked, and {actor} could not even put that right"
        ),
        "declare who plans it as a PartnerUser with the role GlobalAdmin in the same plan, or name \
         with --as somebody who is",
    );
    let own = transition.after.and_then(identity) == Some(actor.to_lowercase());
    let roles = |spec: &Spec| {
        let held = Staff::roles_of(spec).into_iter().chain([AgentRole::GlobalAdmin]);
        let mut names: Vec<&str> = held.map(AgentRole::as_str).collect();
        names.dedup();
        serde_json::json!(names)
    };
    let mend = match transition.after.filter(|_| own) {
        Some(spec) => Some(Mend::change(transition.id, "roles", roles(spec).into())),
        None if Email::from_text(actor).is_ok() => {
            let wanted: String = actor.chars().take_while(|c| *c != '@').collect();
            let wanted = wanted.to_lowercase();
            let name =
                if crate::model::ResourceName::parse(&wanted).is_ok() { &wanted } else { "admin" };
            let id = rule::free_name(after, "PartnerUser", name);
            let roles = ["GlobalAdmin", "AdminAgent"];
            let spec = serde_json::json!({"userPrincipalName": actor, "roles": roles});
            Some(Mend::declare(id, spec, "with the roles that are needed"))
        }
        None => None,
    };
    match mend {
        Some(mend) => missing.mend(mend),
        None => missing,
    }
    .fails()
}

fn loses(role: AgentRole, transition: &Transition<'_>) -> bool {
    let has = |spec: Option<&Spec>| spec.is_some_and(|spec| Staff::roles_of(spec).contains(&role));
    has(transition.before) && !has(transition.after)
}

fn keeps(role: AgentRole, transition: &Transition<'_>, after: &World) -> Verdict {
    if let Some(other) = after.staff().holders(role).next() {
        return Verdict::Holds(format!("{other} keeps {}", role.as_str()));
    }
    let name = transition.before.and_then(|spec| spec.text("userPrincipalName"));
    Missing::new(
        format!("{} is the last {}", name.unwrap_or("the person"), role.as_str()),
        format!("give {} to somebody else, in the same plan", role.as_str()),
    )
    .fails()
}

/// A user principal name is the same in any letter case.
fn identity(spec: &Spec) -> Option<String> {
    spec.text("userPrincipalName").map(str::to_lowercase)
}

impl Kind for PartnerUser {
    const RULES: &'static [Rule] = &[BEGINNING, KEEPS_A_GLOBAL_ADMIN, KEEPS_AN_ADMIN_AGENT];

    const FACTS: Facts = Facts {
        kind: "PartnerUser",
        plural: "partnerusers",
        short: &["pu"],
        about: "Somebody of the partner's staff, with agent and directory roles",
        deleting: "remove the agent roles",
        identity: "the userPrincipalName, in any letter case",
        roles: permit::STAFF,
        roles_note: "giving GlobalAdmin needs GlobalAdmin",
        fields: &[
            Field::new("userPrincipalName")
                .immutable("declare the other person under a name of its own; remove this one with --prune")
                .any_case(),
            Field::new("roles").default("[]"),
            Field::new("notifications.azureSpending").default("\"Off\""),
        ],
        references: &[],
        replaceable: false,
        columns: &[
            Column::new("USER", "userPrincipalName"),
            Column::new("ROLES", "roles"),
            Column::wide("SPENDING", "notifications.azureSpending"),
            Column::wide("EMAIL", "notifications.email"),
        ],
        example: r"apiVersion: partnerctl.dev/v1
kind: PartnerUser
metadata:
  name: admin
spec:
  userPrincipalName: admin@partner.example
  roles: [GlobalAdmin, AdminAgent]
  notifications: {email: spending@partner.example, azureSpending: Email}
",
    };

    fn check(&self) -> Vec<Finding> {
        let mut seen = Vec::new();
        let mut findings = Vec::new();
        for (index, role) in self.roles.iter().flatten().enumerate() {
            if seen.contains(role) {
                findings.push(Finding::new(
                    code::INVALID_VALUE,
                    &format!("spec.roles.[{index}]"),
                    format!("the role {} stands twice", role.as_str()),
                    "write it once",
                ));
            }
            seen.push(*role);
        }
        findings
    }

    fn identity(spec: &Spec) -> Option<String> {
        identity(spec)
    }

    fn operation(transition: &Transition<'_>) -> Operation {
        match (transition.before, transition.after) {
            (None, _) => "Create partner user",
            (Some(_), Some(_)) => "Update partner user",
            (Some(_), None) => "Remove partner user",
        }
    }
}
