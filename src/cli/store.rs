//! `store`: the database itself, copied, put back and looked through, also while others use it.

use crate::cli::error::{CommandError, Exit};
use crate::cli::session::{self, LockArgs};
use crate::cli::settings::{FileArgs, Settings};
use crate::cli::ui::Ui;
use crate::engine::Workspace;
use crate::engine::lease::SharedStore;
use crate::model::text::{counted, printable};
use crate::store::{self, Contents, Examined, Missing, Problems, Store, StoreError};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Back up, restore or verify the store
///
/// The store is one file with everything that partnerctl knows and did. All three work while other
/// commands use it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  partnerctl store backup backups/2026-11-21.db\n  \
    partnerctl store verify")]
pub struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Subcommand, Debug)]
enum StoreCommand {
    /// Copy the store into one file, also while an apply runs
    ///
    /// The copy is of one moment. It is written under another name in the same folder, checked, and
    /// only then gets its name: a file of that name is always a whole backup.
    #[command(after_help = "Examples:\n  partnerctl store backup backups/2026-11-21.db\n  \
        partnerctl store backup latest.db --force")]
    Backup {
        /// File to write
        file: PathBuf,
        /// Write over a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Go back to a backup
    ///
    /// Waits for an apply that is under way, and none begins meanwhile. The backup must be whole and
    /// of this store. What the store holds until now is kept beside it as a backup. Killed at any
    /// moment, the store is the old one or the new one.
    ///
    /// What was done since the backup is forgotten, not undone: with a provider outside of the store
    /// the next plan shows it as drift, as gone or as unmanaged.
    #[command(after_help = "Examples:\n  partnerctl store restore backups/2026-11-21.db\n  \
        partnerctl store restore backups/2026-11-21.db --yes")]
    Restore {
        /// Backup to go back to
        file: PathBuf,
        /// Go back although activities are lost
        #[arg(short, long)]
        yes: bool,
        /// Take the backup of another store, or forget operations that have not ended
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        lock: LockArgs,
    },
    /// Look for everything that is wrong with the store
    ///
    /// Checks the database file, that every row can be read, the chain of the log and its end, and
    /// the lease. Lists every problem; exit code 1 if there is any. Changes nothing.
    #[command(after_help = "Example:\n  partnerctl store verify")]
    Verify,
}

pub fn run(args: &StoreArgs, settings: &Settings, ui: &mut Ui) -> Result<Exit, CommandError> {
    let workspace = settings.workspace(&FileArgs::default(), ui)?;
    match &args.command {
        StoreCommand::Backup { file, force } => backup(settings, &workspace, file, *force, ui),
        StoreCommand::Restore { file, yes, force, lock } => {
            let restore = Restore { settings, workspace: &workspace, file, yes: *yes };
            restore.run(*force, lock.timeout(), ui)
        }
        StoreCommand::Verify => verify(settings, &workspace, ui),
    }
}

fn backup(
    settings: &Settings,
    workspace: &Workspace,
    file: &Path,
    force: bool,
    ui: &mut Ui,
) -> Result<Exit, CommandError> {
    let store = session::open_existing(settings, workspace)?;
    if file.exists() && !force {
        return Err(CommandError::new(format!("{} is there already", file.display()))
            .hint("choose another name, or write over it with --force"));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(CommandError::new(format!("there is no folder {}", folder.display()))
            .hint("make it first"));
    }
    let contents = store.backup(file, Problems::Refused)?;
    ui.say(&format!("backed up {} to {}", held(&contents), file.display()));
    Ok(Exit::Done)
}

fn verify(settings: &Settings, workspace: &Workspace, ui: &mut Ui) -> Result<Exit, CommandError> {
    let store = session::open_existing(settings, workspace)?;
    let problems = store.check()?;
    if problems.is_empty() {
        let (resources, head) = (store.resources()?.len(), store.head()?);
        let contents = Contents { lineage: store.lineage().to_owned(), head, resources };
        ui.data(&format!("The store is whole: {}\n", held(&contents)));
        return Ok(Exit::Done);
    }
    for problem in &problems {
        ui.data(&format!("{}\n", printable(problem)));
    }
    Err(CommandError::new(format!("{} in the store", counted(problems.len(), "problem")))
        .hint("keep the file as it is, and go back to a backup: `partnerctl store restore FILE`"))
}

struct Restore<'a> {
    settings: &'a Settings,
    workspace: &'a Workspace,
    file: &'a Path,
    yes: bool,
}

impl Restore<'_> {
    fn run(&self, force: bool, timeout: Duration, ui: &mut Ui) -> Result<Exit, CommandError> {
        let url = self.settings.store_url(self.workspace);
        if !self.file.is_file() {
            return Err(CommandError::new(format!("there is no file {}", self.file.display()))
                .hint("name a file that `partnerctl store backup` wrote"));
        }
        session::demand_lasting(self.settings, self.workspace)?;
        // Looked at before a store is made: what is no backup leaves nothing behind.
        let contents = store::read_backup(self.file)?;
        self.check_pin(&contents.lineage)?;
        // Not under the pin: this may be what puts the pinned store back in place.
        let open = || -> Result<Box<dyn Store>, CommandError> {
            let store = store::open(&url, Missing::Create).map_err(|error| {
                CommandError::from(error)
                    .hint("if the store's own file is broken, move it away and restore again")
            })?;
            Ok(store.context("the store was not made")?)
        };
        // The lease has a connection of its own: it is renewed also while the other one is busy.
        let (lease, mut store) = (SharedStore::new(open()?), open()?);
        let actor = self.settings.actor(self.workspace);
        let held = session::hold(&lease, &actor, timeout, ui)?;
        let epoch = held.epoch;
        let exit = self.under_lease(force, store.as_mut(), epoch, ui);
        let released = match held.release() {
            // It went over into the store that is there now.
            Err(StoreError::Replaced { .. }) => store.release(epoch),
            released => released,
        };
        let exit = exit?;
        released?;
        Ok(exit)
    }

    fn under_lease(
        &self,
        force: bool,
        store: &mut dyn Store,
        epoch: i64,
        ui: &mut Ui,
    ) -> Result<Exit, CommandError> {
        let examined = store.examine(self.file)?;
        self.check_lineage(force, store.lineage(), &examined)?;
        check_ended(force, store)?;
        if !self.approved(&examined, ui) {
            return Ok(Exit::Held);
        }
        if !examined.onto_nothing {
            let kept = self.place_for_the_old()?;
            let contents = store.backup(&kept, Problems::Kept)?;
            ui.say(&format!("kept {} in {}", self::held(&contents), kept.display()));
        }
        store.restore_from(self.file, &examined.contents, epoch)?;
        ui.say(&format!(
            "restored {} from {}; `partnerctl plan` shows what that means",
            self::held(&examined.contents),
            self.file.display()
        ));
        Ok(Exit::Done)
    }

    fn check_lineage(
        &self,
        force: bool,
        lineage: &str,
        examined: &Examined,
    ) -> Result<(), CommandError> {
        let (found, file) = (&examined.contents.lineage, self.file.display());
        if found != lineage && !examined.onto_nothing && !force {
            let message = format!("{file} is a backup of another store, {found}, not of {lineage}");
            return Err(CommandError::new(message)
                .exit(Exit::Conflict)
                .hint("take a backup of this store, or replace it all the same with --force"));
        }
        Ok(())
    }

    /// A pin holds for a backup as for a store.
    fn check_pin(&self, found: &str) -> Result<(), CommandError> {
        let file = self.file.display();
        let pinned = self.workspace.file.lineage.as_ref().map(ToString::to_string);
        if let Some(pinned) = pinned.filter(|pinned| pinned != found) {
            let message =
                format!("partnerctl.yaml pins the lineage {pinned}, but {file} is of {found}");
            return Err(CommandError::new(message)
                .exit(Exit::Conflict)
                .hint("take a backup of the pinned store, or change the pin first"));
        }
        Ok(())
    }

    /// Asks when anything would be lost.
    fn approved(&self, examined: &Examined, ui: &mut Ui) -> bool {
        let lost = usize::try_from(examined.lost).unwrap_or_default();
        if lost == 0 || examined.onto_nothing {
            return true;
        }
        let what = activities(lost);
        let file = self.file.display();
        if self.yes {
            ui.say(&format!("{what} of the store {} not in {file}", are(lost)));
            return true;
        }
        let question =
            format!("{what} of the store {} not in {file}. Go back to it? [y/N]", are(lost));
        match ui.ask(&question) {
            Some(answer) if matches!(answer.as_str(), "y" | "Y" | "yes") => return true,
            Some(_) => ui.warn("nothing was restored"),
            None => ui.warn(&format!(
                "nothing was restored: {what} of the store {} not in {file}, and would be lost\n  \
                 → the same command with --yes",
                are(lost)
            )),
        }
        false
    }

    /// A free name beside the store.
    fn place_for_the_old(&self) -> Result<PathBuf, CommandError> {
        let url = self.settings.store_url(self.workspace);
        let path = url.strip_prefix("sqlite:").unwrap_or(&url);
        let path = path.strip_prefix("./").unwrap_or(path);
        let free = (1..10_000)
            .map(|number| PathBuf::from(format!("{path}.before-restore-{number}")))
            .find(|place| !place.exists());
        free.ok_or_else(|| {
            CommandError::new(format!("too many old states are kept beside {path}"))
                .hint("move them elsewhere")
        })
    }
}

/// Operations outside whose end is not known yet must not be forgotten: they may have bought
/// something.
fn check_ended(force: bool, store: &dyn Store) -> Result<(), CommandError> {
    let unended = store.intents()?.len();
    if unended == 0 || force {
        return Ok(());
    }
    let message =
        format!("{} outside of the store would be forgotten", counted(unended, "operation"));
    Err(CommandError::new(message)
        .exit(Exit::Conflict)
        .hint("end them first with `partnerctl resume` and `partnerctl repair`, or use --force"))
}

/// What a store holds, in words.
fn held(contents: &Contents) -> String {
    let Contents { lineage, head, resources } = contents;
    let number = usize::try_from(head.seq).unwrap_or_default();
    format!("{} and {} of {lineage}", counted(*resources, "resource"), activities(number))
}

fn activities(count: usize) -> String {
    if count == 1 { "1 activity".to_owned() } else { format!("{count} activities") }
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
