//! The cases of a workspace: what there is, what is declared and when, and the plan that is expected.
//!
//! A case needs no store, no provider and no clock: everything it is planned from stands in its files,
//! so its plan is the same bytes each time. It is a folder with `case.yaml`, or one file with all of it.

pub mod declared;
pub mod expected;
mod state;

pub use expected::Failure;

use crate::engine::Workspace;
use crate::engine::gather::{FromWorkspace, Gathered, load};
use crate::engine::tree::{Texts, read_roots};
use crate::kinds::{Kinds, Staff};
use crate::manifest::{Manifests, report, yaml};
use crate::model::decode::{Fault, decode};
use crate::model::problem::Problem;
use crate::model::tree::{Node, Value};
use crate::model::{code, moment};
use crate::plan::{Plan, PlanInput, Scope, plan, render};
use chrono::{DateTime, Utc};
use declared::{CaseFile, Expect};
use state::Listed;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The settings of a case that is a folder.
pub const CASE_FILE: &str = "case.yaml";
/// The plan that a folder expects.
pub const PLAN_FILE: &str = "plan.txt";
/// Who plans where nobody is named.
const ACTOR: &str = "tester@partner.example";
/// The clock where no date is given.
const AT: &str = "2026-01-01";
/// Stands for a plan's id: it tells of revisions and digests, a case of what is done.
const ID: &str = "ID";

/// A case that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name: that of the folder, or of the file without its ending.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// Its folder, where it has one of its own.
    pub folder: Option<PathBuf>,
}

/// What every case of a workspace is planned with.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The kinds.
    pub kinds: &'a Kinds,
    /// The workspace: its manifests, set, limits and policies.
    pub workspace: &'a Workspace,
    /// Columns of the plan's text.
    pub width: usize,
}

/// What came of a case.
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// The plan as text, or what is wrong with the manifests; `None` where the case cannot be read.
    pub text: Option<String>,
    /// True when something is expected beside the text.
    pub has_expectations: bool,
    /// What is not as expected.
    pub failures: Vec<Failure>,
}

/// The cases of a folder, by name.
///
/// # Errors
/// When the folder cannot be read.
pub fn find(folder: &Path) -> std::io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let ending = path.extension().and_then(|ending| ending.to_str());
        let word = if path.is_dir() { path.file_name() } else { path.file_stem() };
        let Some(name) = word.map(|name| name.to_string_lossy().into_owned()) else { continue };
        if hidden {
            continue;
        } else if path.is_dir() {
            cases.push(Case { name, file: path.join(CASE_FILE), folder: Some(path) });
        } else if matches!(ending, Some("yaml" | "yml")) {
            cases.push(Case { name, file: path, folder: None });
        }
    }
    cases.sort_by(|a, b| (&a.name, &a.file).cmp(&(&b.name, &b.file)));
    Ok(cases)
}

/// Plans a case, and compares what comes of it with what is expected.
#[must_use]
pub fn run(case: &Case, ground: &Ground<'_>) -> Outcome {
    let (text, has_expectations, failures) = match planned(case, ground) {
        Err(failure) => (None, true, vec![failure]),
        Ok(Planned { file, text, plan, problems }) => {
            let failures = compare(case, &file, &text, plan.as_ref(), &problems);
            (Some(text), file.expect.is_some(), failures)
        }
    };
    Outcome { case: case.clone(), text, has_expectations, failures }
}

struct Planned {
    file: CaseFile,
    text: String,
    plan: Option<Plan>,
    problems: Vec<Problem>,
}

fn compare(
    case: &Case,
    file: &CaseFile,
    text: &str,
    plan: Option<&Plan>,
    problems: &[Problem],
) -> Vec<Failure> {
    let path = case.folder.as_ref().map(|folder| folder.join(PLAN_FILE));
    let expected = path.as_ref().map(std::fs::read_to_string);
    let mut failures = Vec::new();
    match expected {
        Some(Ok(expected)) => failures.extend(Failure::difference(PLAN_FILE, &expected, text)),
        Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
            failures.push(Failure::new(PLAN_FILE, format!("it cannot be read: {error}"), ""));
        }
        _ if file.expect.is_none() => {
            let message = match case.folder {
                Some(_) => "nothing is expected: `partnerctl test --update` writes plan.txt",
                None => "nothing is expected: write `expect:`",
            };
            failures.push(Failure::new("case", message, ""));
        }
        _ => {}
    }
    if let Some(expect) = &file.expect {
        // What nobody expected to be wrong is not passed over.
        if plan.is_none() && !(expect.problems.is_some() && expect.is_of_no_plan()) {
            let message = "the manifests are not valid, so there is no plan";
            failures.push(Failure::new("manifests", message, text));
        }
        failures.extend(expected::failures(expect, plan, problems));
    }
    failures
}

/// Everything of a case up to its plan; a failure where the case itself is wrong.
fn planned(case: &Case, ground: &Ground<'_>) -> Result<Planned, Failure> {
    if case.folder.is_some() && !case.file.exists() {
        let message = "there is no case.yaml in it: write one, it may be empty";
        return Err(Failure::new("case", message, ""));
    }
    let mut reader = Reader {
        ground,
        folder: case.file.parent().unwrap_or(Path::new("")),
        own: case.folder.is_some(),
        names: FromWorkspace::new(&ground.workspace.folder, true),
        texts: BTreeMap::new(),
        problems: Vec::new(),
    };
    let Some((name, trees)) = reader.read(&case.file) else { return Err(reader.failure()) };
    let root = trees.into_iter().next().map_or_else(empty, |tree| tree.root);
    let read = decode::<CaseFile>(&root);
    reader.faults(&name, read.faults);
    let mut file = read.value.unwrap_or_default();
    // What expects nothing would hold whatever comes.
    file.expect = file.expect.filter(|expect| *expect != Expect::default());
    let at = file.at.as_ref().map_or(AT, |at| at.as_str());
    let at = moment::parse(at).unwrap_or_else(|message| {
        let span = root.place("at");
        let hint = message;
        let message = "this is no date".to_owned();
        reader.faults(&name, vec![Fault { code: code::INVALID_VALUE, span, message, hint }]);
        DateTime::UNIX_EPOCH
    });
    let gathered = reader.state(&name, &root);
    if !reader.problems.is_empty() {
        return Err(reader.failure());
    }
    let texts = reader.manifests(&file);
    let manifests = load(ground.kinds, texts, &gathered.stored);
    let problems = manifests.problems.clone();
    let (text, plan) = if manifests.has_errors() {
        (report::text(&problems, &manifests.texts, false), None)
    } else {
        let plan = plan(&input(ground, &file, at, manifests, gathered));
        (shown(&plan, ground.width), Some(plan))
    };
    Ok(Planned { file, text, plan, problems })
}

/// The plan as `plan` prints it, with [`ID`] in place of its id.
fn shown(plan: &Plan, width: usize) -> String {
    let mut plan = plan.clone();
    for refusal in &mut plan.refused {
        refusal.override_with = refusal.override_with.replace(&plan.id, ID);
    }
    plan.id = ID.to_owned();
    render::text(&plan, false, width)
}

fn input(
    ground: &Ground<'_>,
    file: &CaseFile,
    at: DateTime<Utc>,
    manifests: Manifests,
    gathered: Gathered,
) -> PlanInput {
    let workspace = ground.workspace;
    let actor = file.actor.as_ref().or(workspace.file.actor.as_ref());
    let actor = actor.map_or_else(|| ACTOR.to_owned(), ToString::to_string);
    PlanInput {
        lineage: gathered.lineage,
        staff: Staff::of(&actor, &gathered.staff),
        actor,
        desired: manifests.resources,
        stored: gathered.stored,
        unmanaged: gathered.unmanaged,
        scope: if file.prune == Some(true) { Scope::WholeAndPrune } else { Scope::Whole },
        limits: workspace.limits(),
        policies: workspace.policies.clone(),
        refunds: workspace.refunds(),
        beside: gathered.beside,
        ..PlanInput::new(ground.kinds.clone(), at, &workspace.set())
    }
}

fn empty() -> Node {
    Node { span: crate::model::tree::Span::START, value: Value::Mapping(Vec::new()) }
}

/// The resources that stand in a list as YAML has it; a `kind: List` stands for itself.
fn items(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::Sequence(items) => items.iter().collect(),
        _ => vec![node],
    }
}

/// Reads the files of one case.
struct Reader<'a> {
    ground: &'a Ground<'a>,
    folder: &'a Path,
    /// Whether the folder is the case's own.
    own: bool,
    names: FromWorkspace,
    texts: BTreeMap<Arc<str>, Arc<str>>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// A file as trees, under its name from the workspace.
    fn read(&mut self, path: &Path) -> Option<(Arc<str>, Vec<yaml::Tree>)> {
        let (name, text) = self.roots(&[path.to_owned()]).texts.pop_first()?;
        let (trees, faults) = yaml::read(&text);
        self.texts.insert(name.clone(), text);
        self.faults(&name, faults);
        Some((name, trees))
    }

    /// Files under their names from the workspace: what is said of them is the same from everywhere.
    fn roots(&mut self, roots: &[PathBuf]) -> Texts {
        let Texts { texts, mut problems } = read_roots(roots, &mut std::io::empty());
        let texts = texts.into_iter().map(|(name, text)| (self.names.name(name), text)).collect();
        for location in problems.iter_mut().flat_map(|problem| &mut problem.locations) {
            location.file = self.names.name(location.file.clone());
        }
        self.problems.extend(problems.iter().cloned());
        Texts { texts, problems }
    }

    /// The manifests. What is wrong with them is part of what comes of the case.
    fn manifests(&mut self, file: &CaseFile) -> Texts {
        let beside = self.folder.join("manifests");
        let roots: Vec<PathBuf> = match &file.manifests {
            Some(paths) => paths.iter().map(|path| self.folder.join(path.as_str())).collect(),
            None if self.own && beside.is_dir() => vec![beside],
            None => vec![self.ground.workspace.manifests()],
        };
        let texts = self.roots(&roots);
        self.problems.clear();
        texts
    }

    /// What there is: as the case's file says, else as the files beside it do.
    fn state(&mut self, file: &Arc<str>, root: &Node) -> Gathered {
        let mut trees = Vec::new();
        for word in ["state", "unmanaged"] {
            let path = |ending: &str| self.folder.join(format!("{word}.{ending}"));
            let path = [path("json"), path("yaml")].into_iter().find(|path| path.is_file());
            let path = path.filter(|_| self.own && root.get(word).is_none());
            trees.push(path.and_then(|path| self.read(&path)));
        }
        if !self.problems.is_empty() {
            return Gathered::default();
        }
        let listed = |word: &str, beside: &'_ Option<(Arc<str>, Vec<yaml::Tree>)>| {
            let (file, nodes) = match (root.get(word), beside) {
                (Some(node), _) => (file, vec![node.clone()]),
                (None, Some((file, trees))) => {
                    (file, trees.iter().map(|tree| tree.root.clone()).collect())
                }
                (None, None) => (file, Vec::new()),
            };
            (file.clone(), nodes)
        };
        let lists = [listed("state", &trees[0]), listed("unmanaged", &trees[1])];
        let [managed, unmanaged] = lists.each_ref().map(|(file, nodes)| Listed {
            file: file.clone(),
            roots: nodes.iter().flat_map(items).collect(),
        });
        if managed.roots.is_empty() && unmanaged.roots.is_empty() {
            return Gathered::default();
        }
        let set = self.ground.workspace.set();
        state::state(self.ground.kinds, &set, &managed, &unmanaged).unwrap_or_else(|problems| {
            self.problems.extend(problems);
            Gathered::default()
        })
    }

    fn faults(&mut self, file: &Arc<str>, faults: Vec<Fault>) {
        self.problems.extend(faults.into_iter().map(|fault| fault.within(file)));
    }

    /// What is wrong with the case.
    fn failure(mut self) -> Failure {
        self.problems.sort_by(|a, b| a.locations.cmp(&b.locations));
        let detail = report::text(&self.problems, &self.texts, false);
        Failure::new("case", "the case is not valid", detail)
    }
}
