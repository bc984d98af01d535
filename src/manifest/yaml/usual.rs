//! Documents as manifests usually are written, read without the parser: printable ASCII, mappings
//! and lists by indentation, braces and brackets within one line, texts of one line.
//!
//! The parser knows all of YAML, and would take three quarters of all that reading a manifest takes.
//! What is read here must come out as it would from the parser, down to the places; so whatever
//! is not clearly one of these things is `None`: the parser reads the text from its start, and says
//! what is wrong with it.

use super::{SEARCHED_KEYS_MAX, Tree};
use crate::model::tree::{Entry, Node, Span, Value};

/// Mappings and lists within one another; the parser reads deeper ones.
const WITHIN_MAX: usize = 16;
/// The parser takes a key of more than 1,024 characters for none.
const KEY_MAX: usize = 1_000;

/// The documents of a text that has nothing but what is usual.
pub(super) fn read(text: &str, values_max: usize) -> Option<Vec<Tree>> {
    let is_usual = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    // By pieces without a way out, so that the machine looks at many bytes at once.
    let all_usual = |piece: &[u8]| piece.iter().fold(true, |all, byte| all & is_usual(byte));
    if !text.as_bytes().chunks(64).all(all_usual) {
        return None;
    }
    let mut reader = Reader { text, at: 0, line: 1, line_at: 0, values: 0, values_max, depth: 0 };
    let mut trees = Vec::new();
    reader.seek_content();
    loop {
        match reader.level() {
            Some(0) => {
                reader.values = 0;
                let root = reader.mapping(0)?;
                trees.push(Tree { root, whole: true });
                if reader.level().is_some() {
                    return None;
                }
            }
            Some(_) => return None,
            None if reader.byte().is_some() => {
                reader.at += MARKER.len();
                reader.next_line()?;
            }
            None => return Some(trees),
        }
    }
}

/// What parts documents.
const MARKER: &str = "---";

/// What ended an unquoted text.
#[derive(PartialEq, Eq)]
enum End {
    /// A colon, so that it is a key.
    Colon,
    /// A comma or bracket, or the line's end.
    Other,
}

struct Reader<'t> {
    text: &'t str,
    /// The place of the next byte.
    at: usize,
    line: u32,
    /// Where the line begins.
    line_at: usize,
    /// Values of the document until now.
    values: usize,
    values_max: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn byte(&self) -> Option<u8> {
        self.byte_at(self.at)
    }

    fn byte_at(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// True when nothing but a space or the line's end stands at a place.
    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte_at(at), None | Some(b' ' | b'\n'))
    }

    fn span(&self, from: usize, width: usize) -> Option<Span> {
        let column = u32::try_from(from - self.line_at).ok()? + 1;
        Some(Span { line: self.line, column, width: u32::try_from(width).ok()? })
    }

    fn spaces(&mut self) {
        while self.byte() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Counts a value, as the parser's events are counted.
    fn node(&mut self, span: Span, value: Value) -> Option<Node> {
        self.values += 1;
        (self.values <= self.values_max).then_some(Node { span, value })
    }

    /// Ends a line, on which there may be a comment, and goes on to the next content.
    fn next_line(&mut self) -> Option<()> {
        let from = self.at;
        self.spaces();
        match self.byte() {
            Some(b'#') if self.at > from => self.skip_line(),
            Some(b'\n') => self.skip_line(),
            None => {}
            Some(_) => return None,
        }
        self.seek_content();
        Some(())
    }

    fn skip_line(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match rest.find('\n') {
            Some(length) => {
                self.at += length + 1;
                self.line = self.line.saturating_add(1);
                self.line_at = self.at;
            }
            None => self.at = self.text.len(),
        }
    }

    /// Goes on from a line's start to the next byte that is neither blank nor in a comment.
    fn seek_content(&mut self) {
        self.spaces();
        while matches!(self.byte(), Some(b'\n' | b'#')) {
            self.skip_line();
            self.spaces();
        }
    }

    /// How far in the line the content stands; `None` at the document's end.
    fn level(&self) -> Option<usize> {
        self.byte()?;
        let level = self.at - self.line_at;
        let ends = level == 0
            && self.text.get(self.at..).is_some_and(|rest| rest.starts_with(MARKER))
            && matches!(self.byte_at(self.at + MARKER.len()), None | Some(b'\n'));
        (!ends).then_some(level)
    }

    /// A text without quotes that begins with a letter, a digit, `_` or `/`.
    fn plain(&mut self, in_flow: bool) -> Option<(Span, &'t str, End)> {
        let from = self.at;
        if !self.byte().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_/".contains(&byte)) {
            return None;
        }
        let mut end = from;
        let ended_by = loop {
            match self.byte() {
                None | Some(b'\n') => break End::Other,
                Some(b' ') => {
                    // A comment, or something that only the parser knows.
                    match self.byte_at(self.at + 1) {
                        Some(b'#') if in_flow => return None,
                        Some(b'#') => break End::Other,
                        Some(b'-') if in_flow => return None,
                        _ => {}
                    }
                }
                Some(b':') if self.is_blank(self.at + 1) => break End::Colon,
                Some(b':') if in_flow => match self.byte_at(self.at + 1) {
                    Some(b',' | b'[' | b']' | b'{' | b'}') => return None,
                    _ => end = self.at + 1,
                },
                Some(b',' | b'[' | b']' | b'{' | b'}') if in_flow => break End::Other,
                Some(_) => end = self.at + 1,
            }
            self.at += 1;
        };
        let text = self.text.get(from..end)?;
        Some((self.span(from, text.len())?, text, ended_by))
    }

    /// A key with its colon.
    fn key(&mut self, entries: &[Entry], in_flow: bool) -> Option<(Span, String)> {
        let (span, key, ended_by) = self.plain(in_flow)?;
        let is_key = ended_by == End::Colon
            && key.len() <= KEY_MAX
            && entries.len() < SEARCHED_KEYS_MAX
            && !entries.iter().any(|entry| entry.key == key);
        self.at += 1;
        self.values += 1;
        is_key.then(|| (span, key.to_owned()))
    }

    /// A value within a line.
    fn inline(&mut self, in_flow: bool) -> Option<Node> {
        match self.byte()? {
            b'{' => self.flow(b'}'),
            b'[' => self.flow(b']'),
            quote @ (b'"' | b'\'') => self.quoted(quote),
            _ => {
                let (span, text, ended_by) = self.plain(in_flow)?;
                let value = Value::Scalar { text: text.to_owned(), plain: true };
                if ended_by == End::Other { self.node(span, value) } else { None }
            }
        }
    }

    /// A text in quotes without escapes. The parser counts blanks behind it to its width.
    fn quoted(&mut self, quote: u8) -> Option<Node> {
        let from = self.at;
        let rest = self.text.get(from + 1..)?;
        let length =
            rest.bytes().position(|byte| byte == quote || matches!(byte, b'\\' | b'\n'))?;
        self.at += length + 1;
        if self.byte()? != quote || (quote == b'\'' && self.byte_at(self.at + 1) == Some(quote)) {
            return None;
        }
        self.at += 1;
        self.spaces();
        if !matches!(self.byte(), None | Some(b',' | b']' | b'}' | b'\n')) {
            return None;
        }
        let text = rest.get(..length)?.to_owned();
        self.node(self.span(from, self.at - from)?, Value::Scalar { text, plain: false })
    }

    /// A mapping in braces or a list in brackets. The parser counts blanks behind the first brace to
    /// its width.
    fn flow(&mut self, closing: u8) -> Option<Node> {
        let from = self.at;
        self.at += 1;
        self.spaces();
        let span = self.span(from, self.at - from)?;
        self.depth += 1;
        if self.depth > WITHIN_MAX {
            return None;
        }
        let (mut entries, mut items) = (Vec::new(), Vec::new());
        while self.byte()? != closing || !entries.is_empty() || !items.is_empty() {
            if closing == b'}' {
                let (key_span, key) = self.key(&entries, true)?;
                self.spaces();
                let value = self.inline(true)?;
                entries.push(Entry { key, key_span, value });
            } else {
                items.push(self.inline(true)?);
            }
            self.spaces();
            if self.byte()? == closing {
                break;
            } else if self.byte()? != b',' {
                return None;
            }
            self.at += 1;
            self.spaces();
        }
        self.at += 1;
        self.depth -= 1;
        let is_mapping = closing == b'}';
        self.node(span, if is_mapping { Value::Mapping(entries) } else { Value::Sequence(items) })
    }

    /// A mapping by indentation, from its first key on; ends at the first content that is not its.
    fn mapping(&mut self, indent: usize) -> Option<Node> {
        let span = self.span(self.at, 1)?;
        self.depth += 1;
        if self.depth > WITHIN_MAX {
            return None;
        }
        let mut entries = Vec::new();
        loop {
            let (key_span, key) = self.key(&entries, false)?;
            let from = self.at;
            self.spaces();
            let value = match self.byte() {
                None | Some(b'\n' | b'#') => {
                    self.at = from;
                    self.next_line()?;
                    self.below(indent)?
                }
                Some(_) => {
                    let value = self.inline(false)?;
                    self.next_line()?;
                    value
                }
            };
            entries.push(Entry { key, key_span, value });
            // What stands deeper goes on with the text above it: then no mapping takes it, and the
            // document does not end.
            if self.level() != Some(indent) {
                break;
            }
        }
        self.depth -= 1;
        self.node(span, Value::Mapping(entries))
    }

    /// The value of a key on the lines below it.
    fn below(&mut self, indent: usize) -> Option<Node> {
        let level = self.level()?;
        if self.byte() == Some(b'-') && level >= indent {
            self.list(level, level == indent)
        } else if level > indent {
            self.mapping(level)
        } else {
            None
        }
    }

    /// A list by indentation. The parser has one that is not indented stand where its first item is.
    fn list(&mut self, indent: usize, is_flush: bool) -> Option<Node> {
        let mut span = self.span(self.at, 1)?;
        self.depth += 1;
        if self.depth > WITHIN_MAX {
            return None;
        }
        let mut items = Vec::new();
        while self.level() == Some(indent) && self.byte() == Some(b'-') {
            self.at += 1;
            if self.byte()? != b' ' {
                return None;
            }
            self.spaces();
            let from = self.at;
            if is_flush && items.is_empty() {
                span = self.span(from, 1)?;
            }
            let is_key = self.plain(false).is_some_and(|(_, _, ended_by)| ended_by == End::Colon);
            self.at = from;
            let item = if is_key {
                self.mapping(from - self.line_at)?
            } else {
                let item = self.inline(false)?;
                self.next_line()?;
                item
            };
            items.push(item);
        }
        self.depth -= 1;
        self.node(span, Value::Sequence(items))
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::kinds::Kinds;
    use crate::manifest::yaml::{VALUES_MAX, parse};
    use proptest::prelude::*;

    /// True when the text was read here; then as the parser reads it.
    fn is_usual(text: &str, values_max: usize) -> bool {
        let Some(trees) = read(text, values_max) else { return false };
        let (theirs, faults) = parse(text, values_max);
        assert_eq!(format!("{trees:?}"), format!("{theirs:?}"), "{text}");
        assert!(faults.is_empty(), "{faults:?}\n{text}");
        true
    }

    fn flow() -> impl Strategy<Value = String> {
        let leaf = "[a-z0-9_/][ -~]{0,6}|[a-z]{1,3}|\"[ -~]{0,5}\"|'[ -~]{0,5}'|[{\\[] {0,2}[]}]";
        leaf.prop_recursive(3, 20, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 1..4);
            let map = prop::collection::vec(("[a-c]{1,2}[ '#-]?", " {0,2}", inner), 1..4);
            prop_oneof![
                (list, " {0,2}").prop_map(|(list, gap)| format!(
                    "[{gap}{}{gap}]",
                    list.join(&format!("{gap}, "))
                )),
                (map, " {0,2}").prop_map(|(map, gap)| {
                    let fields =
                        map.iter().map(|(key, before, value)| format!("{key}:{before}{value}"));
                    format!("{{{gap}{}{gap}}}", fields.collect::<Vec<_>>().join(", "))
                }),
            ]
        })
    }

    fn line() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            3 => "[a-z0-9_/.:#-]{1,5}( [a-z:#-]{1,3})?".boxed(),
            3 => flow().boxed(),
            4 => Just(String::new()).boxed(),
        ];
        let start = prop_oneof![
            6 => "[a-f]{1,2}: ?", 2 => "- {1,3}", 2 => "- {1,3}[a-f]: ?", 1 => "---", 1 => "\\.\\.\\.", 1 => " ?#",
            1 => "[a-f] :", 1 => "",
        ];
        let indent = prop_oneof![4 => Just(0usize), 4 => Just(2), 2 => Just(4), 1 => 0..7usize];
        (indent, start, value, "|||| {1,3}| #c|#c").prop_map(|(indent, start, value, end)| {
            format!("{}{start}{value}{end}\n", " ".repeat(indent))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_read_without_the_parser_is_what_it_reads(
            text in prop::collection::vec(line(), 0..8).prop_map(|lines| lines.concat())
        ) {
            is_usual(&text, VALUES_MAX);
        }

        #[test]
        fn the_same_within_a_line(value in flow(), end in "| | #c|#c") {
            is_usual(&format!("a: {value}{end}"), VALUES_MAX);
            is_usual(&format!("a:\n- {value}{end}\nb: c"), VALUES_MAX);
        }

        #[test]
        fn the_same_of_any_characters(text in "[ab]: ?[ab:#{}\\[\\],\"' \n-]{0,30}\n?") {
            is_usual(&text, VALUES_MAX);
        }
    }

    #[test]
    fn what_the_kinds_show_as_examples_is_usual() {
        for entry in Kinds::default().iter() {
            assert!(is_usual(entry.facts.example, VALUES_MAX), "{}", entry.facts.example);
        }
        let text = "---\n# a\na: {b: [c, {d: \"e\"}], f: []} # g\nh:\n- i: j k\n  l:\n    m: 'n'\n\n---\n---\no: p";
        assert!(is_usual(text, VALUES_MAX));
        assert!(is_usual("a: {b: [c, d]}", 7) && !is_usual("a: {b: [c, d]}", 6));
    }

    #[test]
    fn what_only_the_parser_knows_is_left_to_it() {
        for text in [
            "a: &x b",
            "a: *x",
            "a: !t b",
            "a: |\n  b",
            "a: b\n  c",
            "a: \"b\\n\"",
            "a:",
            "a: b: c",
            "é: b",
            "a: {b: c,\n d: e}",
            "a: b\na: c",
            "<<: {a: b}",
            "? a\n: b",
            "%YAML 1.2\n---\na: b",
            "a: b\n...\n",
            "{a: b}",
            "- a",
            "a",
            "a: b\r\n",
            "\"a\": b",
            " a: b",
            "a: {b: c, }",
            "a: 'b''c'",
            "a: {b: c} d",
            "a: {b: c -}",
            "a: [b -, c]",
            "a: {b: c:}",
            "a: {b: c:d, e}",
            "a: b\n - c",
            "a:\n- b\n  c",
            "a:\n - b\n  - c",
            "a: {b: c}\n  d: e",
            "a:\n  b: c\n d: e",
            "a:\n- b: c\n   d: e",
        ] {
            assert!(!is_usual(text, VALUES_MAX), "{text}");
        }
    }
}
