//! What a kind and its fields are, for people: read from the JSON Schema of the kind and from what
//! the registry says of it, so that no field is described twice.

mod find;
mod schema;

pub use find::{find, flatten};

use crate::kinds::{AgentRole, KindEntry, Risk, Weight};
use crate::manifest::document::API_VERSION;
use crate::manifest::schema::kind_schema;
use schema::Walk;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

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
}
