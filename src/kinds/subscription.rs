//! Subscription: an Azure plan, a legacy Azure subscription or a licence bought for a customer.

use crate::kinds::reference::Ref;
use crate::kinds::reservation::Reservation;
use crate::kinds::reservation_permission as permission;
use crate::kinds::{
    Column, Dated, Facts, Field, Kind, Mend, Missing, Operation, Reference, Risk, RiskRule, Rule,
    Standing, Transition, Verdict, World, customer, permit,
};
use crate::model::problem::Finding;
use crate::model::scalar::Line;
use crate::model::{ResourceId, Spec, Value, code, moment};
use chrono::{DateTime, Datelike, Months, SecondsFormat, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// Days in which a licence can be cancelled (partner-center-api.md 4).
const CANCELLATION_DAYS: i64 = 7;

/// The spec of a Subscription.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "the spec of a Subscription")]
pub struct Subscription {
    /// Whose it is. Cannot be changed.
    customer_ref: Ref,
    /// What was bought. Cannot be changed.
    offer: Offer,
    /// The name people see.
    #[serde(skip_serializing_if = "Option::is_none")]
    friendly_name: Option<Line>,
    /// Whether it runs; Suspended stops service and keeps the data. Default Active.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    /// Seats; licences only.
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<NonZeroU32>,
    /// How long it is bought for; licences only.
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<Term>,
    /// How often it is paid; licences only.
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_cycle: Option<BillingCycle>,
    /// Whether it goes on by itself when its term ends; licences only.
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_renew: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an offer, {type: AzurePlan}")]
struct Offer {
    /// What sort of thing was bought: an Azure plan or a legacy Azure subscription, both billed by
    /// use, or a licence.
    #[serde(rename = "type")]
    kind: OfferType,
    /// The catalogue's id of a licence, `CFQ7TTC0LH18:0001`; licences only.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
enum OfferType {
    AzurePlan,
    AzureGlobal,
    License,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum State {
    Active,
    Suspended,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum Term {
    P1M,
    P1Y,
    P3Y,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum BillingCycle {
    Monthly,
    Annual,
    Triennial,
}

const OTHER: &str =
    "buy a new one under another name and cancel this one when it is no longer used";

/// Azure plan and Azure Global are usage based (domain.md 4).
pub(super) fn is_usage_based(spec: &Spec) -> bool {
    matches!(spec.text("offer.type"), Some("AzurePlan" | "AzureGlobal"))
}

fn is_licence(spec: &Spec) -> bool {
    spec.text("offer.type") == Some("License")
}

const WINDOW: Rule =
    Rule::blocks("to cancel a licence: it was bought within the last 7 days", cancellable)
        .code(code::BLOCK_WINDOW)
        .asked(|transition| {
            transition.after.is_none() && transition.before.is_some_and(is_licence)
        });

const NOT_RESTED_ON: Rule = Rule::blocks(
    "to suspend or cancel it: no Allowed ReservationPermission rests on it",
    |transition, after| permission::held_back(transition.id, transition.id, after),
)
.code(code::BLOCK_IN_USE)
.roles(permit::PERMISSIONS)
.asked(Subscription::stops);

/// What was bought on it goes on to be paid, and nobody could tell any more for whom.
const NOTHING_BOUGHT_ON_IT: Rule = Rule::blocks(
    "to cancel it: no reservation on it is still active, managed or not",
    nothing_bought_on_it,
)
.code(code::BLOCK_IN_USE)
.asked(|transition| transition.after.is_none());

fn nothing_bought_on_it(transition: &Transition<'_>, after: &World) -> Verdict {
    let goes_on = |one: &&Standing| !Reservation::ended(&one.spec, transition.at);
    let active = after.referrers(transition.id, Some("Reservation")).filter(goes_on);
    let names: Vec<String> = active.map(|standing| standing.id.to_string()).collect();
    if names.is_empty() {
        return Verdict::Holds("no reservation on it is active".to_owned());
    }
    Missing::new(
        format!("{} is still active on it", names.join(", ")),
        "cancel it or move it to another subscription of the customer first; to stop managing it is not enough",
    )
    .fails()
}

fn cancellable(transition: &Transition<'_>, _: &World) -> Verdict {
    let Some(before) = transition.before else { return Verdict::Moot };
    if within_window(before, transition.at) {
        return Verdict::Holds("it was bought within the last 7 days".to_owned());
    }
    let bought = purchased_at(before).map(|at| at.date_naive());
    let bought = bought.map(|day| format!(", and this one was bought {day}")).unwrap_or_default();
    Missing::new(
        format!(
            "a licence can be cancelled within {CANCELLATION_DAYS} days of its purchase only{bought}"
        ),
        "set autoRenew: false, so that it ends with its term",
    )
    .mend(Mend::change(transition.id, "autoRenew", false.into()).note("declare the subscription again, with this field"))
    .fails()
}

/// A usage-based and active subscription of a customer, to name instead of another.
pub(super) fn fitting<'a>(customer: &'a ResourceId, world: &'a World) -> Option<&'a ResourceId> {
    world
        .referrers(customer, Some("Subscription"))
        .find(|standing| is_usage_based(&standing.spec) && is_active(&standing.spec))
        .map(|standing| &standing.id)
}

/// True unless it says that it is suspended.
pub(super) fn is_active(spec: &Spec) -> bool {
    spec.text("state").is_none_or(|state| state == "Active")
}

/// An Azure plan for a customer, to declare where one is missing.
pub(super) fn azure_plan(name: ResourceId, customer: &crate::model::Value) -> Mend {
    let spec = serde_json::json!({"customerRef": customer, "offer": {"type": "AzurePlan"}});
    Mend::declare(name, spec, "this buys an Azure plan for the customer")
}

impl Kind for Subscription {
    const RULES: &'static [Rule] =
        &[customer::RELATIONSHIP, WINDOW, NOT_RESTED_ON, NOTHING_BOUGHT_ON_IT];

    const RISKS: &'static [RiskRule] = &[
        RiskRule {
            says: "cancelling it",
            risk: Risk::Irreversible,
            is: |transition| transition.after.is_none(),
        },
        RiskRule {
            says: "suspending it",
            risk: Risk::Costly,
            is: |transition| {
                transition.before.is_some() && transition.becomes("state", "Suspended")
            },
        },
        RiskRule {
            says: "buying a licence",
            risk: Risk::Costly,
            is: |transition| {
                transition.before.is_none() && transition.after.is_some_and(is_licence)
            },
        },
        RiskRule {
            says: "changing a licence's quantity, term, billing cycle, renewal or state",
            risk: Risk::Costly,
            is: |transition| {
                transition.before.is_some()
                    && transition.after.is_some_and(is_licence)
                    && ["quantity", "term", "billingCycle", "autoRenew", "state"]
                        .iter()
                        .any(|field| transition.changes(field))
            },
        },
    ];

    const FACTS: Facts = Facts {
        kind: "Subscription",
        plural: "subscriptions",
        short: &["sub", "subs"],
        about: "An Azure plan or a licence bought for a customer",
        deleting: "cancel the subscription",
        identity: "",
        roles: permit::SALES,
        roles_note: "",
        fields: &[
            Field::new("customerRef").immutable(OTHER),
            Field::new("offer").immutable(OTHER),
            Field::new("offer.id").immutable(OTHER).any_case(),
            Field::new("state").default("\"Active\""),
        ],
        references: &[Reference::new("customerRef", "Customer")],
        replaceable: false,
        columns: &[
            Column::new("CUSTOMER", "customerRef"),
            Column::new("OFFER", "offer.type"),
            Column::new("STATE", "state"),
            Column::wide("FRIENDLY-NAME", "friendlyName"),
            Column::wide("QUANTITY", "quantity"),
            Column::wide("TERM", "term"),
        ],
        example: r"apiVersion: partnerctl.dev/v1
kind: Subscription
metadata:
  name: contoso-azure
spec:
  customerRef: {name: contoso}
  offer: {type: AzurePlan}
  friendlyName: Contoso production
",
    };

    fn check(&self) -> Vec<Finding> {
        let given = [
            ("spec.offer.id", self.offer.id.is_some()),
            ("spec.quantity", self.quantity.is_some()),
            ("spec.term", self.term.is_some()),
            ("spec.billingCycle", self.billing_cycle.is_some()),
            ("spec.autoRenew", self.auto_renew.is_some()),
        ];
        if self.offer.kind != OfferType::License {
            return given
                .into_iter()
                .filter(|(_, given)| *given)
                .map(|(path, _)| {
                    let field = path.trim_start_matches("spec.");
                    let message = format!("`{field}` is for licences only");
                    let hint = "remove it, or set offer.type to License";
                    Finding::new(code::LICENCE_ONLY, path, message, hint)
                        .resting_on(&["spec.offer.type"])
                })
                .collect();
        }
        given
            .into_iter()
            .filter(|(path, given)| !given && matches!(*path, "spec.offer.id" | "spec.quantity"))
            .map(|(path, _)| {
                let field = path.trim_start_matches("spec.");
                let (parent, _) = path.rsplit_once('.').unwrap_or((path, ""));
                let message = format!("a licence needs `{field}`");
                Finding::new(code::MISSING_FIELD, parent, message, format!("add `{field}`"))
                    .resting_on(&["spec.offer.id", "spec.quantity"])
            })
            .collect()
    }

    fn likeness(spec: &Spec) -> Option<String> {
        let customer = spec.get("customerRef")?.to_string();
        Some(format!("{customer} {}", spec.get("offer")?).to_lowercase())
    }

    fn follows(transition: &Transition<'_>, before: &World, after: &World) -> Vec<ResourceId> {
        if Self::stops(transition) {
            permission::revoked(transition.id, before, after)
        } else {
            Vec::new()
        }
    }

    fn stops(transition: &Transition<'_>) -> bool {
        transition.after.is_none() || transition.becomes("state", "Suspended")
    }

    fn operation(transition: &Transition<'_>) -> Operation {
        if transition.before.is_none() { "Create order" } else { "Update subscription" }
    }

    fn bought(spec: &Spec) -> bool {
        is_licence(spec)
    }

    fn dates(declared: &Spec, observed: Option<&Spec>, from: DateTime<Utc>) -> Vec<Dated> {
        let Some(there) = observed.filter(|spec| is_licence(spec)) else { return Vec::new() };
        let dated = |at: DateTime<Utc>, what: &str| Dated { at, what: what.to_owned() };
        let closes = window_closes(there).map(|at| dated(at, "the time to cancel it ends"));
        let says = |field: &str| there.get(field).or_else(|| declared.get(field));
        let what = match says("autoRenew").and_then(Value::as_bool) {
            Some(true) => "it renews for another term",
            Some(false) => "it ends with its term",
            None => "its term ends",
        };
        let ends = says("term").and_then(|term| term_ends(there, term.as_str()?, from));
        closes.into_iter().chain(ends.map(|at| dated(at, what))).collect()
    }

    fn check_observed(spec: &Spec) -> Option<String> {
        moment::wrong(spec, "purchasedAt")
    }

    fn born(spec: &mut Spec, at: DateTime<Utc>) {
        spec.set("purchasedAt", at.to_rfc3339_opts(SecondsFormat::Secs, true).into());
    }
}

/// When it was bought, as observed.
fn purchased_at(spec: &Spec) -> Option<DateTime<Utc>> {
    moment::parse(spec.text("purchasedAt")?).ok()
}

/// The last instant at which a licence can be cancelled.
fn window_closes(spec: &Spec) -> Option<DateTime<Utc>> {
    purchased_at(spec)?.checked_add_signed(TimeDelta::days(CANCELLATION_DAYS))
}

/// When the term that a licence is in ends (partner-center-api.md 4, `commitmentEndDate`): terms follow
/// one another from the purchase on. `None` for one that does not run, or of which that is not known.
fn term_ends(there: &Spec, term: &str, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if there.text("state").is_some_and(|state| state != "Active") {
        return None;
    }
    let months = match term {
        "P1M" => 1,
        "P1Y" => 12,
        "P3Y" => 36,
        _ => return None,
    };
    let bought = purchased_at(there)?;
    let month = |at: DateTime<Utc>| i64::from(at.year()) * 12 + i64::from(at.month());
    // So many terms end before or in that month; the day tells whether the last of them is over.
    let whole = u32::try_from(month(from) - month(bought)).unwrap_or_default() / months;
    let end = |number: u32| bought.checked_add_months(Months::new(number * months));
    [whole.max(1), whole + 1].into_iter().filter_map(end).find(|end| *end >= from)
}

fn within_window(spec: &Spec, at: DateTime<Utc>) -> bool {
    window_closes(spec).is_some_and(|closes| at <= closes)
}

#[cfg(test)]
mod tests {
    use super::Subscription;
    use crate::kinds::Kind;
    use crate::model::Spec;
    use chrono::{DateTime, Utc};
    use serde_json::json;

    /// The end of the term that a licence is in at a time, and what it says then.
    fn term_end(term: &str, renews: Option<bool>, from: &str) -> Option<(String, String)> {
        let mut there = json!({"offer": {"type": "License", "id": "X:1"}, "state": "Active",
            "term": term, "purchasedAt": "2026-01-31T09:30:00Z"});
        if let Some(renews) = renews {
            there["autoRenew"] = json!(renews);
        }
        let from: DateTime<Utc> = from.parse().unwrap();
        let dates = Subscription::dates(&Spec::default(), Some(&Spec::from_value(there)), from);
        let end = dates.into_iter().find(|date| !date.what.contains("cancel"))?;
        Some((end.at.to_rfc3339(), end.what))
    }

    #[test]
    fn terms_of_a_licence_follow_one_another_and_the_one_it_is_in_is_told() {
        let ends = |term, from| term_end(term, Some(true), from).unwrap().0;
        assert_eq!(ends("P1M", "2026-01-31T10:00:00Z"), "2026-02-28T09:30:00+00:00");
        assert_eq!(ends("P1M", "2026-02-28T09:30:00Z"), "2026-02-28T09:30:00+00:00");
        assert_eq!(ends("P1M", "2026-02-28T09:30:01Z"), "2026-03-31T09:30:00+00:00");
        assert_eq!(ends("P1M", "2031-12-31T23:00:00Z"), "2032-01-31T09:30:00+00:00");
        assert_eq!(ends("P1Y", "2026-06-01T00:00:00Z"), "2027-01-31T09:30:00+00:00");
        assert_eq!(ends("P1Y", "2031-12-31T23:00:00Z"), "2032-01-31T09:30:00+00:00");
        assert_eq!(ends("P3Y", "2029-01-31T09:30:00Z"), "2029-01-31T09:30:00+00:00");
        assert_eq!(ends("P3Y", "2029-02-01T00:00:00Z"), "2032-01-31T09:30:00+00:00");
    }

    #[test]
    fn what_comes_of_its_term_is_said_as_far_as_it_is_known() {
        let what =
            |term, renews| term_end(term, renews, "2026-06-01T00:00:00Z").map(|(_, what)| what);
        assert_eq!(what("P1Y", Some(true)).as_deref(), Some("it renews for another term"));
        assert_eq!(what("P1Y", Some(false)).as_deref(), Some("it ends with its term"));
        assert_eq!(what("P1Y", None).as_deref(), Some("its term ends"));
        assert_eq!(what("", Some(true)), None);
    }
}
