//! RoleAssignment: a role of a principal on a subscription, reservation or billing scope.

use crate::kinds::reference::Ref;
use crate::kinds::reservation_permission as permission;
use crate::kinds::{
    Column, Dated, Ending, Facts, Field, Kind, Mend, Missing, Operation, Reference, ReferenceTo,
    Rule, Standing, Transition, Verdict, World, customer, expiry, permit, rule,
};
use crate::model::problem::Finding;
use crate::model::scalar::{Invalid, Line, Moment, Uuid, scalar};
use crate::model::{ResourceId, Spec, code};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The spec of a RoleAssignment. A change of scope, principal or role makes a new assignment
/// and removes the old.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "the spec of a RoleAssignment")]
pub struct RoleAssignment {
    /// What the role is on: exactly one of the four.
    scope: Scope,
    /// Who gets it.
    principal: Principal,
    /// A role's name or the id of a role definition.
    role: Role,
    /// When the role ends: a day, from its beginning in UTC, or an instant. Then it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a scope, {subscriptionRef: {name: …}}"
)]
#[schemars(extend("oneOf" = [{"required": ["subscriptionRef"]}, {"required": ["reservationRef"]},
    {"required": ["billingProfileRef"]}, {"required": ["billingAccount"]}]))]
struct Scope {
    /// A subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_ref: Option<Ref>,
    /// A reservation.
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation_ref: Option<Ref>,
    /// A billing profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile_ref: Option<Ref>,
    /// The id of a billing account.
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_account: Option<Line>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a principal, {type: User, name: …}")]
#[schemars(extend("oneOf" = [{"required": ["name"]}, {"required": ["id"]}]))]
struct Principal {
    /// A person, a group, or an application.
    #[serde(rename = "type")]
    kind: PrincipalType,
    /// A user principal name, or the name of a group or an application.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Line>,
    /// The object id in the customer's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum PrincipalType {
    User,
    Group,
    ServicePrincipal,
}

/// A role: one of the names, or a role definition's id. The ids of the three built-in Azure roles
/// read as their names, so that both are one identity.
#[derive(Debug, Clone, PartialEq)]
struct Role(String);

scalar!(Role, "a role, such as Owner", "Owner", |text| Self::parse(text), {
    "type": "string",
    "anyOf": [
        {"enum": ["Owner", "Contributor", "Reader", "BillingAccountOwner", "BillingAccountContributor",
            "BillingAccountReader", "BillingProfileOwner", "BillingProfileContributor",
            "BillingProfileReader", "InvoiceManager"]},
        {"pattern": "^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"}
    ]
});

/// Azure's built-in role definitions (partner-center-api.md 7.1).
const AZURE_ROLES: [(&str, &str); 3] = [
    ("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
    ("Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c"),
    ("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7"),
];
const ACCOUNT_ROLES: [&str; 3] =
    ["BillingAccountOwner", "BillingAccountContributor", "BillingAccountReader"];
const PROFILE_ROLES: [&str; 4] =
    ["BillingProfileOwner", "BillingProfileContributor", "BillingProfileReader", "InvoiceManager"];

impl Role {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let names =
            || AZURE_ROLES.iter().map(|(name, _)| *name).chain(ACCOUNT_ROLES).chain(PROFILE_ROLES);
        if names().any(|name| name == text) {
            return Ok(Self(text.to_owned()));
        }
        if let Ok(id) = Uuid::from_text(text) {
            let id = id.to_string();
            let name = AZURE_ROLES.iter().find(|(_, known)| *known == id).map(|(name, _)| *name);
            return Ok(Self(name.map_or(id, str::to_owned)));
        }
        let shown: String = text.chars().take(60).collect();
        let hint = match crate::model::problem::did_you_mean(text, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "one of {}, or a role definition's id",
                names().collect::<Vec<_>>().join(", ")
            ),
        };
        Err(Invalid::new(format!("`{shown}` is not a role"), hint))
    }

    fn is_azure(&self) -> bool {
        !ACCOUNT_ROLES.contains(&self.0.as_str()) && !PROFILE_ROLES.contains(&self.0.as_str())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const SCOPES: [&str; 4] =
    ["subscriptionRef", "reservationRef", "billingProfileRef", "billingAccount"];

const IDENTITY: [&str; 3] = ["scope", "principal", "role"];

const ANEW: &str = "a change makes a new assignment, then removes this one";

const KEEPS_AN_OWNER: Rule =
    Rule::blocks("to take an Owner away: its subscription keeps another one", keeps_an_owner)
        .code(code::BLOCK_LAST_OWNER)
        .asked(|transition| transition.before.is_some_and(is_owner));

const NOT_RESTED_ON: Rule = Rule::blocks(
    "to take an Owner away: no Allowed ReservationPermission would lose its last customer Owner",
    |transition, after| match owned_subscription(transition) {
        Some(subscription) => permission::held_back(&subscription, transition.id, after),
        None => Verdict::Moot,
    },
)
.code(code::BLOCK_IN_USE)
.roles(permit::PERMISSIONS);

fn keeps_an_owner(transition: &Transition<'_>, after: &World) -> Verdict {
    let Some(ReferenceTo::Resource(subscription)) =
        transition.before.and_then(|before| RoleAssignment::FACTS.references[0].target(before))
    else {
        return Verdict::Moot;
    };
    let mut owners = after
        .referrers(&subscription, Some("RoleAssignment"))
        .filter(|other| is_owner(&other.spec));
    if owned_subscription(transition).is_none() {
        return Verdict::Holds(if owners.any(|other| other.id != *transition.id) {
            format!("{subscription} has another Owner beside this one")
        } else {
            format!("it is the last Owner of {subscription} and stays as long as that is so")
        });
    }
    if after.get(&subscription).is_none() || owners.next().is_some() {
        return Verdict::Holds(format!("{subscription} keeps an Owner, or goes itself"));
    }
    Missing::new(
        format!("it is the last Owner of {subscription}"),
        "give Owner to somebody else first, or cancel the subscription in the same plan",
    )
    .mend(new_owner(&subscription, transition.before, after))
    .fails()
}

/// A role assignment that makes a user of the customer Owner of a subscription: who has another role
/// on it already, else somebody by the usual name. Who loses Owner by this very change is nobody else.
pub(super) fn new_owner(subscription: &ResourceId, lost: Option<&Spec>, world: &World) -> Mend {
    let customer = world.customer_of(subscription).and_then(|id| world.get(&id));
    let domain = customer.and_then(|customer| customer.spec.text("domain"));
    let has_a_role = world
        .referrers(subscription, Some("RoleAssignment"))
        .filter(|assignment| !is_owner(&assignment.spec))
        .filter(|assignment| is_customer_person(&assignment.spec, world))
        .filter_map(|assignment| assignment.spec.get("principal").cloned())
        .find(|principal| lost.and_then(|lost| lost.get("principal")) != Some(principal));
    let principal = has_a_role.unwrap_or_else(|| {
        let who = if lost.is_some() { "owner" } else { "admin" };
        let name = format!("{who}@{}", domain.unwrap_or("customer.example"));
        serde_json::json!({"type": "User", "name": name}).into()
    });
    let wanted = format!("{}-owner", subscription.name);
    let id = rule::free_name(world, "RoleAssignment", &wanted);
    let scope = serde_json::json!({"subscriptionRef": rule::named(subscription)});
    let spec = serde_json::json!({"scope": scope, "principal": principal, "role": "Owner"});
    Mend::declare(id, spec, "put the user or group of the customer that shall be Owner here")
}

impl Kind for RoleAssignment {
    const RULES: &'static [Rule] = &[customer::RELATIONSHIP, KEEPS_AN_OWNER, NOT_RESTED_ON];

    const ENDING: Ending = Ending::Goes;

    const FACTS: Facts = Facts {
        kind: "RoleAssignment",
        plural: "roleassignments",
        short: &["ra"],
        about: "A role of a person, group or application on a scope",
        deleting: "remove the role assignment",
        identity: "scope, principal and role together; the principal in any letter case",
        roles: permit::ACCESS,
        roles_note: "on a reservation AdminAgent, GlobalAdmin, HelpdeskAgent, SalesAgent or \
                     UserManagementAdmin; on a billing account or profile GlobalAdmin or BillingAdmin",
        fields: &[
            Field::new("scope").immutable(ANEW),
            Field::new("principal").immutable(ANEW).any_case(),
            Field::new("role").immutable(ANEW),
        ],
        references: &[
            Reference::new("scope.subscriptionRef", "Subscription"),
            Reference::new("scope.reservationRef", "Reservation"),
            Reference::new("scope.billingProfileRef", "BillingProfile"),
        ],
        replaceable: true,
        columns: &[
            Column::new(
                "SCOPE",
                "scope.subscriptionRef|scope.reservationRef|scope.billingProfileRef|scope.billingAccount",
            ),
            Column::new("PRINCIPAL", "principal.name|principal.id"),
            Column::new("ROLE", "role"),
            Column::wide("TYPE", "principal.type"),
            Column::wide("UNTIL", "until"),
        ],
        example: r"apiVersion: partnerctl.dev/v1
kind: RoleAssignment
metadata:
  name: contoso-azure-owner
spec:
  scope: {subscriptionRef: {name: contoso-azure}}
  principal: {type: User, name: admin@contoso.example}
  role: Owner
",
    };

    fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Scope { subscription_ref, reservation_ref, billing_profile_ref, billing_account } =
            &self.scope;
        let (azure, profile) = (
            subscription_ref.is_some() || reservation_ref.is_some(),
            billing_profile_ref.is_some(),
        );
        let given = [subscription_ref, reservation_ref, billing_profile_ref]
            .iter()
            .filter(|reference| reference.is_some())
            .count()
            + usize::from(billing_account.is_some());
        if given != 1 {
            let message = format!("a scope needs exactly one of {}", SCOPES.join(", "));
            let hint = if given == 0 { "add one" } else { "make one role assignment for each" };
            findings.push(Finding::new(code::ONE_OF, "spec.scope", message, hint));
        } else {
            let (fits, hint) = if azure {
                (self.role.is_azure(), "use Owner, Contributor, Reader or a role definition's id")
            } else if profile {
                (
                    PROFILE_ROLES.contains(&self.role.0.as_str()),
                    "use BillingProfileOwner, BillingProfileContributor, BillingProfileReader or InvoiceManager",
                )
            } else {
                (
                    ACCOUNT_ROLES.contains(&self.role.0.as_str()),
                    "use BillingAccountOwner, BillingAccountContributor or BillingAccountReader",
                )
            };
            if !fits {
                let message = format!("the role {} does not exist on this scope", self.role);
                findings.push(Finding::new(code::INVALID_VALUE, "spec.role", message, hint));
            }
        }
        if self.principal.name.is_some() == self.principal.id.is_some() {
            findings.push(Finding::new(
                code::ONE_OF,
                "spec.principal",
                "a principal needs exactly one of `name` and `id`",
                if self.principal.name.is_some() { "remove one" } else { "add one" },
            ));
        }
        findings
    }

    fn identity(spec: &Spec) -> Option<String> {
        let scope = spec.get("scope")?.to_string();
        let principal = spec.text("principal.id").or(spec.text("principal.name"))?;
        Some(format!("{scope} {} {}", principal.to_lowercase(), spec.text("role")?))
    }

    fn looks_at_staff(spec: &Spec) -> Option<String> {
        spec.text("principal.name").map(str::to_lowercase)
    }

    fn follows(transition: &Transition<'_>, before: &World, after: &World) -> Vec<ResourceId> {
        owned_subscription(transition)
            .map(|subscription| permission::revoked(&subscription, before, after))
            .unwrap_or_default()
    }

    fn operation(transition: &Transition<'_>) -> Operation {
        match (transition.before, transition.after) {
            (None, _) => "Create role assignment",
            // Of what is there only its end can change; another role is another assignment.
            (Some(_), Some(_)) if IDENTITY.iter().all(|path| !transition.changes(path)) => {
                "Update role assignment"
            }
            (Some(_), Some(_)) => "Create role assignment",
            (Some(_), None) => "Delete role assignment",
        }
    }

    fn dates(spec: &Spec, _: Option<&Spec>, _: DateTime<Utc>) -> Vec<Dated> {
        expiry::date(spec, "the role ends")
    }
}

fn is_owner(spec: &Spec) -> bool {
    spec.text("role") == Some("Owner")
}

/// A customer user who is Owner: a User or a Group; neither applications nor the partner's own staff
/// count (domain.md 4).
pub(super) fn is_customer_owner(assignment: &Standing, world: &World) -> bool {
    is_owner(&assignment.spec) && is_customer_person(&assignment.spec, world)
}

fn is_customer_person(spec: &Spec, world: &World) -> bool {
    let of_the_partner =
        || spec.text("principal.name").is_some_and(|name| world.staff().knows(name));
    matches!(spec.text("principal.type"), Some("User" | "Group")) && !of_the_partner()
}

/// The subscription that loses an Owner by this transition.
fn owned_subscription(transition: &Transition<'_>) -> Option<ResourceId> {
    let before = transition.before.filter(|spec| is_owner(spec))?;
    if transition.after == Some(before) {
        return None;
    }
    match RoleAssignment::FACTS.references[0].target(before)? {
        ReferenceTo::Resource(subscription) => Some(subscription),
        ReferenceTo::External(_) => None,
    }
}
