//! `get`: resources of the store.

use crate::cli::completions::KindWord;
use crate::cli::error::{CommandError, Exit};
use crate::cli::output::yaml;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::table::{Cell, Leave, Table};
use crate::cli::ui::Ui;
use crate::cli::{session, support};
use crate::engine::gather::named;
use crate::engine::{Gathered, Workspace};
use crate::kinds::selector::Selector;
use crate::kinds::{Column, KindEntry, Standing, World};
use crate::manifest::document::API_VERSION;
use crate::model::condition::{ConditionType, Truth};
use crate::model::text::printable;
use crate::model::{self, Observed, ResourceId, Spec, Stored, Suspension};
use crate::plan::diff::show;
use crate::plan::selection::Selection;
use crate::store::Store;
use chrono::Utc;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::ops::Range;

/// List resources of the store
///
/// One table for each kind, with what the provider was last seen to have. On a terminal a table is cut
/// to its width; in a pipe, and with `-o json` or `yaml`, everything is there. `supportrequests` are
/// the cancellations and exchanges of reservations as the portal wants them asked for.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  partnerctl get customers\n  partnerctl get bud -l tier=gold -o wide\n  \
    partnerctl get all --customer contoso\n  partnerctl get subscriptions --unmanaged\n  \
    partnerctl get budget contoso -o yaml\n  partnerctl get supportrequests -o markdown"
)]
pub struct GetArgs {
    /// Kind, plural or short name, or KIND/NAME; `all` for every kind
    #[arg(value_parser = KindWord { all: true }, hide_possible_values = true)]
    kind: String,
    /// Only these
    names: Vec<String>,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Only those with these labels: tier=gold,region!=eu
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = Selector::parse)]
    selector: Option<Selector>,
    /// Only those of this customer
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
    /// What is there and managed by no set
    #[arg(long)]
    unmanaged: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
enum Output {
    /// The columns of the kind
    Table,
    /// More columns
    Wide,
    /// `kind: List`
    Json,
    /// `kind: List`
    Yaml,
    /// Kind/name, one a line
    Name,
    /// To paste into the portal: support requests only
    Markdown,
}

/// A resource to show.
struct Item<'a> {
    id: ResourceId,
    row: Option<&'a Stored>,
    spec: Spec,
    observed: Option<Spec>,
    external_id: Option<String>,
    suspended: Option<&'a Suspension>,
}

pub fn run(args: &GetArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    // Both `get budget contoso` and `get Budget/contoso`.
    let mut args = args.clone();
    if let Some((kind, name)) = args.kind.clone().split_once('/') {
        args.kind = kind.to_owned();
        args.names.insert(0, name.to_owned());
    }
    let args = &args;
    if support::is_meant(&args.kind) {
        let form = match args.output {
            Output::Table | Output::Wide => support::Form::Table,
            Output::Json => support::Form::Json,
            Output::Yaml => support::Form::Yaml,
            Output::Name => support::Form::Names,
            Output::Markdown => support::Form::Markdown,
        };
        if args.selector.is_some() || args.unmanaged {
            return Err(CommandError::new(
                "support requests have no labels, and nobody manages them",
            )
            .hint("`partnerctl get supportrequests --customer NAME`"));
        }
        let wanted = support::Wanted { names: &args.names, customer: args.customer.as_deref() };
        return support::run(wanted, form, settings, ui);
    }
    if args.output == Output::Markdown {
        return Err(CommandError::new("only support requests are printed as markdown")
            .hint("`partnerctl get supportrequests -o markdown`"));
    }
    let kinds: Vec<&KindEntry> = if args.kind == "all" {
        settings.kinds.iter().collect()
    } else {
        vec![settings.kind(&args.kind)?]
    };
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let store = session::open_existing(settings, &workspace)?;
    let gathered = gathered(args, &kinds, settings, &workspace, store.as_ref())?;
    let world = world(settings, &gathered);
    let mut tables = Vec::new();
    let mut all = Vec::new();
    for entry in kinds {
        let mut items = items(args.unmanaged, settings, entry, &gathered);
        items.retain(|item| wanted(args, item, &world));
        suspend(&mut items, &gathered.suspensions, &world);
        if !items.is_empty() || args.kind != "all" {
            tables.push((entry, all.len()..all.len() + items.len()));
        }
        all.append(&mut items);
    }
    if all.is_empty() {
        check_customer(args, &gathered)?;
    }
    if let Some(missing) =
        args.names.iter().find(|name| !all.iter().any(|i| i.id.name.as_str() == **name))
    {
        let kind = &args.kind;
        return Err(CommandError::new(format!("there is no {kind} `{missing}`")).hint(format!(
            "`partnerctl get {kind}` lists them, `--unmanaged` those nobody manages"
        )));
    }
    print(args, tables, &all, ui)?;
    Ok(Exit::Done)
}

/// Prints what was found: of each kind its range of all.
fn print(
    args: &GetArgs,
    tables: Vec<(&KindEntry, Range<usize>)>,
    all: &[Item<'_>],
    ui: &mut Ui,
) -> Result<(), CommandError> {
    match args.output {
        Output::Json => ui.json(&list(all))?,
        Output::Yaml => ui.data(&yaml(&list(all))?),
        Output::Name => {
            for item in all {
                ui.data(&format!("{}\n", printable(&item.id.to_string())));
            }
        }
        Output::Table | Output::Wide | Output::Markdown => {
            let several = args.kind == "all";
            for (index, (entry, range)) in tables.into_iter().enumerate() {
                if index > 0 {
                    ui.data("\n");
                }
                let table = table(entry, &all[range], args.output == Output::Wide, several);
                let text = ui.fitted(&table);
                ui.data(&text);
            }
            if all.is_empty() {
                ui.say("no resources");
            }
        }
    }
    Ok(())
}

/// Refuses a customer that is not there: nothing would be listed, as if it had nothing.
fn check_customer(args: &GetArgs, gathered: &Gathered) -> Result<(), CommandError> {
    let customers = args.customer.iter().cloned().collect();
    let selection = Selection { customers, ..Selection::default() };
    let unmanaged = gathered.unmanaged.iter();
    let unmanaged: Vec<ResourceId> =
        unmanaged.map(|one| ResourceId::new(one.kind.as_str(), &one.name)).collect();
    let stored = gathered.stored.iter().map(|row| &row.id);
    session::check_names(&selection, stored.chain(&unmanaged))
}

/// What there is, as far as it is asked for by name.
fn gathered(
    args: &GetArgs,
    kinds: &[&KindEntry],
    settings: &Settings,
    workspace: &Workspace,
    store: &dyn Store,
) -> Result<Gathered, CommandError> {
    let outside = session::provider(settings, workspace)?.outside().is_some();
    // What belongs to a suspended customer is known from all that leads to it.
    let suspended = || -> Result<bool, CommandError> {
        Ok(store.suspensions()?.iter().any(|one| one.with_all_of_it))
    };
    let everything = args.names.is_empty() || args.unmanaged || args.customer.is_some();
    if everything || outside || suspended()? {
        return session::look(settings, workspace, store, args.unmanaged);
    }
    let ids = kinds
        .iter()
        .flat_map(|entry| args.names.iter().map(|name| ResourceId::new(entry.facts.kind, name)));
    Ok(named(&settings.kinds, store, &ids.collect())?)
}

/// Everything with its references by name, to find out what belongs to a customer.
pub fn world(settings: &Settings, gathered: &Gathered) -> World {
    let stored = gathered.stored.iter().map(|row| (row.id.clone(), row.spec.clone()));
    World::new(&settings.kinds, stored.map(|(id, spec)| Standing { id, spec }))
}

/// Every resource that is managed, or everything that nobody manages, as a `kind: List`; `None` where
/// there is nothing.
pub fn everything(settings: &Settings, gathered: &Gathered, unmanaged: bool) -> Option<Value> {
    let all = settings.kinds.iter().flat_map(|entry| items(unmanaged, settings, entry, gathered));
    let all: Vec<Item<'_>> = all.collect();
    (!all.is_empty()).then(|| list(&all))
}

fn items<'a>(
    unmanaged: bool,
    settings: &Settings,
    entry: &KindEntry,
    gathered: &'a Gathered,
) -> Vec<Item<'a>> {
    let directory = gathered.directory(&settings.kinds);
    let kind = entry.facts.kind;
    if unmanaged {
        let unmanaged = gathered.unmanaged.iter().filter(|observed| observed.kind.as_str() == kind);
        return unmanaged
            .map(|observed: &Observed| {
                let spec = directory.inward(entry, &observed.spec);
                Item {
                    id: ResourceId::new(kind, &observed.name),
                    row: None,
                    observed: Some(spec.clone()),
                    spec,
                    external_id: Some(observed.external_id.clone()),
                    suspended: None,
                }
            })
            .collect();
    }
    let rows = gathered.stored.iter().filter(|row| row.id.kind.as_str() == kind);
    rows.map(|row| Item {
        id: row.id.clone(),
        spec: row.spec.clone(),
        observed: row.observed.as_ref().map(|spec| directory.inward(entry, spec)),
        external_id: row.external_id.clone(),
        row: Some(row),
        suspended: None,
    })
    .collect()
}

/// Says of what is suspended by what.
fn suspend<'a>(items: &mut [Item<'a>], suspensions: &'a [Suspension], world: &World) {
    if suspensions.is_empty() {
        return;
    }
    let now = Utc::now();
    for item in items.iter_mut().filter(|item| item.row.is_some()) {
        let customer = world.customer_of(&item.id);
        item.suspended = Suspension::of(suspensions, now, &item.id, customer.as_ref());
    }
}

fn wanted(args: &GetArgs, item: &Item<'_>, world: &World) -> bool {
    let named = args.names.is_empty() || args.names.iter().any(|n| n == item.id.name.as_str());
    let labels = item.row.map(|row| &row.metadata.labels).cloned().unwrap_or_default();
    let selected = args.selector.as_ref().is_none_or(|selector| selector.matches(&labels));
    let of_customer = args.customer.as_ref().is_none_or(|customer| {
        let owner = world.customer_of(&item.id).map(|id| id.name.to_string());
        let referred = item.spec.text("customerRef.name").map(str::to_owned);
        owner.or(referred).as_ref() == Some(customer)
    });
    named && selected && of_customer
}

/// A `kind: List` of full resources.
fn list(items: &[Item<'_>]) -> Value {
    let items: Vec<Value> = items.iter().map(full).collect();
    json!({"apiVersion": API_VERSION, "kind": "List", "items": items})
}

fn full(item: &Item<'_>) -> Value {
    let observed = item.observed.as_ref().map(Spec::to_value);
    let mut metadata = json!({"name": item.id.name.as_str()});
    let mut status = json!({"observed": observed, "externalId": item.external_id});
    if let Some(row) = item.row {
        if !row.metadata.labels.is_empty() {
            metadata["labels"] = json!(row.metadata.labels);
        }
        if !row.metadata.annotations.is_empty() {
            metadata["annotations"] = json!(row.metadata.annotations);
        }
        metadata["uid"] = json!(row.uid);
        metadata["set"] = json!(row.set);
        metadata["generation"] = json!(row.generation);
        metadata["revision"] = json!(row.revision);
        metadata["source"] = json!(row.source);
        status["lastApplied"] = json!(row.last_applied);
        status["conditions"] = json!(row.conditions);
        if let Some(one) = item.suspended {
            status["suspended"] = json!(one);
        }
    }
    json!({
        "apiVersion": API_VERSION,
        "kind": item.id.kind.as_str(),
        "metadata": metadata,
        "spec": item.spec,
        "status": status,
    })
}

fn table(entry: &KindEntry, items: &[Item<'_>], wide: bool, several: bool) -> Table {
    let columns: Vec<&Column> = entry.facts.columns.iter().filter(|c| wide || !c.wide).collect();
    let is_money = |column: &Column| items.iter().any(|item| money(shown(item), column.path));
    let leave = |column: &Column| match () {
        () if is_money(column) => Leave::Last,
        () if column.wide => Leave::First,
        () => Leave::Later,
    };
    let mut table = Table::new(
        std::iter::once(("NAME", Leave::Never))
            .chain(columns.iter().map(|column| (column.title, leave(column))))
            .chain([("READY", Leave::Last), ("SYNCED", Leave::Last)]),
    );
    for item in items {
        let name = if several { item.id.to_string() } else { item.id.name.to_string() };
        let cells = columns.iter().map(|column| {
            let text = printable(&cell(shown(item), column.path));
            if money(shown(item), column.path) { Cell::whole(text) } else { text.into() }
        });
        let conditions =
            [ConditionType::Ready, ConditionType::Synced].map(|kind| status(item, kind));
        table.row(
            std::iter::once(Cell::from(printable(&name)))
                .chain(cells)
                .chain(conditions.map(Cell::from)),
        );
    }
    table
}

fn shown<'a>(item: &'a Item<'_>) -> &'a Spec {
    item.observed.as_ref().unwrap_or(&item.spec)
}

/// The value at the first of several paths that has one.
fn value<'a>(spec: &'a Spec, paths: &str) -> Option<&'a model::Value> {
    paths.split('|').find_map(|path| spec.get(path))
}

/// Whether an amount stands there.
fn money(spec: &Spec, paths: &str) -> bool {
    value(spec, paths).is_some_and(|value| value.get("amount").is_some())
}

/// A cell.
pub fn cell(spec: &Spec, paths: &str) -> String {
    let Some(value) = value(spec, paths) else { return "-".to_owned() };
    let part = |key: &str| value.get(key).and_then(model::Value::as_str);
    match (part("amount"), part("currency"), part("name"), part("external")) {
        (Some(amount), Some(currency), ..) => format!("{amount} {currency}"),
        (_, _, Some(name), _) => name.to_owned(),
        (_, _, _, Some(external)) => format!("external:{external}"),
        _ => match value {
            model::Value::Array(items) => items.iter().map(show).collect::<Vec<_>>().join(","),
            value => show(value),
        },
    }
}

fn status(item: &Item<'_>, kind: ConditionType) -> String {
    let Some(row) = item.row else { return "-".to_owned() };
    if kind == ConditionType::Synced && item.observed.is_none() {
        return "False (gone)".to_owned();
    }
    if kind == ConditionType::Synced && item.suspended.is_some() {
        return "Suspended".to_owned();
    }
    match row.conditions.iter().find(|condition| condition.kind == kind) {
        Some(condition) if condition.status == Truth::True => "True".to_owned(),
        Some(condition) => format!("False ({})", condition.reason),
        None => "-".to_owned(),
    }
}
