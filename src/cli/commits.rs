//! Plans of commits: what a pull request would do, without a checkout.

use crate::cli::error::CommandError;
use crate::cli::pass::{Pass, known};
use crate::cli::session::{self, Input, PassArgs, check_names};
use crate::cli::settings::{Settings, environment};
use crate::cli::ui::Ui;
use crate::engine::commit::{self, Committed};
use crate::engine::gather::load;
use crate::engine::git::{Git, GitError};
use crate::engine::tree::Sources;
use crate::engine::{Gathered, Workspace, workspace};
use crate::manifest::{Manifests, report};
use crate::model::problem::Problem;
use crate::model::text::{counted, printable};
use crate::model::{Resource, Stored};
use crate::plan::apart::{Apart, as_applied, pending};
use crate::plan::{LeftOut, Plan, PlanInput, plan};
use crate::store::Missing;
use chrono::{DateTime, Utc};
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Digits of a commit that are shown.
const SHORT: usize = 12;

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

/// Plans what a commit declares.
pub fn of_commit(
    args: &CommitArgs,
    pass_args: &PassArgs,
    settings: &Settings,
    workspace: &Workspace,
    at: DateTime<Utc>,
    ui: &mut Ui,
) -> Result<OfCommit, CommandError> {
    let git = Git::at(&workspace.folder, environment());
    let prefix = git.prefix()?;
    let selection = session::selection(settings, pass_args, true)?;
    let to = side(&git, args.to.as_deref().unwrap_or_default(), &prefix, workspace, ui)?;
    let from = args.from.as_deref().map(|rev| side(&git, rev, &prefix, workspace, ui));
    let from = from.transpose()?;
    if !to.committed.has_folder && to.committed.texts.problems.is_empty() {
        let commit = short(&to.committed.commit);
        let message = format!("there is no folder {prefix}manifests in commit {commit}");
        return Err(CommandError::invalid(message)
            .hint("see that the revision is the right one, and that the folder is committed"));
    }
    let store = session::open(settings, &to.workspace, Missing::Leave)?;
    let provider = session::provider(settings, workspace)?;
    let mut input = Input {
        sources: Sources { files: Vec::new(), texts: to.committed.texts.clone() },
        folder: None,
        begun: 0,
        whole: true,
        selection,
        checked: None,
    };
    let mut gathered = match (&store, &from) {
        (None, Some(from)) => stand_in(from, settings, &prefix, at, ui)?,
        _ => session::observe(store.as_deref(), provider.as_ref(), ui)?,
    };
    let manifests = session::manifests(settings, &mut input, &gathered.stored, ui)?;
    let pass = |workspace| Pass {
        settings,
        workspace,
        args: pass_args,
        provider: provider.as_ref(),
        at,
        keeps_input: false,
    };
    check_names(&input.selection, known(&manifests.resources, &gathered).iter())?;
    let desired = named(manifests.resources, &to.committed.commit, &prefix);
    let planned = pass(&to.workspace).input(&input, desired, &gathered, LeftOut::default());
    let mut apart = Apart {
        to: short(&to.committed.commit),
        from: from.as_ref().map(|from| short(&from.committed.commit)),
        stands_in: store.is_none() && from.is_some(),
        ..Apart::default()
    };
    let made = plan(&planned);
    if let (Some(from), false) = (&from, apart.stands_in) {
        let stored = &gathered.stored;
        match checked(from, settings, stored).map(|found| found.resources) {
            Ok(resources) => {
                let desired = named(resources, &from.committed.commit, &prefix);
                gathered.lineage.clone_from(&planned.lineage);
                let earlier: PlanInput =
                    pass(&from.workspace).input(&input, desired, &gathered, LeftOut::default());
                apart.pending = pending(&made, &plan(&earlier));
            }
            Err(found) => {
                let number = counted(errors(&found.problems), "error");
                let from = short(&from.committed.commit);
                ui.caution(&format!(
                    "warning: the manifests of {from} have {number}: nothing counts as already pending"
                ));
            }
        }
    }
    Ok(OfCommit { plan: made, apart, prefix })
}

fn short(commit: &str) -> String {
    commit.chars().take(SHORT).collect()
}

/// Reads a commit, and what its `partnerctl.yaml` says about whose its manifests are. Where the
/// state is, who acts and what is run stay with the workspace: a pull request cannot say these.
fn side(
    git: &Git,
    rev: &str,
    prefix: &str,
    workspace: &Workspace,
    ui: &mut Ui,
) -> Result<Side, CommandError> {
    let commit = git.commit(rev)?;
    let committed = commit::read(git, &commit, prefix)?;
    let mut workspace = workspace.clone();
    let parsed = match &committed.settings {
        Some((path, text)) => workspace::parse(path, text).map_err(|problems| {
            show(&problems, &BTreeMap::from([(path_name(path), text.as_str().into())]), ui);
            let commit = short(&commit);
            CommandError::invalid(format!("partnerctl.yaml is not valid in commit {commit}"))
                .hint("mend it there")
        })?,
        None => workspace::WorkspaceFile::default(),
    };
    workspace.file.set = parsed.set;
    workspace.file.lineage = parsed.lineage;
    workspace.file.limits = parsed.limits;
    Ok(Side { workspace, committed })
}

fn path_name(path: &PathBuf) -> Arc<str> {
    path.to_string_lossy().into()
}

fn show(problems: &[Problem], texts: &BTreeMap<Arc<str>, Arc<str>>, ui: &mut Ui) {
    ui.warn(report::text(problems, texts, false).trim_end());
}

fn errors(problems: &[Problem]) -> usize {
    use crate::model::Severity;
    problems.iter().filter(|problem| problem.severity() == Severity::Error).count()
}

/// The manifests of a commit, without a word about them; those with errors as an error.
fn checked(side: &Side, settings: &Settings, stored: &[Stored]) -> Result<Manifests, Manifests> {
    let manifests = load(&settings.kinds, side.committed.texts.clone(), stored);
    if manifests.has_errors() { Err(manifests) } else { Ok(manifests) }
}

/// What there would be had the commit been applied.
fn stand_in(
    from: &Side,
    settings: &Settings,
    prefix: &str,
    at: DateTime<Utc>,
    ui: &mut Ui,
) -> Result<Gathered, CommandError> {
    let commit = &from.committed.commit;
    let manifests = checked(from, settings, &[]).map_err(|found| {
        show(&found.problems, &found.texts, ui);
        let (number, commit) = (counted(errors(&found.problems), "error"), short(commit));
        CommandError::invalid(format!("{number} in the manifests of commit {commit}")).hint(
            "without a store it stands for what is there: name one without errors, or a store",
        )
    })?;
    let resources = named(manifests.resources, commit, prefix);
    let rows = as_applied(&settings.kinds, &resources, &from.workspace.set(), at);
    Ok(Gathered { stored: Arc::new(rows), ..Gathered::default() })
}

/// The resources with their commit, their files named from the workspace as in every plan.
fn named(mut resources: Vec<Resource>, commit: &Arc<str>, prefix: &str) -> Vec<Resource> {
    for resource in &mut resources {
        let source = &mut resource.source;
        let file = source.file.take();
        source.file = file.map(|file| file.strip_prefix(prefix).map_or(file.clone(), Arc::from));
        source.commit = Some(commit.clone());
    }
    resources
}

/// What is said of a plan of a commit, where the plan itself is for machines.
pub fn say(apart: &Apart, ui: &mut Ui) {
    ui.say(&printable(&apart.sentence()));
}
