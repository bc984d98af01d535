//! The options of `watch --git`: which branch is followed instead of a folder.

use crate::engine::follow::address::parse_branch;
use clap::Args;
use std::path::{Component, Path, PathBuf};

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
