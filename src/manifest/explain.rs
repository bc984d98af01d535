//! What a kind and its fields are, for people: read from the JSON Schema of the kind and from what
//! the registry says of it, so that no field is described twice.

use crate::kinds::{AgentRole, KindEntry, Risk, Weight};
use crate::manifest::document::API_VERSION;
use crate::manifest::schema::kind_schema;
use crate::model::problem::did_you_mean;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// A kind as `explain` shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "partnerctl explain KIND -o json")]
pub struct KindExplained {
    /// The apiVersion of its manifests.
    pub api_version: String,
    /// `Budget`.
    pub kind: String,
    /// What people may type instead.
    pub names: Vec<String>,
    /// What it is.
    pub about: String,
    /// What makes two manifests the same thing; null for a kind without identity.
    pub identity: Option<String>,
    /// What deleting means.
    pub deleting: String,
    /// Who may change it.
    pub roles: Vec<AgentRole>,
    /// Where other roles are needed; may be empty.
    pub roles_note: String,
    /// True when a change of an immutable field makes a new one and removes the old.
    pub replaceable: bool,
    /// The changes that are not reversible.
    pub risks: Vec<RiskExplained>,
    /// What must hold for it.
    pub prerequisites: Vec<PrerequisiteExplained>,
    /// A small valid manifest.
    pub example: String,
    /// The fields of a manifest.
    pub fields: Vec<FieldExplained>,
}

/// A sort of change that is not reversible.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RiskExplained {
    /// The change.
    pub change: String,
    /// How much it risks.
    pub risk: Risk,
}

/// Something that must hold.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PrerequisiteExplained {
    /// What must hold.
    pub says: String,
    /// What comes of it when it does not.
    pub weight: Weight,
}

/// A field as `explain` shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldExplained {
    /// Dotted path from the top of the manifest, `spec.monthly.amount`.
    pub path: String,
    /// The last step of the path.
    pub name: String,
    /// `string`, `object`, `[]integer`, …
    #[serde(rename = "type")]
    pub sort: String,
    /// True when it must be given, wherever what it stands in is given.
    pub required: bool,
    /// The value when nobody declares it.
    pub default: Option<Value>,
    /// True when it can be set only at creation.
    pub immutable: bool,
    /// What to do instead of changing it; null for a field that can be changed.
    pub instead: Option<String>,
    /// The kind it refers to, for a reference.
    pub refers_to: Option<String>,
    /// What it means.
    pub meaning: String,
    /// The values it may have; empty when the form alone decides.
    pub allowed: Vec<Allowed>,
    /// The form its value must have, one rule each.
    pub form: Vec<String>,
    /// Of these fields in it exactly one must be given; empty where there is no such rule.
    pub exactly_one_of: Vec<String>,
    /// The fields in it.
    pub fields: Vec<Self>,
}

/// A value that a field may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Allowed {
    /// The value.
    pub value: String,
    /// What it means; may be empty.
    pub meaning: String,
}

/// Everything about a kind.
#[must_use]
pub fn explain(entry: &KindEntry) -> KindExplained {
    let facts = entry.facts;
    // Of a list of references the first place stands for all.
    let said = facts.references.iter().filter(|r| !r.observed);
    let said = said.filter(|r| !r.in_list() || r.path.ends_with("[0]"));
    let references = said.map(|reference| PrerequisiteExplained {
        says: if reference.in_list() {
            let list = reference.path.trim_end_matches(".[0]");
            format!("spec.{list}: each {} it names exists", reference.kind)
        } else if reference.later {
            format!(
                "spec.{}: by `external:`, as this version has no {}",
                reference.path, reference.kind
            )
        } else {
            format!("spec.{}: the {} it names exists", reference.path, reference.kind)
        },
        weight: Weight::Blocks,
    });
    let rules = entry
        .rules
        .iter()
        .map(|rule| PrerequisiteExplained { says: rule.says.to_owned(), weight: rule.weight });
    let names = facts.short.iter().copied().chain([facts.plural]);
    let risks = entry.risks.iter();
    KindExplained {
        api_version: API_VERSION.to_owned(),
        kind: facts.kind.to_owned(),
        names: names.map(str::to_owned).collect(),
        about: facts.about.to_owned(),
        identity: Some(facts.identity.to_owned()).filter(|identity| !identity.is_empty()),
        deleting: facts.deleting.to_owned(),
        roles: facts.roles.to_vec(),
        roles_note: facts.roles_note.to_owned(),
        replaceable: facts.replaceable,
        risks: risks
            .map(|rule| RiskExplained { change: rule.says.to_owned(), risk: rule.risk })
            .collect(),
        prerequisites: references.chain(rules).collect(),
        example: facts.example.to_owned(),
        fields: fields(entry),
    }
}

/// The fields of a kind's manifests, as a tree.
#[must_use]
pub fn fields(entry: &KindEntry) -> Vec<FieldExplained> {
    let schema = kind_schema(entry);
    Walk { entry, definitions: schema.get("$defs").unwrap_or(&Value::Null) }.below(&schema, "")
}

/// A field by its path: from the top of the manifest, or below `spec`.
///
/// # Errors
/// What to say when there is no such field: the step that is wrong, and the field that may be meant.
pub fn find<'a>(
    fields: &'a [FieldExplained],
    path: &str,
) -> Result<&'a FieldExplained, (String, Option<String>)> {
    let spec = fields.iter().find(|field| field.name == "spec");
    let top = walk(fields, path);
    let found = match (top, spec) {
        (Ok(found), _) => return Ok(found),
        (Err(unknown), Some(spec)) if std::ptr::eq(unknown.among, fields) => {
            walk(&spec.fields, path).map_err(|below| (below, Some(unknown)))
        }
        (Err(unknown), _) => Err((unknown, None)),
    };
    found.map_err(|(unknown, other)| {
        let names = |among: &'a [FieldExplained]| among.iter().map(|field| field.name.as_str());
        let others = other.iter().flat_map(|other| names(other.among));
        let near = did_you_mean(&unknown.step, names(unknown.among).chain(others));
        let full = |name: &str| {
            let all = unknown.among.iter().chain(other.iter().flat_map(|other| other.among));
            all.clone().find(|field| field.name == name).map(|field| field.path.clone())
        };
        let anywhere = || {
            let mut all = Vec::new();
            flatten(fields, &mut all);
            let near = did_you_mean(&unknown.step, all.iter().map(|field| field.name.as_str()))?;
            all.iter().find(|field| field.name == near).map(|field| field.path.clone())
        };
        (unknown.step.clone(), near.and_then(full).or_else(anywhere))
    })
}

/// Every field of a tree, each before the fields in it.
pub fn flatten<'a>(fields: &'a [FieldExplained], into: &mut Vec<&'a FieldExplained>) {
    for field in fields {
        into.push(field);
        flatten(&field.fields, into);
    }
}

/// Where a path leaves the tree.
struct Unknown<'a> {
    step: String,
    among: &'a [FieldExplained],
}

fn walk<'a>(fields: &'a [FieldExplained], path: &str) -> Result<&'a FieldExplained, Unknown<'a>> {
    // A name may have dots in it, as annotations have; an index of a list says nothing here.
    for field in fields {
        let Some(rest) = path.strip_prefix(&field.name) else { continue };
        let rest = rest
            .split_once(']')
            .filter(|(index, _)| index.starts_with('['))
            .map_or(rest, |(_, rest)| rest);
        if rest.is_empty() {
            return Ok(field);
        }
        if let Some(below) = rest.strip_prefix('.') {
            return walk(&field.fields, below);
        }
    }
    let step = path.split('.').next().unwrap_or_default();
    Err(Unknown { step: step.split('[').next().unwrap_or_default().to_owned(), among: fields })
}

/// Walks a schema.
struct Walk<'a> {
    entry: &'a KindEntry,
    definitions: &'a Value,
}

impl<'a> Walk<'a> {
    /// The fields in an object, those that must be given first.
    fn below(&self, schema: &'a Value, path: &str) -> Vec<FieldExplained> {
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
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
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

#[cfg(test)]
mod tests {
    use super::{fields, find, flatten};
    use crate::kinds::Kinds;

    #[test]
    fn every_field_of_every_kind_has_a_sort_and_a_meaning() {
        for entry in Kinds::default().iter() {
            let fields = fields(entry);
            let mut all = Vec::new();
            flatten(&fields, &mut all);
            assert!(all.len() > 10, "{}", entry.facts.kind);
            for field in all {
                let place = format!("{}.{}", entry.facts.kind, field.path);
                assert!(
                    field.path == "spec" || field.meaning.len() > 5,
                    "{place}: {:?}",
                    field.meaning
                );
                assert!(!field.sort.is_empty(), "{place} is of no sort");
                assert!(!field.immutable || !field.instead.as_ref().unwrap().is_empty(), "{place}");
                let found = find(&fields, &field.path).unwrap();
                assert_eq!(found.path, field.path);
            }
            for rule in entry.facts.fields {
                let field = find(&fields, rule.path).unwrap();
                assert_eq!(field.path, format!("spec.{}", rule.path));
                let default = entry.default_of(rule.path).map(|default| default.to_json());
                assert_eq!(field.default, default, "{}", field.path);
            }
        }
    }

    #[test]
    fn a_kind_has_an_identity_in_words_just_when_it_has_one() {
        for entry in Kinds::default().iter() {
            let facts = entry.facts;
            let (trees, _) = crate::manifest::yaml::read(facts.example);
            let spec = (entry.decode)(trees[0].root.get("spec").unwrap()).0.value.unwrap();
            assert_eq!(
                (entry.identity)(&spec).is_some(),
                !facts.identity.is_empty(),
                "{}",
                facts.kind
            );
        }
    }

    #[test]
    fn a_path_is_found_from_the_top_and_below_spec_and_a_wrong_one_is_mended() {
        let kinds = Kinds::default();
        let fields = fields(kinds.get("Budget").unwrap());
        for (path, found) in [
            ("spec.monthly", "spec.monthly"),
            ("monthly.amount", "spec.monthly.amount"),
            (
                "customerSelector.matchExpressions[0].key",
                "spec.customerSelector.matchExpressions.key",
            ),
            (
                "metadata.annotations.partnerctl.dev/reason",
                "metadata.annotations.partnerctl.dev/reason",
            ),
        ] {
            assert_eq!(find(&fields, path).unwrap().path, found);
        }
        for (path, step, near) in [
            ("montly", "montly", Some("spec.monthly")),
            ("spec.montly", "montly", Some("spec.monthly")),
            ("monthly.amout", "amout", Some("spec.monthly.amount")),
            ("metdata", "metdata", Some("metadata")),
            ("amount", "amount", Some("spec.monthly.amount")),
            ("colour", "colour", None),
        ] {
            let (wrong, meant) = find(&fields, path).unwrap_err();
            assert_eq!((wrong.as_str(), meant.as_deref()), (step, near), "{path}");
        }
    }
}
