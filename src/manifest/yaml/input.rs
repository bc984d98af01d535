//! A text as the YAML parser takes it, byte by byte where it is ASCII.
//!
//! The parser brings an input for texts of its own, which decodes a character at each glance, and
//! makes it set aside room for 128 characters at each scalar: more instructions than all the rest of
//! a pass has for a manifest.

use saphyr_parser::Input;

/// What is left of a text.
pub(super) struct Text<'t>(&'t [u8]);

/// The parser sets aside room for so many characters at a time.
const CHARACTERS_AHEAD: usize = 24;

impl<'t> Text<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self(text.as_bytes())
    }

    /// The first of some bytes as a character, with the bytes it takes; `None` at the end.
    fn first(bytes: &[u8]) -> Option<(char, usize)> {
        match bytes.first() {
            Some(byte) if byte.is_ascii() => Some((char::from(*byte), 1)),
            Some(byte) => Some(beyond_ascii(*byte, bytes)),
            None => None,
        }
    }

    /// The byte at a place, where the text goes on that far and as ASCII.
    fn byte(&self, place: usize) -> u8 {
        self.0.get(place).copied().unwrap_or_default()
    }
}

/// A character of several bytes.
#[cold]
fn beyond_ascii(first: u8, bytes: &[u8]) -> (char, usize) {
    // The first byte begins with as many ones as there are bytes.
    let width = first.leading_ones() as usize;
    let text = bytes.get(..width).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let character = text.and_then(|text| text.chars().next());
    (character.unwrap_or(char::REPLACEMENT_CHARACTER), width)
}

fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\0' | '\u{feff}')
}

impl Input for Text<'_> {
    #[inline]
    fn lookahead(&mut self, _: usize) {}

    #[inline]
    fn buflen(&self) -> usize {
        CHARACTERS_AHEAD
    }

    #[inline]
    fn bufmaxlen(&self) -> usize {
        CHARACTERS_AHEAD
    }

    fn raw_read_ch(&mut self) -> char {
        let character = self.peek();
        self.skip();
        character
    }

    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        let (character, _) = Self::first(self.0).filter(|(character, _)| !is_break(*character))?;
        self.skip();
        Some(character)
    }

    #[inline]
    fn skip(&mut self) {
        if let Some((_, width)) = Self::first(self.0) {
            self.0 = self.0.get(width..).unwrap_or_default();
        }
    }

    #[inline]
    fn skip_n(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
    }

    #[inline]
    fn peek(&self) -> char {
        self.peek_opt().unwrap_or('\0')
    }

    #[inline]
    fn peek_nth(&self, n: usize) -> char {
        let mut ahead = Self(self.0);
        ahead.skip_n(n);
        ahead.peek()
    }

    #[inline]
    fn peek_opt(&self) -> Option<char> {
        Self::first(self.0).map(|(character, _)| character)
    }

    // Those that are asked for each character of a scalar; a byte beyond ASCII is none of theirs.

    #[inline]
    fn next_is_blank_or_breakz(&self) -> bool {
        matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r' | 0)
    }

    #[inline]
    fn next_can_be_plain_scalar(&self, in_flow: bool) -> bool {
        let is_flow = |byte| in_flow && matches!(byte, b',' | b'[' | b']' | b'{' | b'}');
        match self.byte(0) {
            b':' => {
                let next = self.byte(1);
                !(matches!(next, b' ' | b'\t' | b'\n' | b'\r' | 0) || is_flow(next))
            }
            byte if byte.is_ascii() => !is_flow(byte),
            _ => self.peek() != '\u{feff}',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Text;
    use proptest::prelude::*;
    use saphyr_parser::{Event, Marker, Parser, ScanError, Span};

    /// What the parser says of a text until the first mistake: each event with its line, its column
    /// and its width.
    fn said<'t>(parser: impl Iterator<Item = Result<(Event<'t>, Span), ScanError>>) -> Vec<String> {
        let place = |marker: &Marker| (marker.line(), marker.col());
        let one = |item: Result<(Event<'t>, Span), ScanError>| match item {
            Ok((event, Span { start, end })) => {
                let width = end.index().checked_sub(start.index());
                format!("{event:?} {:?} {:?} {width:?}", place(&start), place(&end))
            }
            Err(error) => format!("{} {:?}", error.info(), place(error.marker())),
        };
        let mut said = Vec::new();
        for item in parser.take(500) {
            let ends = item.is_err();
            said.push(one(item));
            if ends {
                break;
            }
        }
        said
    }

    /// The parser's own input counts bytes for characters in a directive that is not ASCII.
    fn without_odd_columns(text: &str) -> String {
        if text.is_ascii() { text.to_owned() } else { text.replace('%', "5") }
    }

    proptest! {
        #[test]
        fn the_parser_reads_the_same_as_from_its_own_input(
            text in "([\\[\\]{}:,\"'&*!|>%@#?\\- \n\t\r\\\\a-cé中\u{feff}\u{85}\u{1f600}\0]|: |- |---|\\.\\.\\.|\n  ){0,60}"
        ) {
            let text = without_odd_columns(&text);
            prop_assert_eq!(said(Parser::new(Text::new(&text))), said(Parser::new_from_str(&text)));
        }

        #[test]
        fn long_scalars_and_deep_indents_are_read_the_same(
            text in "(  ){0,20}[a-zé]{0,200}: [|>]?[-+]?\n( {0,70}[a-z: é]{0,60}\n){0,6}"
        ) {
            prop_assert_eq!(said(Parser::new(Text::new(&text))), said(Parser::new_from_str(&text)));
        }
    }
}
