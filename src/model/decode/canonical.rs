//! From a typed value to a value of a spec through serde, with what JSON would make of it.

use crate::model::Value;
use crate::model::value::{Fields, Key};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;
use serde_json::value::Serializer as Json;

/// The value that the JSON library would make of something, without its tree of maps in between.
///
/// # Errors
/// For what has no JSON, as a map whose keys are lists.
pub fn canonical<T: Serialize + ?Sized>(typed: &T) -> Result<Value, Error> {
    typed.serialize(Canonical)
}

struct Canonical;

/// The list or object of an enum's variant stands under the variant's name.
fn under(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::Object(Fields::of(vec![(Key::fixed(variant), value)])),
        None => value,
    }
}

struct List {
    items: Vec<Value>,
    variant: Option<&'static str>,
}

struct Object {
    fields: Vec<(Key, Value)>,
    key: Option<Key>,
    variant: Option<&'static str>,
}

impl List {
    fn of(length: usize, variant: Option<&'static str>) -> Result<Self, Error> {
        Ok(Self { items: Vec::with_capacity(length), variant })
    }

    fn add<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
        self.items.push(canonical(item)?);
        Ok(())
    }

    fn done(self) -> Result<Value, Error> {
        Ok(under(self.variant, Value::Array(self.items.into())))
    }
}

impl Object {
    fn of(length: usize, variant: Option<&'static str>) -> Result<Self, Error> {
        Ok(Self { fields: Vec::with_capacity(length), key: None, variant })
    }

    fn add<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.fields.push((Key::fixed(key), canonical(value)?));
        Ok(())
    }

    fn done(self) -> Result<Value, Error> {
        Ok(under(self.variant, Value::Object(Fields::of(self.fields))))
    }
}

macro_rules! as_json {
    ($($method:ident $type:ty;)*) => {
        $(fn $method(self, value: $type) -> Result<Value, Error> {
            Json.$method(value).map(Value::from)
        })*
    };
}

impl Serializer for Canonical {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Object;
    type SerializeStruct = Object;
    type SerializeStructVariant = Object;

    as_json! {
        serialize_bool bool; serialize_char char; serialize_bytes &[u8];
        serialize_i8 i8; serialize_i16 i16; serialize_i32 i32; serialize_i64 i64; serialize_i128 i128;
        serialize_u8 u8; serialize_u16 u16; serialize_u32 u32; serialize_u64 u64; serialize_u128 u128;
        serialize_f32 f32; serialize_f64 f64;
    }

    fn serialize_str(self, text: &str) -> Result<Value, Error> {
        Ok(text.into())
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_none(self) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Error> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Error> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        Ok(under(Some(variant), value.serialize(self)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List, Error> {
        List::of(length.unwrap_or_default(), None)
    }

    fn serialize_tuple(self, length: usize) -> Result<List, Error> {
        List::of(length, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<List, Error> {
        List::of(length, None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<List, Error> {
        List::of(length, Some(variant))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Object, Error> {
        Object::of(length.unwrap_or_default(), None)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Object, Error> {
        Object::of(length, None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Object, Error> {
        Object::of(length, Some(variant))
    }
}

macro_rules! list {
    ($($trait:ident $method:ident;)*) => {
        $(impl $trait for List {
            type Ok = Value;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Error> {
                self.add(item)
            }

            fn end(self) -> Result<Value, Error> {
                self.done()
            }
        })*
    };
}

list! {
    SerializeSeq serialize_element; SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field; SerializeTupleVariant serialize_field;
}

macro_rules! object {
    ($($trait:ident)*) => {
        $(impl $trait for Object {
            type Ok = Value;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.add(key, value)
            }

            fn end(self) -> Result<Value, Error> {
                self.done()
            }
        })*
    };
}

object! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Object {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        // Only the library knows what may be a key, and how it is written.
        let alone = std::iter::once((key, ()));
        let object = Json.collect_map(alone)?;
        let key = object.as_object().and_then(|object| object.keys().next());
        self.key = key.map(|key| Key::new(key));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.fields.extend(self.key.take().zip(Some(canonical(value)?)));
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        self.done()
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;
    use crate::model::Value;
    use serde::Serialize;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Everything {
        z: u8,
        a: Option<Kind>,
        none: Option<u8>,
        kinds: Vec<Kind>,
        by_number: BTreeMap<i16, Unit>,
        by_kind: BTreeMap<Name, (char, &'static str)>,
        float: f64,
        small: f32,
        no_number: f64,
        wide: i128,
        yes: bool,
        nothing: (),
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Name {
        Zebra,
        Ant,
    }

    #[derive(Serialize)]
    struct Pair(i64, u64);

    #[derive(Serialize)]
    enum Kind {
        Plain,
        New(Pair),
        Both(i8, Option<bool>),
        Named { z: String, a: i32 },
    }

    fn everything() -> Everything {
        let named = Kind::Named { z: "é\n".to_owned(), a: -7 };
        Everything {
            z: 1,
            a: Some(Kind::Plain),
            none: None,
            kinds: vec![Kind::New(Pair(i64::MIN, u64::MAX)), Kind::Both(-1, Some(true)), named],
            by_number: BTreeMap::from([(-2, Unit), (10, Unit)]),
            by_kind: BTreeMap::from([(Name::Zebra, ('é', "z")), (Name::Ant, ('a', ""))]),
            float: 0.1,
            small: 0.1,
            no_number: f64::NAN,
            wide: 5,
            yes: true,
            nothing: (),
        }
    }

    #[test]
    fn a_typed_value_becomes_what_the_json_library_makes_of_it() {
        let json = serde_json::to_value(everything()).unwrap();
        let value = canonical(&everything()).unwrap();
        assert_eq!(value.to_string(), json.to_string());
        assert_eq!(value, Value::from(json));
    }

    #[test]
    fn what_has_no_json_is_refused_in_the_same_words() {
        let odd = BTreeMap::from([(vec![1], 1)]);
        let theirs = serde_json::to_value(&odd).unwrap_err().to_string();
        assert_eq!(canonical(&odd).unwrap_err().to_string(), theirs);
    }
}
