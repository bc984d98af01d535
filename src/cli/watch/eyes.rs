//! What a watch looks at: the files of a folder, or a branch.

use crate::cli::error::CommandError;
use crate::cli::session::{self, Input, PassArgs};
use crate::cli::settings::Settings;
use crate::cli::ui::Ui;
use crate::cli::watch::following::Following;
use crate::cli::watch::pass::Stopped;
use crate::engine::Workspace;
use crate::engine::watch::snapshot::Looks;
use crate::engine::watch::state::Seen;
use crate::store::{Batch, Store, Write};

/// What a watch looks at.
pub enum Eyes {
    /// Files, which may move at any time.
    Files(Looks),
    /// A branch, whose commits never move.
    Branch(Box<Following>),
}

impl Eyes {
    /// The settings that hold for what is seen.
    pub fn workspace(&mut self, local: Workspace, ui: &mut Ui) -> Result<Workspace, CommandError> {
        match self {
            Self::Files(_) => Ok(local),
            Self::Branch(branch) => branch.workspace(local, ui),
        }
    }

    /// Decides whether what is seen may be applied, beside what its manifests say.
    pub fn accept(&mut self, set: &str, store: Option<&dyn Store>) -> Result<(), Stopped> {
        let Self::Branch(branch) = self else { return Ok(()) };
        let applied = store.map(|store| store.followed(set)).transpose()?.flatten();
        branch.accept(applied.as_deref())
    }

    /// The manifests that were seen under this number, and of no other.
    pub fn read(
        &mut self,
        tree: u64,
        settings: &Settings,
        workspace: &Workspace,
        args: &PassArgs,
    ) -> Result<Input, Stopped> {
        match self {
            Self::Files(looks) => {
                // What is missing is no mistake of the command line any more.
                if looks.is_missing() {
                    return Err(Stopped::Moved);
                }
                let input = session::read(settings, workspace, args)?;
                if looks.see(&input.sources) != Seen::Tree(tree) {
                    return Err(Stopped::Moved);
                }
                Ok(input)
            }
            Self::Branch(branch) => Ok(branch.input(settings, args)?),
        }
    }

    /// Demands that what was seen under this number is still what is there.
    pub fn rested(&mut self, tree: u64) -> Result<(), Stopped> {
        match self {
            Self::Files(looks) => {
                if looks.look() == Seen::Tree(tree) {
                    Ok(())
                } else {
                    Err(Stopped::Moved)
                }
            }
            Self::Branch(_) => Ok(()),
        }
    }

    /// Writes down which commit the set is brought to, where that is another one.
    pub fn note(
        &self,
        set: &str,
        store: &mut dyn Store,
        epoch: Option<i64>,
    ) -> Result<(), CommandError> {
        let Self::Branch(branch) = self else { return Ok(()) };
        let Some(head) = branch.head() else { return Ok(()) };
        if store.followed(set)?.as_deref() != Some(&*head.id) {
            let (set, commit) = (set.to_owned(), head.id.to_string());
            store.commit(&Batch { epoch, writes: vec![Write::Follow { set, commit }] })?;
        }
        Ok(())
    }
}
