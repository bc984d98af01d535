//! Stand-ins for what was refused or is missing.

use crate::model::decode::error::{Error, What};
use serde::de::{self, DeserializeSeed, Visitor};

/// Gives every type something it takes, so that reading can go on past an error.
pub(super) struct StandIn;

macro_rules! stand_in {
    ($($method:ident => $visit:ident $value:expr;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($value).map_err(|_: Error| Error { what: What::StandIn, place: None })
        })*
    };
}

impl<'de> de::Deserializer<'de> for StandIn {
    type Error = Error;

    stand_in! {
        deserialize_bool => visit_bool false;
        deserialize_i8 => visit_i64 1; deserialize_i16 => visit_i64 1;
        deserialize_i32 => visit_i64 1; deserialize_i64 => visit_i64 1;
        deserialize_u8 => visit_u64 1; deserialize_u16 => visit_u64 1;
        deserialize_u32 => visit_u64 1; deserialize_u64 => visit_u64 1;
        deserialize_str => visit_borrowed_str "";
        deserialize_string => visit_borrowed_str "";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit().map_err(|_: Error| Error { what: What::StandIn, place: None })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(de::value::SeqDeserializer::<_, Error>::new(std::iter::empty::<()>()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(StandInFields([].iter().copied()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(StandInFields(fields.iter().copied()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let first = variants.first().copied().unwrap_or_default();
        visitor.visit_enum(de::value::StrDeserializer::<Error>::new(first))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct StandInFields(std::iter::Copied<std::slice::Iter<'static, &'static str>>);

impl<'t> de::MapAccess<'t> for StandInFields {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'t>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.0.next() else { return Ok(None) };
        seed.deserialize(de::value::BorrowedStrDeserializer::<Error>::new(field)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(StandIn)
    }
}
