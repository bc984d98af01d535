//! Support requests: how a cancellation or an exchange is asked for in the portal (domain.md 3).
//!
//! Each is told by the log: the reservation itself may have been let go of since.

use crate::cli::error::{CommandError, Exit};
use crate::cli::output::yaml;
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::table::{Cell, Leave, Table};
use crate::cli::ui::Ui;
use crate::engine::Gathered;
use crate::kinds::{Staff, staff};
use crate::model::activity::Outcome;
use crate::model::text::printable;
use crate::model::{Activity, ResourceId};
use crate::store::{Filter, Store};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What the command line calls them, before they are looked for among the kinds.
const WORDS: &[&str] = &["supportrequests", "supportrequest", "sr"];

/// One request, with all that the portal asks for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SupportRequest {
    /// `refund-web` or `exchange-web-large`.
    pub name: String,
    /// Always `Billing`.
    pub issue_type: &'static str,
    /// Always `Reservation management`.
    pub problem_type: &'static str,
    /// Always `Exchanges and refunds`.
    pub category: &'static str,
    /// The customer.
    pub customer: Option<String>,
    /// The reservations that are given back.
    pub returned: Vec<Named>,
    /// The reservation in their place, for an exchange.
    pub purchased: Option<Named>,
    /// When it was done, RFC 3339.
    pub requested_at: Option<String>,
    /// Who did it, to be asked back: the address of the partner user, else the actor.
    pub contact: Option<String>,
    /// What comes back and what is to be paid, as they were reckoned.
    pub amounts: Vec<Amount>,
}

/// A reservation by the ids that support asks for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// `Reservation/name`.
    pub reservation: String,
    /// The id of its order.
    pub order_id: Option<String>,
    /// Its id.
    pub reservation_id: Option<String>,
}

/// An amount with what it is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Amount {
    /// What it is, `Refund`.
    pub what: &'static str,
    /// The amount with its currency.
    pub amount: String,
}

/// Which requests are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Only these; all where there are none.
    pub names: &'a [String],
    /// Only those of this customer.
    pub customer: Option<&'a str>,
}

/// How requests are printed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// A table.
    Table,
    /// Names, one a line.
    Names,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// To paste into the portal.
    Markdown,
    /// Each with everything.
    Whole,
}

/// True for what the command line calls them.
pub fn is_meant(word: &str) -> bool {
    WORDS.contains(&word.to_lowercase().as_str())
}

/// Prints requests.
pub fn run(
    wanted: Wanted<'_>,
    form: Form,
    settings: &Settings,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let store = session::open_existing(settings, &workspace)?;
    let gathered = session::look(settings, &workspace, store.as_ref(), false)?;
    let mut all = requests(store.as_ref(), &gathered)?;
    let Wanted { names, customer } = wanted;
    all.retain(|one| customer.is_none() || one.customer.as_deref() == customer);
    if let Some(missing) = names.iter().find(|name| !all.iter().any(|one| one.name == **name)) {
        return Err(CommandError::new(format!("there is no support request `{missing}`"))
            .hint("`partnerctl get supportrequests` lists them"));
    }
    all.retain(|one| names.is_empty() || names.contains(&one.name));
    match form {
        Form::Json => ui.json(&all)?,
        Form::Yaml => ui.data(&yaml(&serde_json::json!(all))?),
        Form::Names => all.iter().for_each(|one| ui.data(&format!("{}\n", printable(&one.name)))),
        Form::Markdown => all.iter().for_each(|one| ui.data(&markdown(one))),
        Form::Whole => all.iter().for_each(|one| ui.data(&whole(one))),
        Form::Table => {
            let text = ui.fitted(&table(&all));
            ui.data(&text);
        }
    }
    if all.is_empty() {
        ui.say("no support requests: no reservation was cancelled or exchanged");
    }
    Ok(Exit::Done)
}

/// Every request, by name.
fn requests(store: &dyn Store, gathered: &Gathered) -> Result<Vec<SupportRequest>, CommandError> {
    let filter = Filter {
        kind: Some("Reservation".to_owned()),
        outcome: Some(Outcome::Succeeded.as_str().to_owned()),
        ..Filter::default()
    };
    let log = store.activities(&filter)?;
    let mut all: Vec<SupportRequest> = Vec::new();
    for done in &log {
        let olds = olds(done);
        let request = match done.operation.as_str() {
            "Return reservation" => {
                request("refund", done, vec![named(done, &done.resource)], None, gathered)
            }
            "Create order" if !olds.is_empty() => {
                let ended = |old: &ResourceId| {
                    let of_old = |one: &&Activity| one.resource == *old && is_named(one);
                    let last = log.iter().rev().find(of_old);
                    last.map_or_else(|| Named::only(old), |last| named(last, old))
                };
                let returned = olds.iter().map(ended).collect();
                let new = named(done, &done.resource);
                request("exchange", done, returned, Some(new), gathered)
            }
            _ => continue,
        };
        all.push(request);
    }
    number(&mut all);
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// A name that was given again is another reservation: the later request gets a number.
fn number(all: &mut [SupportRequest]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for one in all {
        let times = seen.entry(one.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            one.name = format!("{}-{times}", one.name);
        }
    }
}

/// The reservations that an order was placed in exchange for.
fn olds(done: &Activity) -> Vec<ResourceId> {
    let from = done.after.as_ref().and_then(|after| after.get("spec.exchange.from")?.as_array());
    let name = |old: &Value| Some(ResourceId::new("Reservation", old.get("name")?.as_str()?));
    from.into_iter().flatten().filter_map(name).collect()
}

/// A fact that the log has of what it was done to.
fn fact(done: &Activity, field: &str) -> Option<String> {
    Some(done.after.as_ref()?.get(format!("status.{field}"))?.as_str()?.to_owned())
}

fn is_named(done: &Activity) -> bool {
    fact(done, "reservationId").is_some()
}

fn named(done: &Activity, id: &ResourceId) -> Named {
    Named {
        order_id: fact(done, "orderId"),
        reservation_id: fact(done, "reservationId"),
        ..Named::only(id)
    }
}

impl Named {
    fn only(id: &ResourceId) -> Self {
        Self { reservation: id.to_string(), order_id: None, reservation_id: None }
    }
}

fn request(
    what: &str,
    done: &Activity,
    returned: Vec<Named>,
    purchased: Option<Named>,
    gathered: &Gathered,
) -> SupportRequest {
    let amounts = [
        ("Refund", "refund"),
        ("Early-termination fee", "fee"),
        ("Cancelled commitment", "cancelledCommitment"),
        ("Toward the new price", "exchangeCredit"),
        ("To pay", "exchangePayable"),
    ];
    // A reservation that came in an exchange and is cancelled has figures of both.
    let of_an_exchange = purchased.is_some();
    let belongs = |field: &str| field.starts_with("exchange") == of_an_exchange;
    let amount = |(what, field): (&'static str, &str)| {
        Some(Amount { what, amount: fact(done, field).filter(|_| belongs(field))? })
    };
    SupportRequest {
        name: format!("{what}-{}", done.resource.name),
        issue_type: "Billing",
        problem_type: "Reservation management",
        category: "Exchanges and refunds",
        customer: fact(done, "customer"),
        returned,
        purchased,
        requested_at: Some(done.at.clone()),
        contact: Some(contact(done.actor.clone(), gathered)),
        amounts: amounts.into_iter().filter_map(amount).collect(),
    }
}

/// The address that a partner user wants to be written to; another actor's own name.
fn contact(actor: String, gathered: &Gathered) -> String {
    let users = gathered.stored.iter().filter(|row| row.id.kind.as_str() == staff::KIND);
    let mut own = users.filter(|row| Staff::is_of(&row.spec, &actor));
    let address = own.find_map(|row| row.spec.text("notifications.email").map(str::to_owned));
    address.unwrap_or(actor)
}

fn table(all: &[SupportRequest]) -> Table {
    let mut table = Table::new([
        ("NAME", Leave::Never),
        ("CUSTOMER", Leave::Last),
        ("CATEGORY", Leave::Last),
        ("AMOUNT", Leave::Never),
        ("CONTACT", Leave::Last),
    ]);
    for one in all {
        let amount = one.amounts.iter().find(|a| matches!(a.what, "Refund" | "To pay"));
        let amount =
            amount.map_or("-".to_owned(), |a| format!("{} {}", a.what.to_lowercase(), a.amount));
        let cells = [
            one.name.clone(),
            one.customer.clone().unwrap_or_else(|| "-".to_owned()),
            one.category.to_owned(),
            amount,
            one.contact.clone().unwrap_or_else(|| "-".to_owned()),
        ];
        table.row(cells.map(|cell| Cell::from(printable(&cell))));
    }
    table
}

/// What is to be said, as keys with values.
fn lines(one: &SupportRequest) -> Vec<(String, String)> {
    let mut lines = vec![
        ("Issue type".to_owned(), one.issue_type.to_owned()),
        ("Problem type".to_owned(), one.problem_type.to_owned()),
        ("Category".to_owned(), one.category.to_owned()),
    ];
    let mut put = |key: &str, value: Option<&String>| {
        lines.extend(value.map(|value| (key.to_owned(), value.clone())));
    };
    put("Customer", one.customer.as_ref());
    for (what, named) in one
        .returned
        .iter()
        .map(|named| ("Return", named))
        .chain(one.purchased.iter().map(|named| ("Purchase", named)))
    {
        put(what, Some(&named.reservation));
        put("Reservation order ID", named.order_id.as_ref());
        put("Reservation ID", named.reservation_id.as_ref());
    }
    for amount in &one.amounts {
        put(amount.what, Some(&amount.amount));
    }
    put("Done", one.requested_at.as_ref());
    put("Contact", one.contact.as_ref());
    lines
}

fn whole(one: &SupportRequest) -> String {
    let lines = lines(one);
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or_default() + 1;
    let mut out = format!("{}\n", printable(&one.name));
    for (key, value) in lines {
        let _ = writeln!(out, "  {:<width$} {}", format!("{key}:"), printable(&value));
    }
    out
}

/// To paste into the portal's form.
fn markdown(one: &SupportRequest) -> String {
    let mut out = format!("### {}\n\n", printable(&one.name));
    for (key, value) in lines(one) {
        let _ = writeln!(out, "- **{key}**: {}", printable(&value));
    }
    out.push('\n');
    out
}
