//! The only file that knows the YAML parser: text to document trees, within bounds.

mod input;
mod usual;

use crate::model::code::{self, Code};
use crate::model::decode::Fault;
use crate::model::text::is_plain;
use crate::model::tree::{Entry, Node, Span, Value};
use input::Text;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::collections::BTreeMap;

/// The deepest nesting of lists and mappings.
pub const DEPTH_MAX: usize = 64;
/// The most values in one document; with [`DEPTH_MAX`] it bounds the memory of one document.
pub const VALUES_MAX: usize = 100_000;

/// One document of a file.
#[derive(Debug)]
pub struct Tree {
    /// Its value; a document that could not be read to its end holds what was read.
    pub root: Node,
    /// False when reading ended before the document did.
    pub whole: bool,
}

/// Reads all documents of a text. After an error reading goes on at the next `---` line, so that
/// one mistake does not hide the documents behind it.
#[must_use]
pub fn read(text: &str) -> (Vec<Tree>, Vec<Fault>) {
    read_within(text, VALUES_MAX)
}

/// The same for a text that may have more values in one document.
#[must_use]
pub fn read_within(text: &str, values_max: usize) -> (Vec<Tree>, Vec<Fault>) {
    match usual::read(text, values_max) {
        Some(trees) => (trees, Vec::new()),
        None => parse(text, values_max),
    }
}

/// The same by the parser, which knows all of YAML.
fn parse(text: &str, values_max: usize) -> (Vec<Tree>, Vec<Fault>) {
    let mut trees = Vec::new();
    let mut faults = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines_before = 0;
    loop {
        let mut builder = Builder::new(lines_before, values_max);
        let stopped_at = builder.run(rest);
        trees.append(&mut builder.trees);
        faults.append(&mut builder.faults);
        let Some(line) = stopped_at else { break };
        let Some((skipped, offset)) = next_document(rest, line - lines_before) else { break };
        rest = &rest[offset..];
        lines_before += skipped;
    }
    (trees, faults)
}

/// The first `---` line after a line (from 1) of a text: lines before it, and its byte offset.
fn next_document(text: &str, after: u32) -> Option<(u32, usize)> {
    let mut offset = 0;
    for (index, line) in (0u32..).zip(text.split_inclusive('\n')) {
        let marker = line.trim_end();
        // The error may stand on the very line that begins the next document, but never on the
        // first, where this one began.
        if index > 0 && index + 1 >= after && (marker == "---" || line.starts_with("--- ")) {
            return Some((index, offset));
        }
        offset += line.len();
    }
    None
}

/// A list or mapping that is still open.
struct Open {
    node: Node,
    key: Option<Key>,
    /// The lines of the keys of a large mapping: a small one is searched.
    lines: BTreeMap<String, u32>,
}

/// The key of a mapping whose value comes next.
enum Key {
    Text(String, Span),
    /// It was reported; its value is dropped.
    Unread,
}

/// Keys above which a mapping is searched by tree.
const SEARCHED_KEYS_MAX: usize = 32;

impl Open {
    fn new(node: Node) -> Self {
        Self { node, key: None, lines: BTreeMap::new() }
    }
}

/// The line where a key stands already.
fn line_of(entries: &[Entry], lines: &mut BTreeMap<String, u32>, key: &str) -> Option<u32> {
    if entries.len() <= SEARCHED_KEYS_MAX {
        return entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_span.line);
    }
    for entry in &entries[lines.len()..] {
        lines.insert(entry.key.clone(), entry.key_span.line);
    }
    lines.get(key).copied()
}

struct Builder {
    lines_before: u32,
    trees: Vec<Tree>,
    faults: Vec<Fault>,
    stack: Vec<Open>,
    root: Option<Node>,
    values: usize,
    values_max: usize,
}

impl Builder {
    fn new(lines_before: u32, values_max: usize) -> Self {
        let (trees, faults, stack) = (Vec::new(), Vec::new(), Vec::new());
        Self { lines_before, trees, faults, stack, root: None, values: 0, values_max }
    }

    /// Reads until the end, or until nothing more can be read: then the line (of the file) where
    /// that was.
    fn run(&mut self, text: &str) -> Option<u32> {
        for event in Parser::new(Text::new(text)) {
            let (event, place) = match event {
                Ok((event, span)) => {
                    let width = if span.start.line() == span.end.line() {
                        span.end.index().saturating_sub(span.start.index()).max(1)
                    } else {
                        1
                    };
                    (event, self.span(span.start.line(), span.start.col(), width))
                }
                Err(error) => {
                    let mark = error.marker();
                    let span = self.span(mark.line(), mark.col(), 1);
                    // The parser counts brackets by itself, before our own limit is reached.
                    if error.info() == "recursion limit exceeded" {
                        self.too_deep(span);
                    } else {
                        let message = format!("this is not YAML: {}", error.info());
                        let hint = "check indentation, quotes and brackets";
                        self.fault(code::SYNTAX, span, message, hint);
                    }
                    self.end(false);
                    return Some(span.line);
                }
            };
            if let Err(line) = self.take(event, place) {
                self.end(false);
                return Some(line);
            }
        }
        None
    }

    fn span(&self, line: usize, column: usize, width: usize) -> Span {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Span {
            line: number(line).max(1) + self.lines_before,
            column: number(column).saturating_add(1),
            width: number(width),
        }
    }

    fn fault(&mut self, code: Code, span: Span, message: impl Into<String>, hint: &str) {
        self.faults.push(Fault { code, span, message: message.into(), hint: hint.to_owned() });
    }

    /// Takes one event; `Err` with the line when the document cannot be read further.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), u32> {
        match event {
            Event::Scalar(text, style, _, tag) => {
                self.check_tag(tag.as_deref(), span);
                let quoted = tag.is_some_and(|tag| tag.suffix == "str");
                let plain = style == ScalarStyle::Plain && !quoted;
                let text = text.into_owned();
                self.check_text(&text, span);
                self.value(Node { span, value: Value::Scalar { text, plain } })?;
            }
            Event::SequenceStart(_, tag) => {
                self.check_tag(tag.as_deref(), span);
                self.open(Node { span, value: Value::Sequence(Vec::new()) })?;
            }
            Event::MappingStart(_, tag) => {
                self.check_tag(tag.as_deref(), span);
                self.open(Node { span, value: Value::Mapping(Vec::new()) })?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.stack.pop() {
                    self.value(open.node)?;
                }
            }
            Event::Alias(_) => {
                self.fault(
                    code::ALIAS,
                    span,
                    "aliases are not read",
                    "write the value out, or use a selector for what many customers share",
                );
                self.value(Node { span, value: Value::Unread })?;
            }
            Event::DocumentEnd => self.end(true),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
        Ok(())
    }

    fn check_tag(&mut self, tag: Option<&Tag>, span: Span) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema()
                && matches!(
                    tag.suffix.as_str(),
                    "str" | "int" | "bool" | "float" | "null" | "map" | "seq"
                ))
        {
            let name: String = tag.to_string().chars().take(60).collect();
            self.fault(code::TAG, span, format!("the tag `{name}` is not known"), "remove the tag");
        }
    }

    /// Line breaks and tabs pass here; fields of one line refuse them by their own grammar.
    fn check_text(&mut self, text: &str, span: Span) {
        if is_plain(text) {
            return;
        }
        let bad = |c: char| {
            (c.is_control() && c != '\n' && c != '\t')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if let Some(character) = text.chars().find(|c| bad(*c)) {
            let what = if character.is_control() {
                "a control character"
            } else {
                "a character that reverses the direction of text"
            };
            let message = format!("the text holds {what}, U+{:04X}", u32::from(character));
            self.fault(code::CONTROL_CHARACTER, span, message, "remove it");
        }
    }

    fn too_deep(&mut self, span: Span) {
        let message = format!("the document is nested deeper than {DEPTH_MAX} levels");
        self.fault(code::TOO_DEEP, span, message, "no manifest needs that");
    }

    fn open(&mut self, node: Node) -> Result<(), u32> {
        if self.stack.len() >= DEPTH_MAX {
            self.too_deep(node.span);
            return Err(node.span.line);
        }
        self.stack.push(Open::new(node));
        Ok(())
    }

    /// Puts a finished value where it belongs: into the open list or mapping, or as the root.
    fn value(&mut self, node: Node) -> Result<(), u32> {
        self.values += 1;
        if self.values > self.values_max {
            let message = format!("the document has more than {} values", self.values_max);
            self.fault(code::TOO_DEEP, node.span, message, "split it into several documents");
            return Err(node.span.line);
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.value {
            Value::Sequence(items) => items.push(node),
            Value::Mapping(entries) => match (open.key.take(), node.value) {
                (None, Value::Scalar { text, plain }) => {
                    let merge = plain && text == "<<";
                    open.key = Some(if merge { Key::Unread } else { Key::Text(text, node.span) });
                    if merge {
                        let hint = "write the shared fields out";
                        self.fault(code::ALIAS, node.span, "merge keys are not read", hint);
                    }
                }
                (None, _) => {
                    open.key = Some(Key::Unread);
                    self.fault(code::KEY, node.span, "a key must be plain text", "rename it");
                }
                (Some(Key::Unread), _) => {}
                (Some(Key::Text(key, key_span)), value) => {
                    if let Some(line) = line_of(entries, &mut open.lines, &key) {
                        let shown: String = key.chars().take(60).collect();
                        let message = format!("`{shown}` stands twice, first in line {line}");
                        self.fault(code::DUPLICATE_KEY, key_span, message, "remove one of the two");
                    } else {
                        let value = Node { span: node.span, value };
                        entries.push(Entry { key, key_span, value });
                    }
                }
            },
            Value::Scalar { .. } | Value::Unread => {}
        }
        Ok(())
    }

    /// Ends a document; what is still open is closed as it stands.
    fn end(&mut self, whole: bool) {
        while let Some(open) = self.stack.pop() {
            self.values = 0;
            let _ends_well = self.value(open.node);
        }
        self.values = 0;
        if let Some(root) = self.root.take()
            && !root.is_null()
        {
            self.trees.push(Tree { root, whole });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::model::tree::{Node, Value};
    use proptest::prelude::*;

    /// A tree as JSON, every scalar as the text typed.
    fn plain(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Unread => serde_json::Value::Null,
            Value::Scalar { text, .. } => text.clone().into(),
            Value::Sequence(items) => items.iter().map(plain).collect(),
            Value::Mapping(entries) => serde_json::Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), plain(&entry.value))).collect(),
            ),
        }
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = "[ -~é\u{4e2d}]{0,12}".prop_map(serde_json::Value::String);
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..5).prop_map(serde_json::Value::Array),
                prop::collection::btree_map("[a-zA-Z0-9 .:/-]{1,8}", inner, 1..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_reader_reads_what_serde_yaml_writes(document in value()) {
            let text = serde_yaml::to_string(&document).unwrap();
            let (trees, faults) = read(&text);
            prop_assert!(faults.is_empty(), "{faults:?}\n{text}");
            let read: Vec<_> = trees.iter().map(|tree| plain(&tree.root)).collect();
            let expected = if document == serde_json::json!("") { vec![serde_json::json!("")] } else { vec![document] };
            prop_assert_eq!(read, expected, "{}", text);
        }

        #[test]
        fn the_reader_reads_json(document in value()) {
            let text = serde_json::to_string_pretty(&document).unwrap();
            let (trees, faults) = read(&text);
            prop_assert!(faults.is_empty(), "{faults:?}\n{text}");
            prop_assert_eq!(plain(&trees[0].root), document);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}:,\"'&*!|>%@#?\\- \n\ta-c\u{feff}\u{202e}\0]{0,80}") {
            let _ = read(&text);
        }
    }

    #[test]
    fn documents_around_a_mistake_are_kept_with_their_lines() {
        let (trees, faults) = read("a: 1\n---\nb: [1\n---\nc: 3\n---\nd: 4\n");
        let keys: Vec<_> = trees
            .iter()
            .filter(|tree| tree.whole)
            .map(|tree| plain(&tree.root).to_string())
            .collect();
        assert_eq!(keys.first().map(String::as_str), Some(r#"{"a":"1"}"#), "{trees:?}");
        assert_eq!(keys.last().map(String::as_str), Some(r#"{"d":"4"}"#), "{trees:?}");
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(trees.last().unwrap().root.get("d").unwrap().span.line, 7);
    }

    #[test]
    fn deep_nesting_ends_within_bounds() {
        for text in ["[".repeat(1_000_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
            let (_, faults) = read(&text);
            assert!(!faults.is_empty());
        }
    }
}
