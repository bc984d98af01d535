//! Reservation: Azure capacity bought for a term, on a subscription of a customer (domain.md 3).

mod days;
mod rules;

pub use days::{expires_on, purchased_on};
pub use rules::{buys, cancels, exchanged_for};

use crate::kinds::reference::Ref;
use crate::kinds::{
    AfterEnd, AgentRole, Column, Dated, Facts, Field, Kind, Operation, Reference, Risk, RiskRule,
    Rule, Transition, World, customer,
};
use crate::model::digest::Digest;
use crate::model::problem::Finding;
use crate::model::scalar::Line;
use crate::model::term::Term;
use crate::model::{Money, ResourceId, Spec, code};
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use rules::is_active;
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
    /// Whether Azure buys it anew at the end of its term, at the price of that day; default false.
    /// partnerctl buys nothing then: it takes the new order over once that is reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_renew: Option<bool>,
    /// Cancelled gives it back for a refund; also for one that another is exchanged for. Default
    /// Active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

impl Kind for Reservation {
    const RULES: &'static [Rule] = &[
        customer::RELATIONSHIP,
        rules::USAGE_BASED,
        rules::ACTIVE,
        rules::SAME_CUSTOMER,
        rules::BOUGHT,
        rules::GIVES_WAY,
        rules::OF_ITS_CUSTOMER,
        rules::NAMED_ONCE,
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

    /// What support asks for, and what was reckoned.
    const RECORDED: &'static [&'static str] = &[
        "orderId",
        "reservationId",
        "refund",
        "fee",
        "cancelledCommitment",
        "exchangeCredit",
        "exchangePayable",
    ];

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
            Field::new("price").immutable("declare the price that was paid"),
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
        days::wrong(spec)
    }

    fn ended(spec: &Spec, at: DateTime<Utc>) -> bool {
        days::has_ended(spec, at)
    }

    fn after_end(observed: &Spec, declared: &Spec, _: DateTime<Utc>) -> AfterEnd {
        days::after_end(observed, declared)
    }

    /// Azure says of an order that renews another which one that was.
    fn continues(observed: &Spec) -> Option<&str> {
        observed.text("renewedFrom")
    }

    fn dates(declared: &Spec, observed: Option<&Spec>, _: DateTime<Utc>) -> Vec<Dated> {
        days::dates(declared, observed)
    }

    fn refundable_since(observed: &Spec) -> Option<NaiveDate> {
        days::purchased_on(observed).filter(|_| is_active(observed))
    }

    fn later(transition: &Transition<'_>) -> Option<&'static str> {
        let renews = transition.after.is_some_and(|after| is_active(after) && days::renews(after));
        (renews && transition.changes("autoRenew")).then_some(
            "it renews by itself at the end of its term: the partner pays the price of that day",
        )
    }

    /// One that is exchanged goes once the one in its place is there. Cancellations of one customer go
    /// one after another: what comes back of the first is no longer left of the cap for the next.
    fn follows(transition: &Transition<'_>, before: &World, after: &World) -> Vec<ResourceId> {
        if cancels(transition) {
            return rules::cancelled_before(transition.id, before, after).into_iter().collect();
        }
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
