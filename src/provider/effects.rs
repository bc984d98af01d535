//! From a change to what the provider is asked to do for it.

use crate::kinds::KindEntry;
use crate::model::{Effect, ResourceName, Spec, Verb};
use crate::plan::change::FieldChange;
use crate::plan::{Action, Change};
use crate::provider::{Directory, ProviderError, refund};
use std::borrow::Cow;

/// The requests that a change takes, in order: none where only names, labels or ownership are
/// written down, two for a replacement.
///
/// # Errors
/// When the change cannot be made as things stand; nothing happened then.
pub fn effects(change: &Change, directory: &Directory) -> Result<Vec<Effect>, ProviderError> {
    let entry = directory.entry(change.kind.as_str())?;
    let effect = |verb, external_id: Option<String>, operation: Cow<'static, str>| Effect {
        verb,
        kind: change.id.kind.clone(),
        name: own_name(&change.id.name),
        external_id,
        before: None,
        after: None,
        operation,
    };
    let old = change.external_id.clone();
    let seen = |external_id: &str| {
        directory.actual(&change.id.kind, external_id).map(|observed| observed.spec.clone())
    };
    match change.action {
        Action::Delete => {
            let gone = old.filter(|_| !change.release);
            let delete = gone.map(|external_id| Effect {
                before: seen(&external_id),
                ..effect(Verb::Delete, Some(external_id), change.operation.clone())
            });
            Ok(delete.into_iter().collect())
        }
        Action::Create | Action::Replace => {
            let desired = change.desired.as_ref().ok_or_else(|| missing(change.id.to_string()))?;
            let after =
                directory.outward(&entry, &entry.effective(&desired.spec)).map_err(missing)?;
            let mut create = Effect {
                after: Some(after),
                ..effect(Verb::Create, None, change.operation.clone())
            };
            refund::note(&mut create, change, directory);
            let removal = change.removal.as_ref().zip(old).map(|(operation, external_id)| Effect {
                before: seen(&external_id),
                ..effect(Verb::Delete, Some(external_id), operation.clone().into())
            });
            Ok(std::iter::once(create).chain(removal).collect())
        }
        Action::Update | Action::Adopt | Action::Rename => {
            let external_id = old.ok_or_else(|| missing(change.id.to_string()))?;
            let before = seen(&external_id).ok_or_else(|| missing(change.id.to_string()))?;
            if !change.fields.iter().any(|field| field.path.starts_with("spec.")) {
                return Ok(Vec::new());
            }
            let after = altered(&entry, change, &before, directory)?;
            let (before, after) = (Some(before), Some(after));
            let update = effect(Verb::Update, Some(external_id), change.operation.clone());
            let mut update = Effect { before, after, ..update };
            refund::note(&mut update, change, directory);
            Ok(vec![update])
        }
    }
}

/// An outside state with the changed fields in it.
fn altered(
    entry: &KindEntry,
    change: &Change,
    before: &Spec,
    directory: &Directory,
) -> Result<Spec, ProviderError> {
    let mut spec = directory.inward(entry, before);
    let desired = change.desired.as_ref().map(|desired| &desired.spec);
    for FieldChange { path, after, .. } in &change.fields {
        let Some(path) = path.strip_prefix("spec.") else { continue };
        // A reference goes out as it is declared, by name or by external id.
        let is_reference = entry.facts.references.iter().any(|reference| reference.path == path);
        let declared = desired.filter(|_| is_reference).and_then(|desired| desired.get(path));
        match declared.or(after.as_ref()) {
            Some(value) => spec.set(path, value.clone()),
            None => spec.remove(path),
        }
    }
    directory.outward(entry, &spec).map_err(missing)
}

fn missing(needed: String) -> ProviderError {
    ProviderError::Missing { needed }
}

/// What the outside would call it: the last part of a generated name.
pub(crate) fn own_name(name: &ResourceName) -> String {
    name.as_str().rsplit('/').next().unwrap_or_default().to_owned()
}
