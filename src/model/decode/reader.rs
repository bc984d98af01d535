//! A document tree as a serde deserializer.

use crate::model::code;
use crate::model::decode::error::{Error, Expected, Place, What, code_of, name};
use crate::model::decode::stand_in::StandIn;
use crate::model::decode::{Context, address};
use crate::model::tree::{Entry, Node, Value};
use serde::de::{self, DeserializeSeed, Visitor};

/// Reads one node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'t, 'c> {
    pub(super) node: &'t Node,
    pub(super) context: &'c Context,
}

impl<'t> Reader<'t, '_> {
    fn unexpected(&self) -> de::Unexpected<'t> {
        match &self.node.value {
            Value::Scalar { .. } if self.node.is_null() => de::Unexpected::Other("nothing"),
            Value::Scalar { text, .. } => de::Unexpected::Str(text),
            Value::Sequence(_) => de::Unexpected::Seq,
            Value::Mapping(_) => de::Unexpected::Map,
            Value::Unread => de::Unexpected::Other("nothing"),
        }
    }

    fn wrong_type<T>(&self, expected: &dyn de::Expected) -> Result<T, Error> {
        Err(<Error as de::Error>::invalid_type(self.unexpected(), expected).or_at(self.node))
    }

    /// A plain scalar of digits; quoted ones are texts.
    fn number<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Scalar { text, plain } = &self.node.value else {
            return self.wrong_type(&visitor);
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<i64>() {
            Ok(number) if is_number && *plain => {
                visitor.visit_i64(number).map_err(|e: Error| e.or_at(self.node))
            }
            Ok(_) if is_number => Err(Error::refused(
                code::WRONG_TYPE,
                format!("expected {}, found the text \"{text}\"", Expected(&visitor)),
                "remove the quotes",
            )
            .or_at(self.node)),
            _ => self.wrong_type(&visitor),
        }
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.context.is_broken(self.node) {
                return StandIn.$method(visitor);
            }
            self.number(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Reader<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.context.is_broken(self.node) {
            return StandIn.deserialize_any(visitor);
        }
        match &self.node.value {
            Value::Scalar { .. } if self.node.is_null() => visitor.visit_unit(),
            Value::Scalar { text, .. } => visitor.visit_borrowed_str(text),
            Value::Unread => visitor.visit_unit(),
            Value::Sequence(items) => {
                visitor.visit_seq(Items { items: items.iter(), reader: self })
            }
            Value::Mapping(entries) => visitor.visit_map(Fields::new(
                self,
                entries,
                None,
                self.context.missing_in(self.node),
            )),
        }
        .map_err(|e: Error| e.or_at(self.node))
    }

    numbers! { deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.context.is_broken(self.node) {
            return StandIn.deserialize_bool(visitor);
        }
        match &self.node.value {
            Value::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => visitor.visit_bool(true),
                "false" | "False" | "FALSE" => visitor.visit_bool(false),
                _ => Err(Error::refused(
                    code::WRONG_TYPE,
                    format!("expected true or false, found {}", name(&self.unexpected())),
                    match text.to_lowercase().as_str() {
                        "yes" | "on" | "y" => "write true",
                        "no" | "off" | "n" => "write false",
                        _ => "",
                    },
                )),
            },
            Value::Scalar { text, .. } => Err(Error::refused(
                code::WRONG_TYPE,
                format!("expected true or false, found the text \"{text}\""),
                "remove the quotes",
            )),
            _ => self.wrong_type(&"true or false"),
        }
        .map_err(|e: Error| e.or_at(self.node))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.context.is_broken(self.node) {
            return StandIn.deserialize_str(visitor);
        }
        match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() => {
                visitor.visit_borrowed_str(text).map_err(|e: Error| e.or_at(self.node))
            }
            _ => self.wrong_type(&"a text"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() || self.context.is_broken(self.node) {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.context.is_broken(self.node) {
            return StandIn.deserialize_newtype_struct(name, visitor);
        }
        visitor
            .visit_newtype_struct(self)
            .map_err(|e: Error| e.or_at(self.node).coded(code_of(name)))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.context.is_broken(self.node) {
            return StandIn.deserialize_seq(visitor);
        }
        match &self.node.value {
            Value::Sequence(items) => visitor
                .visit_seq(Items { items: items.iter(), reader: self })
                .map_err(|e: Error| e.or_at(self.node)),
            _ => self.wrong_type(&"a list"),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.context.is_broken(self.node) {
            return StandIn.deserialize_map(visitor);
        }
        match &self.node.value {
            Value::Mapping(entries) => visitor
                .visit_map(Fields::new(self, entries, None, Vec::new()))
                .map_err(|e: Error| e.or_at(self.node)),
            _ => self.wrong_type(&"a mapping"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.context.is_broken(self.node) {
            return StandIn.deserialize_struct(name, fields, visitor);
        }
        let Value::Mapping(entries) = &self.node.value else { return self.wrong_type(&visitor) };
        let missing = self.context.missing_in(self.node);
        // Money refuses its amount only when it also knows the currency: blame the amount.
        let blamed = if name == "Money" { self.node.get("amount") } else { None };
        visitor.visit_map(Fields::new(self, entries, Some(fields), missing)).map_err(|error| {
            match (&error.what, blamed) {
                (What::Refused { .. }, Some(amount)) => error.or_at(amount),
                _ => error.or_at(self.node),
            }
            .coded(code_of(name))
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.context.is_broken(self.node) {
            return StandIn.deserialize_enum(name, variants, visitor);
        }
        match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() => visitor
                .visit_enum(de::value::StrDeserializer::<Error>::new(text))
                .map_err(|e: Error| e.or_at(self.node)),
            _ => self.wrong_type(&format!("one of {}", variants.join(", ")).as_str()),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

struct Items<'t, 'c> {
    items: std::slice::Iter<'t, Node>,
    reader: Reader<'t, 'c>,
}

impl<'t> de::SeqAccess<'t> for Items<'t, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'t>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.items.next() else { return Ok(None) };
        seed.deserialize(Reader { node, ..self.reader }).map(Some)
    }
}

struct Fields<'t, 'c> {
    map: Reader<'t, 'c>,
    entries: std::slice::Iter<'t, Entry>,
    known: Option<&'static [&'static str]>,
    missing: std::vec::IntoIter<&'static str>,
    value: Option<&'t Node>,
}

impl<'t, 'c> Fields<'t, 'c> {
    fn new(
        map: Reader<'t, 'c>,
        entries: &'t [Entry],
        known: Option<&'static [&'static str]>,
        missing: Vec<&'static str>,
    ) -> Self {
        Self { map, entries: entries.iter(), known, missing: missing.into_iter(), value: None }
    }
}

impl<'t> de::MapAccess<'t> for Fields<'t, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'t>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        for entry in self.entries.by_ref() {
            if let Some(fields) = self.known.filter(|known| !known.contains(&entry.key.as_str())) {
                self.map.context.unknown_field(self.map.node, entry, fields);
                continue;
            }
            self.value = Some(&entry.value);
            let key = de::value::BorrowedStrDeserializer::<Error>::new(&entry.key);
            return seed.deserialize(key).map(Some).map_err(|mut error| {
                error.place = Some(Place { address: address(&entry.value), span: entry.key_span });
                error
            });
        }
        let Some(field) = self.missing.next() else { return Ok(None) };
        self.value = None;
        seed.deserialize(de::value::BorrowedStrDeserializer::<Error>::new(field)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.value.take() {
            Some(node) => seed.deserialize(Reader { node, ..self.map }),
            None => seed.deserialize(StandIn),
        }
    }
}
