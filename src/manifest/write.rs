//! Resources to the text of manifests: the way back of [`crate::manifest::document`].

use crate::kinds::{KindEntry, Kinds};
use crate::manifest::document::API_VERSION;
use crate::manifest::schema::kind_schema;
use crate::model::{Metadata, Resource, Spec};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What stands in place of a field that nobody here knows.
const LACKING: &str = "to be added, as nothing here knows it";

/// Writes manifests of known kinds.
pub struct Writer {
    /// The schema of each kind's manifests, which says what may be declared and in which order.
    schemas: BTreeMap<&'static str, (KindEntry, Value)>,
}

impl Writer {
    /// A writer for these kinds.
    #[must_use]
    pub fn new(kinds: &Kinds) -> Self {
        let schemas = kinds.iter().map(|entry| (entry.facts.kind, (*entry, kind_schema(entry))));
        Self { schemas: schemas.collect() }
    }

    /// The part of a spec that a manifest may declare: what only the real world has is left out.
    /// `None` for a kind that is not known.
    #[must_use]
    pub fn declarable(&self, kind: &str, spec: &Spec) -> Option<Spec> {
        let shape = self.spec_of(kind)?;
        Some(Spec::from_value(shape.declarable(&spec.to_value())))
    }

    /// A resource as one YAML document, which every reader of YAML 1.1 and 1.2 reads alike: whatever
    /// one of them could take for something else than text is quoted.
    ///
    /// # Errors
    /// When it cannot be written; no resource that was read comes to that.
    pub fn document(&self, resource: &Resource) -> Result<String, serde_saphyr::ser::Error> {
        let Resource { id, metadata, spec, .. } = resource;
        let Metadata { labels, annotations } = metadata;
        let spec = spec.to_value();
        let shape = self.spec_of(id.kind.as_str()).unwrap_or_default();
        let document = Document {
            api_version: API_VERSION,
            kind: id.kind.as_str(),
            metadata: Header { name: id.name.as_str(), labels, annotations },
            spec: InOrder { shape, value: &spec },
        };
        // One line for each text: nothing is folded that a reader might unfold otherwise.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let mut text = serde_saphyr::to_string_with_options(&document, options)?;
        for (field, about) in self.lacking(resource) {
            text.push_str(&format!("  # {field}: {LACKING}{about}\n"));
        }
        Ok(text)
    }

    /// What must be declared and is not: the outside need not say everything. With what it is, where
    /// the schema says so.
    fn lacking(&self, resource: &Resource) -> Vec<(&str, String)> {
        let Some(shape) = self.spec_of(resource.id.kind.as_str()) else { return Vec::new() };
        let required = shape.at.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        let lacking = required.filter(|field| resource.spec.get(field).is_none());
        let about = |field| {
            let about = shape.properties()?.get(field)?.get("description")?.as_str()?;
            Some(format!(". {}", about.replace('\n', " ")))
        };
        lacking.map(|field| (field, about(field).unwrap_or_default())).collect()
    }

    fn spec_of(&self, kind: &str) -> Option<Shape<'_>> {
        let (entry, whole) = self.schemas.get(kind)?;
        let first = entry.facts.references.iter();
        let first = first.filter_map(|reference| reference.path.split('.').next()).collect();
        Some(Shape { whole, at: whole.get("properties")?.get("spec")?, first }.resolved())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'a str,
    kind: &'a str,
    metadata: Header<'a>,
    spec: InOrder<'a>,
}

#[derive(Serialize)]
struct Header<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// A place in a schema: what may stand there.
#[derive(Clone)]
struct Shape<'a> {
    whole: &'a Value,
    at: &'a Value,
    /// Fields that stand before all others: what a resource belongs to.
    first: Vec<&'a str>,
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self { whole: &Value::Null, at: &Value::Null, first: Vec::new() }
    }
}

impl<'a> Shape<'a> {
    /// Follows references to definitions and takes the branch that is not null.
    fn resolved(mut self) -> Self {
        loop {
            let target = self.at.get("$ref").and_then(Value::as_str);
            let definition = target
                .and_then(|target| target.strip_prefix("#/$defs/"))
                .and_then(|name| self.whole.get("$defs")?.get(name));
            let branches = self.at.get("anyOf").and_then(Value::as_array);
            let branch = branches.and_then(|all| {
                all.iter().find(|branch| branch.get("type").is_none_or(|kind| kind != "null"))
            });
            let Some(next) = definition.or(branch) else { return self };
            self.at = next;
        }
    }

    fn properties(&self) -> Option<&'a Map<String, Value>> {
        self.at.get("properties")?.as_object()
    }

    fn below(&self, at: &'a Value) -> Self {
        Shape { whole: self.whole, at, first: Vec::new() }.resolved()
    }

    /// The shape of a field; nothing is known of one that the schema does not name.
    fn field(&self, key: &str) -> Self {
        let at = self.properties().and_then(|properties| properties.get(key));
        at.map_or_else(Self::default, |at| self.below(at))
    }

    fn item(&self) -> Self {
        self.at.get("items").map_or_else(Self::default, |at| self.below(at))
    }

    fn declarable(&self, value: &Value) -> Value {
        match (value, self.properties()) {
            (Value::Object(map), Some(properties)) => map
                .iter()
                .filter(|(key, value)| properties.contains_key(*key) && !value.is_null())
                .map(|(key, value)| (key.clone(), self.field(key).declarable(value)))
                .collect::<Map<_, _>>()
                .into(),
            _ => value.clone(),
        }
    }

    /// What it belongs to, then what must be there, then the rest by name.
    fn rank<'k>(&self, key: &'k str) -> (usize, usize, &'k str) {
        let required = self.at.get("required").and_then(Value::as_array);
        let required = required.and_then(|all| all.iter().position(|name| name == key));
        match (self.first.iter().position(|first| *first == key), required) {
            (Some(place), _) => (0, place, key),
            (None, Some(place)) => (1, place, key),
            (None, None) => (2, 0, key),
        }
    }
}

/// A value with its keys in the order of its shape.
struct InOrder<'a> {
    shape: Shape<'a>,
    value: &'a Value,
}

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Object(map) => {
                let mut fields: Vec<(&String, &Value)> = map.iter().collect();
                fields.sort_by_key(|(key, _)| self.shape.rank(key));
                let mut out = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    out.serialize_entry(key, &InOrder { shape: self.shape.field(key), value })?;
                }
                out.end()
            }
            Value::Array(items) => {
                let mut out = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    out.serialize_element(&InOrder { shape: self.shape.item(), value })?;
                }
                out.end()
            }
            leaf => leaf.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Writer;
    use crate::kinds::Kinds;
    use crate::manifest::read_file;
    use crate::model::{Metadata, Resource, ResourceId, Source, Spec};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn resource(kind: &str, spec: Value, annotations: BTreeMap<String, String>) -> Resource {
        let metadata = Metadata { annotations: annotations.into(), ..Metadata::default() };
        let (id, source) = (ResourceId::new(kind, "contoso"), Source::default());
        Resource { id, metadata, spec: Spec::from_value(spec), source }
    }

    fn assert_reads_back(resource: &Resource) {
        let kinds = Kinds::default();
        let text = Writer::new(&kinds).document(resource).unwrap();
        let read = read_file(&kinds, &"a.yaml".into(), &text);
        assert!(read.problems.is_empty(), "{:?}\n{text}", read.problems);
        let ours = read.documents[0].resource.clone().unwrap();
        assert_eq!(Resource { source: Source::default(), ..ours }, *resource, "{text}");
        let theirs: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(theirs["spec"], resource.spec.to_value(), "{text}");
        let annotations = theirs["metadata"].get("annotations").cloned().unwrap_or(json!({}));
        assert_eq!(annotations, json!(*resource.metadata.annotations), "{text}");
    }

    /// What readers of YAML 1.1 or 1.2 take for something else when it is not quoted.
    const TRICKY: [&str; 58] = [
        "NO",
        "no",
        "No",
        "on",
        "off",
        "yes",
        "y",
        "n",
        "true",
        "True",
        "null",
        "Null",
        "~",
        "0123",
        "0o17",
        "0x1F",
        "0b1",
        "1e3",
        "1E+3",
        "1_000",
        "12:30",
        "12:30:45",
        "1.5",
        ".5",
        "1.",
        "-1",
        "+1",
        ".inf",
        "-.INF",
        ".nan",
        "2026-11-21",
        "2026-11-21T12:00:00Z",
        "=",
        "<<",
        "-",
        "?",
        ":",
        "- a",
        "? a",
        "a: b",
        "a:",
        "a #b",
        "#a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'a'",
        "\"a\"",
        "[a]",
        "{a: b}",
        " leading",
        "trailing ",
        "---",
    ];

    #[test]
    fn a_text_is_the_same_text_for_every_reader() {
        for text in TRICKY.into_iter().chain([
            "...",
            "a\\nb",
            "é中😀",
            "\u{a0}a",
            "a, b",
            "NaN",
            "0.10",
            "1500.00",
            "a\u{2028}b",
            "$a",
            "a]",
            "1,000",
            "0777",
            "08",
            "__1",
            "01:01",
            "190:20:30",
            "0",
            "00",
            "1__0",
        ]) {
            let spec = json!({"companyName": text, "country": "NO", "domain": "contoso.example",
                "billingProfile": {"culture": text, "language": "no"}});
            let annotations = BTreeMap::from([("other.example/x".to_owned(), text.to_owned())]);
            assert_reads_back(&resource("Customer", spec, annotations));
        }
        for text in
            ["", "\n", "a\nb", "a\n", "\n a\n\n", "  a\n b", "a\tb", "\ta", "a \nb", "# a\n"]
        {
            let annotations = BTreeMap::from([("other.example/x".to_owned(), text.to_owned())]);
            let spec = json!({"companyName": "C", "country": "NL", "domain": "contoso.example"});
            assert_reads_back(&resource("Customer", spec, annotations));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in "[ -~é\u{4e2d}\u{2028}\u{200b}\n\t]{0,120}", key in "[ -~]{1,20}") {
            prop_assume!(!key.starts_with("partnerctl.dev/"));
            let annotations = BTreeMap::from([(key, text)]);
            let spec = json!({"companyName": "C", "country": "NL", "domain": "contoso.example"});
            assert_reads_back(&resource("Customer", spec, annotations));
        }
    }

    #[test]
    fn fields_stand_in_the_order_people_expect() {
        let spec = json!({
            "alertThresholds": [50, 80], "customerRef": {"name": "contoso"},
            "monthly": {"amount": "1500.00", "currency": "EUR"},
        });
        let annotations = BTreeMap::from([("partnerctl.dev/reason".to_owned(), "yes".to_owned())]);
        let text = Writer::new(&Kinds::default())
            .document(&resource("Budget", spec, annotations))
            .unwrap();
        let expected = "apiVersion: partnerctl.dev/v1\nkind: Budget\nmetadata:\n  name: contoso\n  \
            annotations:\n    partnerctl.dev/reason: \"yes\"\nspec:\n  customerRef:\n    name: contoso\n  \
            monthly:\n    amount: \"1500.00\"\n    currency: EUR\n  alertThresholds:\n  - 50\n  - 80\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_only_the_real_world_has_is_not_declared() {
        let observed = Spec::from_value(json!({
            "customerRef": {"name": "contoso"}, "purchasedAt": "2026-11-21T12:00:00Z",
            "offer": {"type": "AzurePlan", "margin": 3}, "quantity": null,
        }));
        let declarable = Writer::new(&Kinds::default()).declarable("Subscription", &observed);
        let expected = json!({"customerRef": {"name": "contoso"}, "offer": {"type": "AzurePlan"}});
        assert_eq!(declarable.unwrap().to_value(), expected);
    }
}
