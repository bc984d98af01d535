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
                self.0.update([1]);
                self.0.update((text.len() as u64).to_be_bytes());
                self.0.update(text.as_bytes());
            }
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

    /// Adds a number or `NULL`.
    #[must_use]
    pub fn number(mut self, number: Option<i64>) -> Self {
        match number {
            Some(number) => {
                self.0.update([2]);
                self.0.update(number.to_be_bytes());
            }
            None => self.0.update([0]),
        }
        self
    }

    /// The digest in 64 hexadecimal digits.
    #[must_use]
    pub fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
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
