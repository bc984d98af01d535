//! `resume`: end what an earlier run left open, and change nothing else.

use crate::cli::carry_out::Place;
use crate::cli::error::{CommandError, Exit};
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::lease::SharedStore;
use crate::engine::operate::Ended;
use crate::model::text::counted;
use clap::Args;
use std::time::Duration;

/// End the operations that an earlier run left open
///
/// A run that was killed between asking the provider and writing the answer down leaves an intent
/// behind. This finds out what became of it: by the same request key, else by looking at what is
/// there. It never buys anything a second time; what nobody can find out is left to `repair`. Every
/// apply does this first.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl resume\n  partnerctl resume --lock-timeout 0")]
pub struct ResumeArgs {
    /// Operations that are looked into at the same time
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallelism: u16,
    /// Seconds to wait for another apply
    #[arg(long, default_value_t = 30, value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(..=604_800))]
    lock_timeout: u64,
}

pub fn run(args: &ResumeArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    session::demand_lasting(settings, &workspace)?;
    let store = SharedStore::new(session::open_existing(settings, &workspace)?);
    let provider = session::provider(settings, &workspace)?;
    let actor = settings.actor(&workspace);
    let timeout = Duration::from_secs(args.lock_timeout);
    let held = session::hold(&store, &actor, timeout, ui)?;
    let epoch = held.epoch;
    let refunds = std::sync::Arc::new(workspace.refunds());
    let place =
        Place { settings, provider, store, epoch, actor, command: "resume", refunds, stop: None };
    let resumed =
        place.gather(ui).and_then(|now| place.resume(now, usize::from(args.parallelism), ui));
    let released = held.release();
    let (_, resumed) = resumed?;
    released?;
    let unknown = resumed.iter().filter(|how| matches!(how, Ended::Unknown(_))).count();
    ui.data(&format!("Ended {}.\n", counted(resumed.len() - unknown, "operation")));
    if unknown == 0 {
        return Ok(Exit::Done);
    }
    ui.warn(&format!(
        "of {} nobody knows the end\n  → `partnerctl repair` shows what they may have done",
        counted(unknown, "operation")
    ));
    Ok(Exit::Partly)
}
