//! From a document tree to a typed value through serde, without stopping at the first error.
//!
//! serde ends at an error. So that one run reports everything, a pass that failed at a value (or
//! for a missing field) is repeated with a stand-in there, until nothing new is found. A document
//! without errors is read once.

use crate::model::code::{self, Code};
use crate::model::problem::did_you_mean;
use crate::model::scalar::Invalid;
use crate::model::tree::{Entry, Node, Span, Value};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Visitor};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

/// Passes over one document at most: bounds the work on hostile input.
const PASSES_MAX: usize = 128;

/// Unknown fields of one document for which a near name is looked for: bounds the work too.
const HINTS_MAX: usize = 50;

/// A problem at a place of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The stable code.
    pub code: Code,
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// What came out of a document.
#[derive(Debug)]
pub struct Decoded<T> {
    /// The value; with stand-ins where there are faults, and `None` when no stand-in would do.
    pub value: Option<T>,
    /// Everything found, in the order found.
    pub faults: Vec<Fault>,
    broken: BTreeSet<usize>,
    missing: BTreeSet<(usize, &'static str)>,
    meant: BTreeSet<(usize, String)>,
}

impl<T> Decoded<T> {
    /// Keeps the faults, changes the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Decoded<U> {
        let Self { value, faults, broken, missing, meant } = self;
        Decoded { value: value.map(change), faults, broken, missing, meant }
    }

    /// True when a check about a path would only repeat a fault in other words: something at or
    /// above it was refused or is missing, or a field that the check speaks of stands there under a
    /// misspelt name.
    #[must_use]
    pub fn reported(&self, root: &Node, path: &str, message: &str) -> bool {
        let (_, nodes) = root.chain(path);
        let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
        nodes.iter().enumerate().any(|(depth, node)| {
            let address = address(node);
            let next = steps.get(depth).copied();
            matches!(node.value, Value::Unread)
                || self.broken.contains(&address)
                || self.missing.iter().any(|(at, field)| *at == address && next == Some(field))
                || self.meant.iter().any(|(at, field)| {
                    *at == address
                        && (next == Some(field) || message.contains(&format!("`{field}`")))
                })
        })
    }
}

/// Reads a typed value from a document tree, gathering all faults.
pub fn decode<T: DeserializeOwned>(root: &Node) -> Decoded<T> {
    let context = Context::default();
    let mut value = None;
    for pass in 0..=PASSES_MAX {
        if pass == PASSES_MAX {
            context.give_up(root);
            break;
        }
        match T::deserialize(Reader { node: root, context: &context }) {
            Ok(read) => {
                value = Some(read);
                break;
            }
            Err(error) => {
                if !context.record(error, root) {
                    break;
                }
            }
        }
    }
    let Findings { mut faults, broken, missing, meant, .. } = context.0.into_inner();
    faults.sort_by_key(|fault| fault.span);
    Decoded { value, faults, broken, missing, meant }
}

#[derive(Default)]
struct Findings {
    faults: Vec<Fault>,
    /// Values that were refused; a stand-in takes their place.
    broken: BTreeSet<usize>,
    /// Required fields that are not there, by mapping.
    missing: BTreeSet<(usize, &'static str)>,
    /// Unknown fields by mapping, reported once.
    unknown: BTreeSet<usize>,
    /// Fields that an unknown field was probably meant to be, by mapping.
    meant: BTreeSet<(usize, String)>,
}

#[derive(Default)]
struct Context(RefCell<Findings>);

/// Nodes do not move while a document is read, so their address names them.
fn address(node: &Node) -> usize {
    std::ptr::from_ref(node) as usize
}

impl Context {
    fn is_broken(&self, node: &Node) -> bool {
        matches!(node.value, Value::Unread) || self.0.borrow().broken.contains(&address(node))
    }

    fn missing_in(&self, node: &Node) -> Vec<&'static str> {
        let at = address(node);
        self.0.borrow().missing.iter().filter(|(map, _)| *map == at).map(|(_, f)| *f).collect()
    }

    /// Writes an error down; false when it leads nowhere new and reading must end.
    fn record(&self, error: Error, root: &Node) -> bool {
        let mut findings = self.0.borrow_mut();
        let place = error.place.unwrap_or(Place { address: address(root), span: root.span });
        match error.what {
            What::StandIn => false,
            What::Missing(field) => {
                if !findings.missing.insert((place.address, field)) {
                    return false;
                }
                if !findings.meant.contains(&(place.address, field.to_owned())) {
                    findings.faults.push(Fault {
                        code: code::MISSING_FIELD,
                        span: place.span,
                        message: format!("`{field}` is missing"),
                        hint: format!("add `{field}:` here"),
                    });
                }
                true
            }
            What::Refused { code, message, hint } => {
                if !findings.broken.insert(place.address) {
                    return false;
                }
                findings.faults.push(Fault { code, span: place.span, message, hint });
                true
            }
        }
    }

    fn give_up(&self, root: &Node) {
        let message = format!("this has more than {PASSES_MAX} problems; the rest is not shown");
        let hint = "mend the ones shown first".to_owned();
        let fault = Fault { code: code::INVALID_VALUE, span: root.span, message, hint };
        self.0.borrow_mut().faults.push(fault);
    }

    fn unknown_field(&self, map: &Node, entry: &Entry, fields: &'static [&'static str]) {
        let mut findings = self.0.borrow_mut();
        if !findings.unknown.insert(address(&entry.value)) {
            return;
        }
        let present: Vec<&str> = match &map.value {
            Value::Mapping(entries) if findings.unknown.len() <= HINTS_MAX => {
                entries.iter().map(|e| e.key.as_str()).collect()
            }
            _ => Vec::new(),
        };
        let searched = findings.unknown.len() <= HINTS_MAX;
        let free = fields.iter().copied().filter(|field| searched && !present.contains(field));
        let hint = if let Some(field) = did_you_mean(&entry.key, free) {
            findings.meant.insert((address(map), field.to_owned()));
            format!("did you mean `{field}`?")
        } else {
            format!("known fields: {}", fields.join(", "))
        };
        let shown: String = entry.key.chars().take(60).collect();
        findings.faults.push(Fault {
            code: code::UNKNOWN_FIELD,
            span: entry.key_span,
            message: format!("unknown field `{shown}`"),
            hint,
        });
    }
}

#[derive(Debug, Clone, Copy)]
struct Place {
    address: usize,
    span: Span,
}

#[derive(Debug)]
enum What {
    Missing(&'static str),
    Refused {
        code: Code,
        message: String,
        hint: String,
    },
    /// A stand-in was refused: nothing more can be read.
    StandIn,
}

/// What serde reports, with the place as soon as a reader knows it.
#[derive(Debug)]
struct Error {
    what: What,
    place: Option<Place>,
}

impl Error {
    fn refused(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let what = What::Refused { code, message: message.into(), hint: hint.into() };
        Self { what, place: None }
    }

    fn or_at(mut self, node: &Node) -> Self {
        self.place.get_or_insert(Place { address: address(node), span: node.span });
        self
    }

    fn coded(mut self, with: Code) -> Self {
        if let What::Refused { code, .. } = &mut self.what
            && *code == code::INVALID_VALUE
        {
            *code = with;
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let Invalid { message, hint } = Invalid::from_text(&message.to_string());
        Self::refused(code::INVALID_VALUE, message, hint)
    }

    fn missing_field(field: &'static str) -> Self {
        Self { what: What::Missing(field), place: None }
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::refused(code::WRONG_TYPE, format!("expected {expected}, found {}", name(&found)), "")
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = match did_you_mean(variant, expected.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", expected.join(", ")),
        };
        let shown: String = variant.chars().take(60).collect();
        Self::refused(code::UNKNOWN_VALUE, format!("`{shown}` is not allowed here"), hint)
    }
}

fn name(found: &de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Map => "a mapping".to_owned(),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Str(text) => {
            format!("`{}`", text.chars().take(60).collect::<String>())
        }
        de::Unexpected::Signed(number) => format!("`{number}`"),
        de::Unexpected::Unsigned(number) => format!("`{number}`"),
        other => other.to_string(),
    }
}

/// Reads one node.
#[derive(Clone, Copy)]
struct Reader<'t> {
    node: &'t Node,
    context: &'t Context,
}

impl<'t> Reader<'t> {
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

/// What is expected, in words: serde names Rust's own number types.
struct Expected<'a>(&'a dyn de::Expected);

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_string().as_str() {
            "a nonzero u32" => f.write_str("a whole number above zero"),
            "u32" => f.write_str("a whole number, zero or more"),
            other => f.write_str(other),
        }
    }
}

/// The code of a refused newtype, by the name serde passes on.
fn code_of(newtype: &str) -> Code {
    match newtype {
        "Amount" | "Money" => code::AMOUNT,
        "Currency" => code::CURRENCY,
        "ResourceName" => code::NAME,
        _ => code::INVALID_VALUE,
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

impl<'de> de::Deserializer<'de> for Reader<'de> {
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
                    "",
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

struct Items<'t> {
    items: std::slice::Iter<'t, Node>,
    reader: Reader<'t>,
}

impl<'t> de::SeqAccess<'t> for Items<'t> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'t>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.items.next() else { return Ok(None) };
        seed.deserialize(Reader { node, ..self.reader }).map(Some)
    }
}

struct Fields<'t> {
    map: Reader<'t>,
    entries: std::slice::Iter<'t, Entry>,
    known: Option<&'static [&'static str]>,
    missing: std::vec::IntoIter<&'static str>,
    value: Option<&'t Node>,
}

impl<'t> Fields<'t> {
    fn new(
        map: Reader<'t>,
        entries: &'t [Entry],
        known: Option<&'static [&'static str]>,
        missing: Vec<&'static str>,
    ) -> Self {
        Self { map, entries: entries.iter(), known, missing: missing.into_iter(), value: None }
    }
}

impl<'t> de::MapAccess<'t> for Fields<'t> {
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

/// Gives every type something it takes, so that reading can go on past an error.
struct StandIn;

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
