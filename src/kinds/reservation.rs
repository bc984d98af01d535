//! Reservation: Azure capacity bought for a term, on a subscription of a customer (domain.md 3).

use crate::kinds::reference::Ref;
use crate::kinds::{
    AfterEnd, AgentRole, Block, Column, Facts, Field, Kind, Missing, Operation, Reference,
    ReferenceTo, Risk, RiskRule, Rule, Standing, Transition, Verdict, World, customer,
    subscription,
};
use crate::model::digest::Digest;
use crate::model::problem::Finding;
use crate::model::scalar::Line;
use crate::model::term::Term;
use crate::model::{Money, ResourceId, Spec, code};
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// Reservations that one can take the place of at most.
const EXCHANGED_MAX: usize = 8;

/// The spec of a Reservation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "the spec of a Reservation")]
pub struct Reservation {
    /// The subscription it is bought on; with scope Single the one it applies to.
    subscription_ref: Ref,
    /// What is reserved. Cannot be changed.
    product: Product,
    /// How many. Cannot be changed.
    quantity: NonZeroU32,
    /// How long it is bought for. Cannot be changed.
    term: Term,
    /// How it is paid; default Upfront. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_plan: Option<BillingPlan>,
    /// The price of the whole term and quantity. A higher price stops the purchase. Cannot be
    /// changed.
    price: Money,
    /// Shared: it applies to all subscriptions the partner bought for the customer. Single: to the
    /// one it names. Default Shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    /// Whether it is bought again by itself when it expires; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_renew: Option<bool>,
    /// Cancelled gives it back for a refund; also for one that another is exchanged for. Default
    /// Active.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "state_schema")]
    state: Option<State>,
    /// What it is exchanged for, at its purchase. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange: Option<Exchange>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a product, {type: VirtualMachines, sku: Standard_D2s_v5, region: westeurope}"
)]
struct Product {
    /// The type of product, as the catalogue names it: `VirtualMachines`.
    #[serde(rename = "type")]
    kind: Line,
    /// The size, as the catalogue names it: `Standard_D2s_v5`.
    sku: Line,
    /// Where it runs: `westeurope`.
    region: Line,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum BillingPlan {
    Upfront,
    Monthly,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum Scope {
    Shared,
    Single,
}

/// What a reservation is. The last two are observed only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum State {
    Active,
    Cancelled,
    Exchanged,
    Expired,
}

fn state_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"enum": ["Active", "Cancelled", null]})
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an exchange, {from: [{name: …}]}")]
struct Exchange {
    /// The reservations that go: declared with `state: Cancelled`, named by no other.
    from: Vec<Ref>,
}

const SUBSCRIPTION: Reference = Reference::new("subscriptionRef", "Subscription");

const fn exchanged(path: &'static str) -> Reference {
    Reference::new(path, "Reservation")
}

const NEW: &str = "declare a new reservation with `exchange: {from: [{name: …}]}` that names this one, \
                   and this one with `state: Cancelled`";

/// Roles of domain.md 3 and 8.
const MAY_CHANGE: &[AgentRole] = &[
    AgentRole::AdminAgent,
    AgentRole::GlobalAdmin,
    AgentRole::HelpdeskAgent,
    AgentRole::SalesAgent,
    AgentRole::UserManagementAdmin,
];

const USAGE_BASED: Rule =
    Rule::blocks("its subscription is usage based, an AzurePlan or AzureGlobal", usage_based)
        .validated(code::NOT_USAGE_BASED, "spec.subscriptionRef")
        .asked(goes_on);
const ACTIVE: Rule =
    Rule::blocks("to buy or move it: its subscription is active", active).asked(arrives);
const SAME_CUSTOMER: Rule =
    Rule::blocks("to move it: the other subscription is of the same customer", same_customer)
        .asked(|transition| transition.before.is_some() && transition.changes(SUBSCRIPTION.path));
const BOUGHT: Rule = Rule::blocks("to cancel it: it was bought", was_bought)
    .code(code::BLOCK_ENDED)
    .asked(|transition| transition.before.is_none());
const GIVES_WAY: Rule = Rule::blocks("what it is exchanged for is not declared Active", gives_way)
    .validated(code::EXCHANGED_ACTIVE, "spec.exchange.from")
    .asked(exchanges);
const NAMED_ONCE: Rule =
    Rule::blocks("what it is exchanged for is named by no other reservation", named_once)
        .validated(code::EXCHANGED_TWICE, "spec.exchange.from")
        .asked(exchanges);

fn is_active(spec: &Spec) -> bool {
    spec.text("state").is_none_or(|state| state == "Active")
}

fn goes_on(transition: &Transition<'_>) -> bool {
    transition.after.is_some_and(is_active)
}

fn arrives(transition: &Transition<'_>) -> bool {
    goes_on(transition) && (transition.before.is_none() || transition.changes(SUBSCRIPTION.path))
}

fn exchanges(transition: &Transition<'_>) -> bool {
    transition.after.is_some_and(|spec| !exchanged_for(spec).is_empty())
}

/// True for a purchase: it was not there before.
#[must_use]
pub fn buys(transition: &Transition<'_>) -> bool {
    transition.before.is_none() && goes_on(transition)
}

/// True when it is given back for a refund.
#[must_use]
pub fn cancels(transition: &Transition<'_>) -> bool {
    transition.before.is_some_and(is_active) && transition.becomes("state", "Cancelled")
}

/// The reservations that one takes the place of.
#[must_use]
pub fn exchanged_for(spec: &Spec) -> Vec<ResourceId> {
    let references = Reservation::FACTS.references.iter().filter(|r| r.kind == "Reservation");
    let target = |reference: &Reference| match reference.target(spec)? {
        ReferenceTo::Resource(id) => Some(id),
        ReferenceTo::External(_) => None,
    };
    references.filter_map(target).collect()
}

/// The day of an instant or a day that the outside reports, in UTC.
fn day(text: &str) -> Option<NaiveDate> {
    let instant = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc().date_naive());
    instant.ok().or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
}

/// The day it was bought, as observed.
#[must_use]
pub fn purchased_on(spec: &Spec) -> Option<NaiveDate> {
    spec.text("purchasedAt").and_then(day)
}

/// The day it expires, as observed.
#[must_use]
pub fn expires_on(spec: &Spec) -> Option<NaiveDate> {
    let said = spec.text("expiresOn").and_then(day);
    said.or_else(|| Some(Term::from_text(spec.text("term")?)?.end(purchased_on(spec)?)))
}

fn named<'a>(spec: &Spec, world: &'a World) -> Option<&'a Standing> {
    match SUBSCRIPTION.target(spec)? {
        ReferenceTo::Resource(id) => world.get(&id),
        ReferenceTo::External(_) => None,
    }
}

fn usage_based(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(named) = transition.after.and_then(|spec| named(spec, world)) else {
        return Verdict::Moot;
    };
    let offer = named.spec.text("offer.type").unwrap_or("an unknown offer");
    if subscription::is_usage_based(&named.spec) {
        return Verdict::Holds(format!("{} is billed by use ({offer})", named.id));
    }
    let message = format!("{} is a {offer}, not usage based", named.id);
    Missing::new(message, "name an AzurePlan or AzureGlobal subscription, or buy one first").fails()
}

fn active(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(named) = transition.after.and_then(|spec| named(spec, world)) else {
        return Verdict::Moot;
    };
    if subscription::is_active(&named.spec) {
        return Verdict::Holds(format!("{} is active", named.id));
    }
    Missing::new(format!("{} is suspended", named.id), "set its state to Active first").fails()
}

fn same_customer(transition: &Transition<'_>, world: &World) -> Verdict {
    let owner = |spec: &Spec| world.customer_of(&named(spec, world)?.id);
    let (Some(before), Some(after)) =
        (transition.before.and_then(owner), transition.after.and_then(owner))
    else {
        return Verdict::Moot;
    };
    if before == after {
        return Verdict::Holds(format!("both subscriptions are of {before}"));
    }
    let message = format!("it was bought for {before}, and the other subscription is of {after}");
    Missing::new(message, "name a subscription of the same customer").fails()
}

fn was_bought(transition: &Transition<'_>, _: &World) -> Verdict {
    if goes_on(transition) {
        return Verdict::Moot;
    }
    Missing::new(
        "it is declared Cancelled and was never bought here",
        "remove it; one that exists outside is taken over with the annotation external-id first",
    )
    .fails()
}

fn gives_way(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(after) = transition.after else { return Verdict::Moot };
    let still: Vec<Missing> = exchanged_for(after)
        .into_iter()
        .filter(|old| world.get(old).is_some_and(|old| is_active(&old.spec)))
        .map(|old| {
            let message = format!("{old} is exchanged for it, and would stay Active");
            Missing::new(message, format!("declare {old} with `state: Cancelled`"))
        })
        .collect();
    if still.is_empty() {
        Verdict::Holds("what it is exchanged for goes".to_owned())
    } else {
        Verdict::Fails(still)
    }
}

fn named_once(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(after) = transition.after else { return Verdict::Moot };
    let mine = transition.id;
    let twice: Vec<Missing> = exchanged_for(after)
        .into_iter()
        .filter_map(|old| {
            // Of two that are declared, the later one is told; a new one is told in any case.
            let mut others = world.referrers(&old, Some("Reservation")).filter(|other| {
                let earlier = other.id < *mine || transition.before.is_none();
                other.id != *mine && earlier && exchanged_for(&other.spec).contains(&old)
            });
            let other = &others.next()?.id;
            let message = format!("{old} is exchanged for {other} already");
            Some(Missing::new(message, "name it in one of the two only"))
        })
        .collect();
    if twice.is_empty() {
        Verdict::Holds("no other reservation is exchanged for the same".to_owned())
    } else {
        Verdict::Fails(twice)
    }
}

impl Kind for Reservation {
    const RULES: &'static [Rule] = &[
        customer::RELATIONSHIP,
        USAGE_BASED,
        ACTIVE,
        SAME_CUSTOMER,
        BOUGHT,
        GIVES_WAY,
        NAMED_ONCE,
    ];

    const RISKS: &'static [RiskRule] = &[
        RiskRule { says: "buying it", risk: Risk::Costly, is: buys },
        RiskRule { says: "cancelling it", risk: Risk::Costly, is: cancels },
        RiskRule {
            says: "exchanging it",
            risk: Risk::Costly,
            is: |transition| transition.becomes("state", "Exchanged"),
        },
    ];

    const ONLY_RELEASED: bool = true;
    const TIMED: bool = true;

    const FACTS: Facts = Facts {
        kind: "Reservation",
        plural: "reservations",
        short: &["res"],
        about: "Azure capacity bought for one or three years",
        deleting: "released from management, nothing else happens",
        identity: "",
        roles: MAY_CHANGE,
        roles_note: "",
        fields: &[
            Field::new("product").immutable(NEW),
            Field::new("quantity").immutable(NEW),
            Field::new("term").immutable(NEW),
            Field::new("billingPlan").immutable(NEW).default("\"Upfront\""),
            Field::new("price").immutable("put the old price back: it was paid"),
            Field::new("scope").default("\"Shared\""),
            Field::new("autoRenew").default("false"),
            Field::new("state").default("\"Active\""),
            Field::new("exchange").immutable("put it back: it was exchanged at its purchase"),
        ],
        references: &[
            SUBSCRIPTION,
            exchanged("exchange.from.[0]"),
            exchanged("exchange.from.[1]"),
            exchanged("exchange.from.[2]"),
            exchanged("exchange.from.[3]"),
            exchanged("exchange.from.[4]"),
            exchanged("exchange.from.[5]"),
            exchanged("exchange.from.[6]"),
            exchanged("exchange.from.[7]"),
            Reference::observed("customerRef", "Customer"),
        ],
        replaceable: false,
        columns: &[
            Column::new("SUBSCRIPTION", "subscriptionRef"),
            Column::new("SKU", "product.sku"),
            Column::new("QUANTITY", "quantity"),
            Column::new("TERM", "term"),
            Column::new("SCOPE", "scope"),
            Column::new("STATE", "state"),
            Column::new("EXPIRES", "expiresOn"),
            Column::wide("REGION", "product.region"),
            Column::wide("PRICE", "price"),
            Column::wide("UTILIZATION", "utilization"),
            Column::wide("BUYER", "buyer"),
            Column::wide("PAYER", "payer"),
        ],
        example: r#"apiVersion: partnerctl.dev/v1
kind: Reservation
metadata:
  name: contoso-web
spec:
  subscriptionRef: {name: contoso-azure}
  product: {type: VirtualMachines, sku: Standard_D2s_v5, region: westeurope}
  quantity: 2
  term: P1Y
  price: {amount: "1460.00", currency: EUR}
"#,
    };

    fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(state @ (State::Exchanged | State::Expired)) = self.state {
            let message = format!("`{state:?}` is what becomes of it, and cannot be declared");
            let hint = "declare Cancelled for one that is exchanged, or leave it as it was";
            findings.push(Finding::new(code::UNKNOWN_VALUE, "spec.state", message, hint));
        }
        let from = self.exchange.as_ref().map_or(&[][..], |exchange| &exchange.from);
        if self.exchange.is_some() && !(1..=EXCHANGED_MAX).contains(&from.len()) {
            let message = format!("an exchange is for 1 to {EXCHANGED_MAX} reservations");
            let hint = "name those that go, or leave `exchange` out";
            findings.push(Finding::new(code::INVALID_VALUE, "spec.exchange.from", message, hint));
        }
        for (number, old) in from.iter().enumerate() {
            let path = format!("spec.exchange.from.[{number}]");
            if from[..number].contains(old) {
                let hint = "name it once";
                let message = "the same reservation stands twice in the exchange";
                findings.push(Finding::new(code::EXCHANGED_TWICE, &path, message, hint));
            } else if old.external.is_some() {
                let message = "what is exchanged must be under management";
                let hint = "take it over with `partnerctl adopt` first, then name it";
                findings.push(Finding::new(code::INVALID_VALUE, &path, message, hint));
            }
        }
        findings
    }

    fn likeness(spec: &Spec) -> Option<String> {
        let (subscription, product) = (spec.get("subscriptionRef")?, spec.get("product")?);
        Some(format!("{subscription} {product}").to_lowercase())
    }

    fn check_observed(spec: &Spec) -> Option<String> {
        let wrong = ["purchasedAt", "expiresOn"].into_iter().find_map(|field| {
            let text = spec.text(field)?;
            day(text)
                .is_none()
                .then(|| format!("{field} is `{text}`, neither a day nor an instant"))
        });
        let turned = || match (purchased_on(spec), expires_on(spec)) {
            (Some(bought), Some(expires)) if expires <= bought => {
                Some(format!("it expires {expires}, and was bought {bought}"))
            }
            _ => None,
        };
        wrong.or_else(turned)
    }

    fn ended(spec: &Spec, at: DateTime<Utc>) -> bool {
        !is_active(spec) || expires_on(spec).is_some_and(|expires| expires <= at.date_naive())
    }

    /// Nothing is ever bought again from an unchanged manifest (domain.md 3).
    fn after_end(observed: &Spec, declared: &Spec, _: DateTime<Utc>) -> AfterEnd {
        let how = observed.text("state").unwrap_or("Active");
        match how {
            "Cancelled" | "Exchanged" if is_active(declared) => AfterEnd::Refused(Block::new(
                code::BLOCK_ENDED,
                format!("it was {}, and Active would buy it again", how.to_lowercase()),
                "declare `state: Cancelled`; to buy one again, declare it under a new name",
            )),
            "Cancelled" | "Exchanged" => AfterEnd::Rests(String::new()),
            _ => {
                let on = expires_on(observed).map(|day| format!(" {day}")).unwrap_or_default();
                AfterEnd::Rests(format!("it expired{on}; nothing is bought again by itself"))
            }
        }
    }

    /// One that is exchanged goes once the one in its place is there.
    fn follows(transition: &Transition<'_>, before: &World, after: &World) -> Vec<ResourceId> {
        if !transition.becomes("state", "Exchanged") {
            return Vec::new();
        }
        let heirs = after.referrers(transition.id, Some("Reservation"));
        let new = heirs.filter(|heir| before.get(&heir.id).is_none());
        new.map(|heir| heir.id.clone()).collect()
    }

    fn stops(transition: &Transition<'_>) -> bool {
        transition.becomes("state", "Cancelled") || transition.becomes("state", "Exchanged")
    }

    fn operation(transition: &Transition<'_>) -> Operation {
        if transition.before.is_none() {
            "Create order"
        } else if transition.becomes("state", "Cancelled") {
            "Return reservation"
        } else if transition.becomes("state", "Exchanged") {
            "Exchange reservation"
        } else {
            "Update reservation"
        }
    }

    fn bought(_: &Spec) -> bool {
        true
    }

    fn as_declared(spec: &mut Spec) {
        match spec.text("state") {
            Some("Exchanged") => spec.set("state", "Cancelled".into()),
            Some("Expired") => spec.remove("state"),
            _ => {}
        }
    }

    fn born(spec: &mut Spec, at: DateTime<Utc>) {
        spec.set("purchasedAt", at.to_rfc3339_opts(SecondsFormat::Secs, true).into());
        if let Some(term) = spec.text("term").and_then(Term::from_text) {
            spec.set("expiresOn", term.end(at.date_naive()).to_string().into());
        }
        spec.set("buyer", "partner".into());
        spec.set("payer", "partner".into());
    }

    /// The embedded provider's own numbers: an order of one reservation.
    fn registered(spec: &mut Spec, external_id: &str) {
        spec.set("reservationId", external_id.into());
        spec.set("orderId", Digest::default().text("order").text(external_id).uuid().into());
    }
}
