//! Budget: the monthly Azure spending budget of a customer (domain.md 1).

use crate::kinds::reference::Ref;
use crate::kinds::selector::Selector;
use crate::kinds::{
    Column, Facts, Field, Kind, Mend, Missing, Monthly, Operation, Reference, ReferenceTo, Rule,
    Standing, Transition, Verdict, Weight, World, customer as customers, permit, rule,
    subscription,
};
use crate::model::problem::Finding;
use crate::model::{Money, Resource, ResourceId, ResourceName, Spec, code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// The spec of a Budget: exactly one of `customerRef` and `customerSelector`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "the spec of a Budget")]
#[schemars(extend("oneOf" = [{"required": ["customerRef"]}, {"required": ["customerSelector"]}]))]
pub struct Budget {
    /// The customer. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_ref: Option<Ref>,
    /// Every declared customer with these labels gets this budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_selector: Option<Selector>,
    /// The amount for one month, in the customer's currency.
    monthly: Money,
    /// Whole percents of the amount at which somebody is told; default [80].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "ascending", default)]
    #[schemars(schema_with = "thresholds_schema")]
    alert_thresholds: Option<Vec<u32>>,
}

fn ascending<S: Serializer>(list: &Option<Vec<u32>>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = list.clone().unwrap_or_default();
    list.sort_unstable();
    list.serialize(serializer)
}

fn thresholds_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": ["array", "null"],
        "items": {"type": "integer", "minimum": 1, "maximum": 200},
        "uniqueItems": true,
        "default": [80]
    })
}

/// Where a budget belongs, for messages and identity.
fn customer(spec: &Spec) -> Option<ReferenceTo> {
    Budget::FACTS.references[0].target(spec)
}

const CURRENCY: Rule = Rule::blocks("its currency is the customer's", currency)
    .validated(code::CURRENCY_MISMATCH, "spec.monthly.currency");

/// Advice only: a budget beside nothing to spend on does no harm (domain.md 1).
const USAGE: Rule =
    Rule::blocks("the customer has a usage-based subscription to spend on", has_usage)
        .weighs(Weight::Warns)
        .roles(permit::SALES)
        .asked(|transition| transition.after.is_some());

fn currency(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(spec) = transition.after else { return Verdict::Moot };
    let Some(ReferenceTo::Resource(id)) = customer(spec) else { return Verdict::Moot };
    let Some(customer) = world.get(&id) else { return Verdict::Moot };
    let (Some(own), Some(theirs)) = (spec.text("monthly.currency"), customer.spec.text("currency"))
    else {
        return Verdict::Moot;
    };
    if own == theirs {
        return Verdict::Holds(format!("{id} is billed in {theirs}, as the budget"));
    }
    let mend = Mend::change(transition.id, "monthly.currency", theirs.into());
    Missing::new(
        format!("the budget is in {own}, but {id} is billed in {theirs}"),
        "write the amount in the customer's currency",
    )
    .mend(mend.note("write the amount in this currency, too"))
    .fails()
}

fn has_usage(transition: &Transition<'_>, world: &World) -> Verdict {
    let Some(ReferenceTo::Resource(id)) = transition.after.and_then(customer) else {
        return Verdict::Moot;
    };
    let usage = world
        .referrers(&id, Some("Subscription"))
        .find(|subscription| subscription::is_usage_based(&subscription.spec));
    if let Some(usage) = usage {
        return Verdict::Holds(format!("{} is billed by use", usage.id));
    }
    let name = rule::free_name(world, "Subscription", &format!("{}-azure", id.name));
    Missing::new(
        format!("{id} has no usage-based subscription to spend on"),
        "nothing is wrong; the budget has a use once there is one",
    )
    .mend(subscription::azure_plan(name, &rule::named(&id)))
    .fails()
}

impl Kind for Budget {
    const RULES: &'static [Rule] = &[customers::RELATIONSHIP, CURRENCY, USAGE];

    /// [`USAGE`] looks at the subscriptions of the customer.
    const LEAF: Option<&'static [&'static str]> = Some(&["Subscription"]);

    const FACTS: Facts = Facts {
        kind: "Budget",
        plural: "budgets",
        short: &["bud"],
        about: "The monthly Azure spending budget of a customer",
        deleting: "remove the amount",
        identity: "its customer: each has one budget",
        roles: permit::BUDGETS,
        roles_note: "",
        fields: &[
            Field::new("customerRef").immutable(
                "declare the other customer's budget under its own name; remove this one with --prune",
            ),
            Field::new("alertThresholds").default("[80]"),
        ],
        references: &[Reference::new("customerRef", "Customer")],
        replaceable: false,
        columns: &[
            Column::new("CUSTOMER", "customerRef"),
            Column::new("MONTHLY", "monthly"),
            Column::new("ALERT-AT", "alertThresholds"),
        ],
        example: r#"apiVersion: partnerctl.dev/v1
kind: Budget
metadata:
  name: contoso
spec:
  customerRef: {name: contoso}
  monthly: {amount: "1500.00", currency: EUR}
  alertThresholds: [80, 100]
"#,
    };

    fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.customer_ref.is_some() == self.customer_selector.is_some() {
            let message = "a budget needs exactly one of `customerRef` and `customerSelector`";
            let hint = if self.customer_ref.is_some() { "remove one" } else { "add one" };
            findings.push(
                Finding::new(code::ONE_OF, "spec", message, hint)
                    .resting_on(&["spec.customerRef", "spec.customerSelector"]),
            );
        }
        if let Some(selector) = &self.customer_selector {
            findings.extend(selector.check("spec.customerSelector"));
        }
        let mut seen = Vec::new();
        for (index, threshold) in self.alert_thresholds.iter().flatten().enumerate() {
            let wrong = if !(1..=200).contains(threshold) {
                format!("an alert threshold of {threshold} % is out of range")
            } else if seen.contains(threshold) {
                format!("the alert threshold {threshold} stands twice")
            } else {
                seen.push(*threshold);
                continue;
            };
            let hint = "use different whole percents from 1 to 200";
            let path = format!("spec.alertThresholds.[{index}]");
            findings.push(Finding::new(code::INVALID_VALUE, &path, wrong, hint));
        }
        findings
    }

    fn identity(spec: &Spec) -> Option<String> {
        Some(match customer(spec)? {
            ReferenceTo::Resource(id) => id.name.to_string(),
            ReferenceTo::External(id) => format!("external {id}"),
        })
    }

    fn expand(me: &Resource, declared: &[Resource]) -> Option<Vec<Resource>> {
        let selector = Selector::of(&me.spec, "customerSelector")?;
        let chosen = declared
            .iter()
            .filter(|other| other.id.kind.as_str() == "Customer")
            .filter(|customer| selector.matches(&customer.metadata.labels))
            .map(|customer| {
                let mut spec = me.spec.clone();
                spec.remove("customerSelector");
                spec.set("customerRef", rule::named(&customer.id));
                let name = ResourceName::generated(&me.id.name, &customer.id.name);
                let id = ResourceId { kind: me.id.kind.clone(), name };
                Resource { id, spec, ..me.clone() }
            });
        Some(chosen.collect())
    }

    fn ailment(me: &Standing, world: &World) -> Option<(&'static str, String)> {
        let message = rule::ailment(&[USAGE], Weight::Warns, me, world)?;
        Some(("NoUsageBasedSubscription", message))
    }

    fn operation(_: &Transition<'_>) -> Operation {
        "Update customer spending budget"
    }

    const MONTHLY: Option<Monthly> = Some(|spec| Money::from_value(spec.get("monthly")?));
}
