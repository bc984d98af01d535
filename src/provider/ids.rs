//! Ids of what a pass makes: operations, rows, outside things of the embedded provider.

use crate::model::digest::Digest;

/// Makes ids that nothing else has. They derive from the store's lineage, from chance that comes
/// from outside, so that no two passes make the same, and from a counter.
#[derive(Debug, Clone)]
pub struct Ids {
    lineage: String,
    nonce: u64,
    made: i64,
}

impl Ids {
    /// Ids of one pass.
    #[must_use]
    pub fn new(lineage: &str, nonce: u64) -> Self {
        Self { lineage: lineage.to_owned(), nonce, made: 0 }
    }

    /// A new id; `what` is a word for what it is made for.
    pub fn next(&mut self, what: &str) -> String {
        self.made += 1;
        Digest::default()
            .text(what)
            .text(&self.lineage)
            .text(&self.nonce.to_string())
            .number(Some(self.made))
            .uuid()
    }
}
