//! Where a store may be in CI: what is inside a checkout of Git goes away with the job.

use crate::cli::error::CommandError;
use crate::cli::settings::Settings;
use crate::engine::Workspace;
use std::path::{Component, Path, PathBuf};

impl Settings {
    /// Refuses a store inside the checkout where a job of CI runs: the next job would find none, and
    /// make and buy everything again. A workspace that calls itself `throwaway`, as examples do, may
    /// have it there, and so may one in no checkout. `variable` gives what is set in the environment.
    pub fn demand_lasting_store(
        &self,
        workspace: &Workspace,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(), CommandError> {
        let is_set = |name| {
            let value = variable(name).unwrap_or_default();
            !value.is_empty() && !value.eq_ignore_ascii_case("false")
        };
        // Azure Pipelines sets the other one.
        let Some(name) = ["CI", "TF_BUILD"].into_iter().find(|name| is_set(name)) else {
            return Ok(());
        };
        let url = self.store_url(workspace);
        let Some(path) = url.strip_prefix("sqlite:") else { return Ok(()) };
        let inside = checkout(&workspace.folder)
            .is_some_and(|checkout| resolved(Path::new(path)).starts_with(checkout));
        if !inside || workspace.file.throwaway == Some(true) {
            return Ok(());
        }
        let message = format!(
            "the store {url} is inside the checkout, and this is a job of CI ({name} is set)"
        );
        Err(CommandError::new(message).hint(
            "the checkout goes away with the job, and the next one would make and buy everything \
            again: point PARTNERCTL_STORE at a path outside that stays, \
            sqlite:/var/lib/partnerctl/state.db (or say `throwaway: true` in partnerctl.yaml, where \
            the state is worth nothing)",
        ))
    }
}

/// The checkout of Git that a folder is in: the nearest folder upward that has a `.git`.
pub fn checkout(folder: &Path) -> Option<PathBuf> {
    let folder = resolved(folder);
    folder.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned)
}

/// A path without links and `..`, as far as it exists.
pub fn resolved(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut out = PathBuf::new();
    for part in whole.components() {
        if part == Component::ParentDir {
            out.pop();
        } else {
            out.push(part);
            out = out.canonicalize().unwrap_or(out);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::resolved;
    use crate::cli::settings::{GlobalArgs, Settings};
    use crate::engine::workspace;
    use crate::kinds::Kinds;
    use std::path::Path;

    /// Whether a store is refused, for a workspace and a store in one scratch folder.
    fn refused(root: &Path, folder: &str, store: &str, variables: &[(&str, &str)]) -> bool {
        let root = root.display();
        let folder = format!("{root}/{folder}");
        let workspace = workspace::open(&Kinds::default(), Path::new(&folder)).unwrap();
        let store = (!store.is_empty()).then(|| format!("sqlite:{root}/{store}"));
        let given = GlobalArgs { store, ..GlobalArgs::default() };
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::new(given).demand_lasting_store(&workspace, variable).is_err()
    }

    #[test]
    fn only_a_store_inside_the_checkout_of_a_job_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("repo/.git")).unwrap();
        std::fs::create_dir_all(root.join("repo/deep/work")).unwrap();
        std::fs::create_dir_all(root.join("plain")).unwrap();
        let example = root.join("repo/example");
        std::fs::create_dir_all(&example).unwrap();
        std::fs::write(example.join("partnerctl.yaml"), "throwaway: true\n").unwrap();
        std::os::unix::fs::symlink(root.join("repo"), root.join("link")).unwrap();
        let ci = [("CI", "true")];
        for inside in ["", "repo/x.db", "repo/a/b/x.db", "link/x.db", "other/../repo/x.db"] {
            assert!(refused(root, "repo/deep/work", inside, &ci), "{inside}");
        }
        for outside in ["x.db", "repo/../x.db", "repository/x.db", "plain/x.db", "link/../x.db"] {
            assert!(!refused(root, "repo/deep/work", outside, &ci), "{outside}");
        }
        assert!(!refused(root, "plain", "", &ci), "no checkout");
        assert!(!refused(root, "repo/example", "", &ci), "worth nothing, by its own settings");
        assert!(refused(root, "repo", "", &[("TF_BUILD", "True")]));
        for none in [&[][..], &[("CI", "")], &[("CI", "false")], &[("TF_BUILD", "False")]] {
            assert!(!refused(root, "repo", "", none), "{none:?}");
        }
    }

    #[test]
    fn what_does_not_exist_is_taken_by_its_words() {
        assert_eq!(resolved(Path::new("/nowhere/a/../b/./c")), Path::new("/nowhere/b/c"));
    }
}
