//! The command line: one file per command, and the only layer that prints.
#![allow(clippy::disallowed_methods, reason = "the edge reads the clock and the environment")]

mod adopt;
mod apply;
mod approve;
mod calendar;
mod carry_out;
mod commits;
mod completions;
mod consent;
mod describe;
mod drift;
mod dump;
mod error;
mod events;
mod explain;
mod get;
mod ingest;
mod init;
mod lasting;
mod log;
mod output;
mod pass;
mod pipelines;
mod plan;
mod progress;
mod quote;
mod repair;
mod resume;
mod saved;
mod schema;
mod session;
mod settings;
mod status;
mod store;
mod support;
mod suspend;
mod table;
mod test;
mod ui;
mod undo;
mod unsuspend;
mod validate;
mod watch;
mod why;

use clap::{CommandFactory, Parser, Subcommand};
use error::{CommandError, Exit};
use settings::{GlobalArgs, Settings};
use std::ffi::OsString;
use std::process::ExitCode;
use ui::Ui;

/// Reconcile what a Cloud Solution Provider partner declares with what there is
///
/// Customers, subscriptions, budgets, role assignments and reservation permissions stand in YAML
/// manifests. `plan` shows what would change and why, `apply` does it, `log` tells what was done.
#[derive(Parser)]
#[command(name = "partnerctl", version, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Examples:\n  partnerctl init my-partner && cd my-partner && partnerctl plan\n  \
    partnerctl help apply\n\nExit codes:\n  \
    0  done, nothing to do, or only waiting\n  \
    1  error: bad input, usage, failed verification; nothing was changed\n  \
    2  plan --detailed-exitcode: there are changes\n  \
    3  blocked, braked or an approval is missing (apply: the rest was applied)\n  \
    4  stale, in conflict, or another apply holds the lease\n  \
    5  partly applied: some changes failed, or it was interrupted"
)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::InitArgs),
    Validate(validate::ValidateArgs),
    Status(status::StatusArgs),
    Drift(drift::DriftArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Watch(watch::WatchArgs),
    Approve(approve::ApproveArgs),
    Resume(resume::ResumeArgs),
    Repair(repair::RepairArgs),
    Get(get::GetArgs),
    Describe(describe::DescribeArgs),
    Explain(explain::ExplainArgs),
    Why(why::WhyArgs),
    Log(log::LogArgs),
    Calendar(calendar::CalendarArgs),
    Quote(quote::QuoteArgs),
    Ingest(ingest::IngestArgs),
    Undo(undo::UndoArgs),
    Suspend(suspend::SuspendArgs),
    Unsuspend(unsuspend::UnsuspendArgs),
    Dump(dump::DumpArgs),
    Adopt(adopt::AdoptArgs),
    Test(test::TestArgs),
    Store(store::StoreArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
}

/// Runs a command line and gives its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        // Help and version are no errors; and a usage error is never 2, which means "changes".
        Err(error) => {
            let usage = error.use_stderr();
            let error = if usage { without_environment(args).unwrap_or(error) } else { error };
            let _printed = error.print();
            return if usage { Exit::Error.into() } else { Exit::Done.into() };
        }
    };
    let settings = Settings::new(cli.global);
    let mut ui = Ui::new(&settings.manner());
    let result =
        dispatch(cli.command, &settings, &mut ui).and_then(|exit| ui.finish().map(|()| exit));
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui.error(&error);
            error.exit.into()
        }
    }
}

/// The same error as it is where no variable is set: the parser takes what a variable gave for an
/// option that was typed, and its usage would call it necessary.
fn without_environment(args: Vec<OsString>) -> Option<clap::Error> {
    let bare = command().mut_args(|arg| arg.env(None::<&str>));
    bare.try_get_matches_from(args).err()
}

fn dispatch(command: Command, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    match command {
        Command::Init(args) => init::run(&args, ui),
        Command::Validate(args) => validate::run(&args, settings, ui),
        Command::Status(args) => status::run(&args, settings, ui),
        Command::Drift(args) => drift::run(&args, settings, ui),
        Command::Plan(args) => plan::run(&args, settings, ui),
        Command::Apply(args) => apply::run(&args, settings, ui),
        Command::Watch(args) => watch::run(&args, settings, ui),
        Command::Approve(args) => approve::run(&args, settings, ui),
        Command::Resume(args) => resume::run(&args, settings, ui),
        Command::Repair(args) => repair::run(&args, settings, ui),
        Command::Get(args) => get::run(&args, settings, ui),
        Command::Describe(args) => describe::run(&args, settings, ui),
        Command::Explain(args) => explain::run(&args, settings, ui),
        Command::Why(args) => why::run(&args, settings, ui),
        Command::Log(args) => log::run(&args, settings, ui),
        Command::Calendar(args) => calendar::run(&args, settings, ui),
        Command::Quote(args) => quote::run(&args, settings, ui),
        Command::Ingest(args) => ingest::run(&args, settings, ui),
        Command::Undo(args) => undo::run(&args, settings, ui),
        Command::Suspend(args) => suspend::run(&args, settings, ui),
        Command::Unsuspend(args) => unsuspend::run(&args, settings, ui),
        Command::Dump(args) => dump::run(&args, settings, ui),
        Command::Adopt(args) => adopt::run(&args, settings, ui),
        Command::Test(args) => test::run(&args, settings, ui),
        Command::Store(args) => store::run(&args, settings, ui),
        Command::Schema(args) => schema::run(&args, settings, ui),
        Command::Completions(args) => completions::run(&args, ui),
    }
}

/// The command line as clap sees it, for completions and the reference.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Every file that `schema --write` makes, by name: what `schemas/` must hold.
#[must_use]
pub fn schema_files() -> Vec<(String, String)> {
    schema::files(&crate::kinds::Kinds::default())
}
