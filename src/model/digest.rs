//! SHA-256 over an unambiguous encoding.

use sha2::{Digest as _, Sha256};

/// Feeds values length-prefixed into SHA-256, so that no two different sequences of values share
/// their bytes: `NULL`, the empty text and a missing value all differ.
#[derive(Clone, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Adds a text, or its bytes.
    #[must_use]
    pub fn text<T: AsRef<[u8]> + ?Sized>(self, text: &T) -> Self {
        self.bytes(text.as_ref())
    }

    /// Adds a text, or its bytes, or `NULL`.
    #[must_use]
    pub fn optional<T: AsRef<[u8]> + ?Sized>(mut self, text: Option<&T>) -> Self {
        match text {
            Some(text) => return self.text(text),
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
        // Every activity has one: going through the formatter for each byte costs more than hashing.
        let digits = self.digits();
        digits.iter().copied().map(char::from).collect()
    }

    /// The digest's hexadecimal digits in ASCII.
    fn digits(self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 64];
        for (two, byte) in digits.chunks_exact_mut(2).zip(self.0.finalize()) {
            two[0] = DIGITS[usize::from(byte >> 4)];
            two[1] = DIGITS[usize::from(byte & 15)];
        }
        digits
    }

    /// The digest in the shape of a UUID (version 8: made by its owner's own rule, RFC 9562).
    #[must_use]
    pub fn uuid(self) -> String {
        let mut digits = self.digits();
        (digits[12], digits[16]) = (b'8', b'a');
        let mut uuid = String::with_capacity(36);
        for (place, digit) in digits[..32].iter().enumerate() {
            if matches!(place, 8 | 12 | 16 | 20) {
                uuid.push('-');
            }
            uuid.push(char::from(*digit));
        }
        uuid
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
        let values =
            Digest::default().text("a").optional(None::<&str>).number(Some(-2)).number(None).hex();
        let uuid = Digest::default().uuid();
        assert_eq!(uuid, "e3b0c442-98fc-8c14-aafb-f4c8996fb924");
        assert_eq!(values, "53ca6777a8acb8e1521f5d1f1b3d213f99505e46b6752342f092fac65d1e871d");
    }
}
