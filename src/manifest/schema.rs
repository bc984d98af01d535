//! JSON Schemas of manifests, made from the kinds' types.

use crate::kinds::{KindEntry, Kinds};
use crate::manifest::document::API_VERSION;
use crate::model::id::NAME_CHARACTERS_MAX;
use crate::model::resource::ANNOTATIONS;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// What references in a schema begin with.
const DEFINITIONS: &str = "#/$defs/";

/// The schema of one kind's manifests.
#[must_use]
pub fn kind_schema(entry: &KindEntry) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut spec = (entry.schema)(&mut generator).to_value();
    for (path, default) in entry.defaults() {
        if let Some(property) = spec.get_mut("properties").and_then(|p| p.get_mut(path)) {
            property["default"] = default.to_json();
        }
    }
    let mut definitions = generator.take_definitions(true);
    if let Some(name) = spec.get("$ref").and_then(Value::as_str).map(str::to_owned) {
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(definition) = definitions.get_mut(&name).and_then(|d| d.get_mut("properties")) {
            for (path, default) in entry.defaults() {
                if let Some(property) = definition.get_mut(path) {
                    property["default"] = default.to_json();
                }
            }
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": entry.facts.kind,
        "description": entry.facts.about,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": "The version of the manifest's form."},
            "kind": {"const": entry.facts.kind, "description": "What sort of thing is declared."},
            "metadata": metadata(),
            "spec": spec,
        },
        "$defs": definitions,
    })
}

fn metadata() -> Value {
    let annotations: Map<String, Value> = ANNOTATIONS
        .iter()
        .map(|(key, allowed, meaning)| {
            let value = if allowed.is_empty() {
                json!({"type": "string", "minLength": 1, "description": meaning})
            } else {
                json!({"enum": allowed, "description": meaning})
            };
            ((*key).to_owned(), value)
        })
        .collect();
    json!({
        "type": "object",
        "description": "What it is called, and notes about it.",
        "required": ["name"],
        "additionalProperties": false,
        "properties": {
            "name": {
                "type": "string", "maxLength": NAME_CHARACTERS_MAX,
                "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
                "description": "Unique within the kind: lower-case letters, digits, `-` and `.`",
            },
            "labels": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "Words to select by: customerSelector and -l.",
            },
            "annotations": {
                "type": "object",
                "description": "Notes to partnerctl under partnerctl.dev/; others are kept as they are.",
                "properties": annotations,
                "patternProperties": {"^(?!partnerctl\\.dev/)": {"type": "string"}},
                "additionalProperties": false,
            },
        },
    })
}

/// One schema for any manifest: yaml-language-server follows the kind.
#[must_use]
pub fn combined(kinds: &Kinds) -> Value {
    let mut definitions = Map::new();
    let mut branches = Vec::new();
    for entry in kinds.iter() {
        let mut schema = kind_schema(entry);
        // Kinds have types of the same name: `Product` of a reservation and of a permission.
        refer_within(&mut schema, entry.facts.kind);
        if let Some(Value::Object(own)) = schema.as_object_mut().and_then(|s| s.remove("$defs")) {
            let within = |(name, schema)| (format!("{}{name}", entry.facts.kind), schema);
            definitions.extend(own.into_iter().map(within));
        }
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("$schema");
        }
        branches.push(json!({
            "if": {"properties": {"kind": {"const": entry.facts.kind}}, "required": ["kind"]},
            "then": schema,
        }));
    }
    let names: Vec<_> = kinds.iter().map(|entry| entry.facts.kind).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "partnerctl manifest",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"enum": names}},
        "allOf": branches,
        "$defs": definitions,
    })
}

/// Has every reference lead to the definitions of a kind.
fn refer_within(schema: &mut Value, kind: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(to) if key == "$ref" => {
                        *to = to.replace(DEFINITIONS, &format!("{DEFINITIONS}{kind}"));
                    }
                    _ => refer_within(value, kind),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| refer_within(value, kind)),
        _ => {}
    }
}
