//! Who may change what (domain.md 8), as one table. No role implies another.

use crate::kinds::{AgentRole, Staff, Transition};
use crate::model::Spec;

use AgentRole::{
    AdminAgent, BillingAdmin, GlobalAdmin, HelpdeskAgent, SalesAgent, UserManagementAdmin,
};

/// Who may add customers and buy subscriptions for them.
pub const SALES: &[AgentRole] = &[AdminAgent, SalesAgent];
/// Who must hold all of these ends a reseller relationship.
pub const ENDING: &[AgentRole] = &[GlobalAdmin, AdminAgent];
/// Who may set budgets.
pub const BUDGETS: &[AgentRole] = &[AdminAgent];
/// Who may turn the permission to buy reservations on or off.
pub const PERMISSIONS: &[AgentRole] = &[AdminAgent];
/// Who may give roles on a subscription.
pub const ACCESS: &[AgentRole] = &[GlobalAdmin, SalesAgent];
/// Who may change reservations, and give roles on them.
pub const RESERVATIONS: &[AgentRole] =
    &[AdminAgent, GlobalAdmin, HelpdeskAgent, SalesAgent, UserManagementAdmin];
/// Who may change billing profiles, and give roles on billing accounts and profiles.
pub const BILLING: &[AgentRole] = &[GlobalAdmin, BillingAdmin];
/// Who may change partner users.
pub const STAFF: &[AgentRole] = &[GlobalAdmin, UserManagementAdmin];
/// Who may make somebody a GlobalAdmin.
pub const GIVING_GLOBAL_ADMIN: &[AgentRole] = &[GlobalAdmin];

/// Roles that somebody must hold: without them nobody could put things right again (design section 4).
pub const KEPT: &[AgentRole] = &[GlobalAdmin, AdminAgent];

/// One row: of these changes, who may make them. Where several rows speak of a change, all of them
/// must let it pass.
#[derive(Debug, Clone, Copy)]
pub struct Permit {
    /// The changes, in words that go on `… needs SalesAgent`.
    pub what: &'static str,
    /// The kinds it speaks of.
    pub kinds: &'static [&'static str],
    /// The roles.
    pub roles: &'static [AgentRole],
    /// True when all of the roles are needed, false when one of them is enough.
    pub all: bool,
    /// Which changes of these kinds it speaks of.
    pub asked: fn(&Transition<'_>) -> bool,
}

/// The table.
pub const PERMITS: &[Permit] = &[
    one("changing customers and subscriptions", &["Customer", "Subscription"], SALES, any),
    all("ending a relationship", &["Customer"], ENDING, ends),
    one("changing a budget", &["Budget"], BUDGETS, any),
    one("changing a permission to buy", &["ReservationPermission"], PERMISSIONS, any),
    one("giving or taking a role on a subscription", &["RoleAssignment"], ACCESS, on_subscription),
    one("changing a reservation", &["Reservation"], RESERVATIONS, any),
    one(
        "giving or taking a role on a reservation",
        &["RoleAssignment"],
        RESERVATIONS,
        on_reservation,
    ),
    one("changing a billing profile", &["BillingProfile"], BILLING, any),
    one("giving or taking a role in billing", &["RoleAssignment"], BILLING, on_billing),
    one("changing partner users", &["PartnerUser"], STAFF, any),
    one("giving GlobalAdmin", &["PartnerUser"], GIVING_GLOBAL_ADMIN, gives_global_admin),
];

type Asked = fn(&Transition<'_>) -> bool;

const fn one(
    what: &'static str,
    kinds: &'static [&'static str],
    roles: &'static [AgentRole],
    asked: Asked,
) -> Permit {
    Permit { what, kinds, roles, all: false, asked }
}

const fn all(
    what: &'static str,
    kinds: &'static [&'static str],
    roles: &'static [AgentRole],
    asked: Asked,
) -> Permit {
    Permit { what, kinds, roles, all: true, asked }
}

fn any(_: &Transition<'_>) -> bool {
    true
}

fn ends(transition: &Transition<'_>) -> bool {
    transition.after.is_none()
}

/// A role that moves from one scope to another is taken on the one and given on the other.
fn scoped(transition: &Transition<'_>, fields: &[&str]) -> bool {
    let on = |spec: &Spec| fields.iter().any(|field| spec.get(&format!("scope.{field}")).is_some());
    [transition.before, transition.after].into_iter().flatten().any(on)
}

fn on_subscription(transition: &Transition<'_>) -> bool {
    scoped(transition, &["subscriptionRef"])
}

fn on_reservation(transition: &Transition<'_>) -> bool {
    scoped(transition, &["reservationRef"])
}

fn on_billing(transition: &Transition<'_>) -> bool {
    scoped(transition, &["billingProfileRef", "billingAccount"])
}

fn gives_global_admin(transition: &Transition<'_>) -> bool {
    let has = |spec: Option<&Spec>| {
        spec.is_some_and(|spec| Staff::roles_of(spec).contains(&AgentRole::GlobalAdmin))
    };
    has(transition.after) && !has(transition.before)
}

impl Permit {
    /// True when these roles are enough for it.
    #[must_use]
    pub fn lets(&self, held: &[AgentRole]) -> bool {
        if self.all {
            self.roles.iter().all(|role| held.contains(role))
        } else {
            self.roles.iter().any(|role| held.contains(role))
        }
    }
}

/// The rows that speak of a transition. A kind that the table does not know, and a scope it does not
/// know, have the roles of the kind; what only ends management ends no relationship.
#[must_use]
pub fn asked(
    kind: &'static str,
    roles: &'static [AgentRole],
    release: bool,
    transition: &Transition<'_>,
) -> Vec<Permit> {
    let staying = Transition { after: transition.before, ..*transition };
    let transition = if release { &staying } else { transition };
    let speaks = |permit: &&Permit| permit.kinds.contains(&kind) && (permit.asked)(transition);
    let mut rows: Vec<Permit> = PERMITS.iter().filter(speaks).copied().collect();
    if rows.is_empty() {
        rows.push(Permit { what: "changing it", kinds: &[], roles, all: false, asked: any });
    }
    rows
}
