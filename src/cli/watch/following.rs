//! A branch under way: its commits are read from git's objects, and which of them may be applied is
//! decided here.

use crate::cli::commits::{settings_of, short};
use crate::cli::error::CommandError;
use crate::cli::session::{self, Input, PassArgs};
use crate::cli::settings::{Settings, environment, quoted};
use crate::cli::ui::Ui;
use crate::cli::watch::branch::BranchArgs;
use crate::cli::watch::stopped::Stopped;
use crate::engine::Workspace;
use crate::engine::commit::{Committed, Origin, read_below};
use crate::engine::follow::address::Address;
use crate::engine::follow::signed::Signature;
use crate::engine::follow::{Branch, Commit, FollowError};
use crate::engine::git::GitError;
use crate::engine::tree::WORKSPACE_FILE;
use crate::engine::workspace::WorkspaceFile;
use crate::kinds::Kinds;
use crate::plan::policy::Policies;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often a branch is looked at, unless it is said: elsewhere, and on this machine.
const POLL: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(5)];

impl From<FollowError> for CommandError {
    fn from(error: FollowError) -> Self {
        let hint = match error {
            FollowError::Git(GitError::Object(_)) => {
                "take the folder git-… beside the store away: it is a copy, and is fetched anew"
            }
            FollowError::Git(error) => return error.into(),
            FollowError::Away(_) | FollowError::TooLong(_) => {
                "see that `git ls-remote` reaches it without asking anything"
            }
            FollowError::Copy { .. } => "check the path, its rights and the free space",
            FollowError::Busy(_) => "end the other watch, or give each its own store",
            FollowError::Stopped => "run it again",
        };
        Self::from(anyhow::Error::from(error)).hint(hint)
    }
}

/// A branch that is followed, and what is known of it.
pub struct Following {
    branch: Branch,
    args: BranchArgs,
    keys: Option<PathBuf>,
    /// The command that follows it, as a shell takes it.
    command: String,
    number: u64,
    head: Option<Commit>,
    /// What the commit of this number holds.
    content: Option<(u64, Content)>,
    /// The commit that may be applied, after which ones.
    accepted: Option<(String, Vec<Mark>)>,
    /// Who signed the head, where that is asked for.
    signer: Option<String>,
    /// True once a commit had settings: what is gone is no default.
    had_settings: bool,
}

/// What the store says of a set or a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Which.
    pub what: String,
    /// The commit it was brought to.
    pub commit: Option<String>,
}

/// What a commit holds.
struct Content {
    committed: Committed,
    prefix: String,
    root: String,
    /// What its `partnerctl.yaml` says, once it was read and is valid; `None` where there is none.
    settings: Option<Option<(WorkspaceFile, Policies)>>,
}

impl Following {
    /// A branch with its copy beside the store of the workspace, of which nothing was seen yet; `None`
    /// where none is to be followed.
    pub fn of(
        args: &BranchArgs,
        settings: &Settings,
        workspace: &Workspace,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<Self>, CommandError> {
        let Some(url) = &args.git else { return Ok(None) };
        let here = std::env::current_dir().unwrap_or_default();
        let address = Address::parse(url, &here)
            .map_err(|why| CommandError::new(format!("--git cannot be followed: {why}")))?;
        let keys = args.require_signed.as_deref().map(|keys| here.join(keys));
        if let Some(keys) = &keys {
            std::fs::File::open(keys).map_err(|error| {
                CommandError::new(format!("the keys {} cannot be read: {error}", keys.display()))
                    .hint("name a file of allowed signers: lines of a name and a public key")
            })?;
        }
        let beside = beside(&settings.store_url(workspace), workspace);
        let mut branch = Branch::new(address, args.branch.clone(), &beside, environment(), stop);
        branch.prepare()?;
        let words = ["partnerctl".to_owned(), "watch".to_owned()].into_iter();
        let words = words.chain(settings.repeated()).chain(args.repeated());
        Ok(Some(Self {
            branch,
            args: args.clone(),
            keys,
            command: words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" "),
            number: 0,
            head: None,
            content: None,
            accepted: None,
            signer: None,
            had_settings: false,
        }))
    }

    /// What is followed, for people.
    pub fn shown(&self) -> String {
        format!("branch {} of {}", self.branch.name, self.branch.address.shown)
    }

    /// How often to look, unless it is said.
    pub fn poll(&self) -> Duration {
        POLL[usize::from(self.branch.address.is_local)]
    }

    /// The branch and what it is of: address, name, folder.
    pub fn names(&self) -> (&str, &str, Option<&str>) {
        (&self.branch.address.shown, &self.branch.name, self.args.path.as_deref())
    }

    /// The options as they were given.
    pub fn repeated(&self) -> Vec<String> {
        self.args.repeated()
    }

    /// Where the branch was when it was last looked at.
    pub fn head(&self) -> Option<&Commit> {
        self.head.as_ref()
    }

    /// Looks: the number of the commit, and whether it is another one than before.
    pub fn look(&mut self) -> Result<(u64, bool), FollowError> {
        let found = self.branch.fetch()?;
        let is_new = self.head.as_ref() != Some(&found);
        self.number += u64::from(is_new);
        self.head = Some(found);
        Ok((self.number, is_new))
    }

    /// The workspace as the commit has it. What the workspace itself says holds; what it leaves open
    /// the commit says: whose the manifests are, and their brakes; the policies of both hold. Where the state is, who acts, what
    /// is run and what a watch may do by itself is no commit's to say.
    pub fn workspace(
        &mut self,
        kinds: &Kinds,
        local: Workspace,
        ui: &mut Ui,
    ) -> Result<Workspace, CommandError> {
        let mut workspace = local;
        let content = self.read()?;
        let commit = content.committed.commit.clone();
        let found = match &content.settings {
            Some(known) => known.clone(),
            None => content.settings.insert(settings_of(kinds, &content.committed, ui)?).clone(),
        };
        if found.is_none() && self.had_settings {
            let message = format!("{WORKSPACE_FILE} is gone from commit {}", short(&commit));
            return Err(CommandError::invalid(message)
                .hint("put it back, or begin the watch anew without it"));
        }
        self.had_settings |= found.is_some();
        let (found, policies) = found.unwrap_or_default();
        let file = &mut workspace.file;
        file.set = file.set.take().or(found.set);
        file.lineage = file.lineage.take().or(found.lineage);
        file.limits = file.limits.take().or(found.limits);
        let rules = &mut Arc::make_mut(&mut workspace.policies).rules;
        for (policy, place) in policies.rules {
            if rules.iter().all(|(own, _)| own.name != policy.name) {
                rules.push((policy, place));
            }
        }
        if let Some(signer) = &self.signer {
            let line = serde_json::from_value(signer.as_str().into()).map_err(|error| {
                CommandError::rejected(format!("the name of the signer cannot act: {error}"))
            })?;
            file.actor = Some(line);
        }
        Ok(workspace)
    }

    /// Under which the store keeps what was applied last: for the set, whatever branch it is brought
    /// to, and for the branch, since a commit may say that it is of another set.
    pub fn marks(&self, set: &str) -> [String; 2] {
        let Branch { address, name, .. } = &self.branch;
        let path = self.args.path.as_deref().unwrap_or_default();
        [format!("set {set}"), format!("branch {name} of {} at {path}", address.url)]
    }

    /// The commit that was accepted last, and the marks that it was accepted after.
    pub fn accepted(&self) -> Option<&(String, Vec<Mark>)> {
        self.accepted.as_ref()
    }

    /// Decides whether the head may be applied, after what was applied last.
    pub fn accept(&mut self, marks: Vec<Mark>) -> Result<(), Stopped> {
        let Some(head) = self.head.clone() else { return Err(Stopped::Moved) };
        let decided = (head.id.to_string(), marks);
        if self.accepted.as_ref() == Some(&decided) {
            return Ok(());
        }
        let mut applied: Vec<&String> = decided.1.iter().flat_map(|mark| &mark.commit).collect();
        applied.dedup();
        let earlier = || applied.iter().copied().filter(|applied| **applied != *head.id);
        let decide = || -> Result<Option<String>, DecideError> {
            for earlier in earlier().filter(|_| !self.args.allow_rewrite) {
                if !self.branch.descends(&head.id, earlier)? {
                    return Err(DecideError::Rejected(self.rewritten(&head, earlier)));
                }
            }
            let earlier = earlier().next().map(String::as_str);
            let Some(keys) = &self.keys else { return Ok(None) };
            match self.branch.signature(&head.id, earlier, keys)? {
                Signature::Good { signer } => Ok(Some(signer)),
                Signature::Bad { commit, why } => {
                    Err(DecideError::Rejected(self.unsigned(&commit, why)))
                }
            }
        };
        match decide() {
            Ok(signer) => {
                self.signer = signer;
                self.accepted = Some(decided);
                Ok(())
            }
            Err(DecideError::Rejected(error)) => Err(Stopped::Error(error)),
            Err(DecideError::Follow(FollowError::Stopped)) => Err(Stopped::Moved),
            Err(DecideError::Follow(error)) => Err(Stopped::Error(error.into())),
        }
    }

    fn rewritten(&self, head: &Commit, earlier: &str) -> CommandError {
        let (head, earlier) = (short(&head.id), short(earlier));
        let message = format!(
            "the {} was rewritten: {head} does not descend from {earlier}, which was applied last",
            self.shown()
        );
        CommandError::rejected(message)
            .hint(format!("if that is meant: {} --once --allow-rewrite", self.command))
    }

    fn unsigned(&self, commit: &str, why: &str) -> CommandError {
        let keys = self.keys.as_deref().unwrap_or(Path::new("")).display();
        let message = format!("commit {} {why}", short(commit));
        CommandError::rejected(message)
            .hint(format!("sign it, `git commit --amend -S`, with a key that {keys} names"))
    }

    /// The manifests of the head.
    pub fn input(&mut self, settings: &Settings, args: &PassArgs) -> Result<Input, CommandError> {
        let selection = session::selection(settings, args, true)?;
        let author = self.head.as_ref().map(|head| head.author.clone());
        let Content { committed, prefix, root, settings: _ } = self.read()?;
        if !committed.has_folder && committed.texts.problems.is_empty() {
            let commit = short(&committed.commit);
            let folder = if root.is_empty() { "file" } else { root };
            let message = format!("there is no {folder} in commit {commit}");
            return Err(CommandError::invalid(message)
                .hint("see that --path names the folder, and that it is committed"));
        }
        let (commit, prefix) = (committed.commit.clone(), prefix.clone());
        Ok(Input::of_commit(&committed.texts, selection, Some(Origin { commit, author, prefix })))
    }

    /// Reads what the head holds, once.
    fn read(&mut self) -> Result<&mut Content, CommandError> {
        let number = self.number;
        let content = match self.content.take().filter(|(of, _)| *of == number) {
            Some((_, content)) => content,
            None => self.content_of_head().map_err(|error| self.damaged(error))?,
        };
        Ok(&mut self.content.insert((number, content)).1)
    }

    /// What was fetched cannot be read: it is fetched anew before the next try.
    fn damaged(&self, error: GitError) -> CommandError {
        match self.branch.forget() {
            Ok(()) => CommandError::from(anyhow::Error::from(error))
                .hint("the copy of the repository was taken away; the next try fetches it anew"),
            Err(error) => error.into(),
        }
    }

    fn content_of_head(&self) -> Result<Content, GitError> {
        let none = || GitError::Object("no commit was seen".to_owned());
        let head = self.head.as_ref().ok_or_else(none)?;
        let git = self.branch.git();
        let prefix = self.args.path.as_ref().filter(|path| !path.is_empty());
        let prefix = prefix.map(|path| format!("{path}/")).unwrap_or_default();
        let is_workspace = match &self.args.path {
            None => true,
            Some(_) => {
                let settings = format!("{prefix}{WORKSPACE_FILE}");
                !git.entries(&head.id, &[&settings])?.is_empty()
            }
        };
        let root = if is_workspace {
            format!("{prefix}manifests")
        } else {
            prefix.trim_end_matches('/').to_owned()
        };
        let committed = read_below(git, &head.id, &prefix, &root)?;
        Ok(Content { committed, prefix, root, settings: None })
    }
}

/// Why a commit is not accepted.
enum DecideError {
    Rejected(CommandError),
    Follow(FollowError),
}

impl From<FollowError> for DecideError {
    fn from(error: FollowError) -> Self {
        Self::Follow(error)
    }
}

/// Where copies of repositories are: beside the store, as that can be written.
fn beside(store: &str, workspace: &Workspace) -> PathBuf {
    let file = store.strip_prefix("sqlite:").map(Path::new).and_then(Path::parent);
    let folder = file.map_or_else(|| workspace.folder.join(".partnerctl"), Path::to_owned);
    std::path::absolute(&folder).unwrap_or(folder)
}
