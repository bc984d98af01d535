//! A file in pieces, one for each document: of a file that moved, only the documents that moved are
//! read.

use crate::model::digest::Digest;
use std::borrow::Cow;

/// What parts documents, at the beginning of a line.
const MARKER: &str = "---";

/// One document as it stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'t> {
    /// Its first line, from 1.
    pub line: u32,
    /// Where it begins.
    at: usize,
    text: &'t str,
}

/// A digest of what stands in a piece, and where.
pub type Mark = [u8; 16];

impl<'t> Piece<'t> {
    /// The pieces of a text; none where one document may have to do with another, or where it is not
    /// plain where they begin.
    #[must_use]
    pub fn all(text: &'t str) -> Vec<Self> {
        // Where others than this one end a line, places are counted otherwise.
        let other_ends = ['\u{85}', '\u{2028}', '\u{2029}'];
        if text.as_bytes().contains(&b'\r') || (!text.is_ascii() && text.contains(other_ends)) {
            return Vec::new();
        }
        let mut pieces: Vec<Self> = Vec::new();
        let (mut begun, mut at, mut line) = ((1, 0), 0, 1u32);
        for row in text.split_inclusive('\n') {
            let after = at + row.len();
            line = line.saturating_add(1);
            match row.as_bytes() {
                [b'-', b'-', b'-', ..] if row.trim_end() == MARKER => {
                    pieces.push(Self::between(text, begun, at));
                    begun = (line, after);
                }
                [b'-', b'-', b'-', ..] | [b'.', b'.', b'.', ..] | [b'%', ..] => return Vec::new(),
                _ => {}
            }
            at = after;
        }
        if text.starts_with('\u{feff}') {
            return Vec::new();
        }
        pieces.push(Self::between(text, begun, at));
        pieces
    }

    fn between(text: &'t str, (line, at): (u32, usize), end: usize) -> Self {
        Self { line, at, text: &text[at..end] }
    }

    /// Its mark in the file of that name.
    #[must_use]
    pub fn mark(&self, file: &str) -> Mark {
        Digest::default().text(file).number(Some(self.line.into())).text(self.text).short()
    }
}

/// The marks of pieces, with their first lines.
#[must_use]
pub fn marks(file: &str, pieces: &[Piece<'_>]) -> Vec<(u32, Mark)> {
    pieces.iter().map(|piece| (piece.line, piece.mark(file))).collect()
}

/// The mark of the piece in which a line stands.
#[must_use]
pub fn mark_at(marks: &[(u32, Mark)], line: Option<u32>) -> Option<Mark> {
    let number = marks.partition_point(|(first, _)| Some(*first) <= line);
    marks.get(number.checked_sub(1)?).map(|(_, mark)| *mark)
}

/// A text without those of its pieces that have these first lines: what is left stands at the lines
/// where it stood.
#[must_use]
pub fn without<'t>(text: &'t str, pieces: &[Piece<'_>], lines: &[u32]) -> Cow<'t, str> {
    if lines.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut left, mut end) = (String::with_capacity(text.len()), 0);
    for piece in pieces {
        // The marker before it stays.
        left.push_str(&text[end..piece.at]);
        end = piece.at + piece.text.len();
        if lines.contains(&piece.line) {
            left.extend(piece.text.bytes().filter(|byte| *byte == b'\n').map(char::from));
        } else {
            left.push_str(piece.text);
        }
    }
    Cow::Owned(left)
}

#[cfg(test)]
mod tests {
    use super::{Mark, Piece, mark_at, without};
    use crate::kinds::Kinds;
    use crate::manifest;

    const TEXT: &str = "# a\na: 1\n---\n\nb: 2\n---\nc: |+\n  text\n\n---\nd: 4\n";

    fn marks(file: &str, text: &str) -> Vec<(u32, Mark)> {
        super::marks(file, &Piece::all(text))
    }

    #[test]
    fn each_document_has_a_mark_of_what_it_says_and_where() {
        let all = marks("a.yaml", TEXT);
        assert_eq!(all.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 4, 7, 11]);
        assert_eq!(mark_at(&all, Some(5)), Some(all[1].1));
        let of = |file: &str, text: &str, line| mark_at(&marks(file, text), Some(line));
        assert_eq!(of("a.yaml", &TEXT.replace("a: 1", "a: 7"), 5), Some(all[1].1));
        assert_ne!(of("a.yaml", &TEXT.replace("b: 2", "b: 7"), 5), Some(all[1].1));
        assert_ne!(of("a.yaml", &TEXT.replace("# a", "# a\n#"), 6), Some(all[1].1));
        assert_ne!(of("b.yaml", TEXT, 5), Some(all[1].1));
    }

    #[test]
    fn where_documents_may_have_to_do_with_each_other_there_are_no_marks() {
        for text in ["%TAG ! x\n---\na: 1\n", "a: 1\n...\n---\nb: 1\n", "a: 1\r\n---\nb: 1\n"] {
            assert!(marks("a.yaml", text).is_empty(), "{text:?}");
        }
        for text in ["a: 1\n--- {b: 1}\n", "\u{feff}a: 1\n", "a: \u{2028}\n---\nb: 1\n"] {
            assert!(marks("a.yaml", text).is_empty(), "{text:?}");
        }
        assert!(mark_at(&[], Some(1)).is_none());
    }

    #[test]
    fn what_is_left_of_a_text_stands_where_it_stood() {
        let pieces = Piece::all(TEXT);
        assert_eq!(without(TEXT, &pieces, &[]), TEXT);
        let left = without(TEXT, &pieces, &[1, 7]);
        assert_eq!(left, "\n\n---\n\nb: 2\n---\n\n\n\n---\nd: 4\n");
        let read = |text: &str| manifest::read_file(&Kinds::default(), &"a.yaml".into(), text);
        let lines = |text: &str| read(text).documents.iter().map(|d| d.line).collect::<Vec<_>>();
        assert_eq!((lines(TEXT), lines(&left)), (vec![2, 5, 7, 11], vec![5, 11]));
    }
}
