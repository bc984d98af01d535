//! BillingProfile: what one monthly invoice of a billing account is made for (domain.md 2).

use crate::kinds::customer::Address;
use crate::kinds::{Column, Facts, Field, Kind, Operation, Transition, permit};
use crate::model::problem::Finding;
use crate::model::scalar::Line;
use crate::model::{Currency, Spec, code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The spec of a BillingProfile.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "the spec of a BillingProfile")]
pub struct BillingProfile {
    /// The id of the billing account it belongs to. Cannot be changed.
    billing_account: Line,
    /// The name people see; identifies the profile within its billing account.
    display_name: Line,
    /// What its invoices are in: ISO 4217, `EUR`. Cannot be changed.
    currency: Currency,
    /// The day of the month on which its invoice is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31))]
    invoice_day: Option<u32>,
    /// Whether invoices are sent by e-mail; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_email_opt_in: Option<bool>,
    /// The address on its invoices.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
}

const ANOTHER: &str =
    "it is fixed when the profile is made: declare another profile under a name of its own";

impl Kind for BillingProfile {
    const ONLY_RELEASED: bool = true;

    const FACTS: Facts = Facts {
        kind: "BillingProfile",
        plural: "billingprofiles",
        short: &["bp"],
        about: "What one monthly invoice of a billing account is made for",
        deleting: "release it from management, nothing else happens",
        identity: "billing account and display name together",
        roles: permit::BILLING,
        roles_note: "",
        fields: &[
            Field::new("billingAccount").immutable(ANOTHER).any_case(),
            Field::new("currency").immutable(ANOTHER),
            Field::new("invoiceEmailOptIn").default("false"),
        ],
        references: &[],
        replaceable: false,
        columns: &[
            Column::new("ACCOUNT", "billingAccount"),
            Column::new("DISPLAY-NAME", "displayName"),
            Column::new("CURRENCY", "currency"),
            Column::new("INVOICE-DAY", "invoiceDay"),
            Column::wide("BY-EMAIL", "invoiceEmailOptIn"),
        ],
        example: r#"apiVersion: partnerctl.dev/v1
kind: BillingProfile
metadata:
  name: partner-eur
spec:
  billingAccount: "1234567"
  displayName: Partner, in euros
  currency: EUR
  invoiceDay: 5
  invoiceEmailOptIn: true
"#,
    };

    fn check(&self) -> Vec<Finding> {
        let wrong = self.invoice_day.filter(|day| !(1..=31).contains(day));
        let finding = wrong.map(|day| {
            let message = format!("a month has no day {day}");
            Finding::new(code::INVALID_VALUE, "spec.invoiceDay", message, "use 1 to 31")
        });
        finding.into_iter().collect()
    }

    fn identity(spec: &Spec) -> Option<String> {
        let account = spec.text("billingAccount")?.to_lowercase();
        Some(format!("{account} {}", spec.text("displayName")?))
    }

    fn operation(transition: &Transition<'_>) -> Operation {
        if transition.before.is_none() {
            "Create billing profile"
        } else {
            "Update billing profile"
        }
    }
}
