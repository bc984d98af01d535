//! A spec as a canonical value: sorted keys, money with its minor units, references as `{name}`.

use crate::model::Value;
use crate::model::decode::canonical;
use crate::model::value::{Fields, first_step};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The `spec` of a resource, desired or observed: always a JSON object.
///
/// Values are compared field by field: objects are taken apart, lists are one field. Clones share
/// the value until one of them is changed: a pass holds most specs several times.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spec(Fields);

impl Spec {
    /// Takes a JSON object; anything else becomes an empty spec.
    #[must_use]
    pub fn from_value(value: Json) -> Self {
        match Value::from(value) {
            Value::Object(fields) => Self(fields),
            _ => Self::default(),
        }
    }

    /// The spec that a kind's type stands for; what is no object becomes an empty spec.
    #[must_use]
    pub fn from_typed<T: Serialize>(typed: &T) -> Self {
        match canonical(typed) {
            Ok(Value::Object(fields)) => Self(fields),
            _ => Self::default(),
        }
    }

    /// The spec as JSON.
    #[must_use]
    pub fn to_value(&self) -> Json {
        self.0.to_json()
    }

    /// The value at a dotted path below `spec`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Value> {
        let (step, mut rest) = first_step(path);
        let mut value = self.0.get(step)?;
        while let Some(path) = rest {
            let (step, below) = first_step(path);
            (value, rest) = (value.get(step)?, below);
        }
        Some(value)
    }

    /// The text at a dotted path.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path).and_then(Value::as_str)
    }

    /// Puts a value at a dotted path, making objects on the way.
    pub fn set(&mut self, path: &str, value: Value) {
        self.0.set(path, value);
    }

    /// Takes the value at a dotted path away, and objects left empty by it.
    pub fn remove(&mut self, path: &str) {
        if self.get(path).is_some() {
            self.0.remove(path);
        }
    }

    /// Every field that is no object, by dotted path, in the order of the paths.
    #[must_use]
    pub fn leaves(&self) -> BTreeMap<String, &Value> {
        fn gather<'a>(prefix: &str, fields: &'a Fields, into: &mut BTreeMap<String, &'a Value>) {
            for (key, value) in fields.iter() {
                let path =
                    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
                match value {
                    Value::Object(inner) => gather(&path, inner, into),
                    leaf => {
                        into.insert(path, leaf);
                    }
                }
            }
        }
        let mut leaves = BTreeMap::new();
        gather("", &self.0, &mut leaves);
        leaves
    }

    /// True when every field of another spec is here with the same value.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        fn within(whole: &Fields, part: &Fields) -> bool {
            part.iter().all(|(key, value)| match (whole.get(key), value) {
                (Some(Value::Object(whole)), Value::Object(part)) => within(whole, part),
                (Some(there), value) => there == value,
                (None, _) => false,
            })
        }
        within(&self.0, &other.0)
    }

    /// The text of the spec: sorted keys, no white space. Equal specs have equal texts.
    #[must_use]
    pub fn canonical(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Spec;
    use serde_json::json;

    #[test]
    fn fields_are_set_found_and_removed_by_path() {
        let mut spec = Spec::from_value(json!({"a": {"b": 1}, "list": [1, 2]}));
        spec.set("a.c", "x".into());
        assert_eq!(spec.text("a.c"), Some("x"));
        assert_eq!(spec.leaves().keys().collect::<Vec<_>>(), ["a.b", "a.c", "list"]);
        assert!(spec.covers(&Spec::from_value(json!({"a": {"b": 1}}))));
        assert!(!spec.covers(&Spec::from_value(json!({"a": {"b": 2}}))));
        assert!(!spec.covers(&Spec::from_value(json!({"other": {}}))));
        spec.remove("a.b");
        spec.remove("a.c");
        assert_eq!(spec.to_value(), json!({"list": [1, 2]}));
    }
}
