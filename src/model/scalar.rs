//! Texts with a grammar: how they are read, why one is refused, and what their JSON Schema says.

use crate::model::moment;
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;

/// Why a text is refused: what is wrong, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Invalid {
    /// A refusal.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// Splits what [`fmt::Display`] wrote: serde carries errors as text only.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let (message, hint) = text.split_once("; ").unwrap_or((text, ""));
        Self::new(message, hint)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hint.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}; {}", self.message, self.hint)
        }
    }
}

impl std::error::Error for Invalid {}

/// Gives a text type its serde and JSON Schema.
///
/// Reading goes through `deserialize_newtype_struct`, so that the positioned reader knows which
/// type refused. `visit_unit` yields the stand-in with which that reader goes on after an error;
/// no data format calls it for a newtype.
macro_rules! scalar {
    ($type:ident, $expecting:literal, $stand_in:literal, |$text:ident| $parse:expr, $schema:tt) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_newtype_struct<D: serde::Deserializer<'de>>(
                        self,
                        deserializer: D,
                    ) -> Result<$type, D::Error> {
                        let read = $crate::model::scalar::Text($type::from_text);
                        deserializer.deserialize_string(read)?.map_err(serde::de::Error::custom)
                    }

                    fn visit_unit<E: serde::de::Error>(self) -> Result<$type, E> {
                        $type::from_text($stand_in).map_err(serde::de::Error::custom)
                    }
                }
                deserializer.deserialize_newtype_struct(stringify!($type), Visitor)
            }
        }

        impl $type {
            /// Reads the text as a manifest has it.
            ///
            /// # Errors
            /// When the text breaks the type's grammar.
            pub fn from_text($text: &str) -> Result<Self, $crate::model::scalar::Invalid> {
                $parse
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}
pub(crate) use scalar;

/// Makes something of a text while it is still the document's, so that it is not copied first.
pub(crate) struct Text<T>(pub(crate) fn(&str) -> T);

impl<T> serde::de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok((self.0)(text))
    }
}

/// One line of text: not empty, at most 256 characters, no line break or tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(String);

scalar!(Line, "a line of text", "x", |text| Self::parse(text), {
    "type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[^\\n\\t]*[^\\s][^\\n\\t]*$"
});

impl Line {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        if text.trim().is_empty() {
            Err(Invalid::new("the text is empty", "write a text or leave the field out"))
        } else if text.len() > 256 && text.chars().count() > 256 {
            Err(Invalid::new("the text is longer than 256 characters", "shorten it"))
        } else if text.contains(['\n', '\t']) {
            Err(Invalid::new("the text has a line break or a tab", "write it on one line"))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A UUID in 8-4-4-4-12 hexadecimal digits, kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uuid(String);

scalar!(Uuid, "a UUID", "00000000-0000-0000-0000-000000000000", |text| Self::parse(text), {
    "type": "string", "pattern": "^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"
});

impl Uuid {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let hex = text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
        if hex && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            let shown: String = text.chars().take(60).collect();
            Err(Invalid::new(
                format!("`{shown}` is not a UUID"),
                "write it as 00000000-0000-0000-0000-000000000000",
            ))
        }
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A DNS name in lower case, at least two labels, as a customer's domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

scalar!(Domain, "a domain", "x.example", |text| Self::parse(text), {
    "type": "string", "maxLength": 253,
    "pattern": "^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)+$"
});

impl Domain {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let label_is_good = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if text.len() <= 253 && text.contains('.') && text.split('.').all(label_is_good) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            let shown: String = text.chars().take(60).collect();
            Err(Invalid::new(
                format!("`{shown}` is not a domain"),
                "write it as contoso.example; names with other letters in their xn-- form",
            ))
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A country by its ISO 3166-1 alpha-2 code, upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country(String);

scalar!(Country, "a country code", "NL", |text| Self::parse(text), {
    "type": "string", "pattern": "^[A-Z]{2}$"
});

/// ISO 3166-1 alpha-2, officially assigned.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

impl Country {
    fn parse(text: &str) -> Result<Self, Invalid> {
        if is_among::<3>(COUNTRIES, text) {
            return Ok(Self(text.to_owned()));
        }
        let upper = text.to_ascii_uppercase();
        let known = is_among::<3>(COUNTRIES, &upper);
        let shown: String = text.chars().take(60).collect();
        let hint = match upper.as_str() {
            _ if known => format!("write it in upper case: {upper}"),
            "UK" => "the United Kingdom is GB".to_owned(),
            _ => "use two letters of ISO 3166, such as NL, NO or US".to_owned(),
        };
        Err(Invalid::new(format!("`{shown}` is not a country code"), hint))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// True for one of the words of a list: sorted, parted by spaces, `STEP` letters from one to the next.
pub(in crate::model) fn is_among<const STEP: usize>(list: &str, word: &str) -> bool {
    let (words, last) = list.as_bytes().as_chunks::<STEP>();
    let word = word.as_bytes();
    word.len() + 1 == STEP
        && (word == last || words.binary_search_by(|there| there[..STEP - 1].cmp(word)).is_ok())
}

/// An e-mail address: one `@`, something on both sides, no white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

scalar!(Email, "an e-mail address", "a@b.example", |text| Self::parse(text), {
    "type": "string", "maxLength": 254, "pattern": "^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$"
});

impl Email {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let good = text.len() <= 254
            && !text.contains(char::is_whitespace)
            && text.split_once('@').is_some_and(|(local, host)| {
                !local.is_empty()
                    && !host.contains('@')
                    && host.split_once('.').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
            });
        if good {
            Ok(Self(text.to_owned()))
        } else {
            let shown: String = text.chars().take(60).collect();
            Err(Invalid::new(
                format!("`{shown}` is not an e-mail address"),
                "write it as name@contoso.example",
            ))
        }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A day or an instant: `2026-12-01` is its beginning in UTC. Written as an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(DateTime<Utc>);

scalar!(Moment, "a day or an instant", "2026-12-01", |text| Self::parse(text), {
    "type": "string",
    "anyOf": [
        {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"}
    ]
});

impl Moment {
    fn parse(text: &str) -> Result<Self, Invalid> {
        moment::parse(text).map(Self).map_err(|hint| {
            let shown: String = text.chars().take(60).collect();
            Invalid::new(format!("`{shown}` is no day and no instant"), hint)
        })
    }

    /// The instant that is meant.
    #[must_use]
    pub fn instant(self) -> DateTime<Utc> {
        self.0
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTRIES, Country, Domain, Email, Uuid};

    #[test]
    fn each_country_of_the_list_is_found_and_nothing_beside_them() {
        assert!(COUNTRIES.split(' ').all(|country| Country::from_text(country).is_ok()));
        for other in ["", "N", "NLD", "AD AE", "D A", "ZW ", "AA", "ZZ", "QQ", "é"] {
            assert!(Country::from_text(other).is_err(), "{other}");
        }
    }

    #[test]
    fn norway_is_a_country_and_lower_case_is_mended_by_the_hint() {
        assert!(Country::from_text("NO").is_ok());
        assert_eq!(Country::from_text("nl").unwrap_err().hint, "write it in upper case: NL");
        assert_eq!(Country::from_text("UK").unwrap_err().hint, "the United Kingdom is GB");
        assert!(Country::from_text("false").is_err());
    }

    #[test]
    fn domains_uuids_and_addresses_have_a_grammar() {
        assert_eq!(Domain::from_text("Contoso.Example").unwrap().to_string(), "contoso.example");
        assert!(Domain::from_text("contoso").is_err() && Domain::from_text("a..b").is_err());
        assert!(Uuid::from_text("8e3af657-a8ff-443c-a75c-2fe8c4bcb635").is_ok());
        assert!(Uuid::from_text("8e3af657a8ff443ca75c2fe8c4bcb635").is_err());
        assert!(Email::from_text("a@b.example").is_ok());
        assert!(Email::from_text("a@b@c.example").is_err() && Email::from_text("a b@c.d").is_err());
    }
}
