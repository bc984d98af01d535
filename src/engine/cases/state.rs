//! What there is in a case: rows and outside things, from resources as `get -o json` lists them.

use crate::engine::gather::{Gathered, stated};
use crate::engine::ingest;
use crate::kinds::{KindEntry, Kinds};
use crate::model::condition::well;
use crate::model::problem::{Location, Problem};
use crate::model::tree::{Node, Value};
use crate::model::{KindName, Metadata, Observed, ResourceId, Source, Spec, Stored, code};
use crate::provider::{Directory, Ids};
use crate::store::Write;
use chrono::DateTime;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every case has the same lineage, so that its plan is the same each time.
const LINEAGE: &str = "case";

/// Resources of one file.
pub struct Listed<'a> {
    /// The file.
    pub file: Arc<str>,
    /// Lists, and single resources.
    pub roots: Vec<&'a Node>,
}

/// What there is: `managed` was applied by `set`, where it names no other, `unmanaged` is nobody's.
///
/// # Errors
/// Everything wrong with them.
pub fn state(
    kinds: &Kinds,
    set: &str,
    managed: &Listed<'_>,
    unmanaged: &Listed<'_>,
) -> Result<Gathered, Vec<Problem>> {
    let mut problems = Vec::new();
    let rows: Vec<Stored> = items(managed)
        .into_iter()
        .filter_map(|item| row(kinds, set, &managed.file, item, &mut problems))
        .collect();
    problems.extend(twice(managed));
    let mut directory = Directory::new(kinds.clone(), &rows, &[]);
    let mut ids = Ids::new(LINEAGE, 0);
    let mut things: BTreeMap<(KindName, String), Observed> = BTreeMap::new();
    // What is nobody's comes first: what is managed may refer to it.
    for listed in [unmanaged, managed] {
        match ingest::read_nodes(kinds, &listed.file, &listed.roots, &mut directory, &mut ids) {
            Ok(read) => {
                for write in read.writes {
                    put(&mut things, write);
                }
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    if !problems.is_empty() {
        problems.sort_by(|a, b| a.locations.cmp(&b.locations));
        return Err(problems);
    }
    Ok(stated(LINEAGE, rows, things.into_values().collect()))
}

fn put(things: &mut BTreeMap<(KindName, String), Observed>, write: Write) {
    match write {
        Write::PutActual(thing) => {
            let thing = Arc::unwrap_or_clone(thing);
            things.insert((thing.kind.clone(), thing.external_id.clone()), thing);
        }
        Write::DeleteActual { kind, external_id } => {
            things.remove(&(kind, external_id));
        }
        // A list of states asks for nothing else.
        _ => {}
    }
}

fn items<'a>(listed: &Listed<'a>) -> Vec<&'a Node> {
    let of = |root: &&'a Node| match root.get("items").map(|items| &items.value) {
        Some(Value::Sequence(items)) => items.iter().collect(),
        _ => vec![*root],
    };
    listed.roots.iter().flat_map(of).collect()
}

/// Resources that stand there twice.
fn twice(listed: &Listed<'_>) -> Vec<Problem> {
    let mut firsts: BTreeMap<(&str, &str), &Node> = BTreeMap::new();
    let mut problems = Vec::new();
    for item in items(listed) {
        let text = |path: &str| item.at(path).and_then(Node::text).unwrap_or_default();
        let (kind, name) = (text("kind"), text("metadata.name"));
        let Some(first) = firsts.get(&(kind, name)) else {
            firsts.insert((kind, name), item);
            continue;
        };
        let at =
            |node: &Node| Location { file: listed.file.clone(), span: node.place("metadata.name") };
        let message = format!("{kind}/{name} stands here twice");
        let places = vec![at(item), at(first)];
        problems.push(Problem::new(code::DUPLICATE_NAME, places, message, "remove one"));
    }
    problems
}

/// A resource as the store would keep it; `None` where reading its state says what is wrong.
fn row(
    kinds: &Kinds,
    set: &str,
    file: &Arc<str>,
    item: &Node,
    problems: &mut Vec<Problem>,
) -> Option<Stored> {
    let entry = kinds.get(item.get("kind")?.text()?)?;
    let name = item.at("metadata.name")?.text()?;
    let id = ResourceId::new(entry.facts.kind, name);
    let spec = read(entry, file, item.get("spec")?, problems)?;
    let given = |path: &str| item.at(path).and_then(Node::given).map(str::to_owned);
    let number = |path: &str| given(path).and_then(|text| text.parse().ok());
    let last_applied = match item.at("status.lastApplied") {
        None => Some(spec.clone()),
        Some(applied) if applied.is_null() => None,
        Some(applied) => Some(read(entry, file, applied, problems)?),
    };
    let file = given("metadata.source.file");
    Some(Stored {
        uid: given("metadata.uid").unwrap_or_else(|| id.to_string()).into(),
        set: given("metadata.set").unwrap_or_else(|| set.to_owned()).into(),
        generation: number("metadata.generation").unwrap_or(1),
        revision: number("metadata.revision").unwrap_or(1),
        metadata: Metadata {
            labels: Arc::new(texts(item, "metadata.labels")),
            annotations: Arc::new(texts(item, "metadata.annotations")),
        },
        spec,
        last_applied,
        observed: None,
        external_id: Some(given("status.externalId").unwrap_or_else(|| id.to_string())),
        // A plan sees for itself how things are.
        conditions: Arc::new(well(DateTime::UNIX_EPOCH)),
        source: Source {
            line: number("metadata.source.line").and_then(|line| u32::try_from(line).ok()),
            file: file.map(Arc::from),
            commit: given("metadata.source.commit").map(Arc::from),
            author: given("metadata.source.author").map(Arc::from),
        },
        id,
    })
}

fn read(
    entry: &KindEntry,
    file: &Arc<str>,
    node: &Node,
    problems: &mut Vec<Problem>,
) -> Option<Spec> {
    let (decoded, _) = (entry.decode)(node);
    problems.extend(decoded.faults.into_iter().map(|fault| fault.within(file)));
    decoded.value
}

fn texts(item: &Node, path: &str) -> BTreeMap<String, String> {
    let entries = match item.at(path).map(|map| &map.value) {
        Some(Value::Mapping(entries)) => entries.as_slice(),
        _ => &[],
    };
    let text = |node: &Node| node.text().unwrap_or_default().to_owned();
    entries.iter().map(|entry| (entry.key.clone(), text(&entry.value))).collect()
}
