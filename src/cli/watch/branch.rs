//! The options of `watch --git`: which branch is followed instead of a folder.

use crate::cli::error::CommandError;
use crate::cli::settings::{Settings, environment, quoted};
use crate::cli::watch::following::Following;
use crate::engine::Workspace;
use crate::engine::follow::Branch;
use crate::engine::follow::address::{Address, parse_branch};
use clap::Args;
use std::path::{Component, Path, PathBuf};
use tokio::sync::watch;

/// Which branch to follow, and what is asked of its commits.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Options of a branch")]
pub struct BranchArgs {
    /// Follow a branch of this repository instead of a folder: an address of https, ssh or file, or
    /// a path
    #[arg(long, value_name = "URL", conflicts_with_all = ["filename", "poll", "debounce"])]
    pub git: Option<String>,
    /// The branch
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = parse_branch, requires = "git")]
    pub branch: String,
    /// Folder in the repository: one with a partnerctl.yaml and manifests/, else one of manifests;
    /// default: manifests/ at its top
    #[arg(long, value_name = "DIR", value_parser = parse_path, requires = "git")]
    pub path: Option<String>,
    /// Apply also a branch that was rewritten: its head does not descend from what was applied last
    #[arg(long, requires = "git")]
    pub allow_rewrite: bool,
    /// Apply only commits that are signed by a key of this file, as `ssh-keygen` knows allowed
    /// signers: all since the last that was applied. Who signed the last one acts, unless --as says
    /// otherwise
    #[arg(long, value_name = "KEYS", requires = "git")]
    pub require_signed: Option<PathBuf>,
}

impl BranchArgs {
    /// True when a branch is followed.
    pub fn is_given(&self) -> bool {
        self.git.is_some()
    }

    /// The options as they were given, to repeat them.
    pub fn repeated(&self) -> Vec<String> {
        let Self { git, branch, path, allow_rewrite: _, require_signed } = self;
        let keys = require_signed.as_ref().map(|keys| keys.display().to_string());
        let values = [
            ("--git", git.as_ref()),
            ("--branch", Some(branch)),
            ("--path", path.as_ref()),
            ("--require-signed", keys.as_ref()),
        ];
        let pair =
            |(option, value): (&str, Option<&String>)| Some([option.to_owned(), value?.clone()]);
        values.into_iter().filter_map(pair).flatten().collect()
    }

    /// The branch, with its copy beside the store of the workspace.
    pub fn follow(
        &self,
        settings: &Settings,
        workspace: &Workspace,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<Following>, CommandError> {
        let Some(url) = &self.git else { return Ok(None) };
        let here = std::env::current_dir().unwrap_or_default();
        let address = Address::parse(url, &here)
            .map_err(|why| CommandError::new(format!("--git cannot be followed: {why}")))?;
        let keys = self.require_signed.as_deref().map(|keys| here.join(keys));
        if let Some(keys) = &keys {
            std::fs::File::open(keys).map_err(|error| {
                CommandError::new(format!("the keys {} cannot be read: {error}", keys.display()))
                    .hint("name a file of allowed signers: lines of a name and a public key")
            })?;
        }
        let beside = beside(&settings.store_url(workspace), workspace);
        let mut branch = Branch::new(address, self.branch.clone(), &beside, environment(), stop);
        branch.prepare()?;
        let words = ["partnerctl".to_owned(), "watch".to_owned()].into_iter();
        let words = words.chain(settings.repeated()).chain(self.repeated());
        let command = words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ");
        Ok(Some(Following::new(branch, self.clone(), keys, command)))
    }
}

/// Where copies of repositories are: beside the store, as that can be written.
fn beside(store: &str, workspace: &Workspace) -> PathBuf {
    let file = store.strip_prefix("sqlite:").map(Path::new).and_then(Path::parent);
    let folder = file.map_or_else(|| workspace.folder.join(".partnerctl"), Path::to_owned);
    std::path::absolute(&folder).unwrap_or(folder)
}

/// Reads `--path`: below the top of the repository, without detours; empty for the top itself.
fn parse_path(text: &str) -> Result<String, String> {
    let mut parts = Vec::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err("write a folder as seen from the top of the repository".to_owned());
            }
        }
    }
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("write a folder as seen from the top of the repository".to_owned());
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::parse_path;

    #[test]
    fn a_path_stays_below_the_top_of_the_repository() {
        for (text, path) in
            [("a", "a"), ("a/b/", "a/b"), ("./a//b/.", "a/b"), (".", ""), ("-a", "-a")]
        {
            assert_eq!(parse_path(text).as_deref(), Ok(path));
        }
        for bad in ["", "/a", "..", "a/../b", "a\nb"] {
            assert!(parse_path(bad).is_err(), "{bad:?}");
        }
    }
}
