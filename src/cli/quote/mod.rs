//! `quote`: what cancelling or exchanging a reservation gives back and costs.

mod text;

use crate::cli::error::CommandError;
use crate::cli::error::Exit;
use crate::cli::output::Output;
use crate::cli::session::{self, PassArgs};
use crate::cli::settings::{FileArgs, Settings, parse_at};
use crate::cli::ui::Ui;
use crate::engine::Workspace;
use crate::engine::gather::Gathered;
use crate::finance::reading::{returnable, wanted};
use crate::finance::{self, Cancelled, Held, QuoteError, Terms, Wanted};
use crate::kinds::{Standing, World};
use crate::model::problem::did_you_mean;
use crate::model::{ResourceId, Source};
use crate::plan::settle;
use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Subcommand};

/// Reckon what cancelling or exchanging a reservation gives back and costs
///
/// By the refund policy that holds on the day, with every step: prorate, fee, cap. Nothing is changed;
/// `plan` shows the same figures, and `apply` stops when they have become worse.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl quote refund web\n  \
    partnerctl quote exchange web web-large\n  partnerctl quote compare web web-large")]
pub struct QuoteArgs {
    #[command(subcommand)]
    command: QuoteCommand,
}

#[derive(Subcommand, Debug)]
enum QuoteCommand {
    /// Reckon the refund of a cancellation
    ///
    /// Days are UTC calendar days, and the day of the purchase is day 0. What is not known, such as
    /// whether it was used, is told as an assumption.
    #[command(after_help = "Examples:\n  partnerctl quote refund web\n  \
        partnerctl quote refund Reservation/web --at 2026-12-24 --policy terms-2026-08 -o json")]
    Refund {
        /// The reservation, managed or not: its name, or KIND/NAME
        reservation: String,
        #[command(flatten)]
        how: How,
    },
    /// Reckon what an exchange costs
    ///
    /// What is left of the old one goes toward the price of the new one, without a fee and outside the
    /// cap. The new one stands in the manifests.
    #[command(after_help = "Example:\n  partnerctl quote exchange web web-large")]
    Exchange {
        /// The reservation that goes
        old: String,
        /// The declared reservation that takes its place
        new: String,
        #[command(flatten)]
        how: How,
    },
    /// Compare keeping, cancelling and exchanging a reservation
    ///
    /// What is to be paid from now on, what comes back, and what is reserved then.
    #[command(after_help = "Examples:\n  partnerctl quote compare web\n  \
        partnerctl quote compare web web-large -o json")]
    Compare {
        /// The reservation
        old: String,
        /// The declared reservation that may take its place
        new: Option<String>,
        #[command(flatten)]
        how: How,
    },
}

/// Options of every quote.
#[derive(Args, Debug)]
struct How {
    /// The day of the cancellation; default: today, in UTC
    #[arg(long, value_name = "DATE|RFC3339", value_parser = parse_at)]
    at: Option<DateTime<Utc>>,
    /// The refund policy; default: the one that holds on the day
    #[arg(long, value_name = "SET")]
    policy: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub fn run(args: &QuoteArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    let store = session::open_existing(settings, &workspace)?;
    let gathered = session::look(settings, &workspace, store.as_ref(), true)?;
    let there = There { world: observed(settings, &gathered), gathered: &gathered };
    let (old, new, how) = match &args.command {
        QuoteCommand::Refund { reservation, how } => (reservation, None, how),
        QuoteCommand::Exchange { old, new, how } => (old, Some(new), how),
        QuoteCommand::Compare { old, new, how } => (old, new.as_ref(), how),
    };
    let at = how.at.unwrap_or_else(Utc::now).date_naive();
    let old = resource(settings, old)?;
    let (held, earlier) = there.held(&old, at)?;
    let new = new.map(|new| declared(settings, &workspace, &there, new, ui)).transpose()?;
    let refunds = workspace.refunds();
    let policy = match &how.policy {
        Some(name) => refunds.policies.named(name),
        None => refunds.policies.on(at),
    };
    let policy = policy.map_err(refuse)?;
    let terms = Terms { policy, rates: &refunds.rates, earlier: &earlier };
    let placed = |error: QuoteError| there.placed(&old, &error);
    let json = how.output == Output::Json;
    match (&args.command, &new) {
        (QuoteCommand::Refund { .. }, _) => {
            let quote = finance::refund(&held, at, &terms).map_err(placed)?;
            if json { ui.json(&quote)? } else { ui.data(&text::refund(&quote)) }
        }
        (QuoteCommand::Exchange { .. }, Some(new)) => {
            let olds = std::slice::from_ref(&held);
            let quote = finance::exchange(olds, new, at, &terms).map_err(placed)?;
            if json { ui.json(&quote)? } else { ui.data(&text::exchange(&quote)) }
        }
        (_, new) => {
            let compared = finance::compare(&held, new.as_ref(), at, &terms).map_err(placed)?;
            if json {
                ui.json(&compared)?;
            } else {
                let text = text::comparison(&compared, ui);
                ui.data(&text);
            }
        }
    }
    Ok(Exit::Done)
}

/// What is there of reservations, and what else it rests on.
struct There<'a> {
    world: World,
    gathered: &'a Gathered,
}

impl There<'_> {
    /// A reservation as it is there, with what its customer cancelled before.
    fn held(&self, id: &ResourceId, at: NaiveDate) -> Result<(Held, Vec<Cancelled>), CommandError> {
        let Some(standing) = self.world.get(id) else {
            let known = self.world.iter().filter(|other| other.id.kind == id.kind);
            let near = did_you_mean(id.name.as_str(), known.map(|other| other.id.name.as_str()));
            let hint = match near {
                Some(near) => format!("did you mean {near}?"),
                None => {
                    "`partnerctl get reservations` lists them, `--unmanaged` those nobody manages"
                        .to_owned()
                }
            };
            return Err(CommandError::new(format!("{id} is not there")).hint(hint));
        };
        let held = returnable(&id.to_string(), &standing.spec, at).map_err(|error| {
            let state = standing.spec.text("state").unwrap_or_default().to_lowercase();
            match error {
                QuoteError::Ended { .. } => {
                    let message = format!("{id} was {state} already{}", self.place(id));
                    CommandError::new(message).hint("nothing of it is left")
                }
                error => self.placed(id, &error),
            }
        })?;
        Ok((held, settle::history(self.world.customer_of(id).as_ref(), &self.world)))
    }

    /// A refusal with where the reservation is declared.
    fn placed(&self, id: &ResourceId, error: &QuoteError) -> CommandError {
        CommandError::new(format!("{error}{}", self.place(id))).hint(error.hint())
    }

    fn place(&self, id: &ResourceId) -> String {
        let row = self.gathered.stored.iter().find(|row| row.id == *id);
        let source = row.map(|row| &row.source).filter(|source| **source != Source::default());
        source.map(|source| format!(" ({source})")).unwrap_or_default()
    }
}

fn refuse(error: QuoteError) -> CommandError {
    let hint = error.hint();
    CommandError::new(error).hint(hint)
}

/// A name is one of a reservation.
fn resource(settings: &Settings, text: &str) -> Result<ResourceId, CommandError> {
    let id = match text.contains('/') {
        true => settings.resource(text)?,
        false => ResourceId::new("Reservation", text),
    };
    if id.kind.as_str() != "Reservation" {
        return Err(CommandError::new(format!("{id} is no reservation"))
            .hint("only reservations are cancelled for a refund or exchanged"));
    }
    Ok(id)
}

/// The reservation that the manifests declare in place of another.
fn declared(
    settings: &Settings,
    workspace: &Workspace,
    there: &There<'_>,
    name: &str,
    ui: &mut Ui,
) -> Result<Wanted, CommandError> {
    let id = resource(settings, name)?;
    if there.world.get(&id).is_some() {
        return Err(CommandError::new(format!("{id} was bought already"))
            .hint("name one that is declared and not bought yet"));
    }
    let asked = PassArgs { full: true, ..PassArgs::of_everything() };
    let mut input = session::read(settings, workspace, &asked)?;
    let manifests = session::manifests(settings, &mut input, &there.gathered.stored, ui)?;
    let resource = manifests.resources.iter().find(|resource| resource.id == id);
    let wanted = resource.and_then(|resource| wanted(&id.to_string(), &resource.spec));
    wanted.ok_or_else(|| {
        CommandError::new(format!("{id} is not declared"))
            .hint("declare the new reservation in the manifests, then quote the exchange")
    })
}

/// Everything that is there, managed or not, by name.
pub fn observed(settings: &Settings, gathered: &Gathered) -> World {
    let directory = gathered.directory(&settings.kinds);
    let mut world = World::default();
    let mut put = |id: ResourceId, spec: &crate::model::Spec| {
        if let Some(entry) = settings.kinds.get(id.kind.as_str()) {
            let spec = entry.effective(&directory.inward(entry, spec));
            world.put(&settings.kinds, Standing { id, spec });
        }
    };
    for thing in &gathered.unmanaged {
        put(ResourceId::new(thing.kind.as_str(), &thing.name), &thing.spec);
    }
    for row in gathered.stored.iter() {
        if let Some(spec) = &row.observed {
            put(row.id.clone(), spec);
        }
    }
    world
}
