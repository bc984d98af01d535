//! A branch of another repository, followed: fetched by the `git` program into a repository of our
//! own, without a working tree, that may be taken away at any time.
//!
//! Nothing of what is fetched is run: no hook, no filter, no submodule, no checkout. An address is
//! no option and no other protocol ([`address`]); a program has a time within which it ends
//! ([`program`]); nobody is asked for a password.

pub mod address;
pub mod program;
pub mod signed;

use crate::engine::git::{Git, GitError};
use crate::model::digest::Digest;
use address::Address;
use program::{Said, Unended, run};
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Where the branch is in our own repository.
const HEAD: &str = "refs/partnerctl/head";
/// Held by whoever fetches.
const LOCK: &str = "partnerctl.lock";
/// How long a fetch may take.
const FETCH_MAX: Duration = Duration::from_secs(600);
/// How long everything else may take.
const LOCAL_MAX: Duration = Duration::from_secs(120);
/// How long another that fetches is waited for.
const BUSY_MAX: Duration = Duration::from_secs(30);
/// Characters of what the program says that are shown.
const SAID_CHARACTERS_MAX: usize = 500;
/// Characters of an author that are kept.
const AUTHOR_CHARACTERS_MAX: usize = 200;

/// Settings of a fetch, over those of the user.
const SETTINGS: [&str; 10] = [
    "core.askPass=",
    "credential.interactive=false",
    "fetch.recurseSubmodules=false",
    "gc.autoDetach=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "log.showSignature=false",
    "maintenance.autoDetach=false",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
];

/// What a fetch is told by its environment. These protocols and no others, whatever settings say.
const VARIABLES: [(&str, &str); 5] = [
    ("GIT_ALLOW_PROTOCOL", "file:https:ssh"),
    ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=30"),
    ("GIT_SSH_VARIANT", "ssh"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("SSH_ASKPASS_REQUIRE", "never"),
];

/// Why the branch cannot be followed now.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The program failed on what is here.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Everything is to stop.
    #[error("it was told to stop")]
    Stopped,
    /// It took too long.
    #[error("git took longer than {} seconds", .0.as_secs())]
    TooLong(Duration),
    /// Our own repository cannot be written.
    #[error("the copy of the repository in {} cannot be written: {source}", folder.display())]
    Copy {
        /// Where.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process fetches into it.
    #[error("another process has been fetching into {} for long", .0.display())]
    Busy(PathBuf),
    /// The repository or the branch is not there, or does not let us in.
    #[error("{0}")]
    Away(String),
}

/// What is known of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its digits.
    pub id: Arc<str>,
    /// Who wrote it, as it claims.
    pub author: Arc<str>,
}

/// A branch that is followed.
pub struct Branch {
    /// Of which repository.
    pub address: Address,
    /// Its name.
    pub name: String,
    git: Git,
    folder: PathBuf,
    /// True once the copy was examined since the last fetch that went well.
    examined: bool,
    stop: watch::Receiver<bool>,
}

impl Branch {
    /// A branch with its copy in a folder beside others. Nothing is fetched yet.
    #[must_use]
    pub fn new(
        address: Address,
        name: String,
        beside: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let of = Digest::default().text(&address.url).text(&name).hex();
        let folder = beside.join(format!("git-{}", &of[..12]));
        let git = Git::bare(&folder, environment);
        Self { address, name, git, folder, examined: false, stop }
    }

    /// The copy, to read commits from.
    #[must_use]
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// Makes the copy, or finds it as it was.
    ///
    /// # Errors
    /// When the program does not start or the folder cannot be written.
    pub fn prepare(&mut self) -> Result<(), FollowError> {
        let alone = self.alone()?;
        self.make(&alone)
    }

    /// Fetches the branch; gives the commit it is at.
    ///
    /// # Errors
    /// When that cannot be told now: the commits that were fetched stay.
    pub fn fetch(&mut self) -> Result<Commit, FollowError> {
        let alone = self.alone()?;
        let found = match self.fetch_alone(&alone) {
            Err(FollowError::Away(_)) if !self.examined && self.is_damaged()? => {
                self.take_away(&alone)?;
                self.fetch_alone(&alone)
            }
            found => found,
        };
        self.examined = found.is_err();
        found
    }

    /// Takes the copy away, since something in it cannot be read: the next fetch makes it anew.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn forget(&self) -> Result<(), FollowError> {
        self.take_away(&self.alone()?)
    }

    fn fetch_alone(&self, alone: &File) -> Result<Commit, FollowError> {
        // Whoever took it away has it back.
        if !self.folder.join("HEAD").is_file() {
            self.make(alone)?;
        }
        let mut command = self.command();
        command.args(["fetch", "--quiet", "--force", "--no-tags", "--no-recurse-submodules"]);
        command.args(["--no-write-fetch-head", "--end-of-options", &self.address.url]);
        command.arg(format!("+refs/heads/{}:{HEAD}", self.name));
        let said = self.run(&mut command, FETCH_MAX)?;
        if !said.status.success() {
            return Err(FollowError::Away(first(&said.stderr)));
        }
        let id = self.git.commit(HEAD)?;
        let author = self.author(&id)?;
        Ok(Commit { id, author })
    }

    /// True when what was fetched is not whole any more, which looks like a fault of the other side.
    fn is_damaged(&self) -> Result<bool, FollowError> {
        let mut command = self.command();
        command.args(["fsck", "--connectivity-only", "--no-dangling", "--no-progress"]);
        Ok(!self.run(&mut command, LOCAL_MAX)?.status.success())
    }

    fn take_away(&self, _alone: &File) -> Result<(), FollowError> {
        let failed = |source| FollowError::Copy { folder: self.folder.clone(), source };
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                std::fs::remove_dir_all(&path).map_err(failed)?;
            } else if path.file_name().is_none_or(|name| name != LOCK) {
                std::fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// True when one commit descends from another, or is it; false also where that is not here.
    ///
    /// # Errors
    /// When the program fails.
    pub fn descends(&self, commit: &str, from: &str) -> Result<bool, FollowError> {
        let from = match self.git.commit(from) {
            Err(GitError::NoCommit { .. }) => return Ok(false),
            other => other?,
        };
        let mut command = self.command();
        command.args(["merge-base", "--is-ancestor", &from, commit]);
        let said = self.run(&mut command, LOCAL_MAX)?;
        match said.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(GitError::Object(first(&said.stderr)).into()),
        }
    }

    fn author(&self, commit: &str) -> Result<Arc<str>, FollowError> {
        let mut command = self.command();
        command.args(["log", "-1", "--encoding=UTF-8", "--format=%an <%ae>", commit]);
        let said = self.succeed(&mut command)?;
        let text = String::from_utf8_lossy(&said);
        let visible = |c: &char| !c.is_control();
        let text: String =
            text.trim().chars().filter(visible).take(AUTHOR_CHARACTERS_MAX).collect();
        Ok(text.into())
    }

    fn command(&self) -> Command {
        let mut command = self.git.command();
        command.envs(VARIABLES);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
    }

    fn run(&self, command: &mut Command, limit: Duration) -> Result<Said, FollowError> {
        run(command, limit, &self.stop).map_err(|unended| match unended {
            Unended::NotStarted(error) => GitError::NotStarted(error).into(),
            Unended::TooLong => FollowError::TooLong(limit),
            Unended::Stopped => FollowError::Stopped,
        })
    }

    fn succeed(&self, command: &mut Command) -> Result<Vec<u8>, FollowError> {
        let said = self.run(command, LOCAL_MAX)?;
        if said.status.success() {
            Ok(said.stdout)
        } else {
            Err(GitError::Object(first(&said.stderr)).into())
        }
    }

    fn init(&self) -> Result<(), FollowError> {
        let mut command = self.command();
        command.args(["init", "--quiet", "--bare", "--template=", "--initial-branch=none"]);
        self.succeed(&mut command).map(drop)
    }

    /// Makes our own repository, or finds it as it was, while no other process is there.
    fn make(&self, alone: &File) -> Result<(), FollowError> {
        match self.init() {
            Err(FollowError::Git(GitError::Object(_))) => {
                // What stands there is none: it must be in nobody's way.
                self.take_away(alone)?;
                self.init()?;
            }
            made => made?,
        }
        // Nobody else is here: what one that was killed left locked is free.
        for lock in ["packed-refs.lock", "shallow.lock", "config.lock", "refs/partnerctl/head.lock"]
        {
            let _there_is_none = std::fs::remove_file(self.folder.join(lock));
        }
        Ok(())
    }

    /// Waits until no other process fetches into the copy; none does while the file is held.
    fn alone(&self) -> Result<File, FollowError> {
        let failed = |source| FollowError::Copy { folder: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let file = File::create(self.folder.join(LOCK)).map_err(failed)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if *self.stop.borrow() => {
                    return Err(FollowError::Stopped);
                }
                Err(TryLockError::WouldBlock) if begun.elapsed() > BUSY_MAX => {
                    return Err(FollowError::Busy(self.folder.clone()));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// The first thing that a program says, without what is no error.
fn first(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let idle = |line: &&str| {
        let line = line.trim();
        !(line.is_empty() || line.starts_with("warning:") || line.starts_with("hint:"))
    };
    let line = said.lines().find(idle).unwrap_or("git says nothing").trim();
    let line = line.trim_start_matches("fatal: ").trim_start_matches("error: ");
    line.chars().take(SAID_CHARACTERS_MAX).collect()
}
