//! Three-way comparison of one resource: desired, last applied, observed.

use crate::kinds::{Block, Compare, KindEntry};
use crate::model::Value;
use crate::model::resource::{ACCEPT_DRIFT, DELETION_POLICY, EXTERNAL_ID, PREVIOUS_NAME, REASON};
use crate::model::{Metadata, Spec, code};
use crate::plan::change::FieldChange;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Difference {
    /// Fields to change.
    pub fields: Vec<FieldChange>,
    /// Fields that cannot be changed, with why.
    pub blocked: Vec<Block>,
    /// True when a field differs that makes a replaceable kind a new thing.
    pub replaces: bool,
}

/// Compares a spec with what was applied and what is observed. Paths in the result begin with
/// `spec.`.
///
/// - A declared field that differs from the observed one is changed; it is drift when that is not
///   what we applied before.
/// - A field that was applied and is no longer declared goes back to its default, else is cleared,
///   else is blocked.
/// - Fields nobody declared are left alone.
#[must_use]
pub fn compare(
    entry: &KindEntry,
    desired: &Spec,
    last_applied: Option<&Spec>,
    observed: &Spec,
) -> Difference {
    let mut difference = Difference::default();
    // Most resources: applied as declared, and still there as applied.
    if last_applied == Some(desired) && observed.covers(desired) {
        return difference;
    }
    let declared = fields_of(entry, desired);
    let applied = last_applied.map(|spec| fields_of(entry, spec)).unwrap_or_default();
    let paths: BTreeSet<&String> = declared.keys().chain(applied.keys()).collect();
    for path in paths {
        let field = entry.field(path);
        let default = entry.default_of(path);
        let before = observed.get(path).cloned().or_else(|| default.clone());
        let after = declared.get(path).map(|value| (*value).clone()).or_else(|| default.clone());
        let compare = field.map_or(Compare::Exact, |field| field.compare);
        if same(compare, before.as_ref(), after.as_ref()) {
            continue;
        }
        let applied = applied.get(path).copied();
        let drift = applied.is_some() && !same(compare, applied, before.as_ref());
        let edited = drift && !same(compare, applied, after.as_ref());
        // What nobody has seen is not fixed yet.
        let immutable = field.filter(|field| field.immutable && observed.get(path).is_some());
        if immutable.is_some() && entry.facts.replaceable {
            difference.replaces = true;
        } else if let Some(field) = immutable {
            difference.blocked.push(refuse(path, field.instead, before.as_ref(), after.as_ref()));
        }
        let path = format!("spec.{path}");
        difference.fields.push(FieldChange { path, before, after, drift, edited });
    }
    difference
}

/// The fields of a spec: a reference is one field, whether by name or by external id.
#[must_use]
pub fn fields_of<'a>(entry: &KindEntry, spec: &'a Spec) -> BTreeMap<String, &'a Value> {
    let mut fields = spec.leaves();
    // Of a list of references the whole list is the field.
    for reference in entry.facts.references.iter().filter(|r| !r.in_list()) {
        if let Some(value) = spec.get(reference.path) {
            let below = format!("{}.", reference.path);
            fields.retain(|path, _| !path.starts_with(&below));
            fields.insert(reference.path.to_owned(), value);
        }
    }
    fields
}

fn refuse(path: &str, instead: &str, before: Option<&Value>, after: Option<&Value>) -> Block {
    let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), show);
    if after.is_none() {
        return Block::new(
            code::BLOCK_NO_DEFAULT,
            format!(
                "`{path}` was declared as {} and can be neither reset nor cleared",
                shown(before)
            ),
            "declare it again",
        );
    }
    Block::new(
        code::BLOCK_IMMUTABLE,
        format!("`{path}` cannot be changed from {} to {}", shown(before), shown(after)),
        instead,
    )
}

/// A value as people read it: texts without quotes.
#[must_use]
pub fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.as_ref().to_owned(),
        Value::Object(map) => match (map.get("name"), map.get("external")) {
            (Some(name), None) => show(name),
            (None, Some(external)) => format!("external:{}", show(external)),
            _ => value.to_string(),
        },
        Value::Array(items) => {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn same(compare: Compare, a: Option<&Value>, b: Option<&Value>) -> bool {
    match (compare, a, b) {
        (Compare::AnyCase, Some(Value::String(a)), Some(Value::String(b))) => {
            a.to_lowercase() == b.to_lowercase()
        }
        (_, a, b) => a == b,
    }
}

/// Labels and annotations that differ from those last accepted. Annotations that only speak to
/// partnerctl about one plan (reason, previous name, external id, accepted drift) do not count.
#[must_use]
pub fn compare_metadata(desired: &Metadata, accepted: &Metadata) -> Vec<FieldChange> {
    let passing = |key: &str| matches!(key, REASON | PREVIOUS_NAME | EXTERNAL_ID | ACCEPT_DRIFT);
    let mut fields = Vec::new();
    let mut compare =
        |prefix: &str, new: &BTreeMap<String, String>, old: &BTreeMap<String, String>| {
            let keys: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
            for key in keys.into_iter().filter(|key| !passing(key)) {
                let (before, after) = (old.get(key), new.get(key));
                if before != after {
                    let path = format!("metadata.{prefix}.{key}");
                    let value = |text: Option<&String>| text.map(|text| text.clone().into());
                    fields.push(FieldChange::new(path, value(before), value(after)));
                }
            }
        };
    compare("annotations", &desired.annotations, &accepted.annotations);
    compare("labels", &desired.labels, &accepted.labels);
    fields
}

/// Metadata as it is kept: Protect stays until another deletion policy is declared.
#[must_use]
pub fn keep_protection(desired: &Metadata, accepted: Option<&Metadata>) -> Metadata {
    let mut kept = desired.clone();
    if let Some("Protect") = accepted.and_then(|accepted| accepted.annotation(DELETION_POLICY)) {
        Arc::make_mut(&mut kept.annotations)
            .entry(DELETION_POLICY.to_owned())
            .or_insert_with(|| "Protect".to_owned());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::compare;
    use crate::kinds::Kinds;
    use crate::model::Spec;
    use serde_json::{Value, json};

    fn fields(kind: &str, desired: Value, applied: Option<Value>, observed: Value) -> Vec<String> {
        let kinds = Kinds::default();
        let spec = Spec::from_value;
        let difference = compare(
            kinds.get(kind).unwrap(),
            &spec(desired),
            applied.map(spec).as_ref(),
            &spec(observed),
        );
        let blocked = difference.blocked.iter().map(|b| format!("{} {}", b.code, b.message));
        let fields = difference.fields.iter().map(|field| {
            let drift = if field.drift { " drift" } else { "" };
            let show = |value: &Option<crate::model::Value>| {
                value.as_ref().map_or("-".to_owned(), ToString::to_string)
            };
            format!("{}: {} -> {}{drift}", field.path, show(&field.before), show(&field.after))
        });
        fields.chain(blocked).collect()
    }

    #[test]
    fn a_changed_field_is_a_change_and_a_moved_one_is_drift() {
        let old = json!({"monthly": {"amount": "1.00", "currency": "EUR"}});
        let new = json!({"monthly": {"amount": "2.00", "currency": "EUR"}});
        assert_eq!(
            fields("Budget", new.clone(), Some(old.clone()), old.clone()),
            [r#"spec.monthly.amount: "1.00" -> "2.00""#]
        );
        assert_eq!(
            fields("Budget", old.clone(), Some(old.clone()), new),
            [r#"spec.monthly.amount: "2.00" -> "1.00" drift"#]
        );
        assert!(fields("Budget", old.clone(), Some(old.clone()), old).is_empty());
    }

    #[test]
    fn a_field_no_longer_declared_goes_back_to_its_default_or_is_cleared() {
        assert_eq!(
            fields(
                "Budget",
                json!({}),
                Some(json!({"alertThresholds": [50]})),
                json!({"alertThresholds": [50]})
            ),
            ["spec.alertThresholds: [50] -> [80]"]
        );
        assert_eq!(
            fields(
                "Subscription",
                json!({}),
                Some(json!({"friendlyName": "a"})),
                json!({"friendlyName": "a"})
            ),
            [r#"spec.friendlyName: "a" -> -"#]
        );
        assert_eq!(
            fields(
                "Customer",
                json!({}),
                Some(json!({"currency": "EUR"})),
                json!({"currency": "EUR"})
            ),
            [
                r#"spec.currency: "EUR" -> -"#,
                "B0111 `currency` was declared as EUR and can be neither reset nor cleared"
            ]
        );
    }

    #[test]
    fn fields_nobody_declared_are_left_alone() {
        assert!(
            fields("Customer", json!({}), Some(json!({})), json!({"companyName": "x"})).is_empty()
        );
        assert!(fields("Customer", json!({}), None, json!({"companyName": "x"})).is_empty());
    }

    #[test]
    fn letter_case_of_domains_and_principals_is_no_change() {
        assert!(
            fields(
                "Customer",
                json!({"domain": "a.example"}),
                None,
                json!({"domain": "A.example"})
            )
            .is_empty()
        );
    }
}
