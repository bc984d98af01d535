//! What the manifests say against an undo: it is no change of theirs, and the next apply follows them.

use super::{Undo, Way};
use crate::kinds::{KindEntry, Kinds};
use crate::model::{Metadata, Resource, ResourceId, Spec, Value};
use crate::plan::change::Warning;
use crate::plan::diff::show;
use std::collections::BTreeMap;

impl Undo {
    /// What the manifests say still, and what the next apply would make of it.
    #[must_use]
    pub fn still(&self, kinds: &Kinds, declared: &[Resource]) -> Vec<Warning> {
        let by_id: BTreeMap<&ResourceId, &Resource> =
            declared.iter().map(|resource| (&resource.id, resource)).collect();
        let mut still = Vec::new();
        for (id, way) in &self.ways {
            let resource = by_id.get(id).copied();
            let entry = kinds.get(id.kind.as_str());
            if let Some(message) = entry.and_then(|entry| says(entry, way, resource)) {
                still.push(Warning { resource: Some(id.clone()), message });
            }
        }
        still
    }
}

/// What a manifest says against a way back.
fn says(entry: &KindEntry, way: &Way, declared: Option<&Resource>) -> Option<String> {
    match (way, declared) {
        (Way::Remove, Some(resource)) => Some(format!(
            "{} still declares it: remove it there too, else the next apply makes it again",
            resource.source
        )),
        (Way::Make(_), None) => {
            Some("no manifest declares it: declare it again, else --prune deletes it".to_owned())
        }
        (Way::Remove | Way::Make(_), _) => None,
        (Way::Back(_), None) => Some("no manifest declares it any more".to_owned()),
        (Way::Back(fields), Some(resource)) => {
            let effective = entry.effective(&resource.spec);
            let other = fields.iter().filter_map(|(path, wanted)| {
                let said = declared_at(&resource.metadata, &effective, path);
                (said != *wanted).then(|| format!("{path}: {}", shown(said.as_ref())))
            });
            let other: Vec<String> = other.collect();
            (!other.is_empty()).then(|| {
                format!(
                    "{} still says {}: change it there too, else the next apply puts it back",
                    resource.source,
                    other.join(", ")
                )
            })
        }
    }
}

pub(super) fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), show)
}

/// The value at a path of a plan: a field, a label or an annotation.
fn declared_at(metadata: &Metadata, spec: &Spec, path: &str) -> Option<Value> {
    if let Some(path) = path.strip_prefix("spec.") {
        return spec.get(path).cloned();
    }
    let text = match path.strip_prefix("metadata.labels.") {
        Some(key) => metadata.labels.get(key),
        None => metadata.annotations.get(path.strip_prefix("metadata.annotations.")?),
    };
    text.map(|text| text.clone().into())
}
