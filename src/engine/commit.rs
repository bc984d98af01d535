//! The manifests of a commit: found as [`tree`](crate::engine::tree) finds them in a folder, and read
//! without one.

use crate::engine::git::{Entry, EntryKind, Git, GitError};
use crate::engine::tree::{
    FILE_BYTES_MAX, IGNORE_FILE, Refused, Texts, WORKSPACE_FILE, decode, is_manifest, too_large,
};
use crate::model::{Resource, code};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a commit holds of a workspace.
#[derive(Debug)]
pub struct Committed {
    /// The commit.
    pub commit: Arc<str>,
    /// The text of its `partnerctl.yaml`, and how the repository names that file.
    pub settings: Option<(PathBuf, String)>,
    /// The manifests, named from the top of the repository.
    pub texts: Texts,
    /// Whether there is a folder of manifests.
    pub has_folder: bool,
}

/// Where manifests come from that were read from a commit.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The commit.
    pub commit: Arc<str>,
    /// Who wrote it, where that is recorded.
    pub author: Option<Arc<str>>,
    /// Where the workspace is in the repository: empty, or with a slash at its end.
    pub prefix: String,
}

impl Origin {
    /// The resources with their commit, their files named from the workspace as in every plan.
    #[must_use]
    pub fn name(&self, mut resources: Vec<Resource>) -> Vec<Resource> {
        for resource in &mut resources {
            let source = &mut resource.source;
            if let Some(below) = source.file.as_deref().and_then(|f| f.strip_prefix(&self.prefix)) {
                source.file = Some(below.into());
            }
            source.commit = Some(self.commit.clone());
            source.author.clone_from(&self.author);
        }
        resources
    }
}

/// The patterns that hold in a folder of the repository, by the folder.
type Patterns = BTreeMap<PathBuf, Gitignore>;

/// Reads what a commit holds of the workspace at `prefix`, its manifests being in `manifests/`.
///
/// Links and submodules are refused, even where a checkout would follow them: what they lead to is
/// not in the commit.
///
/// # Errors
/// When the repository cannot be read.
pub fn read(git: &Git, commit: &Arc<str>, prefix: &str) -> Result<Committed, GitError> {
    read_below(git, commit, prefix, &format!("{prefix}manifests"))
}

/// The same, its manifests being in the folder `root`; an empty one is the top of the repository.
///
/// # Errors
/// When the repository cannot be read.
pub fn read_below(
    git: &Git,
    commit: &Arc<str>,
    prefix: &str,
    root: &str,
) -> Result<Committed, GitError> {
    let settings_path = format!("{prefix}{WORKSPACE_FILE}");
    let above = Path::new(root).ancestors().skip(1);
    let ignores: Vec<String> =
        above.map(|folder| folder.join(IGNORE_FILE).to_string_lossy().into_owned()).collect();
    let mut wanted: Vec<&str> = vec![root, &settings_path];
    wanted.extend(ignores.iter().map(String::as_str));
    // No path at all is every path.
    wanted.retain(|_| !root.is_empty());
    let entries = git.entries(commit, &wanted)?;
    let mut texts = Texts::default();
    let mut found = Vec::new();
    for entry in &entries {
        match std::str::from_utf8(&entry.path) {
            Ok(path) => found.push((Path::new(path), entry)),
            Err(_) => texts.refuse(
                Path::new(&*String::from_utf8_lossy(&entry.path)),
                Refused::new(code::UNREADABLE, "its name is not UTF-8", "rename it"),
            ),
        }
    }
    let patterns = patterns(git, &found, &mut texts)?;
    let root = Path::new(root);
    let has_folder = found.iter().any(|(path, _)| path.starts_with(root));
    let mut files = Vec::new();
    for (path, entry) in &found {
        let below = path.strip_prefix(root).ok().filter(|below| !is_hidden(below));
        if below.is_none_or(|_| is_ignored(path, root, &patterns)) {
            continue;
        }
        if let Some(why) = unreadable(entry, path == &root, is_manifest(path)) {
            texts.refuse(path, why);
        } else if is_manifest(path) {
            files.push((*path, *entry));
        }
    }
    let bytes = git.read(&files.iter().map(|(_, entry)| *entry).collect::<Vec<_>>())?;
    for ((path, _), bytes) in files.iter().zip(bytes) {
        match decode(bytes) {
            Ok(text) => {
                texts.texts.insert(path.to_string_lossy().into(), text.into());
            }
            Err(refused) => texts.refuse(path, refused),
        }
    }
    let settings = settings(git, &found, Path::new(&settings_path), &mut texts)?;
    Ok(Committed { commit: commit.clone(), settings, texts, has_folder })
}

/// Why something at or below the folder of manifests cannot be read; `None` where it can, or where
/// it is no matter.
fn unreadable(entry: &Entry, is_root: bool, is_manifest: bool) -> Option<Refused> {
    let refused = |message: &str, hint| Some(Refused::new(code::NOT_A_FILE, message, hint));
    match entry.kind {
        EntryKind::Link => refused(
            "it is a symbolic link, and in a commit these are not followed",
            "put the file itself there, or name the link in .partnerctlignore",
        ),
        EntryKind::Submodule => refused(
            "it is a submodule, whose files are not in the commit",
            "put the files themselves there, or name the folder in .partnerctlignore",
        ),
        EntryKind::File if is_root => refused("it is no folder", "make it a folder of manifests"),
        EntryKind::File => (is_manifest && entry.bytes > FILE_BYTES_MAX).then(too_large),
    }
}

/// Dot-files and what is in folders whose name begins with a dot.
fn is_hidden(below: &Path) -> bool {
    below.iter().any(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Asks the patterns of the nearest folder first, of the path and of every folder on the way to it:
/// what is in an ignored folder is ignored.
fn is_ignored(path: &Path, root: &Path, patterns: &Patterns) -> bool {
    let on_the_way: Vec<&Path> =
        path.ancestors().take_while(|at| *at != root && at.starts_with(root)).collect();
    on_the_way.iter().rev().any(|at| {
        let is_folder = *at != path;
        let said = at.ancestors().skip(1).find_map(|folder| {
            let found = patterns.get(folder)?.matched(Path::new("/").join(at), is_folder);
            (!found.is_none()).then(|| found.is_ignore())
        });
        said == Some(true)
    })
}

/// The patterns of every `.partnerctlignore` that was found.
fn patterns(git: &Git, found: &[(&Path, &Entry)], texts: &mut Texts) -> Result<Patterns, GitError> {
    let is_one = |path: &Path| path.file_name().is_some_and(|name| name == IGNORE_FILE);
    let mut files = Vec::new();
    for (path, entry) in found.iter().filter(|(path, _)| is_one(path)) {
        match unreadable(entry, false, true) {
            Some(why) => texts.refuse(path, why),
            None => files.push((*path, *entry)),
        }
    }
    let bytes = git.read(&files.iter().map(|(_, entry)| *entry).collect::<Vec<_>>())?;
    let mut patterns = Patterns::new();
    for ((path, _), bytes) in files.iter().zip(bytes) {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut builder = GitignoreBuilder::new(Path::new("/").join(folder));
        let mut built = Ok(());
        for line in String::from_utf8_lossy(&bytes).lines() {
            built = built.and(builder.add_line(None, line).map(|_| ()));
        }
        match built.and_then(|()| builder.build()) {
            Ok(matcher) => {
                patterns.insert(folder.to_owned(), matcher);
            }
            Err(error) => {
                let message = format!("{IGNORE_FILE}: {error}");
                texts.refuse(path, Refused::new(code::IGNORE_PATTERN, message, "mend the pattern"));
            }
        }
    }
    Ok(patterns)
}

/// The text of the workspace's own file.
fn settings(
    git: &Git,
    found: &[(&Path, &Entry)],
    path: &Path,
    texts: &mut Texts,
) -> Result<Option<(PathBuf, String)>, GitError> {
    let Some((_, entry)) = found.iter().find(|(found, _)| *found == path) else { return Ok(None) };
    let read = || match unreadable(entry, false, true) {
        Some(why) => Ok(Err(why)),
        None => Ok(decode(git.read(&[entry])?.pop().unwrap_or_default())),
    };
    match read()? {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(why) => {
            texts.refuse(path, why);
            Ok(None)
        }
    }
}
