//! Plans of commits: what a pull request would do, without a checkout.

use crate::cli::error::CommandError;
use crate::cli::pass::{Pass, known};
use crate::cli::session::{self, Input, PassArgs, check_names};
use crate::cli::settings::{Settings, environment};
use crate::cli::ui::Ui;
use crate::engine::commit::{self, Committed, Origin};
use crate::engine::gather::{load, staff_among};
use crate::engine::git::{Git, GitError};
use crate::engine::workspace::WorkspaceFile;
use crate::engine::{Gathered, Workspace, workspace};
use crate::kinds::Kinds;
use crate::manifest::{Manifests, report};
use crate::model::problem::Problem;
use crate::model::text::{counted, printable};
use crate::model::{Resource, Severity, Stored};
use crate::plan::apart::{Apart, as_applied, pending};
use crate::plan::policy::Policies;
use crate::plan::{LeftOut, Plan, plan};
use crate::provider::Provider;
use crate::store::Missing;
use chrono::{DateTime, Utc};
use clap::Args;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Digits of a commit that are shown.
const SHORT: usize = 12;

/// What a plan names as its store when an earlier commit stands for one.
const STANDS_IN: &str = "commit";

/// Commits to plan.
#[derive(Args, Debug, Clone)]
pub struct CommitArgs {
    /// Plan the manifests of this commit, read from Git without a checkout; settings that say whose
    /// they are (set, lineage, limits) are the commit's as well, the others the workspace's
    #[arg(long, value_name = "REV", conflicts_with = "filename")]
    to: Option<String>,
    /// With --to: tell apart what this earlier commit alone would change; without a store it stands
    /// for what is there
    #[arg(long, value_name = "REV", requires = "to")]
    from: Option<String>,
}

impl CommitArgs {
    /// True when commits are planned.
    pub fn is_given(&self) -> bool {
        self.to.is_some()
    }
}

/// A plan of a commit, and what is to be said of it.
pub struct OfCommit {
    pub plan: Plan,
    pub apart: Apart,
    /// Where the workspace is in the repository: empty, or with a slash at its end.
    pub prefix: String,
}

impl From<GitError> for CommandError {
    fn from(error: GitError) -> Self {
        let hint = match &error {
            GitError::NotStarted(_) => "install git, and see that PATH leads to it",
            GitError::NoCommit { .. } => {
                "write it as `git log` shows it; a shallow clone may lack it: `git fetch --unshallow`"
            }
            GitError::Refused { said, .. } if said.contains("dubious ownership") => {
                "it belongs to somebody else: give it to who runs this, or name it in \
                `git config --global --add safe.directory`"
            }
            GitError::Refused { .. } => "run this in the repository, or name it with --workspace",
            GitError::Object(_) => "fetch the whole of the repository: `git fetch --refetch`",
        };
        Self::from(anyhow::Error::from(error)).hint(hint)
    }
}

/// One of the commits, with the workspace as it is there.
struct Side {
    workspace: Workspace,
    committed: Committed,
}

/// What commits are planned with.
struct Commits<'a> {
    settings: &'a Settings,
    /// As it is checked out.
    workspace: &'a Workspace,
    args: &'a PassArgs,
    provider: &'a dyn Provider,
    at: DateTime<Utc>,
    git: Git,
    prefix: String,
}

/// Plans what a commit declares.
pub fn of_commit(
    args: &CommitArgs,
    pass_args: &PassArgs,
    settings: &Settings,
    workspace: &Workspace,
    at: DateTime<Utc>,
    ui: &mut Ui,
) -> Result<OfCommit, CommandError> {
    let folder = workspace.folder.canonicalize();
    let git = Git::at(&folder.unwrap_or_else(|_| workspace.folder.clone()), environment());
    let prefix = git.prefix()?;
    let selection = session::selection(settings, pass_args, true)?;
    let provider = session::provider(settings, workspace)?;
    let provider = provider.as_ref();
    let commits = Commits { settings, workspace, args: pass_args, provider, at, git, prefix };
    let to = commits.side(args.to.as_deref().unwrap_or_default(), ui)?;
    commits.demand_folder(&to)?;
    let from = args.from.as_deref().map(|rev| commits.side(rev, ui)).transpose()?;
    let store = session::open(settings, &to.workspace, Missing::Leave)?;
    // A pull request from outside is given no store: the earlier commit stands for it then.
    if store.is_some() || from.is_none() {
        session::demand_lasting(settings, workspace)?;
    }
    let mut input = Input::of_commit(&to.committed.texts, selection, None);
    let (gathered, earlier) = match (&store, from.as_ref()) {
        (None, Some(from)) => (commits.stand_in(from, ui)?, None),
        (_, from) => (session::observe(store.as_deref(), provider, ui)?, from),
    };
    let manifests = session::manifests(settings, &mut input, &gathered.stored, ui)?;
    check_names(&input.selection, known(&manifests.resources, &gathered).iter())?;
    let made = commits.plan(&to, &input, manifests.resources, &gathered);
    let stands_in = from.is_some() && earlier.is_none();
    let earlier = earlier.and_then(|from| commits.earlier(from, &input, &gathered, ui));
    let named = from.as_ref().filter(|_| stands_in || earlier.is_some());
    let apart = Apart {
        to: short(&to.committed.commit),
        from: named.map(|from| short(&from.committed.commit)),
        stands_in,
        pending: earlier.map(|earlier| pending(&made, &earlier)).unwrap_or_default(),
    };
    Ok(OfCommit { plan: made, apart, prefix: commits.prefix })
}

impl Commits<'_> {
    /// Reads a commit, and what its `partnerctl.yaml` says about whose its manifests are. Where the
    /// state is, who acts and what is run stay with the workspace: a pull request cannot say these.
    fn side(&self, rev: &str, ui: &mut Ui) -> Result<Side, CommandError> {
        let commit = self.git.commit(rev)?;
        let committed = commit::read(&self.git, &commit, &self.prefix)?;
        let mut workspace = self.workspace.clone();
        let (parsed, policies) =
            settings_of(&self.settings.kinds, &committed, ui)?.unwrap_or_default();
        workspace.file.set = parsed.set;
        workspace.file.lineage = parsed.lineage;
        workspace.file.limits = parsed.limits;
        workspace.policies = Arc::new(policies);
        Ok(Side { workspace, committed })
    }

    /// A revision without any manifests is a slip, not a wish to have none.
    fn demand_folder(&self, side: &Side) -> Result<(), CommandError> {
        let Committed { commit, texts, has_folder, .. } = &side.committed;
        if *has_folder || !texts.problems.is_empty() {
            return Ok(());
        }
        let (folder, commit) = (&self.prefix, short(commit));
        let message = format!("there is no folder {folder}manifests in commit {commit}");
        Err(CommandError::invalid(message)
            .hint("see that the revision is the right one, and that the folder is committed"))
    }

    /// The plan of what a commit declares.
    fn plan(
        &self,
        side: &Side,
        input: &Input,
        resources: Vec<Resource>,
        gathered: &Gathered,
    ) -> Plan {
        let workspace = &side.workspace;
        let pass = Pass::new(self.settings, workspace, self.args, self.provider, self.at);
        let desired = self.named(resources, &side.committed.commit);
        plan(&pass.input(input, desired, gathered, LeftOut::default()))
    }

    /// The plan of the earlier commit; `None`, and a word about it, when its manifests have errors.
    fn earlier(&self, from: &Side, input: &Input, there: &Gathered, ui: &mut Ui) -> Option<Plan> {
        match checked(from, self.settings, &there.stored) {
            Ok(manifests) => Some(self.plan(from, input, manifests.resources, there)),
            Err(found) => {
                let number = counted(errors(&found.problems), "error");
                let from = short(&from.committed.commit);
                ui.caution(&format!(
                    "warning: the manifests of {from} have {number}: what is already pending is not told"
                ));
                None
            }
        }
    }

    /// What there would be had the commit been applied. No store is of that lineage, so that nothing
    /// applies what is planned from it.
    fn stand_in(&self, from: &Side, ui: &mut Ui) -> Result<Gathered, CommandError> {
        let commit = &from.committed.commit;
        let manifests = checked(from, self.settings, &[]).map_err(|found| {
            show(&found.problems, &found.texts, ui);
            let (number, commit) = (counted(errors(&found.problems), "error"), short(commit));
            CommandError::invalid(format!("{number} in the manifests of commit {commit}")).hint(
                "without a store it stands for what is there: name one without errors, or a store",
            )
        })?;
        let resources = self.named(manifests.resources, commit);
        let set = from.workspace.set();
        let rows = as_applied(&self.settings.kinds, &resources, &set, self.at);
        let lineage = Some(STANDS_IN.to_owned());
        let staff = staff_among(&rows);
        Ok(Gathered { lineage, stored: Arc::new(rows), staff, ..Gathered::default() })
    }

    fn named(&self, resources: Vec<Resource>, commit: &Arc<str>) -> Vec<Resource> {
        let (commit, prefix) = (commit.clone(), self.prefix.clone());
        Origin { commit, author: None, prefix }.name(resources)
    }
}

/// What the `partnerctl.yaml` of a commit says; `None` where there is none.
pub fn settings_of(
    kinds: &Kinds,
    committed: &Committed,
    ui: &mut Ui,
) -> Result<Option<(WorkspaceFile, Policies)>, CommandError> {
    let Some((path, text)) = &committed.settings else { return Ok(None) };
    workspace::parse(kinds, path, text).map(Some).map_err(|problems| {
        let name: Arc<str> = path.to_string_lossy().into();
        show(&problems, &BTreeMap::from([(name, text.as_str().into())]), ui);
        let commit = short(&committed.commit);
        CommandError::invalid(format!("partnerctl.yaml is not valid in commit {commit}"))
            .hint("mend it there")
    })
}

/// A commit as people write it.
pub fn short(commit: &str) -> String {
    commit.chars().take(SHORT).collect()
}

fn show(problems: &[Problem], texts: &BTreeMap<Arc<str>, Arc<str>>, ui: &mut Ui) {
    ui.warn(report::text(problems, texts, false).trim_end());
}

fn errors(problems: &[Problem]) -> usize {
    problems.iter().filter(|problem| problem.severity() == Severity::Error).count()
}

/// The manifests of a commit, without a word about them; those with errors as an error.
fn checked(side: &Side, settings: &Settings, stored: &[Stored]) -> Result<Manifests, Manifests> {
    let manifests = load(&settings.kinds, side.committed.texts.clone(), stored);
    if manifests.has_errors() { Err(manifests) } else { Ok(manifests) }
}

/// What is said of a plan of a commit, where the plan itself is for machines.
pub fn say(apart: &Apart, ui: &mut Ui) {
    ui.say(&printable(&apart.sentence()));
}
