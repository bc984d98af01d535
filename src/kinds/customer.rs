//! Customer: an organisation the partner sells to and has a reseller relationship with.

use crate::kinds::{
    Block, Column, Facts, Field, Kind, Operation, Risk, Standing, Transition, World,
};
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
    /// ISO 3166 alpha-2, `NL`.
    country: Country,
    /// ISO 4217; what it is billed in. Cannot be changed.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    /// `nl`
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Line>,
    /// `nl-NL`
    #[serde(skip_serializing_if = "Option::is_none")]
    culture: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an address, {line1: …}")]
struct Address {
    #[serde(skip_serializing_if = "Option::is_none")]
    line1: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line2: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Country>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<Line>,
}

const AGAIN: &str = "it is fixed when the customer is added: end this relationship and add the \
                     customer again, or put the old value back";

/// What a relationship may be, as observed.
const RELATIONSHIPS: [&str; 3] = ["Pending", "Granted", "Revoked"];

impl Kind for Customer {
    const FACTS: Facts = Facts {
        kind: "Customer",
        plural: "customers",
        short: &["cust"],
        about: "An organisation the partner sells to",
        deleting: "end the reseller relationship",
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

    fn judge(transition: &Transition<'_>, after: &World) -> Vec<Block> {
        if transition.after.is_some() {
            return Vec::new();
        }
        let bought: Vec<String> = after
            .referrers(transition.id, None)
            .filter(|referrer| matches!(referrer.id.kind.as_str(), "Subscription" | "Reservation"))
            .filter(|referrer| {
                !matches!(referrer.spec.text("state"), Some("Suspended" | "Cancelled"))
            })
            .map(|referrer| referrer.id.to_string())
            .collect();
        if bought.is_empty() {
            return Vec::new();
        }
        vec![Block::new(
            code::BLOCK_IN_USE,
            format!("{} is still active under this customer", bought.join(", ")),
            "cancel it first, or in the same plan; one that is not managed here, where it is managed",
        )]
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

    fn risk(transition: &Transition<'_>) -> Risk {
        if transition.after.is_none() { Risk::Irreversible } else { Risk::Reversible }
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
    }
}
