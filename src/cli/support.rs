//! Support requests: how a cancellation or an exchange is asked for in the portal (domain.md 3).
//!
//! Each is told by what is there: the store keeps every reservation that ended, with what came back.

use crate::cli::error::{CommandError, Exit};
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::table::{Cell, Leave, Table};
use crate::cli::ui::Ui;
use crate::cli::{log, quote};
use crate::engine::Gathered;
use crate::kinds::{Staff, Standing, World, reservation, staff};
use crate::model::text::printable;
use crate::model::{Activity, ResourceId};
use crate::store::{Filter, Store};
use schemars::JsonSchema;
use serde::Serialize;
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

/// How requests are printed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// A table.
    Table,
    /// Names, one a line.
    Names,
    /// JSON.
    Json,
    /// To paste into the portal.
    Markdown,
    /// Each with everything.
    Whole,
}

/// True for what the command line calls them.
pub fn is_meant(word: &str) -> bool {
    WORDS.contains(&word.to_lowercase().as_str())
}

/// Prints requests, all or those named.
pub fn run(
    names: &[String],
    form: Form,
    settings: &Settings,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let store = session::open_existing(settings, &workspace)?;
    let gathered = session::look(settings, &workspace, store.as_ref(), false)?;
    let mut all = requests(settings, &gathered, store.as_ref())?;
    if let Some(missing) = names.iter().find(|name| !all.iter().any(|one| one.name == **name)) {
        return Err(CommandError::new(format!("there is no support request `{missing}`"))
            .hint("`partnerctl get supportrequests` lists them"));
    }
    all.retain(|one| names.is_empty() || names.contains(&one.name));
    match form {
        Form::Json => ui.json(&all)?,
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
fn requests(
    settings: &Settings,
    gathered: &Gathered,
    store: &dyn Store,
) -> Result<Vec<SupportRequest>, CommandError> {
    let world = quote::observed(settings, gathered);
    let mut all = Vec::new();
    for row in gathered.stored.iter().filter(|row| row.id.kind.as_str() == "Reservation") {
        let Some(standing) = world.get(&row.id) else { continue };
        let olds = reservation::exchanged_for(&standing.spec);
        let cancelled = standing.spec.text("cancelledOn").is_some();
        if cancelled {
            let done = last(store, &row.id, "Return reservation")?;
            all.push(request(
                "refund",
                standing,
                std::slice::from_ref(&row.id),
                None,
                &world,
                done,
                gathered,
            ));
        }
        if !olds.is_empty() {
            let done = last(store, &row.id, "Create order")?;
            let new = Some(named(&row.id, &world));
            all.push(request("exchange", standing, &olds, new, &world, done, gathered));
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The last time something was done to a resource.
fn last(
    store: &dyn Store,
    id: &ResourceId,
    operation: &str,
) -> Result<Option<Activity>, CommandError> {
    let filter = Filter { resource: Some(id.clone()), ..Filter::default() };
    let mut done = log::wanted(store, &filter)?;
    done.retain(|activity| activity.operation == operation);
    Ok(done.pop())
}

fn request(
    what: &str,
    standing: &Standing,
    olds: &[ResourceId],
    purchased: Option<Named>,
    world: &World,
    done: Option<Activity>,
    gathered: &Gathered,
) -> SupportRequest {
    let amounts = [
        ("Refund", "refund"),
        ("Early-termination fee", "fee"),
        ("Cancelled commitment", "cancelledCommitment"),
        ("Toward the new price", "exchangeCredit"),
        ("To pay", "exchangePayable"),
    ];
    let amount = |(what, field): (&'static str, &str)| {
        Some(Amount { what, amount: standing.spec.text(field)?.to_owned() })
    };
    SupportRequest {
        name: format!("{what}-{}", standing.id.name),
        issue_type: "Billing",
        problem_type: "Reservation management",
        category: "Exchanges and refunds",
        customer: world.customer_of(&standing.id).map(|id| id.name.to_string()),
        returned: olds.iter().map(|old| named(old, world)).collect(),
        purchased,
        requested_at: done.as_ref().map(|activity| activity.at.clone()),
        contact: done.map(|activity| contact(activity.actor, gathered)),
        amounts: amounts.into_iter().filter_map(amount).collect(),
    }
}

fn named(id: &ResourceId, world: &World) -> Named {
    let text = |field: &str| world.get(id)?.spec.text(field).map(str::to_owned);
    Named {
        reservation: id.to_string(),
        order_id: text("orderId"),
        reservation_id: text("reservationId"),
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
