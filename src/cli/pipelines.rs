//! Pipelines that `init --ci` writes: whole files, one for each forge.

use crate::cli::error::CommandError;
use crate::cli::lasting::{checkout, resolved};
use anyhow::Context;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Where the repository is, and its jobs run.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// .github/workflows/partnerctl.yml
    Github,
    /// .gitlab-ci.yml
    Gitlab,
    /// azure-pipelines.yml
    Azure,
}

impl Forge {
    /// Where the forge looks for it, from the top of the repository.
    fn path(self) -> &'static str {
        match self {
            Self::Github => ".github/workflows/partnerctl.yml",
            Self::Gitlab => ".gitlab-ci.yml",
            Self::Azure => "azure-pipelines.yml",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Github => include_str!("pipelines/github.yml"),
            Self::Gitlab => include_str!("pipelines/gitlab.yml"),
            Self::Azure => include_str!("pipelines/azure.yml"),
        }
    }
}

/// A pipeline with its place, which is free.
pub struct Pipeline {
    path: PathBuf,
    text: &'static str,
}

impl Pipeline {
    /// Finds the place of a workspace's pipeline.
    ///
    /// # Errors
    /// When there is a file already, or the forge would not look there.
    pub fn of(forge: Forge, folder: &Path) -> Result<Self, CommandError> {
        let whole = resolved(folder);
        let top = checkout(folder).unwrap_or_else(|| whole.clone());
        if top != whole {
            let message = format!(
                "{} is not the top of its repository, and only there a forge looks for pipelines",
                folder.display()
            );
            let hint = format!("make the workspace in {}", top.display());
            return Err(CommandError::new(message).hint(hint));
        }
        let path = folder.join(forge.path());
        if path.exists() {
            return Err(CommandError::new(format!(
                "there is a pipeline already: {}",
                path.display()
            ))
            .hint("move it away to have it written anew"));
        }
        Ok(Self { path, text: forge.text() })
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<&Path, CommandError> {
        let path = &self.path;
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(path, self.text))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}
