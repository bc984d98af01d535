//! ReservationPermission: whether a customer may buy Azure reservations itself (domain.md 4).

use crate::kinds::reference::Ref;
use crate::kinds::{
    Column, Dated, Ending, Facts, Field, Kind, Liability, Mend, Missing, Operation, Reference,
    ReferenceTo, Rule, Standing, Transition, Verdict, Weight, World, customer, expiry, permit,
    role_assignment, rule, subscription,
};
use crate::model::problem::Finding;
use crate::model::scalar::Moment;
use crate::model::{Currency, Resource, ResourceId, Spec, code};
use chrono::{DateTime, Utc};
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
    /// Whether the customer may buy. Once Allowed, the partner pays for every purchase of the
    /// customer and is not notified.
    purchase: Purchase,
    /// What the customer may buy; default [AzureReservations].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_order", default)]
    products: Option<Vec<Product>>,
    /// Must be true when Allowed: the partner knows that it pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledge_liability: Option<bool>,
    /// When the permission ends: a day, from its beginning in UTC, or an instant. Then it is Denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
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

/// What an Allowed permission needs, in the order in which it is brought about (domain.md 4).
const EXISTS: Rule =
    Rule::blocks("to allow: the subscription exists, bought by the partner", exists)
        .roles(permit::SALES)
        .asked(allows);
const SAME_CUSTOMER: Rule =
    Rule::blocks("to allow: the subscription is the customer's own", same_customer)
        .validated(code::OTHER_CUSTOMER, "spec.subscriptionRef")
        .asked(allows);
const USAGE_BASED: Rule = Rule::blocks(
    "to allow: the subscription is usage based, an AzurePlan or AzureGlobal",
    usage_based,
)
.validated(code::NOT_USAGE_BASED, "spec.subscriptionRef")
.roles(permit::SALES)
.asked(allows);
const ACTIVE: Rule = Rule::blocks("to allow: the subscription is active", active)
    .validated(code::NOT_ACTIVE, "spec.subscriptionRef")
    .roles(permit::SALES)
    .asked(allows);
const OWNED: Rule =
    Rule::blocks("to allow: a user or group of the customer is Owner of the subscription", owned)
        .roles(permit::ACCESS)
        .asked(allows);
const ACKNOWLEDGED: Rule =
    Rule::blocks("to allow: the partner acknowledges that it pays", acknowledged)
        .weighs(Weight::Refuses)
        .asked(allows);

fn is_allowed(spec: &Spec) -> bool {
    spec.text("purchase") == Some("Allowed")
}

fn allows(transition: &Transition<'_>) -> bool {
    transition.after.is_some_and(is_allowed)
}

/// The subscription that is named, where it is there.
fn named<'a>(transition: &Transition<'_>, world: &'a World) -> Option<&'a Standing> {
    match SUBSCRIPTION.target(transition.after?)? {
        ReferenceTo::Resource(id) => world.get(&id),
        ReferenceTo::External(_) => None,
    }
}

fn exists(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(ReferenceTo::Resource(id)) = transition.after.and_then(|s| SUBSCRIPTION.target(s))
    else {
        return Missing::new(
            "the subscription is not one that partnerctl can see",
            "declare the subscription, or name one that is",
        )
        .fails();
    };
    if world.get(&id).is_some() {
        return Verdict::Holds(format!("{id} exists"));
    }
    let missing = Missing::new(
        format!("{id} does not exist"),
        "declare the subscription; it is bought first",
    );
    match transition.after.and_then(|spec| spec.get(CUSTOMER.path)) {
        Some(customer) => missing.mend(subscription::azure_plan(id, customer)),
        None => missing,
    }
    .fails()
}

fn same_customer(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(named) = named(transition, world) else { return Verdict::Moot };
    let own = transition.after.and_then(|spec| CUSTOMER.target(spec));
    let theirs = CUSTOMER.target(&named.spec);
    // Only two of one sort can be compared: who an external id belongs to shows when it is resolved.
    let comparable = matches!(
        (&theirs, &own),
        (Some(ReferenceTo::Resource(_)), Some(ReferenceTo::Resource(_)))
            | (Some(ReferenceTo::External(_)), Some(ReferenceTo::External(_)))
    );
    if !comparable {
        return Verdict::Moot;
    }
    let whose = match &theirs {
        Some(ReferenceTo::Resource(id)) => id.to_string(),
        _ => "another customer".to_owned(),
    };
    if theirs == own {
        return Verdict::Holds(format!("{} belongs to {whose}", named.id));
    }
    let hint = "name a subscription of this customer";
    other_one(Missing::new(format!("{} belongs to {whose}", named.id), hint), transition, world)
}

fn usage_based(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(named) = named(transition, world) else { return Verdict::Moot };
    let offer = named.spec.text("offer.type").unwrap_or("an unknown offer");
    if subscription::is_usage_based(&named.spec) {
        return Verdict::Holds(format!("{} is billed by use ({offer})", named.id));
    }
    let message = format!("{} is a {offer}, not usage based", named.id);
    let hint = "name an AzurePlan or AzureGlobal subscription, or buy one first";
    other_one(Missing::new(message, hint), transition, world)
}

/// Mends by naming another subscription of the customer, else by buying one.
fn other_one(missing: Missing, transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(ReferenceTo::Resource(customer)) =
        transition.after.and_then(|spec| CUSTOMER.target(spec))
    else {
        return missing.fails();
    };
    let mend = match subscription::fitting(&customer, world) {
        Some(id) => Mend::change(transition.id, SUBSCRIPTION.path, rule::named(id)),
        None => {
            let wanted = format!("{}-azure", customer.name);
            let id = rule::free_name(world, SUBSCRIPTION.kind, &wanted);
            subscription::azure_plan(id, &rule::named(&customer))
                .note("this buys an Azure plan; then name it in the permission's subscriptionRef")
        }
    };
    missing.mend(mend).fails()
}

fn active(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(named) = named(transition, world) else { return Verdict::Moot };
    if subscription::is_active(&named.spec) {
        return Verdict::Holds(format!("{} is active", named.id));
    }
    Missing::new(
        format!("{} is suspended", named.id),
        "set its state to Active, or purchase to Denied",
    )
    .mend(Mend::change(&named.id, "state", "Active".into()))
    .fails()
}

fn owned(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(named) = named(transition, world) else { return Verdict::Moot };
    let id = &named.id;
    let mut owners = world
        .referrers(id, Some("RoleAssignment"))
        .filter(|assignment| role_assignment::is_customer_owner(assignment, world));
    if let Some(owner) = owners.next() {
        return Verdict::Holds(format!("{} makes a customer user Owner of {id}", owner.id));
    }
    Missing::new(
        format!("no user or group of the customer is Owner of {id}"),
        format!("declare a RoleAssignment with role Owner on {id}"),
    )
    .mend(role_assignment::new_owner(id, None, world))
    .fails()
}

fn acknowledged(transition: &Transition<'_>, _: &World) -> Verdict {
    let given = transition.after.and_then(|spec| spec.get("acknowledgeLiability"));
    let given = given.and_then(crate::model::Value::as_bool);
    if is_acknowledged(given) {
        return Verdict::Holds("the partner acknowledges that it pays".to_owned());
    }
    Missing::new("Allowed needs `acknowledgeLiability: true`", LIABILITY)
        .mend(Mend::change(transition.id, "acknowledgeLiability", true.into()))
        .fails()
}

fn is_acknowledged(given: Option<bool>) -> bool {
    given == Some(true)
}

const LIABILITY: &str = "the partner pays for every purchase of the customer and is not notified; add it if that is meant";

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
pub(super) fn held_back(subscription: &ResourceId, lost: &ResourceId, after: &World) -> Verdict {
    let held: Vec<Missing> = standing_on(subscription, after)
        .filter_map(|permission| {
            let staying = Transition::staying(&permission.id, &permission.spec);
            let rules = ReservationPermission::RULES;
            let first = rule::missing(rules, Weight::Blocks, &staying, after).into_iter().next()?;
            let hint = format!("set purchase to Denied in {} in the same plan", permission.id);
            let what = if lost == subscription { "" } else { ": then " };
            let why = if lost == subscription { "" } else { &first.message };
            let message = format!("{} would still be Allowed and rests on it", permission.id);
            let mend = Mend::change(&permission.id, "purchase", "Denied".into());
            Some(Missing::new(format!("{message}{what}{why}"), hint).mend(mend))
        })
        .collect();
    if held.is_empty() {
        Verdict::Holds("no Allowed permission rests on it".to_owned())
    } else {
        Verdict::Fails(held)
    }
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
    const RULES: &'static [Rule] =
        &[customer::RELATIONSHIP, EXISTS, SAME_CUSTOMER, USAGE_BASED, ACTIVE, OWNED, ACKNOWLEDGED];

    const ENDING: Ending = Ending::Becomes("purchase", "Denied");

    const FACTS: Facts = Facts {
        kind: "ReservationPermission",
        plural: "reservationpermissions",
        short: &["rp"],
        about: "Whether a customer may buy Azure reservations itself",
        deleting: "set the permission to Denied",
        identity: "its customer: each has one permission",
        roles: permit::PERMISSIONS,
        roles_note: "SalesAgent and HelpdeskAgent may only read it",
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
            Column::wide("UNTIL", "until"),
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
        if self.purchase == Purchase::Allowed && !is_acknowledged(self.acknowledge_liability) {
            findings.push(
                Finding::new(
                    code::ACKNOWLEDGE,
                    "spec.purchase",
                    "Allowed needs `acknowledgeLiability: true`",
                    LIABILITY,
                )
                .resting_on(&["spec.acknowledgeLiability"]),
            );
        }
        if self.products.as_ref().is_some_and(Vec::is_empty) {
            let hint = "leave the field out, or set purchase to Denied";
            let message = "the list of products is empty";
            findings.push(Finding::new(code::INVALID_VALUE, "spec.products", message, hint));
        }
        findings
    }

    /// Whose the subscription is can be told of a Denied permission too.
    fn check_among(me: &Resource, declared: &World) -> Vec<Finding> {
        let staying = Transition::staying(&me.id, &me.spec);
        if is_allowed(&me.spec) {
            rule::findings(Self::RULES, &staying, declared)
        } else {
            SAME_CUSTOMER.finding(&staying, declared)
        }
    }

    fn identity(spec: &Spec) -> Option<String> {
        Some(match CUSTOMER.target(spec)? {
            ReferenceTo::Resource(id) => id.name.to_string(),
            ReferenceTo::External(id) => format!("external {id}"),
        })
    }

    fn ailment(me: &Standing, world: &World) -> Option<(&'static str, String)> {
        let message = rule::ailment(Self::RULES, Weight::Blocks, me, world)?;
        Some(("PrerequisiteMissing", message))
    }

    fn follows(transition: &Transition<'_>, _: &World, after: &World) -> Vec<ResourceId> {
        let Some(spec) = transition.after.filter(|spec| is_allowed(spec)) else {
            return Vec::new();
        };
        let Some(ReferenceTo::Resource(id)) = SUBSCRIPTION.target(spec) else { return Vec::new() };
        after
            .referrers(&id, Some("RoleAssignment"))
            .filter(|assignment| role_assignment::is_customer_owner(assignment, after))
            .map(|assignment| assignment.id.clone())
            .collect()
    }

    /// Deleting one means Denied.
    fn stops(transition: &Transition<'_>) -> bool {
        transition.after.is_none() || transition.becomes("purchase", "Denied")
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

    fn dates(spec: &Spec, _: Option<&Spec>, _: DateTime<Utc>) -> Vec<Dated> {
        let allowed = is_allowed(spec);
        if allowed { expiry::date(spec, "the permission to buy ends") } else { Vec::new() }
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
