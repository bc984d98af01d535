//! A value of a spec: JSON, kept small and shared between clones.
//!
//! A pass holds a value or two for each field of each resource, several times. What the parser's own
//! type keeps in a tree of maps stands here in one sorted row of fields.

use crate::model::ResourceName;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Number, Value as Json};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A JSON value. Clones share texts, lists and objects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exactly as it was read.
    Number(Number),
    /// A text.
    String(Arc<str>),
    /// A list.
    Array(Arc<[Value]>),
    /// An object.
    Object(Fields),
}

/// The fields of an object, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Arc<[(Key, Value)]>);

/// A key. Those that many specs have are not kept once for each.
#[derive(Debug, Clone)]
pub(in crate::model) enum Key {
    Common(&'static str),
    Other(Arc<str>),
}

/// Keys of many specs, sorted. Another key is no worse, it only takes more room.
const COMMON: &[&str] = &[
    "acknowledgeLiability",
    "alertThresholds",
    "amount",
    "autoRenew",
    "billingProfile",
    "companyName",
    "country",
    "currency",
    "customerRef",
    "domain",
    "external",
    "friendlyName",
    "monthly",
    "name",
    "offer",
    "onboarding",
    "principal",
    "purchase",
    "quantity",
    "relationship",
    "role",
    "scope",
    "state",
    "subscriptionRef",
    "tenantId",
    "type",
];

impl Key {
    pub(in crate::model) fn new(key: &str) -> Self {
        match COMMON.binary_search(&key) {
            Ok(place) => Self::Common(COMMON[place]),
            Err(_) => Self::Other(key.into()),
        }
    }

    /// A key that the program knows, as the name of a field.
    pub(in crate::model) fn fixed(key: &'static str) -> Self {
        Self::Common(key)
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Common(key) => key,
            Self::Other(key) => key,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Key {}

impl Value {
    /// The text, of a text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Yes or no, where it is that.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    /// The number, where it is a whole one that is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The items, of a list.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key, in an object; of a place such as `[0]`, in a list.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.get(key),
            Self::Array(items) => items.get(place_in_list(key)?),
            _ => None,
        }
    }

    /// The value as the type of the JSON library, for what reads that.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(yes) => Json::Bool(*yes),
            Self::Number(number) => Json::Number(number.clone()),
            Self::String(text) => Json::String(text.as_ref().to_owned()),
            Self::Array(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Object(fields) => fields.to_json(),
        }
    }

    /// `{name: …}`: a reference to a resource.
    #[must_use]
    pub fn reference(name: &str) -> Self {
        Self::one("name", name.into())
    }

    /// The same, sharing the name.
    #[must_use]
    pub fn to(name: &ResourceName) -> Self {
        Self::one("name", Self::String(name.to_shared()))
    }

    /// An object of one field.
    #[must_use]
    pub fn one(key: &str, value: Self) -> Self {
        Self::Object(Fields(Arc::new([(Key::new(key), value)])))
    }
}

/// So many keys are few.
const FEW: usize = 8;

/// The first step of a dotted path, and the rest of it. Paths are short: what searches long texts takes
/// longer to begin than this does to end.
pub(in crate::model) fn first_step(path: &str) -> (&str, Option<&str>) {
    match path.bytes().position(|byte| byte == b'.') {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

/// The number in a step of a path that names a place in a list, `[0]`.
fn place_in_list(step: &str) -> Option<usize> {
    step.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

impl Fields {
    /// Fields in any order; of two with one key the last counts.
    pub(in crate::model) fn of(mut fields: Vec<(Key, Value)>) -> Self {
        let rises = |pair: &[(Key, Value)]| {
            pair.first().zip(pair.get(1)).is_none_or(|(a, b)| a.0.as_str() < b.0.as_str())
        };
        if !fields.windows(2).all(rises) {
            fields.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
            fields.reverse();
            fields.dedup_by(|a, b| a.0 == b.0);
            fields.reverse();
        }
        Self(fields.into())
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(mine, _)| mine.as_str().cmp(key))
    }

    /// The place of a key that is there. Few keys are looked at one by one: most differ in their length.
    fn found(&self, key: &str) -> Option<usize> {
        if self.0.len() > FEW {
            return self.place(key).ok();
        }
        self.0.iter().position(|(mine, _)| mine.as_str() == key)
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(self.found(key)?).map(|(_, value)| value)
    }

    /// Keys with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The fields as an object of the JSON library.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Object(self.iter().map(|(key, value)| (key.to_owned(), value.to_json())).collect())
    }

    /// Puts a value under a key, whatever is in it.
    pub fn put(&mut self, key: &str, value: Value) {
        match self.place(key) {
            Ok(place) => Arc::make_mut(&mut self.0)[place].1 = value,
            Err(place) => {
                let (before, after) = self.0.split_at(place);
                let new = std::iter::once((Key::new(key), value));
                let (before, after) = (before.iter().cloned(), after.iter().cloned());
                self.0 = before.chain(new).chain(after).collect();
            }
        }
    }

    /// Puts a value at a dotted path, making objects on the way.
    pub fn set(&mut self, path: &str, value: Value) {
        let (step, Some(rest)) = first_step(path) else { return self.put(path, value) };
        if let Some(place) = self.found(step) {
            match &mut Arc::make_mut(&mut self.0)[place].1 {
                Value::Object(inner) => return inner.set(rest, value),
                Value::Array(items) => {
                    let item = place_in_list(rest).filter(|item| *item < items.len());
                    if let Some(item) = item {
                        Arc::make_mut(items)[item] = value;
                        return;
                    }
                }
                _ => {}
            }
        }
        let mut inner = Self::default();
        inner.set(rest, value);
        self.put(step, Value::Object(inner));
    }

    /// Takes the value at a dotted path away, and objects left empty by it.
    pub fn remove(&mut self, path: &str) {
        let (step, rest) = first_step(path);
        let Some(place) = self.found(step) else { return };
        if let Some(rest) = rest {
            let Value::Object(inner) = &mut Arc::make_mut(&mut self.0)[place].1 else { return };
            inner.remove(rest);
            if !inner.is_empty() {
                return;
            }
        }
        let (before, after) = self.0.split_at(place);
        let left: Vec<_> = before.iter().chain(&after[1..]).cloned().collect();
        self.0 = left.into();
    }
}

impl fmt::Display for Value {
    /// Compact JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(yes) => Self::Bool(yes),
            Json::Number(number) => Self::Number(number),
            Json::String(text) => Self::String(text.into()),
            Json::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Json::Object(map) => {
                let field = |(key, value): (String, Json)| (Key::new(&key), Self::from(value));
                Self::Object(Fields::of(map.into_iter().map(field).collect()))
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl JsonSchema for Value {
    fn inline_schema() -> bool {
        Json::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Json::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Json::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Json::json_schema(generator)
    }
}

impl FromIterator<(String, Value)> for Fields {
    fn from_iter<T: IntoIterator<Item = (String, Value)>>(fields: T) -> Self {
        Self::of(fields.into_iter().map(|(key, value)| (Key::new(&key), value)).collect())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => items.serialize(serializer),
            Self::Object(fields) => fields.serialize(serializer),
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMON, Value};
    use serde_json::{Value as Json, json};

    #[test]
    fn a_value_has_the_text_that_the_json_library_writes() {
        assert!(COMMON.is_sorted());
        let text = r#"{"z":1,"a":{"type":"x","é":[1,-2,18446744073709551615,0.1,1e30,null,true,"\n\u0001"]},"a b":{},"z":[]}"#;
        let json: Json = serde_json::from_str(text).unwrap();
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(value.to_string(), json.to_string());
        assert_eq!(value, Value::from(json.clone()));
        assert_eq!(value.to_json(), json);
        assert_eq!(serde_json::from_value::<Value>(json).unwrap(), value);
        assert!(value != Value::from(json!({"z": 1})));
    }
}
