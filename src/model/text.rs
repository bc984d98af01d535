//! Text from outside, made safe to print.

/// True for a text of letters that each take one byte and one column, as most are.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Text from outside, safe to print: control characters and those that change the direction of
/// text become their escapes.
#[must_use]
pub fn printable(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|c| match c {
            '\t' => vec![' '],
            c if is_hidden(c) => c.escape_unicode().collect(),
            c => vec![c],
        })
        .collect()
}

/// The same with one character in place of each, for text whose columns are told.
#[must_use]
pub fn in_columns(text: &str) -> String {
    let shown = |c| match c {
        '\t' => ' ',
        c if is_hidden(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What stands for a character that means something to XML and HTML; `None` for one that stands for
/// itself.
#[must_use]
pub fn entity(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        _ => None,
    }
}

/// A count with its noun: `1 change`, `2 changes`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// So many sentences are told in one line.
const SENTENCES_MAX: usize = 8;

/// Sentences in one line: some of them, and how many more there are.
#[must_use]
pub fn few(mut sentences: Vec<String>) -> String {
    let more = sentences.len().saturating_sub(SENTENCES_MAX);
    sentences.truncate(SENTENCES_MAX);
    if more > 0 {
        sentences.push(format!("and {more} more"));
    }
    sentences.join("; ")
}

#[cfg(test)]
mod tests {
    use super::{few, printable};

    #[test]
    fn of_many_sentences_a_few_are_told() {
        let sentences = |number: usize| (1..=number).map(|n| n.to_string()).collect();
        assert_eq!(few(sentences(0)), "");
        assert_eq!(few(sentences(8)), "1; 2; 3; 4; 5; 6; 7; 8");
        assert_eq!(few(sentences(10)), "1; 2; 3; 4; 5; 6; 7; 8; and 2 more");
    }

    #[test]
    fn nothing_that_moves_the_cursor_or_turns_text_around_is_printed() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}b\tc"), "a\\u{1b}[31m\\u{202e}b c");
    }
}
