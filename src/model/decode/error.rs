//! What serde reports, with its place as soon as a reader knows it.

use crate::model::code::{self, Code};
use crate::model::decode::address;
use crate::model::problem::did_you_mean;
use crate::model::scalar::Invalid;
use crate::model::tree::{Node, Span};
use serde::de;
use std::fmt;

#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) address: usize,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum What {
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
pub(super) struct Error {
    pub(super) what: What,
    pub(super) place: Option<Place>,
}

impl Error {
    pub(super) fn refused(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let what = What::Refused { code, message: message.into(), hint: hint.into() };
        Self { what, place: None }
    }

    pub(super) fn or_at(mut self, node: &Node) -> Self {
        self.place.get_or_insert(Place { address: address(node), span: node.span });
        self
    }

    pub(super) fn coded(mut self, with: Code) -> Self {
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
        let hint = instead(&found, &expected.to_string());
        Self::refused(code::WRONG_TYPE, unlike(&found, expected), hint)
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::refused(code::INVALID_VALUE, unlike(&found, expected), "")
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

fn unlike(found: &de::Unexpected<'_>, expected: &dyn de::Expected) -> String {
    format!("expected {}, found {}", Expected(expected), name(found))
}

/// What to write instead of a value of another type; empty where that is not known.
fn instead(found: &de::Unexpected<'_>, expected: &str) -> String {
    if let Some((_, example)) = expected.split_once(", {") {
        return format!("write it as {{{example}");
    }
    match found {
        de::Unexpected::Other("nothing") => "write a value, or leave the field out".to_owned(),
        de::Unexpected::Str(text) if expected == "u32" => {
            let digits = text.trim_end_matches('%');
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { format!("write {digits}") } else { "write digits only".to_owned() }
        }
        de::Unexpected::Str(text) if expected == "a list" => {
            format!("write [{}]", text.chars().take(60).collect::<String>())
        }
        _ => String::new(),
    }
}

pub(super) fn name(found: &de::Unexpected<'_>) -> String {
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

/// What is expected, in words: serde names Rust's own number types.
pub(super) struct Expected<'a>(pub(super) &'a dyn de::Expected);

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
pub(super) fn code_of(newtype: &str) -> Code {
    match newtype {
        "Amount" | "Money" => code::AMOUNT,
        "Currency" => code::CURRENCY,
        "ResourceName" => code::NAME,
        _ => code::INVALID_VALUE,
    }
}
