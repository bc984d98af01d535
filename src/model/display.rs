//! How wide a text is on a terminal, and how it is cut and wrapped to fit: characters of East Asia
//! and pictures take two columns, accents none. Colours in a text take none either.

use crate::model::text::is_plain;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The sign for what was cut away.
pub const ELLIPSIS: char = '…';

/// The columns that a line takes on a terminal.
#[must_use]
pub fn columns(line: &str) -> usize {
    if is_plain(line) {
        return line.len();
    }
    if line.contains('\u{1b}') { plain(line).width() } else { line.width() }
}

/// A line without its colours.
#[must_use]
pub fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut parts = line.split('\u{1b}');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    out
}

/// A text of at most so many columns: what does not fit is cut off, and `…` says so.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    // A line may be megabytes of accents on one letter: what is looked at is bounded as well.
    let looked_at = width.saturating_mul(8).saturating_add(8);
    let room = width.saturating_sub(1);
    let mut end = 0;
    for (at, character) in text.char_indices().take(looked_at) {
        let next = at + character.len_utf8();
        if text[..next].width() > room {
            break;
        }
        end = next;
    }
    let mut out = text[..end].trim_end().to_owned();
    if width > 0 {
        out.push(ELLIPSIS);
    }
    out
}

/// A line filled up with spaces to so many columns.
#[must_use]
pub fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(missing))
}

/// The spaces at the beginning of a line.
#[must_use]
pub fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Every line of a text in at most so many columns. A line that is wider goes on below itself, by
/// `hang` columns from the edge; it is broken at spaces and between wide characters, which know no
/// spaces. A word wider than that stays whole: names and paths are there to be copied.
#[must_use]
pub fn wrapped(text: &str, width: usize, hang: impl Fn(&str) -> usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        // No character takes more columns than bytes.
        if line.len() <= width || columns(line) <= width {
            out.push_str(line);
        } else {
            wrap(&mut out, line, width, hang(line).min(width / 2));
        }
        out.push_str(end);
    }
    out
}

fn wrap(out: &mut String, line: &str, width: usize, hang: usize) {
    let words = words(line);
    let mut at = 0;
    for (index, (gap, word)) in words.iter().enumerate() {
        let wide = columns(word);
        let room = width.saturating_sub(at + gap);
        // What stands between two wide gaps is one thing: it stays together where it can.
        let together = if *gap > 1 { columns_together(&words[index..]) } else { wide };
        let goes_on = index > 0 && (wide > room || (together > room && together <= width - hang));
        if goes_on {
            out.push('\n');
        }
        let before = if goes_on { hang } else { *gap };
        at = if goes_on { hang } else { at + gap } + wide;
        out.push_str(&" ".repeat(before));
        out.push_str(word);
    }
}

/// The columns of the words up to the next wide gap.
fn columns_together(words: &[(usize, &str)]) -> usize {
    let (first, rest) =
        words.split_first().map_or((0, words), |((_, word), rest)| (columns(word), rest));
    let near = rest.iter().take_while(|(gap, _)| *gap < 2);
    first + near.map(|(gap, word)| gap + columns(word)).sum::<usize>()
}

/// The parts that are not divided, each with the number of spaces before it.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let (mut gap, mut start, mut at) = (0, None, 0);
    for character in line.chars() {
        let begins = start.is_some_and(|start: usize| start < at) && opens(character);
        if let Some(from) = start.filter(|_| character == ' ' || begins) {
            words.push((gap, &line[from..at]));
            (gap, start) = (0, None);
        }
        if character == ' ' {
            gap += 1;
        } else if start.is_none() {
            start = Some(at);
        }
        at += character.len_utf8();
    }
    words.extend(start.map(|from| (gap, &line[from..])));
    words
}

/// A wide character may begin a line, but not one that colours the skin of the one before it.
fn opens(character: char) -> bool {
    character.width() == Some(2) && !('\u{1f3fb}'..='\u{1f3ff}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::{columns, cut, indent, wrapped};

    #[test]
    fn columns_are_counted_as_a_terminal_shows_them() {
        for (text, expected) in [
            ("contoso", 7),
            ("", 0),
            ("a\tb\u{7f}", 4),
            ("日本", 4),
            ("1\u{fe0f}\u{20e3}", 2),
            ("e\u{301}te\u{301}", 3),
            ("\u{1f680}", 2),
            ("\u{1b}[1m\u{1b}[31mred\u{1b}[0m", 3),
        ] {
            assert_eq!(columns(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_cut_fits_and_keeps_accents_on_their_letters() {
        assert_eq!(cut("contoso", 7), "contoso");
        assert_eq!(cut("contoso", 5), "cont…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("e\u{301}te\u{301}s", 3), "e\u{301}t…");
        assert_eq!(cut("a b c", 3), "a…");
        let tower = format!("e{}", "\u{301}".repeat(100_000));
        assert_eq!(columns(&cut(&format!("{tower}lan"), 3)), 2);
    }

    #[test]
    fn lines_are_broken_at_spaces_and_between_wide_characters() {
        let hang = |line: &str| indent(line) + 2;
        assert_eq!(wrapped("  one two three\nfour\n", 10, hang), "  one two\n    three\nfour\n");
        assert_eq!(wrapped("ab日本語", 5, |_| 1), "ab日\n 本語");
        assert_eq!(wrapped("a/long/path is whole", 6, |_| 0), "a/long/path\nis\nwhole");
        assert_eq!(wrapped("1  add one  to all", 11, |_| 2), "1  add one\n  to all");
        assert_eq!(wrapped("12  add one  to all", 10, |_| 2), "12\n  add one\n  to all");
        let red = "\u{1b}[31mone two\u{1b}[0m";
        assert_eq!(wrapped(red, 7, |_| 0), red);
    }
}
