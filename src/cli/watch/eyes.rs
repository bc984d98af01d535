//! What a watch looks at: the files of a folder, or a branch.

use crate::cli::error::CommandError;
use crate::cli::ui::Ui;
use crate::cli::watch::following::{Following, Mark};
use crate::cli::watch::stopped::Stopped;
use crate::engine::Workspace;
use crate::engine::watch::snapshot::Looks;
use crate::engine::watch::state::Seen;
use crate::kinds::Kinds;
use crate::store::{Batch, Store, StoreError, Write};

/// What a watch looks at.
pub enum Eyes {
    /// Files, which may move at any time.
    Files(Box<Looks>),
    /// A branch, whose commits never move.
    Branch(Box<Following>),
}

impl Eyes {
    /// The settings that hold for what is seen.
    pub fn workspace(
        &mut self,
        kinds: &Kinds,
        local: Workspace,
        ui: &mut Ui,
    ) -> Result<Workspace, CommandError> {
        match self {
            Self::Files(_) => Ok(local),
            Self::Branch(branch) => branch.workspace(kinds, local, ui),
        }
    }

    /// Decides whether what is seen may be applied, beside what its manifests say. `ask` asks the
    /// store, if there is one.
    pub fn accept(
        &mut self,
        set: &str,
        ask: impl Fn(&str) -> Result<Option<String>, StoreError>,
    ) -> Result<(), Stopped> {
        let Self::Branch(branch) = self else { return Ok(()) };
        let mut marks = Vec::new();
        for what in branch.marks(set) {
            let commit = ask(&what)?;
            marks.push(Mark { what, commit });
        }
        branch.accept(marks)
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

    /// Writes down which commit the set and the branch are brought to, where that is another one. What
    /// was accepted after other marks than there are now is not: somebody else was faster.
    pub fn note(&self, store: &mut dyn Store, epoch: Option<i64>) -> Result<(), Stopped> {
        let Self::Branch(branch) = self else { return Ok(()) };
        let Some((commit, marks)) = branch.accepted() else { return Ok(()) };
        let mut writes = Vec::new();
        for Mark { what, commit: expected } in marks.iter().cloned() {
            if store.followed(&what)?.as_ref() != Some(commit) {
                writes.push(Write::Follow { what, commit: commit.clone(), expected });
            }
        }
        if writes.is_empty() {
            return Ok(());
        }
        match store.commit(&Batch { epoch, writes }) {
            Err(StoreError::Overtaken { .. }) => Err(Stopped::Moved),
            committed => Ok(committed?),
        }
    }
}
