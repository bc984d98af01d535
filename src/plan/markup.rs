//! Text from outside inside a comment on a pull request: it stays text, whatever a forge makes of
//! Markdown, HTML, addresses, `@names`, numbers of issues and digits of commits.
//!
//! Everything is written as HTML without empty lines, in which Markdown means nothing. Forges still
//! look for names and addresses in the text of HTML, but not inside `<code>`: there stands each word
//! that could be more than a word.

use crate::model::text::{entity, printable};
use std::fmt::Write as _;

/// Longer words may be the first digits of a commit.
const COMMIT_DIGITS_MIN: usize = 7;

/// A name or a value.
#[must_use]
pub fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<code>{}</code>", escaped(text)) }
}

/// A sentence: its plain words as they are, the others as code. What stands between backticks is
/// code as a whole.
#[must_use]
pub fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick that stands alone is a character like any other.
    if parts.len().is_multiple_of(2) {
        return words(text);
    }
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        out.push_str(&if index % 2 == 0 { words(part) } else { code(part) });
    }
    out
}

fn words(text: &str) -> String {
    let text = printable(text);
    let mut out = String::new();
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            out.push(' ');
        }
        let core = word.trim_start_matches(['(', '"']).trim_end_matches(OPEN_AND_CLOSE);
        let start = word.find(core).unwrap_or_default();
        let (before, after) = (&word[..start], &word[start + core.len()..]);
        let _ = write!(out, "{}", escaped(before));
        out.push_str(&if is_plain(core) { escaped(core) } else { code(core) });
        let _ = write!(out, "{}", escaped(after));
    }
    out
}

/// Signs behind a word.
const OPEN_AND_CLOSE: [char; 8] = [',', '.', ';', ':', ')', '"', '?', '%'];

/// Letters alone, or a number, that no forge takes for a commit; `7-day` too.
fn is_plain(word: &str) -> bool {
    let is_commit = |part: &str| {
        part.len() >= COMMIT_DIGITS_MIN && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let is_number = || word.chars().all(|c| c.is_ascii_digit() || ".+-".contains(c));
    let is_word = || word.chars().all(|c| c.is_alphabetic() || "’→-".contains(c));
    !word.split(|c: char| !c.is_ascii_alphanumeric()).any(is_commit) && (is_number() || is_word())
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in printable(text).chars() {
        match (entity(character), character) {
            (Some(entity), _) => out.push_str(entity),
            (None, '\u{2028}' | '\u{2029}' | '\u{85}') => out.push(' '),
            (None, other) => out.push(other),
        }
    }
    out
}

/// A name inside an HTML comment, which it cannot end: other characters than letters, digits, `.`,
/// `_` and single `-` are written as `%XX`.
#[must_use]
pub fn in_comment(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"._".contains(&byte);
        if plain || (byte == b'-' && !out.is_empty() && !out.ends_with('-')) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{code, in_comment, prose};

    #[test]
    fn what_could_be_more_than_a_word_is_code() {
        let text = "Ask @all, admin@contoso.example or https://x.example/?a=1&b (see #12, 7-day).";
        let html = "Ask <code>@all</code>, <code>admin@contoso.example</code> or \
            <code>https://x.example/?a=1&amp;b</code> (see <code>#12</code>, <code>7-day</code>).";
        assert_eq!(prose(text), html);
        assert_eq!(
            prose("defaced, defaced-by or 1234567.00, not 1500.00 bad -15.00"),
            "<code>defaced</code>, <code>defaced-by</code> or <code>1234567.00</code>, \
            not 1500.00 bad -15.00"
        );
        assert_eq!(
            prose("run `partnerctl resume` <b>"),
            "run <code>partnerctl resume</code> <code>&lt;b&gt;</code>"
        );
        assert_eq!(prose("an odd ` tick"), "an odd <code>`</code> tick");
    }

    #[test]
    fn no_name_ends_the_code_it_stands_in() {
        assert_eq!(code("a</code>\n\n# x"), "<code>a&lt;/code&gt;\\u{a}\\u{a}# x</code>");
    }

    #[test]
    fn no_set_ends_the_comment_it_stands_in() {
        assert_eq!(in_comment("partner-1a2b3c"), "partner-1a2b3c");
        assert_eq!(in_comment("a-->b"), "a-%2D%3Eb");
        assert_eq!(in_comment("->"), "%2D%3E");
        assert_eq!(in_comment("x-"), "x-");
    }
}
