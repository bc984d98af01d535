//! Customer: an organisation the partner sells to and has a reseller relationship with.

use crate::kinds::reservation::Reservation;
use crate::kinds::{
    Column, Facts, Field, Handout, Kind, Missing, Operation, Risk, RiskRule, Rule, Standing,
    Transition, Verdict, Weight, World, permit,
};
use crate::model::digest::Digest;
use crate::model::scalar::{Country, Domain, Email, Line, Uuid};
use crate::model::{Currency, Spec, code};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The spec of a Customer.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "the spec of a Customer")]
pub struct Customer {
    /// The organisation's name.
    company_name: Line,
    /// The domain of its tenant; identifies the customer and cannot be changed.
    domain: Domain,
    /// Where it is established: ISO 3166 alpha-2, `NL`.
    country: Country,
    /// The currency it is billed in: ISO 4217, `EUR`. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
    /// The tenant, where it exists already. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<Uuid>,
    /// Who is written to about bills.
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_profile: Option<BillingContact>,
    /// Create: a tenant the partner creates. Invite: an existing tenant that must accept first.
    /// Default Create; cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    onboarding: Option<Onboarding>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
enum Onboarding {
    Create,
    Invite,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a billing profile, {email: …}")]
struct BillingContact {
    /// Where bills are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    /// The language of bills, `nl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Line>,
    /// How dates and amounts are written on bills, `nl-NL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    culture: Option<Line>,
    /// The first name of who is written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<Line>,
    /// The last name of who is written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<Line>,
    /// Where the customer is.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an address, {line1: …}")]
pub(super) struct Address {
    /// Street and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    line1: Option<Line>,
    /// More of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    line2: Option<Line>,
    /// The city.
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<Line>,
    /// The state or province, where the country has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Line>,
    /// The postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<Line>,
    /// ISO 3166 alpha-2, `NL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Country>,
    /// The telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<Line>,
}

const AGAIN: &str = "it is fixed when the customer is added: end this relationship and add the \
                     customer again, or put the old value back";

/// Where the embedded provider's invitations are accepted: nowhere, but the same for a domain each time.
const INVITATIONS: &str = "https://invitations.partner.example/";

/// What a relationship may be, as observed.
const RELATIONSHIPS: [&str; 3] = ["Pending", "Granted", "Revoked"];

/// What every resource under a customer waits for (domain.md 5).
pub(super) const RELATIONSHIP: Rule =
    Rule::blocks("the customer has granted the partner's relationship", related)
        .weighs(Weight::Waits)
        .roles(permit::SALES);

const NOTHING_ACTIVE: Rule = Rule::blocks(
    "to end the relationship: no active subscription or reservation is left under it",
    nothing_active,
)
.code(code::BLOCK_IN_USE)
.asked(|transition| transition.after.is_none());

fn related(transition: &Transition<'_>, world: &World) -> Verdict {
    let id = world.customer_of(transition.id);
    let Some(customer) = id.and_then(|id| world.get(&id)) else { return Verdict::Moot };
    match Customer::gate(&customer.spec) {
        None => Verdict::Holds(format!("{} has granted the partner's relationship", customer.id)),
        Some(reason) => Missing::new(
            format!("{}: {reason}", customer.id),
            "the customer accepts the invitation in its own portal; what waits goes on by itself with the first apply after that was observed",
        )
        .fails(),
    }
}

fn nothing_active(transition: &Transition<'_>, after: &World) -> Verdict {
    let subscriptions = after.referrers(transition.id, Some("Subscription"));
    let reservations = after
        .below(transition.id, "Reservation", "Subscription")
        .into_iter()
        .filter(|reservation| !Reservation::ended(&reservation.spec, transition.at));
    let bought: Vec<&Standing> = subscriptions
        .filter(|subscription| subscription.spec.text("state") != Some("Suspended"))
        .chain(reservations)
        .collect();
    if bought.is_empty() {
        return Verdict::Holds("nothing active is left under it".to_owned());
    }
    let names: Vec<String> = bought.iter().map(|standing| standing.id.to_string()).collect();
    Missing::new(
        format!("{} is still active under this customer", names.join(", ")),
        "cancel it first, or in the same plan; one that is not managed here, where it is managed",
    )
    .fails()
}

impl Kind for Customer {
    const RULES: &'static [Rule] = &[RELATIONSHIP, NOTHING_ACTIVE];

    const RISKS: &'static [RiskRule] = &[RiskRule {
        says: "ending the relationship",
        risk: Risk::Irreversible,
        is: |transition| transition.after.is_none(),
    }];

    const FACTS: Facts = Facts {
        kind: "Customer",
        plural: "customers",
        short: &["cust"],
        about: "An organisation the partner sells to",
        deleting: "end the reseller relationship",
        identity: "its domain, in any letter case",
        roles: permit::SALES,
        roles_note: "ending a relationship needs both GlobalAdmin and AdminAgent",
        fields: &[
            Field::new("domain").immutable(AGAIN).any_case(),
            Field::new("currency").immutable(AGAIN),
            Field::new("tenantId").immutable(AGAIN).any_case(),
            Field::new("onboarding").immutable(AGAIN).default("\"Create\""),
        ],
        references: &[],
        replaceable: false,
        columns: &[
            Column::new("COMPANY", "companyName"),
            Column::new("DOMAIN", "domain"),
            Column::new("COUNTRY", "country"),
            Column::new("RELATIONSHIP", "relationship"),
            Column::wide("CURRENCY", "currency"),
            Column::wide("INVITATION", "invitation"),
            Column::wide("TENANT", "tenantId"),
        ],
        example: r#"apiVersion: partnerctl.dev/v1
kind: Customer
metadata:
  name: contoso
  labels: {tier: gold}
spec:
  companyName: Contoso B.V.
  domain: contoso.example
  country: NL
  currency: EUR
"#,
    };

    fn identity(spec: &Spec) -> Option<String> {
        spec.text("domain").map(str::to_lowercase)
    }

    fn gate(spec: &Spec) -> Option<String> {
        let pending = || Some("the customer has not accepted the invitation yet".to_owned());
        match spec.text("relationship") {
            Some("Granted") => None,
            Some("Pending") => pending(),
            Some("Revoked") => Some("the customer has ended the partner's relationship".to_owned()),
            Some(other) => Some(format!("its relationship is `{other}`, which is not known")),
            // Only a tenant that the partner made comes with the relationship.
            None if spec.text("onboarding") == Some("Invite") => pending(),
            None => None,
        }
    }

    fn check_observed(spec: &Spec) -> Option<String> {
        let relationship = spec.text("relationship")?;
        (!RELATIONSHIPS.contains(&relationship)).then(|| {
            format!("relationship is `{relationship}`, not one of {}", RELATIONSHIPS.join(", "))
        })
    }

    fn ailment(me: &Standing, _: &World) -> Option<(&'static str, String)> {
        Self::gate(&me.spec).map(|reason| ("RelationshipMissing", reason))
    }

    fn operation(transition: &Transition<'_>) -> Operation {
        match (transition.before, transition.after) {
            (None, Some(after)) if after.text("onboarding") == Some("Invite") => {
                "Request reseller relationship"
            }
            (None, _) => "Add customer",
            (Some(_), Some(_)) => "Update customer billing profile",
            (Some(_), None) => "Remove partner customer relationship",
        }
    }

    fn born(spec: &mut Spec, _: DateTime<Utc>) {
        let invited = spec.text("onboarding") == Some("Invite");
        spec.set("relationship", if invited { "Pending" } else { "Granted" }.into());
        if let Some(domain) = spec.text("domain").filter(|_| invited) {
            let code = &Digest::default().text(&domain.to_lowercase()).hex()[..20];
            let link = format!("{INVITATIONS}{code}");
            spec.set("invitation", link.as_str().into());
        }
    }

    const HANDOUT: Option<Handout> = Some(|observed| {
        let link = observed.text("invitation")?;
        let waits = observed.text("relationship") == Some("Pending");
        waits.then(|| format!("show the customer this link, to accept the invitation: {link}"))
    });
}
