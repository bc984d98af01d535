//! `unsuspend`: go on with what was suspended.

use crate::cli::error::{CommandError, Exit};
use crate::cli::session;
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::suspend::{Wait, What, write};
use crate::cli::ui::Ui;
use crate::model::text::printable;
use crate::store::Write;
use clap::Args;

/// Go on with what was suspended
///
/// The next apply, or the watch, brings it to what is declared. A resource whose customer was
/// suspended stays so until that is ended as well.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl unsuspend budget/contoso\n  \
    partnerctl unsuspend --customer contoso\n  partnerctl suspend   # lists what is suspended")]
pub struct UnsuspendArgs {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    wait: Wait,
}

pub fn run(args: &UnsuspendArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    session::demand_lasting(settings, &workspace)?;
    let store = session::open_existing(settings, &workspace)?;
    let Some((resource, all)) = args.what.resolve(settings)? else {
        return Err(CommandError::new("what is to go on?")
            .hint("name it as `partnerctl suspend` lists it: KIND/NAME, or --customer NAME"));
    };
    let suspensions = store.suspensions()?;
    let meant =
        suspensions.iter().find(|one| one.resource == resource && one.with_all_of_it == all);
    let Some(one) = meant else {
        // Most often it is its customer that was suspended, or the customer alone.
        let alike = suspensions.iter().find(|one| one.resource == resource);
        let hint = alike.map_or_else(
            || "`partnerctl suspend` lists what is; perhaps its customer".to_owned(),
            |one| format!("`partnerctl unsuspend {}`", one.argument()),
        );
        let what = if all { format!("everything of {resource}") } else { resource.to_string() };
        return Err(CommandError::new(format!("{what} is not suspended by itself")).hint(hint));
    };
    let told = format!("{} is not suspended any more; it was {}", one.subject(), one.story());
    let end = Write::Unsuspend(Box::new(one.clone()));
    write(store, end, &args.wait, (settings, &workspace), ui)?;
    ui.say(&printable(&told));
    ui.say("`partnerctl plan` shows what is to be done now");
    Ok(Exit::Done)
}
