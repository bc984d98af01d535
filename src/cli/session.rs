//! What `plan`, `apply` and the looking commands share: open the store, read the manifests, plan.

use crate::cli::completions::KindWord;
use crate::cli::error::{CommandError, Exit};
use crate::cli::settings::{FileArgs, Settings, variable};
use crate::cli::ui::Ui;
use crate::engine::commit::Origin;
use crate::engine::gather::{gather, load, recorded};
use crate::engine::lease::{self, Held, SharedStore};
use crate::engine::tree::{Found, Sources, Texts, find};
use crate::engine::{Gathered, Workspace, machine};
use crate::kinds::selector::Selector;
use crate::manifest::{Manifests, report};
use crate::model::problem::did_you_mean;
use crate::model::text::{counted, printable};
use crate::model::{KindName, ResourceId, Severity, Stored};
use crate::plan::Selection;
use crate::provider::Provider;
use crate::provider::embedded::Embedded;
use crate::provider::exec::{self, Exec};
use crate::store::{self, Lease, Missing, Store};
use anyhow::Context;
use chrono::Utc;
use clap::Args;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Seconds a provider program may take to answer, unless the workspace says otherwise.
const PROVIDER_SECONDS: u32 = 60;

/// Options of `plan` and `apply`.
#[derive(Args, Debug, Clone)]
pub struct PassArgs {
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Delete what the set owns and the manifests no longer declare
    #[arg(long)]
    pub prune: bool,
    /// Take over what another set of the store owns and the manifests here declare
    #[arg(long)]
    pub take_ownership: bool,
    /// Read and compare everything, also what has not moved since the last time
    #[arg(long)]
    pub full: bool,
    /// Let the brakes of exactly this plan go
    #[arg(long = "override", value_name = "PLAN-ID")]
    pub override_id: Option<String>,
}

impl PassArgs {
    /// The same as words of a command line: what a proposed command repeats.
    pub fn repeated(&self) -> Vec<String> {
        let mut words = Vec::new();
        for path in &self.files.filename {
            words.extend(["-f".to_owned(), path.display().to_string()]);
        }
        words.extend(self.selection.repeated());
        if self.prune {
            words.push("--prune".to_owned());
        }
        if self.take_ownership {
            words.push("--take-ownership".to_owned());
        }
        if let Some(id) = &self.override_id {
            words.extend(["--override".to_owned(), id.clone()]);
        }
        words
    }

    /// Those of a pass over all manifests of the workspace, by a command without such options.
    pub fn of_everything() -> Self {
        Self {
            files: FileArgs::default(),
            selection: SelectionArgs::default(),
            prune: false,
            take_ownership: false,
            full: false,
            override_id: None,
        }
    }
}

/// How long a command that writes waits for another one.
#[derive(Args, Debug, Clone, Copy)]
pub struct LockArgs {
    /// Seconds to wait for another apply
    #[arg(long, default_value_t = 30, value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(..=604_800))]
    lock_timeout: u64,
}

impl LockArgs {
    /// The same as a time.
    pub fn timeout(self) -> Duration {
        Duration::from_secs(self.lock_timeout)
    }
}

/// Which changes are wanted.
#[derive(Args, Debug, Clone, Default)]
pub struct SelectionArgs {
    /// Only changes of resources with these labels: tier=gold,region!=eu
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Only changes of this customer and what belongs to it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub customer: Vec<String>,
    /// Only changes of this kind; may be repeated
    #[arg(long, value_name = "KIND", value_parser = KindWord { all: false }, hide_possible_values = true)]
    pub kind: Vec<String>,
    /// Leave this resource, or this kind, out; may be repeated
    #[arg(long, value_name = "KIND[/NAME]")]
    pub exclude: Vec<String>,
}

impl SelectionArgs {
    /// The selection these options mean.
    pub fn resolve(&self, settings: &Settings) -> Result<Selection, CommandError> {
        let labels = self.selector.as_deref().map(Selector::parse);
        let mut selection = Selection {
            labels: labels.transpose().map_err(CommandError::new)?,
            customers: self.customer.iter().cloned().collect(),
            ..Selection::default()
        };
        for word in &self.kind {
            selection.kinds.insert(KindName::new(settings.kind(word)?.facts.kind));
        }
        for text in &self.exclude {
            let (word, name) =
                text.split_once('/').map_or((text.as_str(), None), |(k, n)| (k, Some(n)));
            let kind = settings.kind(word)?.facts.kind;
            match name {
                Some(name) => selection.exclude.insert(ResourceId::new(kind, name)),
                None => selection.exclude_kinds.insert(KindName::new(kind)),
            };
        }
        Ok(selection)
    }

    /// The options as they were given, to repeat them.
    pub fn repeated(&self) -> Vec<String> {
        let Self { selector, customer, kind, exclude } = self;
        let mut words = Vec::new();
        let selector: Vec<String> = selector.iter().cloned().collect();
        for (option, values) in
            [("-l", &selector), ("--customer", customer), ("--kind", kind), ("--exclude", exclude)]
        {
            words.extend(values.iter().flat_map(|value| [option.to_owned(), value.clone()]));
        }
        words
    }
}

/// The provider of a workspace: the program it names, else the embedded one.
pub fn provider(
    settings: &Settings,
    workspace: &Workspace,
) -> Result<Arc<dyn Provider>, CommandError> {
    let Some(file) = &workspace.file.provider else { return Ok(Arc::new(Embedded)) };
    if file.exec.is_empty() {
        return Err(CommandError::new("provider.exec of partnerctl.yaml names no program")
            .hint("write provider: {exec: [./program, argument]}"));
    }
    let seconds = file.timeout_seconds.map_or(PROVIDER_SECONDS, std::num::NonZeroU32::get);
    let folder = workspace
        .folder
        .canonicalize()
        .with_context(|| format!("the workspace {} is no folder", workspace.folder.display()))?;
    let program = exec::process::Settings {
        command: file.exec.iter().map(ToString::to_string).collect(),
        folder,
        time_limit: Duration::from_secs(u64::from(seconds)),
    };
    Ok(Arc::new(Exec::new(settings.kinds.clone(), program)))
}

/// What the store and the provider say now.
pub fn observe(
    store: Option<&dyn Store>,
    provider: &dyn Provider,
    ui: &mut Ui,
) -> Result<Gathered, CommandError> {
    let _progress = ui.progress("observing", 0);
    Ok(gather(store, provider)?)
}

/// What the store and the provider say, for a command that only looks. A program is asked only when
/// what nobody manages is wanted too: what is managed stands in the store as it was last seen.
pub fn look(
    settings: &Settings,
    workspace: &Workspace,
    store: &dyn Store,
    unmanaged: bool,
) -> Result<Gathered, CommandError> {
    let provider = provider(settings, workspace)?;
    if provider.outside().is_some() && !unmanaged {
        return Ok(recorded(store)?);
    }
    Ok(gather(Some(store), provider.as_ref())?)
}

/// Refuses a store that goes away with a job of CI: for whatever writes to it or plans against it.
pub fn demand_lasting(settings: &Settings, workspace: &Workspace) -> Result<(), CommandError> {
    settings.demand_lasting_store(workspace, variable)
}

/// Opens the store, when there is one.
pub fn open(
    settings: &Settings,
    workspace: &Workspace,
    missing: Missing,
) -> Result<Option<Box<dyn Store>>, CommandError> {
    if missing == Missing::Create {
        demand_lasting(settings, workspace)?;
    }
    let url = settings.store_url(workspace);
    let pinned = workspace.file.lineage.as_ref().map(ToString::to_string);
    // A pin is checked before anything is made: an empty store is another one.
    let missing = if pinned.is_some() { Missing::Leave } else { missing };
    let store = store::open(&url, missing)?;
    let found = store.as_ref().map(|store| store.lineage().to_owned());
    if let Some(pinned) = pinned.filter(|pinned| found.as_ref() != Some(pinned)) {
        let found = found.unwrap_or_else(|| "no store at all".to_owned());
        let message = format!("partnerctl.yaml pins the lineage {pinned}, but {url} has {found}");
        return Err(CommandError::new(message)
            .exit(Exit::Conflict)
            .hint("point --store or PARTNERCTL_STORE at the right store"));
    }
    Ok(store)
}

/// The store as it was found, or a new one.
pub fn make(
    settings: &Settings,
    workspace: &Workspace,
    existing: Option<Box<dyn Store>>,
) -> Result<Box<dyn Store>, CommandError> {
    if let Some(store) = existing {
        return Ok(store);
    }
    Ok(open(settings, workspace, Missing::Create)?.context("the store was not made")?)
}

/// Opens a store that must be there.
pub fn open_existing(
    settings: &Settings,
    workspace: &Workspace,
) -> Result<Box<dyn Store>, CommandError> {
    let store = open(settings, workspace, Missing::Leave)?;
    store.ok_or_else(|| {
        no_store(settings, workspace)
            .hint("`partnerctl apply` makes it; another workspace is named with --workspace")
    })
}

/// That there is no store, for a command that must have one.
pub fn no_store(settings: &Settings, workspace: &Workspace) -> CommandError {
    let address = settings.store_url(workspace);
    CommandError::new(format!("there is no store at {address} yet"))
}

/// What was found: once, since standard input cannot be read again and files may change.
pub struct Input {
    /// The manifests.
    pub sources: Sources,
    /// The folder they are in, when they are all in one.
    pub folder: Option<PathBuf>,
    /// When it was begun to read, in nanoseconds since 1970.
    pub begun: i64,
    /// Whether they are the whole set.
    pub whole: bool,
    /// Which changes are wanted.
    pub selection: Selection,
    /// The manifests, when they were checked already, before there was a store.
    pub checked: Option<Manifests>,
    /// The commit that they are of, where they are of one.
    pub origin: Option<Origin>,
}

impl Input {
    /// The whole set as a commit has it.
    pub fn of_commit(texts: &Texts, selection: Selection, origin: Option<Origin>) -> Self {
        let sources = Sources { texts: texts.clone(), ..Sources::default() };
        Self { sources, folder: None, begun: 0, whole: true, selection, checked: None, origin }
    }

    /// The folder that the manifests are in, and what was found there.
    pub fn found(&self) -> (&Path, &[Found]) {
        (self.folder.as_deref().unwrap_or(Path::new("")), &self.sources.files)
    }
}

/// What the options choose, of the whole set or of a part of it.
pub fn selection(
    settings: &Settings,
    args: &PassArgs,
    whole: bool,
) -> Result<Selection, CommandError> {
    if args.prune && !whole {
        return Err(CommandError::new("--prune needs the whole set, and -f names a part of it")
            .hint("leave -f out, so that the workspace's manifests are read"));
    }
    let selection = args.selection.resolve(settings)?;
    if args.prune && !selection.is_everything() {
        let message =
            "--prune needs the whole set, and -l, --customer, --kind and --exclude choose a part";
        return Err(CommandError::new(message).hint("leave them out, or leave --prune out"));
    }
    Ok(selection)
}

/// Finds the manifests.
pub fn read(
    settings: &Settings,
    workspace: &Workspace,
    args: &PassArgs,
) -> Result<Input, CommandError> {
    let mut input = asked(settings, workspace, args)?;
    let (roots, _) = settings.roots(&args.files, workspace)?;
    input.sources = find(&roots, &mut std::io::stdin().lock());
    Ok(input)
}

/// What is asked for, of manifests that are still to be found.
pub fn asked(
    settings: &Settings,
    workspace: &Workspace,
    args: &PassArgs,
) -> Result<Input, CommandError> {
    let (roots, whole) = settings.roots(&args.files, workspace)?;
    let selection = selection(settings, args, whole)?;
    let begun = Utc::now().timestamp_nanos_opt().unwrap_or_default();
    let folder = match roots.as_slice() {
        [one] if one.is_dir() => Some(one.clone()),
        _ => None,
    };
    let sources = Sources::default();
    Ok(Input { sources, folder, begun, whole, selection, checked: None, origin: None })
}

/// Takes the lease, waiting for whoever holds it.
pub fn hold(
    store: &SharedStore,
    actor: &str,
    timeout: Duration,
    ui: &mut Ui,
) -> Result<Held, CommandError> {
    let waiting = |lease: &Lease| {
        ui.say(&format!("waiting for another apply: {}", printable(&lease.to_string())));
    };
    lease::hold(store, &machine::this_process(actor), timeout, waiting)?.map_err(|lease| {
        CommandError::new(format!("another apply is under way: {lease}"))
            .exit(Exit::Conflict)
            .hint("wait for it; a holder that is gone is replaced without your help")
    })
}

/// Chance for the ids of what is made.
pub fn nonce() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Checks the manifests and shows what is wrong with them.
///
/// # Errors
/// When anything is wrong: nothing is planned then.
pub fn manifests(
    settings: &Settings,
    input: &mut Input,
    stored: &[Stored],
    ui: &mut Ui,
) -> Result<Manifests, CommandError> {
    // Where nothing is in the store yet, it says the same a second time.
    if let Some(checked) = input.checked.take().filter(|_| stored.is_empty()) {
        return Ok(checked);
    }
    let progress = ui.progress("checking manifests", 0);
    input.sources.read_rest();
    let manifests = load(&settings.kinds, input.sources.texts.clone(), stored);
    progress.finish();
    let errors = manifests.problems.iter().filter(|p| p.severity() == Severity::Error).count();
    if errors > 0 {
        ui.warn(report::text(&manifests.problems, &manifests.texts, false).trim_end());
        let message = format!("{} in the manifests", counted(errors, "error"));
        return Err(
            CommandError::invalid(message).hint("nothing was planned or applied; mend them first")
        );
    }
    for warning in &manifests.problems {
        let place = warning.locations.first().map(|at| format!("{}:{}: ", at.file, at.span.line));
        let (code, place) = (warning.code, place.unwrap_or_default());
        let line = format!("warning[{code}]: {place}{}", warning.message);
        ui.caution(&printable(&line));
    }
    Ok(manifests)
}

/// What somebody may have meant who named what is not there. A selector stands for many, each with
/// its customer in its name.
pub fn near<'a>(
    wrong: &ResourceId,
    known: impl Iterator<Item = &'a ResourceId> + Clone,
) -> Option<String> {
    let names = known.filter(|id| id.kind == wrong.kind).map(|id| id.name.as_str());
    let is_one_of_it = |name: &&str| {
        name.strip_prefix(wrong.name.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    let one = names.clone().find(is_one_of_it);
    let near = one.or_else(|| did_you_mean(wrong.name.as_str(), names))?;
    let selector = if one.is_some() { "a selector stands for many: " } else { "" };
    Some(format!("{selector}did you mean {}/{near}?", wrong.kind))
}

/// Refuses a selection that names what is neither declared nor in the store: a slip of the pen would
/// leave nothing out.
pub fn check_names<'a>(
    selection: &Selection,
    known: impl Iterator<Item = &'a ResourceId>,
) -> Result<(), CommandError> {
    let named = selection.names();
    if named.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<&ResourceId> = known.collect();
    let Some(wrong) = named.iter().find(|id| !known.contains(id)) else { return Ok(()) };
    let hint = near(wrong, known.iter().copied()).unwrap_or_else(|| {
        format!("`partnerctl get {}` lists those there are", wrong.kind.as_str().to_lowercase())
    });
    let message =
        format!("the selection names {wrong}, which is neither declared nor in the store");
    Err(CommandError::new(message).hint(hint))
}
