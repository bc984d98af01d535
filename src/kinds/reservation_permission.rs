//! ReservationPermission: whether a customer may buy Azure reservations itself (domain.md 4).

use crate::kinds::reference::Ref;
use crate::kinds::{
    Block, Column, Facts, Field, Kind, Liability, Operation, Reference, ReferenceTo, Standing,
    Transition, World, role_assignment, subscription,
};
use crate::model::problem::Finding;
use crate::model::{Code, Currency, Resource, ResourceId, Spec, code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// The spec of a ReservationPermission.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "the spec of a ReservationPermission"
)]
pub struct ReservationPermission {
    /// Whose permission. Cannot be changed.
    customer_ref: Ref,
    /// The subscription whose prerequisites are checked.
    subscription_ref: Ref,
    /// Once Allowed, the partner pays for every purchase of the customer and is not notified.
    purchase: Purchase,
    /// Default [AzureReservations].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_order", default)]
    products: Option<Vec<Product>>,
    /// Must be true when Allowed: the partner knows that it pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledge_liability: Option<bool>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Purchase {
    Denied,
    Allowed,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
enum Product {
    AzureReservations,
}

fn in_order<S: Serializer>(list: &Option<Vec<Product>>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = list.clone().unwrap_or_default();
    list.sort();
    list.dedup();
    list.serialize(serializer)
}

const CUSTOMER: Reference = Reference::new("customerRef", "Customer");
const SUBSCRIPTION: Reference = Reference::new("subscriptionRef", "Subscription");

/// A prerequisite that does not hold: what is missing, and what would mend it.
struct Missing {
    code: Code,
    message: String,
    hint: String,
}

fn is_allowed(spec: &Spec) -> bool {
    spec.text("purchase") == Some("Allowed")
}

/// What a subscription itself says against a permission for a customer.
fn misfits(customer: Option<&ReferenceTo>, named: &Standing) -> Vec<Missing> {
    let mut missing = Vec::new();
    let theirs = CUSTOMER.target(&named.spec);
    // Only two of one sort can be compared: who an external id belongs to shows when it is resolved.
    let comparable = matches!(
        (&theirs, customer),
        (Some(ReferenceTo::Resource(_)), Some(ReferenceTo::Resource(_)))
            | (Some(ReferenceTo::External(_)), Some(ReferenceTo::External(_)))
    );
    if comparable && theirs.as_ref() != customer {
        let whose = match theirs {
            Some(ReferenceTo::Resource(id)) => id.to_string(),
            _ => "another customer".to_owned(),
        };
        missing.push(Missing {
            code: code::OTHER_CUSTOMER,
            message: format!("{} belongs to {whose}", named.id),
            hint: "name a subscription of this customer".to_owned(),
        });
    }
    if !subscription::is_usage_based(&named.spec) {
        let offer = named.spec.text("offer.type").unwrap_or("an unknown offer");
        missing.push(Missing {
            code: code::NOT_USAGE_BASED,
            message: format!("{} is a {offer}, not usage based", named.id),
            hint: "name an AzurePlan or AzureGlobal subscription, or buy one first".to_owned(),
        });
    }
    if named.spec.text("state").is_some_and(|state| state != "Active") {
        missing.push(Missing {
            code: code::NOT_ACTIVE,
            message: format!("{} is suspended", named.id),
            hint: "set its state to Active, or purchase to Denied".to_owned(),
        });
    }
    missing
}

/// The prerequisites of an Allowed permission that do not hold in a world (domain.md 4).
fn missing_in(spec: &Spec, world: &World) -> Vec<Missing> {
    let Some(ReferenceTo::Resource(id)) = SUBSCRIPTION.target(spec) else {
        return vec![Missing {
            code: code::BLOCK_PREREQUISITE,
            message: "the subscription is not one that partnerctl can see".to_owned(),
            hint: "declare the subscription, or name one that is".to_owned(),
        }];
    };
    let Some(named) = world.get(&id) else {
        return vec![Missing {
            code: code::BLOCK_PREREQUISITE,
            message: format!("{id} does not exist"),
            hint: "declare the subscription; it is bought first".to_owned(),
        }];
    };
    let mut missing = misfits(CUSTOMER.target(spec).as_ref(), named);
    let has_owner =
        world.referrers(&id, Some("RoleAssignment")).any(role_assignment::is_customer_owner);
    if !has_owner {
        missing.push(Missing {
            code: code::BLOCK_PREREQUISITE,
            message: format!("no user or group of the customer is Owner of {id}"),
            hint: format!("declare a RoleAssignment with role Owner on {id}"),
        });
    }
    missing
}

/// The Allowed permissions that stand on a subscription in a world.
fn standing_on<'a>(
    subscription: &'a ResourceId,
    world: &'a World,
) -> impl Iterator<Item = &'a Standing> {
    world
        .referrers(subscription, Some("ReservationPermission"))
        .filter(|permission| is_allowed(&permission.spec))
}

/// What Allowed permissions say against taking something away from their subscription: they stay
/// allowed after the plan, but their prerequisites would not hold.
pub(super) fn held_back(subscription: &ResourceId, lost: &ResourceId, after: &World) -> Vec<Block> {
    standing_on(subscription, after)
        .filter_map(|permission| {
            let missing = missing_in(&permission.spec, after);
            let first = missing.first()?;
            let hint = format!("set purchase to Denied in {} in the same plan", permission.id);
            let what = if lost == subscription { "" } else { ": then " };
            let why = if lost == subscription { String::new() } else { first.message.clone() };
            Some(Block::new(
                code::BLOCK_IN_USE,
                format!("{} would still be Allowed and rests on it{what}{why}", permission.id),
                hint,
            ))
        })
        .collect()
}

/// Permissions on a subscription that are revoked in this plan: they go before their Owner does.
pub(super) fn revoked(subscription: &ResourceId, before: &World, after: &World) -> Vec<ResourceId> {
    let still: Vec<&ResourceId> = standing_on(subscription, after).map(|p| &p.id).collect();
    standing_on(subscription, before)
        .filter(|permission| !still.contains(&&permission.id))
        .map(|permission| permission.id.clone())
        .collect()
}

impl Kind for ReservationPermission {
    const FACTS: Facts = Facts {
        kind: "ReservationPermission",
        plural: "reservationpermissions",
        short: &["rp"],
        about: "Whether a customer may buy Azure reservations itself",
        deleting: "set the permission to Denied",
        fields: &[
            Field::new("customerRef")
                .immutable("declare the other customer's permission under its own name"),
            Field::new("products").default("[\"AzureReservations\"]"),
        ],
        references: &[CUSTOMER, SUBSCRIPTION],
        replaceable: false,
        columns: &[
            Column::new("CUSTOMER", "customerRef"),
            Column::new("SUBSCRIPTION", "subscriptionRef"),
            Column::new("PURCHASE", "purchase"),
            Column::wide("PRODUCTS", "products"),
        ],
        example: r"apiVersion: partnerctl.dev/v1
kind: ReservationPermission
metadata:
  name: contoso
spec:
  customerRef: {name: contoso}
  subscriptionRef: {name: contoso-azure}
  purchase: Denied
",
    };

    fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.purchase == Purchase::Allowed && self.acknowledge_liability != Some(true) {
            findings.push(Finding::new(
                code::ACKNOWLEDGE,
                "spec.purchase",
                "Allowed needs `acknowledgeLiability: true`",
                "the partner pays for every purchase of the customer and is not notified; add it if that is meant",
            ).resting_on(&["spec.acknowledgeLiability"]));
        }
        if self.products.as_ref().is_some_and(Vec::is_empty) {
            let hint = "leave the field out, or set purchase to Denied";
            let message = "the list of products is empty";
            findings.push(Finding::new(code::INVALID_VALUE, "spec.products", message, hint));
        }
        findings
    }

    fn check_among(me: &Resource, declared: &World) -> Vec<Finding> {
        let Some(ReferenceTo::Resource(id)) = SUBSCRIPTION.target(&me.spec) else {
            return Vec::new();
        };
        let Some(named) = declared.get(&id) else { return Vec::new() };
        misfits(CUSTOMER.target(&me.spec).as_ref(), named)
            .into_iter()
            .filter(|missing| is_allowed(&me.spec) || missing.code == code::OTHER_CUSTOMER)
            .map(|missing| {
                Finding::new(missing.code, "spec.subscriptionRef", missing.message, missing.hint)
            })
            .collect()
    }

    fn identity(spec: &Spec) -> Option<String> {
        Some(match CUSTOMER.target(spec)? {
            ReferenceTo::Resource(id) => id.name.to_string(),
            ReferenceTo::External(id) => format!("external {id}"),
        })
    }

    fn judge(transition: &Transition<'_>, after: &World) -> Vec<Block> {
        let Some(spec) = transition.after.filter(|spec| is_allowed(spec)) else {
            return Vec::new();
        };
        missing_in(spec, after)
            .into_iter()
            .map(|missing| Block::new(code::BLOCK_PREREQUISITE, missing.message, missing.hint))
            .collect()
    }

    fn ailment(me: &Standing, world: &World) -> Option<(&'static str, String)> {
        if !is_allowed(&me.spec) {
            return None;
        }
        let missing = missing_in(&me.spec, world);
        let messages: Vec<_> = missing.into_iter().map(|missing| missing.message).collect();
        (!messages.is_empty()).then(|| ("PrerequisiteMissing", messages.join("; ")))
    }

    fn follows(transition: &Transition<'_>, _: &World, after: &World) -> Vec<ResourceId> {
        let Some(spec) = transition.after.filter(|spec| is_allowed(spec)) else {
            return Vec::new();
        };
        let Some(ReferenceTo::Resource(id)) = SUBSCRIPTION.target(spec) else { return Vec::new() };
        after
            .referrers(&id, Some("RoleAssignment"))
            .filter(|assignment| role_assignment::is_customer_owner(assignment))
            .map(|assignment| assignment.id.clone())
            .collect()
    }

    fn operation(transition: &Transition<'_>) -> Operation {
        let before = transition.before.is_some_and(is_allowed);
        let after = transition.after.is_some_and(is_allowed);
        match (before, after) {
            (false, true) => "Create customer purchase permissions",
            (true, true) => "Update customer purchase permissions",
            (true, false) => "Delete customer purchase permissions",
            (false, false) if transition.after.is_none() => "Delete customer purchase permissions",
            (false, false) => "Record customer purchase permissions (off)",
        }
    }

    fn liability(transition: &Transition<'_>, after: &World) -> Option<Liability> {
        if !transition.becomes("purchase", "Allowed") {
            return None;
        }
        let currency = match CUSTOMER.target(transition.after?)? {
            ReferenceTo::Resource(id) => after
                .get(&id)
                .and_then(|customer| customer.spec.text("currency"))
                .and_then(|code| Currency::from_text(code).ok()),
            ReferenceTo::External(_) => None,
        };
        Some(Liability::Unlimited(currency))
    }
}
