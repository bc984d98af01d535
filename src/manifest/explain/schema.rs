//! The fields of a kind as its JSON Schema has them.

use super::{Allowed, FieldExplained};
use crate::kinds::KindEntry;
use serde_json::{Map, Value};

/// Walks a schema.
pub(super) struct Walk<'a> {
    pub(super) entry: &'a KindEntry,
    pub(super) definitions: &'a Value,
}

impl<'a> Walk<'a> {
    /// The fields in an object, those that must be given first.
    pub(super) fn below(&self, schema: &'a Value, path: &str) -> Vec<FieldExplained> {
        let Some(object) = self.variants(schema).into_iter().find_map(properties) else {
            return Vec::new();
        };
        let required =
            self.variants(schema).into_iter().find_map(|s| s.get("required")?.as_array());
        let is_required = |name: &str| {
            required.is_some_and(|names| names.iter().any(|n| n.as_str() == Some(name)))
        };
        let mut fields: Vec<FieldExplained> = object
            .iter()
            .map(|(name, schema)| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                self.field(schema, path, name, is_required(name))
            })
            .collect();
        if !path.is_empty() {
            fields.sort_by_key(|field| !field.required);
        }
        fields
    }

    fn field(&self, schema: &'a Value, path: String, name: &str, required: bool) -> FieldExplained {
        let below_spec = path.strip_prefix("spec.").unwrap_or_default();
        let rules = self.entry.field(below_spec).filter(|field| field.immutable);
        let references = self.entry.facts.references.iter();
        let refers_to = references.clone().find(|reference| reference.path == below_spec);
        let variants = self.variants(schema);
        let described = |schema: &&Value| Some(schema.get("description")?.as_str()?.to_owned());
        // What is said where it stands comes before what is said of its type.
        let meaning = described(&schema).or_else(|| {
            let of_type = variants.iter().find_map(described)?;
            Some(of_type.split("\n\n").next().unwrap_or_default().to_owned())
        });
        let items = variants.iter().find_map(|schema| schema.get("items"));
        let mut allowed = Vec::new();
        let mut form = Vec::new();
        for schema in variants
            .iter()
            .chain(items.into_iter().flat_map(|i| self.variants(i)).collect::<Vec<_>>().iter())
        {
            allowed.extend(values(schema));
            form.extend(rules_of(schema));
        }
        form.dedup();
        FieldExplained {
            name: name.to_owned(),
            sort: self.sort(schema),
            required,
            default: self.entry.default_of(below_spec).map(|default| default.to_json()),
            immutable: rules.is_some(),
            instead: rules.map(|field| field.instead.to_owned()),
            refers_to: refers_to.map(|reference| reference.kind.to_owned()),
            meaning: meaning.unwrap_or_default().replace("\n\n", "\n").replace('\n', " "),
            allowed,
            form,
            exactly_one_of: variants
                .iter()
                .map(|schema| alternatives(schema))
                .find(|a| !a.is_empty())
                .unwrap_or_default(),
            fields: self.below(items.unwrap_or(schema), &path),
            path,
        }
    }

    /// The schemas a value may follow: references and alternatives taken apart, null left out.
    fn variants(&self, schema: &'a Value) -> Vec<&'a Value> {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let name = name.rsplit('/').next().unwrap_or_default();
            return self.definitions.get(name).map(|s| self.variants(s)).unwrap_or_default();
        }
        if schema.get("type").and_then(Value::as_str) == Some("null") {
            return Vec::new();
        }
        let alternatives = ["anyOf", "oneOf"]
            .iter()
            .filter_map(|key| schema.get(*key)?.as_array())
            .flatten()
            // `required` alone is a rule about the object it stands in, no alternative.
            .filter(|schema| schema.get("required").is_none());
        let mut all = vec![schema];
        all.extend(alternatives.flat_map(|schema| self.variants(schema)));
        all
    }

    /// What sort of value a schema takes.
    fn sort(&self, schema: &'a Value) -> String {
        let variants = self.variants(schema);
        let mut sorts: Vec<String> = Vec::new();
        for variant in &variants {
            let own: Vec<&str> = match variant.get("type") {
                Some(Value::String(sort)) => vec![sort],
                Some(Value::Array(sorts)) => sorts.iter().filter_map(Value::as_str).collect(),
                _ if variant.get("enum").is_some() || variant.get("const").is_some() => {
                    vec!["string"]
                }
                _ => Vec::new(),
            };
            for sort in own.into_iter().filter(|sort| *sort != "null") {
                let sort = match (sort, variant.get("items"), variant.get("additionalProperties")) {
                    ("array", Some(items), _) => format!("[]{}", self.sort(items)),
                    ("object", _, Some(values)) if values.is_object() => {
                        format!("map of {}", self.sort(values))
                    }
                    _ => sort.to_owned(),
                };
                if !sorts.contains(&sort) {
                    sorts.push(sort);
                }
            }
        }
        sorts.join(" or ")
    }
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

/// The fixed values of one schema.
fn values(schema: &Value) -> Vec<Allowed> {
    let allowed = |value: &Value, meaning: &str| Allowed {
        value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        meaning: meaning.to_owned(),
    };
    // That a field may be empty is no value to write.
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let listed = listed.filter(|value| !value.is_null());
    let meaning = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let single = schema.get("const").into_iter();
    listed
        .map(|value| allowed(value, ""))
        // One value of a list of its own has its meaning beside it; a lone one is described as the field.
        .chain(
            single.map(|value| {
                allowed(value, if schema.get("type").is_some() { meaning } else { "" })
            }),
        )
        .collect()
}

/// The rules of form of one schema, in words.
fn rules_of(schema: &Value) -> Vec<String> {
    let number = |key: &str| schema.get(key).and_then(Value::as_u64);
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    let mut rules = Vec::new();
    match (number("minimum"), number("maximum")) {
        (Some(least), Some(most)) => rules.push(format!("{least} to {most}")),
        (Some(least), None) => rules.push(format!("{least} or more")),
        (None, Some(most)) => rules.push(format!("at most {most}")),
        (None, None) => {}
    }
    if let Some(most) = number("maxLength") {
        rules.push(format!("at most {most} characters"));
    }
    if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
        rules.push("no value twice".to_owned());
    }
    rules.extend(text("pattern").map(|pattern| format!("matches {pattern}")));
    rules
}

/// Fields of which exactly one must be given.
fn alternatives(schema: &Value) -> Vec<String> {
    let one_of = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let names = one_of.filter_map(|schema| schema.get("required")?.get(0)?.as_str());
    names.map(str::to_owned).collect()
}
