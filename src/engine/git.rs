//! What a Git repository holds, read from its objects by the `git` program: no checkout, no index,
//! no hook, no filter.
//!
//! A revision or a path can never become an option. Of the environment nothing that begins with
//! `GIT_` reaches the program, and no object is fetched: what is not here is an error.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

/// Settings that hold over those of the repository and of the user.
const SETTINGS: [&str; 7] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.useReplaceRefs=false",
    "core.quotePath=false",
    "protocol.allow=never",
    // A folder that was cloned may hold something that looks like a repository.
    "safe.bareRepository=explicit",
];

/// What the program is told by its environment.
const VARIABLES: [(&str, &str); 8] = [
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
];

/// Characters of what the program says that are shown.
const SAID_CHARACTERS_MAX: usize = 500;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program does not start.
    #[error("cannot start git: {0}")]
    NotStarted(std::io::Error),
    /// The revision names no commit of the repository.
    #[error("there is no commit `{rev}` in the repository of {}", folder.display())]
    NoCommit {
        /// What was asked for.
        rev: String,
        /// Where.
        folder: PathBuf,
    },
    /// The program refuses: no repository, one of somebody else, a damaged one.
    #[error("git cannot read the repository of {}: {said}", folder.display())]
    Refused {
        /// Where.
        folder: PathBuf,
        /// Its words.
        said: String,
    },
    /// What the program answers is not what was asked for.
    #[error("git cannot read an object: {0}")]
    Object(String),
}

/// A repository, by a folder in it.
#[derive(Debug, Clone)]
pub struct Git {
    folder: PathBuf,
    bare: bool,
    environment: Vec<(OsString, OsString)>,
}

/// What stands at a path of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// Another repository.
    Submodule,
}

/// A file of a commit, by its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// From the top of the repository.
    pub path: Vec<u8>,
    /// Its length in bytes; 0 of a submodule.
    pub bytes: u64,
    object: String,
}

impl Git {
    /// The repository that a folder is in. `environment` is this process's: the program is found
    /// and set up by it, but for what begins with `GIT_`.
    #[must_use]
    pub fn at(folder: &Path, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let harmless = |name: &OsStr| !name.as_encoded_bytes().starts_with(b"GIT_");
        let environment = environment.into_iter().filter(|(name, _)| harmless(name)).collect();
        Self { folder: folder.to_owned(), bare: false, environment }
    }

    /// A repository without a working tree, which is this very folder.
    #[must_use]
    pub fn bare(
        folder: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        Self { bare: true, ..Self::at(folder, environment) }
    }

    /// The program as it is always started; the words of a subcommand are for the caller.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.folder).env_clear().envs(self.environment.iter().cloned());
        if self.bare {
            command.env("GIT_DIR", &self.folder);
        }
        command.envs(VARIABLES).arg("--no-pager").stdin(Stdio::null());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
    }

    /// Where the folder is in the repository: empty at its top, else with a slash at its end.
    ///
    /// # Errors
    /// When the folder is in none.
    pub fn prefix(&self) -> Result<String, GitError> {
        let out = self.run(&["rev-parse", "--show-prefix"])?;
        let text = String::from_utf8(out).map_err(|_| self.refused(b"its folder is not UTF-8"))?;
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// The commit that a revision names now, as 40 (or 64) hexadecimal digits.
    ///
    /// # Errors
    /// When it names none, or the folder is in no repository.
    pub fn commit(&self, rev: &str) -> Result<Arc<str>, GitError> {
        let none = || GitError::NoCommit { rev: rev.to_owned(), folder: self.folder.clone() };
        if rev.is_empty() || rev.starts_with('-') || rev.chars().any(char::is_control) {
            return Err(none());
        }
        let mut command = self.command();
        command.args(["rev-parse", "--verify", "--quiet", "--end-of-options"]);
        let out = command.arg(format!("{rev}^{{commit}}")).output();
        let out = out.map_err(GitError::NotStarted)?;
        if !out.status.success() {
            // With --quiet only what is no matter of the revision is told.
            let silent = out.stderr.is_empty();
            return Err(if silent { none() } else { self.refused(&out.stderr) });
        }
        let text = String::from_utf8_lossy(&out.stdout);
        let id = text.trim();
        let is_id = matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id { Ok(id.into()) } else { Err(none()) }
    }

    /// The files of a commit at or below some paths, which are from the top of the repository; what
    /// is not there is left out. In the order of their paths.
    ///
    /// # Errors
    /// When the commit is not here.
    pub fn entries(&self, commit: &str, paths: &[&str]) -> Result<Vec<Entry>, GitError> {
        let mut words = vec!["ls-tree", "-r", "-z", "--long", "--full-tree", commit, "--"];
        words.extend(paths.iter().filter(|path| !path.is_empty()));
        let out = self.run(&words)?;
        let mut entries = Vec::new();
        for record in out.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
            entries.push(entry(record).ok_or_else(|| {
                GitError::Object(format!("ls-tree says `{}`", String::from_utf8_lossy(record)))
            })?);
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// The bytes of some files, in the same order.
    ///
    /// # Errors
    /// When one of them is not here.
    pub fn read(&self, entries: &[&Entry]) -> Result<Vec<Vec<u8>>, GitError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = self.command();
        command.args(["cat-file", "--batch"]).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(GitError::NotStarted)?;
        let answers = talk(&mut child, entries);
        if answers.is_err() {
            // It may still be writing what nobody reads.
            let _gone = child.kill();
        }
        child.wait().map_err(GitError::NotStarted)?;
        answers
    }

    fn run(&self, words: &[&str]) -> Result<Vec<u8>, GitError> {
        let out = self.command().args(words).output().map_err(GitError::NotStarted)?;
        if out.status.success() { Ok(out.stdout) } else { Err(self.refused(&out.stderr)) }
    }

    fn refused(&self, said: &[u8]) -> GitError {
        let said = String::from_utf8_lossy(said);
        let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        let said = first.trim().trim_start_matches("fatal: ");
        let said = said.chars().take(SAID_CHARACTERS_MAX).collect();
        GitError::Refused { folder: self.folder.clone(), said }
    }
}

/// Asks for objects on a thread of its own, as the program answers before it has read everything.
fn talk(child: &mut Child, entries: &[&Entry]) -> Result<Vec<Vec<u8>>, GitError> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
        return Err(GitError::Object("it has no input or output".to_owned()));
    };
    let asked: String = entries.iter().map(|entry| format!("{}\n", entry.object)).collect();
    std::thread::scope(|scope| {
        // Where it went away, reading says so.
        scope.spawn(move || drop(stdin.write_all(asked.as_bytes())));
        let mut stdout = BufReader::new(stdout);
        entries.iter().map(|entry| answer(&mut stdout, entry)).collect()
    })
}

fn answer(stdout: &mut BufReader<ChildStdout>, entry: &Entry) -> Result<Vec<u8>, GitError> {
    let path = String::from_utf8_lossy(&entry.path);
    let broken = |why: &dyn std::fmt::Display| GitError::Object(format!("{path}: {why}"));
    let mut line = String::new();
    stdout.read_line(&mut line).map_err(|error| broken(&error))?;
    let expected = format!("{} blob {}", entry.object, entry.bytes);
    if line.trim_end() != expected {
        let said = if line.is_empty() { "the program ended" } else { line.trim_end() };
        return Err(broken(&said));
    }
    let mut bytes = Vec::new();
    stdout.take(entry.bytes).read_to_end(&mut bytes).map_err(|error| broken(&error))?;
    let mut end = [0];
    stdout.read_exact(&mut end).map_err(|error| broken(&error))?;
    Ok(bytes)
}

/// One record of `ls-tree --long`: mode, type, object, size, a tab, the path.
fn entry(record: &[u8]) -> Option<Entry> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let head = std::str::from_utf8(&record[..tab]).ok()?;
    let mut words = head.split_whitespace();
    let kind = match words.next()? {
        "120000" => EntryKind::Link,
        "160000" => EntryKind::Submodule,
        _ => EntryKind::File,
    };
    let object = words.nth(1)?.to_owned();
    let bytes = words.next()?.parse().unwrap_or_default();
    let is_id = object.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| Entry { kind, path: record[tab + 1..].to_vec(), bytes, object })
}

#[cfg(test)]
mod tests {
    use super::{Entry, EntryKind, Git, GitError, entry};
    use std::path::Path;

    #[test]
    fn a_record_is_taken_apart_with_any_path() {
        let link = entry(b"120000 blob abc0     9\t a\tb\n.yaml").unwrap();
        let path = b" a\tb\n.yaml".to_vec();
        assert_eq!(link, Entry { kind: EntryKind::Link, path, bytes: 9, object: "abc0".into() });
        let module = entry(b"160000 commit 12       -\tm").unwrap();
        assert_eq!((module.kind, module.bytes), (EntryKind::Submodule, 0));
        assert_eq!(entry(b"100644 blob --batch 1\tx"), None);
    }

    #[test]
    fn no_revision_becomes_an_option() {
        let git = Git::at(Path::new("."), []);
        for rev in ["", "-", "--all", "--output=x", "a\nb", "a\u{0}b"] {
            assert!(matches!(git.commit(rev), Err(GitError::NoCommit { .. })), "{rev:?}");
        }
    }

    #[test]
    fn nothing_that_begins_with_git_reaches_the_program() {
        let given = [("GIT_SSH_COMMAND", "x"), ("GIT_DIR", "y"), ("HOME", "z")];
        let git = Git::at(Path::new("."), given.map(|(name, value)| (name.into(), value.into())));
        let command = git.command();
        let set: Vec<_> = command.get_envs().map(|(name, _)| name.to_str().unwrap()).collect();
        assert!(set.contains(&"HOME") && !set.contains(&"GIT_SSH_COMMAND"), "{set:?}");
        assert!(!set.contains(&"GIT_DIR"), "{set:?}");
    }
}
