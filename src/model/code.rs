//! The stable codes of diagnostics and of blocked changes. A code is never used again for something else.

use serde::Serialize;

/// A code as users see it, `E0203`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Code(pub &'static str);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($code);)*
        /// Every code with its title, in order; tests walk it, and the JSON Schema lists it.
        pub const CODES: &[(Code, &str)] = &[$(($name, $title)),*];
    };
}

codes! {
    UNREADABLE = "E0101", "A file or folder cannot be read";
    OUTSIDE_ROOT = "E0102", "A link leads out of the folder that was given";
    NOT_A_FILE = "E0103", "Something that is no regular file stands among the manifests";
    TOO_LARGE = "E0104", "A file is larger than 16 MiB";
    NOT_UTF8 = "E0105", "A file is not UTF-8";
    IGNORE_PATTERN = "E0106", "A pattern of .partnerctlignore is not valid";
    SYNTAX = "E0110", "The text is not YAML";
    TOO_DEEP = "E0111", "A document is nested deeper than 64 levels or has too many values";
    ALIAS = "E0112", "Aliases and merge keys are not read";
    TAG = "E0113", "A tag that is not of the YAML core schema";
    KEY = "E0114", "A key that is not plain text";
    DUPLICATE_KEY = "E0115", "A key stands twice in one mapping";
    CONTROL_CHARACTER = "E0116", "A control character or a bidirectional override stands in a text";
    NOT_A_MANIFEST = "E0201", "A document is not a partnerctl manifest";
    UNKNOWN_KIND = "E0202", "The kind does not exist";
    UNKNOWN_FIELD = "E0203", "The field does not exist";
    MISSING_FIELD = "E0204", "A required field is missing";
    WRONG_TYPE = "E0205", "A value of another type is needed";
    UNKNOWN_VALUE = "E0206", "The value is none of the allowed ones";
    INVALID_VALUE = "E0207", "The value breaks a rule of its field";
    NAME = "E0208", "A name is not a DNS-1123 subdomain";
    AMOUNT = "E0209", "An amount of money is not written as digits with an optional point";
    CURRENCY = "E0210", "A currency is not an ISO 4217 code";
    ANNOTATION = "E0211", "An annotation of partnerctl.dev does not exist or has another meaning";
    ONE_OF = "E0212", "Exactly one of several fields must be given";
    LICENCE_ONLY = "E0213", "The field is for licences only";
    DUPLICATE_POLICY = "E0220", "Two policies have the same name";
    DUPLICATE_NAME = "E0301", "Two manifests declare the same kind and name";
    DUPLICATE_IDENTITY = "E0302", "Two manifests declare the same thing under two names";
    DANGLING_REFERENCE = "E0303", "A reference leads nowhere";
    CYCLE = "E0304", "Manifests refer to each other in a circle";
    SELECTOR_CONFLICT = "E0305", "Two selectors choose the same customer";
    OTHER_CUSTOMER = "E0401", "The subscription belongs to another customer";
    NOT_USAGE_BASED = "E0402", "A usage-based subscription is needed";
    NOT_ACTIVE = "E0403", "The subscription is declared Suspended under an Allowed permission";
    ACKNOWLEDGE = "E0404", "The partner's liability is not acknowledged";
    CURRENCY_MISMATCH = "E0405", "The currency is not the customer's";
    EXCHANGED_ACTIVE = "E0410", "A reservation that is exchanged is declared Active";
    EXCHANGED_TWICE = "E0411", "A reservation is exchanged for two others";
    SELECTS_NOTHING = "W0503", "A selector chooses no customer";
    BLOCK_PREREQUISITE = "B0101", "Something must be in place first";
    BLOCK_PROTECTED = "B0103", "The resource is protected";
    BLOCK_IMMUTABLE = "B0104", "The field cannot be changed";
    BLOCK_IN_USE = "B0105", "Others still use it";
    BLOCK_OTHER_SET = "B0106", "Another set owns it";
    BLOCK_GONE = "B0107", "It was bought before and is gone";
    BLOCK_AMBIGUOUS = "B0108", "It may be a rename or a second purchase";
    BLOCK_WINDOW = "B0109", "The cancellation window is over";
    BLOCK_LAST_OWNER = "B0110", "It is the last Owner";
    BLOCK_NO_DEFAULT = "B0111", "A field that is no longer declared can be neither reset nor cleared";
    BLOCK_TAKEN = "B0112", "Something else already stands for it";
    BLOCK_UNKNOWN = "B0113", "Nobody knows how an earlier operation on it ended";
    BLOCK_POLICY = "B0120", "A policy of the workspace denies it";
    BLOCK_ROLE = "B0130", "Who plans it lacks an agent role";
    BLOCK_LAST_ADMIN = "B0131", "It is the last with a role that somebody must hold";
    BLOCK_BEGINNING = "B0132", "The first partner users would lock out who declares them";
    BLOCK_ENDED = "B0140", "Its time is over, or never began";
    BLOCK_QUOTE = "B0141", "The refund or the exchange cannot be reckoned";
}

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn codes_are_unique_and_in_order() {
        for letter in ["E", "W", "B"] {
            let codes: Vec<_> =
                CODES.iter().map(|(code, _)| code.0).filter(|c| c.starts_with(letter)).collect();
            assert!(codes.is_sorted() && codes.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
