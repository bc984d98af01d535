//! `ingest`: take in what the outside world says.

use crate::cli::error::{CommandError, Exit};
use crate::cli::progress::Progress;
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::capacity::{self, Reading, Taken};
use crate::engine::lease::SharedStore;
use crate::engine::tree::{Texts, read_roots};
use crate::engine::{gather, ingest};
use crate::manifest::report;
use crate::model::text::{counted, printable};
use crate::model::{Problem, ResourceId};
use crate::provider::Ids;
use crate::provider::embedded::Embedded;
use crate::store::{Batch, Missing};
use anyhow::Context;
use chrono::{SubsecRound, Utc};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// How long to wait for an apply that is under way.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// Take in what the outside world says
///
/// What the embedded provider cannot see by itself comes from files. Nothing of a file with an error
/// in it is taken.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  partnerctl ingest state state.json")]
pub struct IngestArgs {
    #[command(subcommand)]
    command: IngestCommand,
}

#[derive(Subcommand, Debug)]
enum IngestCommand {
    /// Change the embedded provider's state: drift, existing customers, accepted relationships
    ///
    /// The file is a `kind: List` as `get -o json` prints it. An item's state is status.observed,
    /// else its spec; `status: {observed: null}` says that it is gone. What the file does not speak
    /// of stays as it is.
    #[command(after_help = "Example:\n  partnerctl get all -o json > state.json\n  \
        partnerctl ingest state state.json")]
    State {
        /// JSON or YAML file, or - for standard input
        file: PathBuf,
    },
    /// Take in the reservations that Azure lists, with dates, scope, utilization and buyer
    ///
    /// The file is what GET /providers/Microsoft.Capacity/reservations answers. What a customer bought
    /// itself shows as unmanaged, and gets an activity with who bought it as actor: the partner pays
    /// for it and is not told. What Azure renewed at the end of a term is another order: the next plan
    /// takes it over in place of the one that is over. Azure's list has no prices; they come with the
    /// manifest that takes a reservation over.
    #[command(after_help = "Example:\n  partnerctl ingest reservations reservations.json")]
    Reservations {
        /// JSON or YAML file, or - for standard input
        file: PathBuf,
    },
}

/// What was taken in.
#[derive(Default)]
struct Sum {
    count: usize,
    bought: Vec<(ResourceId, String)>,
    renewed: Vec<(ResourceId, ResourceId)>,
}

pub fn run(args: &IngestArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let (file, lists) = match &args.command {
        IngestCommand::State { file } => (file, false),
        IngestCommand::Reservations { file } => (file, true),
    };
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    if session::provider(settings, &workspace)?.outside().is_some() {
        return Err(CommandError::new("the state of this workspace comes from its provider")
            .hint("change it there; `partnerctl plan` sees it"));
    }
    let texts = read_roots(std::slice::from_ref(file), &mut std::io::stdin().lock());
    let refuse = |problems: &[_], texts: &_, ui: &mut Ui| {
        ui.warn(report::text(problems, texts, false).trim_end());
        CommandError::new(format!("{} in the state", counted(problems.len(), "error")))
            .hint("nothing was taken in")
    };
    if !texts.problems.is_empty() {
        return Err(refuse(&texts.problems, &texts.texts, ui));
    }
    let store =
        session::open(settings, &workspace, Missing::Create)?.context("the store was not made")?;
    let store = SharedStore::new(store);
    // An apply under way would write over what is taken in.
    let held = session::hold(&store, &settings.actor(&workspace), LOCK_TIMEOUT, ui)?;
    let progress = ui.progress("taking in files", texts.texts.len() as u64);
    let set = workspace.set();
    let how = How { lists: lists.then_some(set.as_str()), epoch: held.epoch };
    let taken = take_in(settings, &texts, &store, &how, &progress);
    progress.finish();
    let released = held.release();
    let sum = taken?.map_err(|problems| refuse(&problems, &texts.texts, ui))?;
    released?;
    for (id, buyer) in &sum.bought {
        ui.say(&printable(&format!("{id} was bought by {buyer}: the partner pays for it")));
    }
    for (id, old) in &sum.renewed {
        ui.say(&printable(&format!("{id} renews {old}: the partner pays for it")));
    }
    ui.say(&format!(
        "took in the state of {}; `partnerctl plan` shows what that means",
        counted(sum.count, "resource")
    ));
    Ok(Exit::Done)
}

/// How files are taken in.
struct How<'a> {
    /// The set of the workspace, for lists of reservations.
    lists: Option<&'a str>,
    /// The lease.
    epoch: i64,
}

/// Reads everything against one state of the store and writes it in one batch.
fn take_in(
    settings: &Settings,
    texts: &Texts,
    store: &SharedStore,
    how: &How<'_>,
    progress: &Progress,
) -> Result<Result<Sum, Vec<Problem>>, CommandError> {
    let gathered = gather(Some(store.lock().as_ref()), &Embedded)?;
    let mut directory = gathered.directory(&settings.kinds);
    let mut ids = Ids::new(store.lock().lineage(), session::nonce());
    let mut batch = Batch { epoch: Some(how.epoch), ..Batch::default() };
    let mut sum = Sum::default();
    let at = Utc::now().trunc_subsecs(3);
    for (file, text) in &texts.texts {
        let kinds = &settings.kinds;
        let taken = match how.lists {
            None => ingest::read(kinds, file, text, &mut directory, &mut ids).map(|i| Taken {
                writes: i.writes,
                count: i.count,
                ..Taken::default()
            }),
            Some(set) => {
                let reading = Reading { set, at };
                capacity::read(kinds, (file, text), &reading, &mut directory, &mut ids)
            }
        };
        match taken {
            Ok(taken) => {
                batch.writes.extend(taken.writes);
                sum.count += taken.count;
                sum.bought.extend(taken.bought);
                sum.renewed.extend(taken.renewed);
            }
            Err(problems) => return Ok(Err(problems)),
        }
        progress.advance(1);
    }
    store.lock().commit(&batch)?;
    Ok(Ok(sum))
}
