//! `resume`: end what an earlier run left open, and change nothing else.

use crate::cli::carry_out::under_lease;
use crate::cli::error::{CommandError, Exit};
use crate::cli::session::{self, LockArgs};
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::lease::SharedStore;
use crate::engine::operate::Ended;
use crate::model::text::counted;
use clap::Args;

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
    #[command(flatten)]
    lock: LockArgs,
}

pub fn run(args: &ResumeArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    session::demand_lasting(settings, &workspace)?;
    let store = SharedStore::new(session::open_existing(settings, &workspace)?);
    let with = (session::provider(settings, &workspace)?, store);
    let (here, how) = ((settings, &workspace), ("resume", args.lock.timeout()));
    let (_, resumed) = under_lease(here, with, how, ui, |place, ui| {
        place.resume(place.gather(ui)?, usize::from(args.parallelism), ui)
    })?;
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
