//! `ingest state`: how the outside world changes the embedded provider's state.

use crate::kinds::{self, Kinds};
use crate::manifest::document::API_VERSION;
use crate::manifest::yaml;
use crate::model::code::{self, Code};
use crate::model::problem::Problem;
use crate::model::tree::{Node, Span, Value};
use crate::model::{Observed, ResourceId, ResourceName};
use crate::provider::{Directory, Ids};
use crate::store::Write;
use std::sync::Arc;

/// The most values in one file of state: as many as a file of the largest size can hold.
const VALUES_MAX: usize = 20_000_000;

/// What a file says is there, or no longer there.
#[derive(Debug)]
pub struct Ingested {
    /// The writes to the provider's state.
    pub writes: Vec<Write>,
    /// How many things it speaks of.
    pub count: usize,
}

/// Reads a `kind: List` as `get -o json` prints it. An item's state is `status.observed`, else its
/// `spec`; `status.observed: null` says that it is gone. What the file does not speak of stays.
///
/// # Errors
/// Everything wrong with the file; nothing of it is taken then.
pub fn read(
    kinds: &Kinds,
    file: &Arc<str>,
    text: &str,
    directory: &mut Directory,
    ids: &mut Ids,
) -> Result<Ingested, Vec<Problem>> {
    let (trees, faults) = yaml::read_within(text, VALUES_MAX);
    let roots: Vec<&Node> = trees.iter().filter(|tree| tree.whole).map(|tree| &tree.root).collect();
    let faults: Vec<Problem> = faults.into_iter().map(|fault| fault.within(file)).collect();
    match read_nodes(kinds, file, &roots, directory, ids) {
        Ok(ingested) if faults.is_empty() => Ok(ingested),
        Ok(_) => Err(faults),
        Err(problems) => Err(faults.into_iter().chain(problems).collect()),
    }
}

/// The same for what was read already: lists, and single resources.
///
/// # Errors
/// Everything wrong with it; nothing of it is taken then.
pub fn read_nodes(
    kinds: &Kinds,
    file: &Arc<str>,
    roots: &[&Node],
    directory: &mut Directory,
    ids: &mut Ids,
) -> Result<Ingested, Vec<Problem>> {
    let mut reader =
        Reader { kinds, file, problems: Vec::new(), directory, ids, writes: Vec::new() };
    let items: Vec<&Node> = roots.iter().flat_map(|root| reader.items(root)).collect();
    // Customers before what refers to them, whatever the order of the file.
    let mut ranked: Vec<(usize, &Node)> = items
        .iter()
        .map(|item| (kinds.rank(item.get("kind").and_then(Node::text).unwrap_or_default()), *item))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    for (_, item) in &ranked {
        reader.item(item);
    }
    if reader.problems.is_empty() {
        Ok(Ingested { writes: reader.writes, count: items.len() })
    } else {
        Err(reader.problems)
    }
}

struct Reader<'a> {
    kinds: &'a Kinds,
    file: &'a Arc<str>,
    problems: Vec<Problem>,
    directory: &'a mut Directory,
    ids: &'a mut Ids,
    writes: Vec<Write>,
}

impl Reader<'_> {
    fn problem(&mut self, code: Code, span: Span, message: impl Into<String>, hint: &str) {
        self.problems.push(Problem::at(code, self.file, span, message, hint));
    }

    /// The items of a list; a single resource is a list of one.
    fn items<'n>(&mut self, root: &'n Node) -> Vec<&'n Node> {
        if root.get("kind").and_then(Node::text) != Some("List") {
            return vec![root];
        }
        match root.get("items").map(|items| &items.value) {
            Some(Value::Sequence(items)) => items.iter().collect(),
            _ => {
                let hint = "write `items:` with a list of resources";
                self.problem(code::MISSING_FIELD, root.span, "the list has no items", hint);
                Vec::new()
            }
        }
    }

    fn item(&mut self, item: &Node) {
        if item.get("apiVersion").and_then(Node::text) != Some(API_VERSION) {
            let hint = format!("every item needs `apiVersion: {API_VERSION}`");
            self.problem(code::NOT_A_MANIFEST, item.span, "this is not a resource", &hint);
            return;
        }
        let kind = item.get("kind").and_then(Node::text).unwrap_or_default();
        let Some(entry) = self.kinds.get(kind).copied() else {
            let hint = self.kinds.hint(kind);
            self.problem(
                code::UNKNOWN_KIND,
                item.place("kind"),
                format!("there is no kind `{kind}`"),
                &hint,
            );
            return;
        };
        let name = item.at("metadata.name").and_then(Node::text).unwrap_or_default();
        let generated = name.split('/').all(|part| ResourceName::parse(part).is_ok());
        if !generated {
            let message = format!("`{name}` is not a name");
            self.problem(code::NAME, item.place("metadata.name"), message, "give metadata.name");
            return;
        }
        let id = ResourceId::new(kind, name);
        let known = self.known(&id, item);
        let observed = item.at("status.observed");
        if observed.is_some_and(Node::is_null) {
            if let Some(external_id) = known {
                self.directory.drop_actual(&id.kind, &external_id);
                self.writes.push(Write::DeleteActual { kind: id.kind, external_id });
            }
            return;
        }
        let Some(state) = observed.or_else(|| item.get("spec")) else {
            let hint = "give `spec:` or `status.observed:`";
            self.problem(code::MISSING_FIELD, item.span, format!("{id} has no state"), hint);
            return;
        };
        let (inward, faults) = kinds::state::read(&entry, state);
        self.problems.extend(faults.into_iter().map(|fault| fault.within(self.file)));
        if let Some(wrong) = (entry.check_observed)(&inward) {
            self.problem(code::INVALID_VALUE, state.span, format!("{id}: {wrong}"), "mend it");
            return;
        }
        let spec = match self.directory.outward(&entry, &inward) {
            Ok(spec) => spec,
            Err(needed) => {
                let message = format!("{id} refers to {needed}, which is not there");
                let hint = "add it to the file, or refer to it by `external:`";
                self.problem(code::DANGLING_REFERENCE, state.span, message, hint);
                return;
            }
        };
        let external_id = known.unwrap_or_else(|| self.ids.next(kind));
        let name = name.to_owned();
        let observed = Arc::new(Observed { kind: id.kind, external_id, name, spec });
        self.directory.put_actual(observed.clone());
        self.writes.push(Write::PutActual(observed));
    }

    /// The external id of what an item speaks of: given, or that of the resource with its name.
    fn known(&self, id: &ResourceId, item: &Node) -> Option<String> {
        let given = item.at("status.externalId").and_then(Node::text).map(str::to_owned);
        given
            .or_else(|| self.directory.row(id)?.external_id.clone())
            .or_else(|| Some(self.directory.unmanaged(id)?.external_id.clone()))
    }
}
