//! SHA-256 over an unambiguous encoding.

use sha2::{Digest as _, Sha256};

/// Feeds values length-prefixed into SHA-256, so that no two different sequences of values share
/// their bytes: `NULL`, the empty text and a missing value all differ.
#[derive(Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Adds a text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.optional(Some(text))
    }

    /// Adds a text or `NULL`.
    #[must_use]
    pub fn optional(mut self, text: Option<&str>) -> Self {
        match text {
            Some(text) => {
                self.0.update(tagged(1, (text.len() as u64).to_be_bytes()));
                self.0.update(text.as_bytes());
            }
            None => self.0.update([0]),
        }
        self
    }

    /// Adds a number or `NULL`.
    #[must_use]
    pub fn number(mut self, number: Option<i64>) -> Self {
        match number {
            Some(number) => {
                self.0.update(tagged(2, number.to_be_bytes()));
            }
            None => self.0.update([0]),
        }
        self
    }

    /// The digest in 64 hexadecimal digits.
    #[must_use]
    pub fn hex(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // Every activity has one: going through the formatter for each byte costs more than hashing.
        let mut hex = String::with_capacity(64);
        for byte in self.0.finalize() {
            hex.push(char::from(DIGITS[usize::from(byte >> 4)]));
            hex.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        hex
    }

    /// The digest in the shape of a UUID (version 8: made by its owner's own rule, RFC 9562).
    #[must_use]
    pub fn uuid(self) -> String {
        let hex = self.hex();
        format!(
            "{}-{}-8{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..32]
        )
    }
}

/// A number behind the byte that says what follows.
fn tagged(tag: u8, number: [u8; 8]) -> [u8; 9] {
    let mut bytes = [tag; 9];
    bytes[1..].copy_from_slice(&number);
    bytes
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn the_encoding_of_values_never_changes() {
        let nothing = Digest::default().hex();
        assert_eq!(nothing, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let values = Digest::default().text("a").optional(None).number(Some(-2)).number(None).hex();
        assert_eq!(values, "53ca6777a8acb8e1521f5d1f1b3d213f99505e46b6752342f092fac65d1e871d");
    }
}
