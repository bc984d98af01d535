//! SHA-256 over an unambiguous encoding.

use sha2::{Digest as _, Sha256};

/// Feeds values length-prefixed into SHA-256, so that no two different sequences of values share
/// their bytes: `NULL`, the empty text and a missing value all differ.
#[derive(Default)]
pub struct Digest(Sha256);

/// Counts what is written.
struct Length(u64);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Takes what is written into a digest.
struct Bytes<'a>(&'a mut Sha256);

impl std::io::Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

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
            Some(text) => return self.bytes(text.as_bytes()),
            None => self.0.update([0]),
        }
        self
    }

    /// The first 16 bytes: enough to tell values apart, against anybody who means ill.
    #[must_use]
    pub fn short(self) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0.finalize()[..16]);
        short
    }

    /// Adds the bytes of a text.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(tagged(1, (bytes.len() as u64).to_be_bytes()));
        self.0.update(bytes);
        self
    }

    /// Adds the JSON of a value as a text, which is never there as a whole.
    #[must_use]
    pub fn json(mut self, value: &impl serde::Serialize) -> Self {
        let mut length = Length(0);
        // Neither writer fails; a value that has no JSON counts as the empty text, as before it.
        if serde_json::to_writer(&mut length, value).is_err() {
            return self.text("");
        }
        self.0.update([1]);
        self.0.update(length.0.to_be_bytes());
        let mut bytes = std::io::BufWriter::with_capacity(16_384, Bytes(&mut self.0));
        let _written = serde_json::to_writer(&mut bytes, value);
        drop(bytes);
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
