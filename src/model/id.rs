//! Names: what a resource is called in YAML, code, SQL and messages.

use crate::model::scalar::{Invalid, scalar};
use std::fmt;
use std::sync::Arc;

/// The longest name, as in Kubernetes.
pub const NAME_CHARACTERS_MAX: usize = 253;

/// The kind of a resource, `Budget`. Cheap to clone.
#[derive(Clone)]
pub struct KindName(Word);

/// A pass holds a kind's name many times for each resource: common ones are not kept for each.
#[derive(Clone)]
enum Word {
    /// Its place among them: two of these are compared without reading the names.
    Common(u8),
    Other(Arc<String>),
}

/// Names that many resources have, sorted. Another is no worse, it only takes more room.
const COMMON: &[&str] =
    &["Budget", "Customer", "ReservationPermission", "RoleAssignment", "Subscription"];

impl KindName {
    /// Takes a kind's name as the registry or the store writes it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        // Their lengths tell them apart: one by one is faster than half by half.
        let place = COMMON.iter().position(|common| *common == name);
        match place.and_then(|place| u8::try_from(place).ok()) {
            Some(place) => Self(Word::Common(place)),
            None => Self(Word::Other(Arc::new(name.to_owned()))),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Word::Common(place) => COMMON[usize::from(*place)],
            Word::Other(name) => name,
        }
    }
}

impl PartialEq for KindName {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Word::Common(mine), Word::Common(theirs)) => mine == theirs,
            (Word::Other(mine), Word::Other(theirs)) => mine == theirs,
            _ => false,
        }
    }
}

impl Eq for KindName {}

impl PartialOrd for KindName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KindName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (&self.0, &other.0) {
            (Word::Common(mine), Word::Common(theirs)) => mine.cmp(theirs),
            _ => self.as_str().cmp(other.as_str()),
        }
    }
}

impl std::hash::Hash for KindName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match &self.0 {
            Word::Common(place) => place.hash(state),
            Word::Other(name) => name.hash(state),
        }
    }
}

impl fmt::Debug for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KindName").field(&self.as_str()).finish()
    }
}

impl serde::Serialize for KindName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for KindName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::new(&name))
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a resource, unique within its kind: a DNS-1123 subdomain of at most 253 characters.
/// Budgets made by a selector are called `<manifest>/<customer>`; such a name is never declared.
#[derive(Debug, Clone, Eq)]
pub struct ResourceName(Arc<str>);

// Names are looked for far more often than they differ, and most are clones of one text: that is seen
// without reading it.
impl PartialEq for ResourceName {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl std::hash::Hash for ResourceName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for ResourceName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return std::cmp::Ordering::Equal;
        }
        self.0.cmp(&other.0)
    }
}

scalar!(ResourceName, "a name", "x", |text| Self::parse(text), {
    "type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", "maxLength": 253
});

impl ResourceName {
    /// Reads a declared name.
    ///
    /// # Errors
    /// When it is not a DNS-1123 subdomain; the hint offers a name that would do.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let part_is_good = |part: &str| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if text.len() <= NAME_CHARACTERS_MAX && text.split('.').all(part_is_good) {
            return Ok(Self(text.into()));
        }
        let shown: String = text.chars().take(60).collect();
        Err(Invalid::new(
            format!("`{shown}` is not a name"),
            format!(
                "use lower-case letters, digits, `-` and `.`, at most {NAME_CHARACTERS_MAX}{}",
                proposal(text)
            ),
        ))
    }

    /// The name of a resource that a manifest made for one customer.
    #[must_use]
    pub fn generated(manifest: &Self, customer: &Self) -> Self {
        Self(format!("{manifest}/{customer}").into())
    }

    /// Takes a name that was accepted before: from the store, a plan or a command line.
    #[must_use]
    pub fn accepted(text: &str) -> Self {
        Self(text.into())
    }

    /// The same for a text that is shared.
    #[must_use]
    pub fn shared(text: Arc<str>) -> Self {
        Self(text)
    }

    /// The name as a text that is shared.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// True when a selector made it.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        self.0.contains('/')
    }

    /// The name of the manifest: its own, or of the selector that made it.
    #[must_use]
    pub fn manifest(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn proposal(text: &str) -> String {
    let lower: String = text
        .chars()
        .take(NAME_CHARACTERS_MAX)
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let trimmed = lower.trim_matches('-');
    if trimmed.is_empty() { String::new() } else { format!(", such as `{trimmed}`") }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A resource's kind and name, written `Budget/contoso`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The kind.
    pub kind: KindName,
    /// The name within the kind.
    pub name: ResourceName,
}

impl ResourceId {
    /// Joins a kind with a name that was accepted before.
    #[must_use]
    pub fn new(kind: &str, name: &str) -> Self {
        Self { kind: KindName::new(kind), name: ResourceName::accepted(name) }
    }

    /// Reads `Kind/name`; the name may itself hold a slash.
    #[must_use]
    pub fn split(text: &str) -> Option<Self> {
        text.split_once('/').map(|(kind, name)| Self::new(kind, name))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl serde::Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Plans write many: as one text, since the formatter hands over piece after piece.
        let (kind, name) = (self.kind.as_str(), self.name.as_str());
        let mut text = String::with_capacity(kind.len() + name.len() + 1);
        text.extend([kind, "/", name]);
        serializer.serialize_str(&text)
    }
}

impl<'de> serde::Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::split(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not Kind/name")))
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceName;

    #[test]
    fn names_are_dns_subdomains() {
        for good in ["a", "contoso", "contoso.nl", "a-1.b-2", &"a".repeat(253)] {
            assert!(ResourceName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a..b", "a_b", "a/b", "ä", &"a".repeat(254)] {
            assert!(ResourceName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bad_name_comes_with_a_good_one() {
        let error = ResourceName::parse("Contoso NL").unwrap_err();
        assert!(error.hint.contains("`contoso-nl`"), "{}", error.hint);
    }
}
