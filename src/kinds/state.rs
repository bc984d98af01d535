//! States that the outside reports, read like the `spec` of a manifest but with more patience: the
//! outside need not have everything a manifest must, and may have more.

use crate::kinds::KindEntry;
use crate::model::decode::Fault;
use crate::model::tree::{Node, Value};
use crate::model::{Spec, code};

/// Reads a state. Fields a manifest may have are read as in manifests; others, what only the real
/// world has, such as `relationship`, are taken as texts. The faults are what cannot be.
#[must_use]
pub fn read(entry: &KindEntry, node: &Node) -> (Spec, Vec<Fault>) {
    let (decoded, _) = (entry.decode)(node);
    let mut spec = decoded.value.clone().unwrap_or_default();
    // Only at the top: half a nested value would be filled up with what nobody said.
    let absent = |fault: &Fault| fault.code == code::MISSING_FIELD && fault.span == node.span;
    let faults = decoded.faults.into_iter();
    let faults = faults.filter(|fault| fault.code != code::UNKNOWN_FIELD && !absent(fault));
    let faults: Vec<Fault> = faults.collect();
    let Value::Mapping(entries) = &node.value else { return (spec, faults) };
    let written: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let extra: Vec<String> = spec
        .leaves()
        .into_keys()
        .filter(|path| !written.contains(&path.split('.').next().unwrap_or_default()))
        .collect();
    extra.iter().for_each(|path| spec.remove(path));
    for entry in entries {
        if let (None, Some(text)) = (spec.get(&entry.key), entry.value.text())
            && !entry.value.is_null()
        {
            spec.set(&entry.key, text.into());
        }
    }
    (spec, faults)
}
