//! Checks over all manifests together: duplicates, references, circles, selectors, and what kinds
//! can see wrong from the manifests alone.

mod identities;

use crate::kinds::{Kinds, Standing, World};
use crate::manifest::document::{Document, FileRead, Unclear};
use crate::manifest::yaml;
use crate::model::code::{self, Code};
use crate::model::lookup::{Known, Lookup};
use crate::model::parallel::{ALONE_MAX, both, let_go, map};
use crate::model::problem::{Location, Problem, did_you_mean};
use crate::model::tree::{Node, Span};
use crate::model::{Resource, ResourceId};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The manifests of a workspace: what they declare, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Manifests {
    /// What is declared, in order; selector budgets already taken apart. Complete only when no
    /// problem is an error.
    pub resources: Vec<Resource>,
    /// Everything found, in order of file and place.
    pub problems: Vec<Problem>,
    /// The texts, to show lines of.
    pub texts: BTreeMap<Arc<str>, Arc<str>>,
    /// The manifests that choose others by a selector, and stand for one resource for each of these.
    pub selectors: Vec<Resource>,
}

impl Manifests {
    /// True when nothing may be planned.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|p| p.severity() == crate::model::Severity::Error)
    }
}

/// Brings files together and checks them against each other. `known` are the resources of the
/// store: references may lead there.
#[must_use]
pub fn check(
    kinds: &Kinds,
    mut files: Vec<FileRead>,
    texts: BTreeMap<Arc<str>, Arc<str>>,
    known: &Known<ResourceId>,
    beyond: &Beyond,
) -> Manifests {
    files.sort_by(|a, b| a.file.cmp(&b.file));
    let mut problems: Vec<Problem> =
        files.iter_mut().flat_map(|file| std::mem::take(&mut file.problems)).collect();
    let documents: Vec<Declared<'_>> = files
        .iter()
        .flat_map(|file| {
            file.documents.iter().map(|document| Declared { file: &file.file, document })
        })
        .collect();
    let mut checker = Checker::new(kinds, &texts, beyond);
    let firsts = checker.names(&documents);
    let led = || {
        let mut checker = Checker::new(kinds, &texts, beyond);
        checker.references(&documents, &firsts, known);
        checker.circles(&documents, &firsts);
        checker.problems
    };
    let (mut led, resources) =
        both(documents.len() >= ALONE_MAX, led, || checker.identities(&firsts));
    checker.among(&resources, &firsts);
    problems.append(&mut led);
    problems.append(&mut checker.problems);
    let selectors = std::mem::take(&mut checker.selectors);
    problems.sort_by(|a, b| {
        (&a.locations, a.code, &a.message).cmp(&(&b.locations, b.code, &b.message))
    });
    problems.dedup();
    drop((documents, firsts));
    let_go(resources.len(), files);
    Manifests { resources, problems, texts, selectors }
}

/// What is known of manifests that are not among those that are checked.
#[derive(Debug, Clone, Default)]
pub struct Beyond {
    /// True when files could not be read at all: what is missing may be declared there.
    pub unread: bool,
    /// Manifests whose selectors choose some customers there.
    pub chosen: BTreeSet<ResourceId>,
}

/// Dangling references for which a near name is looked for: each compares with every name.
const HINTS_MAX: usize = 50;

#[derive(Clone, Copy)]
struct Declared<'a> {
    file: &'a Arc<str>,
    document: &'a Document,
}

/// The first manifest of each name.
type Firsts<'a> = Lookup<ResourceId, Declared<'a>>;

/// Finds places again: documents are parsed a second time only where something is wrong.
struct Places<'a> {
    texts: &'a BTreeMap<Arc<str>, Arc<str>>,
    trees: BTreeMap<Arc<str>, Vec<Node>>,
}

impl Places<'_> {
    fn of(&mut self, declared: Declared<'_>, path: &str) -> Location {
        let text = self.texts.get(declared.file).cloned().unwrap_or_default();
        let trees = self
            .trees
            .entry(declared.file.clone())
            .or_insert_with(|| yaml::read(&text).0.into_iter().map(|tree| tree.root).collect());
        let span = trees.get(declared.document.index).map_or(Span::START, |root| root.place(path));
        Location { file: declared.file.clone(), span }
    }
}

struct Checker<'a> {
    kinds: &'a Kinds,
    places: Places<'a>,
    problems: Vec<Problem>,
    beyond: &'a Beyond,
    /// Manifests that choose others by a selector.
    selectors: Vec<Resource>,
}

impl<'a> Checker<'a> {
    fn new(kinds: &'a Kinds, texts: &'a BTreeMap<Arc<str>, Arc<str>>, beyond: &'a Beyond) -> Self {
        let places = Places { texts, trees: BTreeMap::new() };
        Self { kinds, places, problems: Vec::new(), beyond, selectors: Vec::new() }
    }

    fn problem(
        &mut self,
        code: Code,
        message: String,
        hint: String,
        places: &[(Declared<'_>, &str)],
    ) {
        let locations =
            places.iter().map(|(declared, path)| self.places.of(*declared, path)).collect();
        self.problems.push(Problem::new(code, locations, message, hint));
    }

    /// The first declaration of each name; later ones are problems.
    fn names<'d>(&mut self, documents: &[Declared<'d>]) -> Firsts<'d> {
        let mut firsts: Firsts<'d> = Lookup::default();
        firsts.reserve(documents.len());
        for declared in documents {
            let Some(id) = &declared.document.id else { continue };
            if let Some(first) = firsts.get(id) {
                let path = "metadata.name";
                self.problem(
                    code::DUPLICATE_NAME,
                    format!("{id} is declared twice"),
                    "rename or remove one of the two".to_owned(),
                    &[(*declared, path), (*first, path)],
                );
            } else {
                firsts.insert(id.clone(), *declared);
            }
        }
        firsts
    }

    fn references(
        &mut self,
        documents: &[Declared<'_>],
        firsts: &Firsts<'_>,
        known: &Known<ResourceId>,
    ) {
        let unclear: Vec<&Unclear> =
            documents.iter().filter_map(|d| d.document.unclear.as_ref()).collect();
        let all_ids = OnceCell::new();
        for declared in documents {
            for (path, target) in &declared.document.references {
                let is_there = firsts.contains_key(target) || known.contains(target);
                if is_there
                    || self.beyond.unread
                    || unclear.iter().any(|other| other.may_be(target))
                {
                    continue;
                }
                let ids = all_ids.get_or_init(|| -> Vec<&ResourceId> {
                    let declared = documents.iter().filter_map(|d| d.document.id.as_ref());
                    declared.chain(known.sorted()).collect()
                });
                let of_kind = ids.iter().filter(|id| id.kind == target.kind);
                let names = of_kind.map(|id| id.name.as_str());
                let hint = if self.kinds.get(target.kind.as_str()).is_none() {
                    format!("this version has no kind {}: refer to it by `external:`", target.kind)
                } else if let Some(near) = Some(target.name.as_str())
                    .filter(|_| self.problems.len() < HINTS_MAX)
                    .and_then(|name| did_you_mean(name, names))
                {
                    format!("did you mean `{near}`?")
                } else {
                    "declare it, or refer to something unmanaged by `external: <id>`".to_owned()
                };
                self.problem(
                    code::DANGLING_REFERENCE,
                    format!("{target} is neither declared nor in the store"),
                    hint,
                    &[(*declared, &format!("spec.{path}.name"))],
                );
            }
        }
    }

    /// Circles of references, each reported once at its smallest member with the way around.
    fn circles(&mut self, documents: &[Declared<'_>], firsts: &Firsts<'_>) {
        let circular = self.kinds.circular();
        let edges: BTreeMap<&ResourceId, Vec<&ResourceId>> = documents
            .iter()
            .filter_map(|declared| {
                let id = declared.document.id.as_ref()?;
                let targets = declared.document.references.iter().map(|(_, target)| target);
                circular.contains(&id.kind.as_str()).then(|| (id, targets.collect()))
            })
            .collect();
        for circle in find_circles(&edges) {
            let Some(declared) = firsts.get(circle[0]) else { continue };
            let way: Vec<String> =
                circle.iter().chain(circle.first()).map(|id| id.to_string()).collect();
            let path = declared
                .document
                .references
                .iter()
                .find(|(_, target)| Some(&target) == circle.get(1).or(circle.first()))
                .map(|(path, _)| format!("spec.{path}.name"))
                .unwrap_or_default();
            self.problem(
                code::CYCLE,
                format!("references go in a circle: {}", way.join(" → ")),
                "remove one of them".to_owned(),
                &[(*declared, &path)],
            );
        }
    }

    fn among(&mut self, resources: &[Resource], firsts: &Firsts<'_>) {
        let standing =
            resources.iter().map(|r| Standing { id: r.id.clone(), spec: r.spec.clone() });
        let (kinds, world) = (self.kinds, World::new(self.kinds, standing));
        let all = map(resources, |one| {
            let entry = kinds.get(one.id.kind.as_str());
            entry.map_or_else(Vec::new, |entry| (entry.check_among)(one, &world))
        });
        let found = resources.iter().zip(all).filter(|(_, findings)| !findings.is_empty());
        for (resource, findings) in found {
            let manifest = resource.id.name.manifest();
            let declared = ResourceId::new(resource.id.kind.as_str(), manifest);
            let Some(declared) = firsts.get(&declared) else { continue };
            for finding in findings {
                let places = [(*declared, finding.path.as_str())];
                self.problem(finding.code, finding.message, finding.hint, &places);
            }
        }
        let_go(resources.len(), world);
    }
}

/// The circles of a graph, by walking depth first without recursion; each begins at its smallest
/// member.
fn find_circles<'a>(
    edges: &BTreeMap<&'a ResourceId, Vec<&'a ResourceId>>,
) -> Vec<Vec<&'a ResourceId>> {
    let mut done: BTreeSet<&ResourceId> = BTreeSet::new();
    let mut circles = BTreeSet::new();
    for start in edges.keys() {
        let mut way: Vec<(&ResourceId, usize)> = vec![(start, 0)];
        let mut on_way = BTreeSet::from([*start]);
        while let Some((id, next)) = way.last_mut() {
            let target = edges.get(id).and_then(|targets| targets.get(*next)).copied();
            *next += 1;
            match target {
                Some(target) if on_way.contains(target) => {
                    let from = way.iter().position(|(id, _)| *id == target).unwrap_or_default();
                    let mut circle: Vec<_> = way[from..].iter().map(|(id, _)| *id).collect();
                    let least = (0..circle.len()).min_by_key(|index| circle[*index]).unwrap_or(0);
                    circle.rotate_left(least);
                    circles.insert(circle);
                }
                Some(target) if !done.contains(target) && edges.contains_key(target) => {
                    on_way.insert(target);
                    way.push((target, 0));
                }
                Some(_) => {}
                None => {
                    let (id, _) = way.pop().unwrap_or((start, 0));
                    on_way.remove(id);
                    done.insert(id);
                }
            }
        }
    }
    circles.into_iter().collect()
}
