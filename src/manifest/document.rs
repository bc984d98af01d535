//! One file: its documents, each read as far as it can be.

use crate::kinds::{KindEntry, Kinds};
use crate::manifest::yaml;
use crate::model::Accepted;
use crate::model::code::{self, Code};
use crate::model::decode::{Fault, decode};
use crate::model::problem::{Finding, Problem, did_you_mean};
use crate::model::resource::{ACCEPT_DRIFT, ANNOTATION_DOMAIN, ANNOTATIONS, PREVIOUS_NAME};
use crate::model::tree::{Node, Span, Value};
use crate::model::{Metadata, Resource, ResourceId, ResourceName, Source, Spec};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The only apiVersion of manifests.
pub const API_VERSION: &str = "partnerctl.dev/v1";

/// What a file holds.
#[derive(Debug)]
pub struct FileRead {
    /// The file as users see it.
    pub file: Arc<str>,
    /// Its documents, faulty ones too.
    pub documents: Vec<Document>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// One manifest. Its tree is not kept: places are found again from the text when they are needed.
#[derive(Debug)]
pub struct Document {
    /// Which document of its file, from 0.
    pub index: usize,
    /// The line of its first key.
    pub line: u32,
    /// Kind and name, as far as they could be read.
    pub id: Option<ResourceId>,
    /// What it may be, when that cannot be read: references to it are not called dangling.
    pub unclear: Option<Unclear>,
    /// Where it refers to: (path of the reference, target).
    pub references: Vec<(&'static str, ResourceId)>,
    /// The resource, when nothing is wrong with it.
    pub resource: Option<Resource>,
}

/// A document that cannot be told by kind and name; `None` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear {
    /// Its kind, when that is known.
    pub kind: Option<String>,
    /// Its name, when that is known.
    pub name: Option<String>,
}

impl Unclear {
    /// True when it may be what is looked for.
    #[must_use]
    pub fn may_be(&self, id: &ResourceId) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == id.kind.as_str())
            && self.name.as_deref().is_none_or(|name| name == id.name.as_str())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a manifest")]
#[expect(dead_code, reason = "apiVersion and kind were read before; spec is read by its kind")]
struct Envelope<'t> {
    #[serde(borrow)]
    api_version: Option<&'t str>,
    kind: &'t str,
    metadata: MetadataFields,
    spec: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "metadata, {name: …}")]
struct MetadataFields {
    #[expect(dead_code, reason = "only its grammar is checked here: faulty names count too")]
    name: ResourceName,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// Reads the documents of a file, and everything wrong with each of them alone.
#[must_use]
pub fn read_file(kinds: &Kinds, file: &Arc<str>, text: &str) -> FileRead {
    let (trees, faults) = yaml::read(text);
    let mut reader = FileReader { kinds, file, problems: Vec::new() };
    let torn: Vec<u32> = faults.iter().map(|fault| fault.span.line).collect();
    faults.into_iter().for_each(|fault| reader.fault(fault));
    let documents = trees
        .iter()
        .enumerate()
        .map(|(index, tree)| {
            let last = trees.get(index + 1).map_or(u32::MAX, |next| next.root.span.line);
            let is_torn = torn.iter().any(|line| (tree.root.span.line..last).contains(line));
            if tree.whole {
                reader.document(index, &tree.root, is_torn)
            } else {
                reader.remains(index, &tree.root)
            }
        })
        .collect();
    FileRead { file: file.clone(), documents, problems: reader.problems }
}

struct FileReader<'a> {
    kinds: &'a Kinds,
    file: &'a Arc<str>,
    problems: Vec<Problem>,
}

impl FileReader<'_> {
    fn problem(&mut self, code: Code, span: Span, message: impl Into<String>, hint: &str) {
        self.problems.push(Problem::at(code, self.file, span, message, hint));
    }

    fn fault(&mut self, fault: Fault) {
        self.problems.push(fault.within(self.file));
    }

    fn finding(&mut self, root: &Node, finding: Finding) {
        self.problem(finding.code, root.place(&finding.path), finding.message, &finding.hint);
    }

    /// A document whose reading ended early: only what names it counts.
    fn remains(&self, index: usize, root: &Node) -> Document {
        let kind = root.get("kind").and_then(Node::text);
        let name = root.get("metadata").and_then(|metadata| metadata.get("name")?.given());
        let known = kind.filter(|kind| self.kinds.get(kind).is_some());
        let foreign = root.get("apiVersion").is_some_and(|node| node.text() != Some(API_VERSION));
        let unclear = (!foreign && (known.is_none() || name.is_none()))
            .then(|| Unclear { kind: known.map(str::to_owned), name: name.map(str::to_owned) });
        let id = kind.zip(name).map(|(kind, name)| ResourceId::new(kind, name));
        let (references, resource) = (Vec::new(), None);
        Document { index, line: root.span.line, id, unclear, references, resource }
    }

    fn document(&mut self, index: usize, root: &Node, torn: bool) -> Document {
        let mut document = self.remains(index, root);
        let Some(entry) = self.kind_of(root) else { return document };
        let before = self.problems.len();
        let envelope = decode::<Envelope<'_>>(root);
        for fault in &envelope.faults {
            self.fault(fault.clone());
        }
        let (labels, annotations) = envelope
            .value
            .map(|envelope| (envelope.metadata.labels, envelope.metadata.annotations))
            .unwrap_or_default();
        let metadata = Metadata {
            labels: labels.unwrap_or_default().into(),
            annotations: annotations.unwrap_or_default().into(),
        };
        for finding in check_labels(&metadata).into_iter().chain(check_annotations(&metadata)) {
            self.finding(root, finding);
        }
        let spec = root.get("spec").and_then(|node| self.spec(entry, root, node));
        for finding in spec.iter().flat_map(|spec| check_accepted(&entry, &metadata, spec)) {
            self.finding(root, finding);
        }
        document.references = references(entry, root);
        if let (Some(id), Some(spec), false, true) =
            (&document.id, spec, torn, self.problems.len() == before)
        {
            let source = Source {
                file: Some(self.file.clone()),
                line: Some(document.line),
                ..Source::default()
            };
            document.resource = Some(Resource { id: id.clone(), metadata, spec, source });
        }
        document
    }

    /// The document's kind, when it is a manifest of ours.
    fn kind_of(&mut self, root: &Node) -> Option<KindEntry> {
        if !matches!(root.value, Value::Mapping(_)) {
            let hint = "a manifest has apiVersion, kind, metadata and spec";
            self.problem(code::NOT_A_MANIFEST, root.span, "this is not a manifest", hint);
            return None;
        }
        let ignore = "leave other files out with .partnerctlignore";
        match root.get("apiVersion") {
            Some(node) if node.text() == Some(API_VERSION) => {}
            Some(node) => {
                let found: String = node.text().unwrap_or("this").chars().take(60).collect();
                let message = format!("`{found}` is not an apiVersion of partnerctl");
                let hint = format!("use `{API_VERSION}`, or {ignore}");
                self.problem(code::NOT_A_MANIFEST, node.span, message, &hint);
                return None;
            }
            None => {
                let hint = format!("add `apiVersion: {API_VERSION}`, or {ignore}");
                self.problem(code::NOT_A_MANIFEST, root.span, "`apiVersion` is missing", &hint);
            }
        }
        let Some(node) = root.get("kind") else {
            let hint = "add `kind:`, such as Budget";
            self.problem(code::MISSING_FIELD, root.span, "`kind` is missing", hint);
            return None;
        };
        let kind = node.text().unwrap_or_default();
        let entry = self.kinds.get(kind).copied();
        if entry.is_none() {
            let shown: String = kind.chars().take(60).collect();
            let message = format!("there is no kind `{shown}`");
            self.problem(code::UNKNOWN_KIND, node.span, message, &self.kinds.hint(kind));
        }
        entry
    }

    /// Reads and checks the spec; `None` when no value could be made even with stand-ins.
    fn spec(&mut self, entry: KindEntry, root: &Node, node: &Node) -> Option<Spec> {
        let (decoded, findings) = (entry.decode)(node);
        for fault in &decoded.faults {
            self.fault(fault.clone());
        }
        for finding in findings.into_iter().chain(check_references(entry, node)) {
            let reported = |path: &str| {
                let below = path.strip_prefix("spec").unwrap_or_default();
                decoded.reported(node, below.trim_start_matches('.'), &finding.message)
            };
            if !reported(&finding.path) && !finding.rests_on.iter().any(|path| reported(path)) {
                self.finding(root, finding);
            }
        }
        decoded.value
    }
}

/// References as written, of faulty documents too.
fn references(entry: KindEntry, root: &Node) -> Vec<(&'static str, ResourceId)> {
    let Some(spec) = root.get("spec") else { return Vec::new() };
    let named = entry.facts.references.iter().filter_map(|reference| {
        let name = spec.at(reference.path)?.get("name")?.given()?;
        Some((reference.path, ResourceId::new(reference.kind, name)))
    });
    named.collect()
}

/// A reference is by name or by external id.
fn check_references(entry: KindEntry, spec: &Node) -> Vec<Finding> {
    let wrong = entry.facts.references.iter().filter_map(|reference| {
        let node = spec.at(reference.path)?;
        let Value::Mapping(_) = &node.value else { return None };
        let is_given = |field: &str| node.get(field).is_some_and(|value| !value.is_null());
        let given = [is_given("name"), is_given("external")];
        (given[0] == given[1]).then(|| {
            Finding::new(
                code::ONE_OF,
                &format!("spec.{}", reference.path),
                "a reference needs exactly one of `name` and `external`",
                if given[0] { "remove one" } else { "add `name:` of the resource" },
            )
        })
    });
    wrong.collect()
}

fn check_annotations(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, value) in metadata.annotations.iter() {
        let path = format!("metadata.annotations.{key}");
        let mut wrong = |message: String, hint: String| {
            findings.push(Finding::new(code::ANNOTATION, &path, message, hint));
        };
        let Some(ours) = key.strip_prefix(ANNOTATION_DOMAIN) else { continue };
        match ANNOTATIONS.iter().find(|(known, ..)| known == key) {
            None => {
                let names =
                    ANNOTATIONS.iter().filter_map(|(k, ..)| k.strip_prefix(ANNOTATION_DOMAIN));
                let hint = match did_you_mean(ours, names.clone()) {
                    Some(near) => format!("did you mean `{ANNOTATION_DOMAIN}{near}`?"),
                    None => format!("known: {}", names.collect::<Vec<_>>().join(", ")),
                };
                wrong(format!("there is no annotation `{key}`"), hint);
            }
            Some((_, allowed, _)) if !allowed.is_empty() && !allowed.contains(&value.as_str()) => {
                let shown: String = value.chars().take(60).collect();
                let hint = match did_you_mean(value, allowed.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("one of: {}", allowed.join(", ")),
                };
                wrong(format!("`{shown}` is no value of {key}"), hint);
            }
            Some(_) if value.trim().is_empty() => {
                wrong(format!("{key} is empty"), "give it a value or remove it".to_owned());
            }
            Some((known, ..)) if *known == PREVIOUS_NAME => {
                if let Err(invalid) = ResourceName::parse(value) {
                    wrong(invalid.message, invalid.hint);
                }
            }
            Some(_) => {}
        }
    }
    findings
}

/// Accepted drift is of fields that are declared, or have a default: no other is ever put back.
fn check_accepted(entry: &KindEntry, metadata: &Metadata, spec: &Spec) -> Vec<Finding> {
    let Some(text) = metadata.annotation(ACCEPT_DRIFT) else { return Vec::new() };
    let path = format!("metadata.annotations.{ACCEPT_DRIFT}");
    let wrong =
        |message: String, hint: String| Finding::new(code::ANNOTATION, &path, message, hint);
    let accepted = match Accepted::parse(text) {
        Ok(accepted) => accepted,
        Err(message) => {
            let hint =
                "write `spec.monthly.amount until 2026-12-31: why`, several with `;` between them";
            return vec![wrong(message, hint.to_owned())];
        }
    };
    let effective = entry.effective(spec);
    let fields: Vec<String> =
        effective.leaves().into_keys().map(|field| format!("spec.{field}")).collect();
    let unknown = accepted.iter().filter(|one| !fields.contains(&one.path));
    let finding = |one: &Accepted| {
        let names = fields.iter().map(String::as_str);
        let hint = match did_you_mean(&one.path, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declared are: {}", names.collect::<Vec<_>>().join(", ")),
        };
        wrong(format!("`{}` is not declared here", one.path), hint)
    };
    unknown.map(finding).collect()
}

/// Labels follow the grammar of Kubernetes, so that selectors can name them.
fn check_labels(metadata: &Metadata) -> Vec<Finding> {
    let word = |text: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        text.len() <= 63
            && ends(text.chars().next())
            && ends(text.chars().last())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let wrong = metadata.labels.iter().filter_map(|(key, value)| {
        let (prefix, name) = key.split_once('/').map_or((None, key.as_str()), |(p, n)| (Some(p), n));
        let key_is_good = word(name) && prefix.is_none_or(|p| ResourceName::parse(p).is_ok());
        if key_is_good && (value.is_empty() || word(value)) {
            return None;
        }
        let shown: String = format!("{key}: {value}").chars().take(60).collect();
        Some(Finding::new(
            code::INVALID_VALUE,
            &format!("metadata.labels.{key}"),
            format!("`{shown}` is not a label"),
            "use letters, digits, `-`, `_` and `.`, at most 63, beginning and ending with a letter or digit",
        ))
    });
    wrong.collect()
}

#[cfg(test)]
mod tests {
    use super::{Unclear, read_file};
    use crate::kinds::Kinds;

    #[test]
    fn a_name_that_is_null_is_none() {
        let text = "apiVersion: partnerctl.dev/v1\nkind: Subscription\nmetadata: {name: NAME}\n\
            spec: {customerRef: {name: null, external: x}, offer: {type: AzurePlan}}\n";
        let read = |name: &str| {
            read_file(&Kinds::default(), &"a.yaml".into(), &text.replace("NAME", name))
        };
        let named = read("contoso-azure");
        assert!(named.problems.is_empty(), "{:?}", named.problems);
        assert!(named.documents[0].references.is_empty() && named.documents[0].resource.is_some());
        let nameless = &read("null").documents[0];
        let unclear = Unclear { kind: Some("Subscription".to_owned()), name: None };
        assert_eq!((&nameless.id, &nameless.unclear), (&None, &Some(unclear)));
    }
}
