//! A document as it was written: every key and value with its place, every scalar exactly as typed.

/// A place in a file. Lines and columns count from 1; columns and width count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Characters to underline, at least 1.
    pub width: u32,
}

impl Span {
    /// The first character of a file: where a problem of the whole file is shown.
    pub const START: Self = Self { line: 1, column: 1, width: 1 };
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where the value starts.
    pub span: Span,
    /// The value itself.
    pub value: Value,
}

/// The three shapes of YAML.
#[derive(Debug, Clone)]
pub enum Value {
    /// Text exactly as typed; `plain` when it stood without quotes.
    Scalar {
        /// The text as typed (escapes of quoted scalars resolved).
        text: String,
        /// True when unquoted, so that `true`, `5` and `null` may mean more than text.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys with values, in the order written; duplicate keys were reported and dropped.
    Mapping(Vec<Entry>),
    /// Something that is not read and was reported where it stands.
    Unread,
}

/// One key of a mapping with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A value of a machine format. It has no places in a text; each value gets a line of its own,
    /// so that they differ.
    ///
    /// # Errors
    /// For a number with a fraction: it went through a float, and may be an amount.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, String> {
        Self::numbered(value, &mut Span { line: 0, ..Span::START })
    }

    fn numbered(value: &serde_json::Value, last: &mut Span) -> Result<Self, String> {
        use serde_json::Value as Json;
        last.line = last.line.saturating_add(1);
        let span = *last;
        let scalar = |text: &str, plain| Value::Scalar { text: text.to_owned(), plain };
        let value = match value {
            Json::Null => scalar("null", true),
            Json::Bool(value) => scalar(if *value { "true" } else { "false" }, true),
            Json::Number(number) if !number.is_i64() && !number.is_u64() => {
                return Err(format!("{number} is a number with a fraction; write it as a text"));
            }
            Json::Number(number) => scalar(&number.to_string(), true),
            Json::String(text) => scalar(text, false),
            Json::Array(items) => {
                let items = items.iter().map(|item| Self::numbered(item, last));
                Value::Sequence(items.collect::<Result<_, _>>()?)
            }
            Json::Object(map) => {
                let entry = |(key, value): (&String, &Json)| -> Result<Entry, String> {
                    let value = Self::numbered(value, last)?;
                    Ok(Entry { key: key.clone(), key_span: value.span, value })
                };
                Value::Mapping(map.iter().map(entry).collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { span, value })
    }

    /// The entry of a mapping by key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The value of a mapping by key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value at a dotted path; list positions are written `[0]`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        let mut node = self;
        for step in steps(path) {
            node = node.step(step)?.0;
        }
        Some(node)
    }

    /// The text of a scalar.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar that is not null.
    #[must_use]
    pub fn given(&self) -> Option<&str> {
        self.text().filter(|_| !self.is_null())
    }

    /// True for `null`, `~` and nothing at all, unquoted.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Where to point for a dotted path: the value if it is there, else the key of its nearest
    /// written ancestor, else this node.
    #[must_use]
    pub fn place(&self, path: &str) -> Span {
        let mut node = self;
        let mut span = self.span;
        for step in steps(path) {
            let Some((next, key)) = node.step(step) else { return span };
            span = if matches!(next.value, Value::Scalar { .. }) && !next.is_null() {
                next.span
            } else {
                key.unwrap_or(next.span)
            };
            node = next;
        }
        span
    }

    /// The nodes met on a dotted path from this one on, as far as it is there.
    #[must_use]
    pub fn chain(&self, path: &str) -> Vec<&Self> {
        let mut nodes = vec![self];
        let mut node = self;
        for step in steps(path) {
            let Some((next, _)) = node.step(step) else { break };
            nodes.push(next);
            node = next;
        }
        nodes
    }

    fn step(&self, step: &str) -> Option<(&Self, Option<Span>)> {
        match &self.value {
            Value::Mapping(_) => self.entry(step).map(|e| (&e.value, Some(e.key_span))),
            Value::Sequence(items) => {
                let index = step.strip_prefix('[')?.strip_suffix(']')?.parse::<usize>().ok()?;
                items.get(index).map(|item| (item, None))
            }
            Value::Scalar { .. } | Value::Unread => None,
        }
    }
}

/// Splits a dotted path; a key that itself holds dots or slashes (labels, annotations) is the rest
/// after `labels.` or `annotations.`.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    let key = ["metadata.labels.", "metadata.annotations."]
        .into_iter()
        .find_map(|map| Some((path.get(..map.len() - 1)?, path.strip_prefix(map)?)));
    let (path, key) = key.map_or((path, None), |(map, key)| (map, Some(key)));
    path.split('.').filter(|step| !step.is_empty()).chain(key)
}
