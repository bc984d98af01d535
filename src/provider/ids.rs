//! Ids of what a pass makes: operations, rows, outside things of the embedded provider.

use crate::model::digest::Digest;
use std::collections::BTreeMap;

/// Makes ids that nothing else has. They derive from the store's lineage, from chance that comes
/// from outside, so that no two passes make the same, and from a counter.
#[derive(Clone)]
pub struct Ids {
    lineage: String,
    nonce: u64,
    made: i64,
    /// What all ids of a word begin with, already in a digest: a pass makes three ids a resource.
    begun: BTreeMap<String, Digest>,
}

impl Ids {
    /// Ids of one pass.
    #[must_use]
    pub fn new(lineage: &str, nonce: u64) -> Self {
        Self { lineage: lineage.to_owned(), nonce, made: 0, begun: BTreeMap::new() }
    }

    /// A new id; `what` is a word for what it is made for.
    pub fn next(&mut self, what: &str) -> String {
        self.made += 1;
        let begun = match self.begun.get(what) {
            Some(begun) => begun.clone(),
            None => {
                let nonce = self.nonce.to_string();
                let begun = Digest::default().text(what).text(&self.lineage).text(&nonce);
                self.begun.insert(what.to_owned(), begun.clone());
                begun
            }
        };
        begun.number(Some(self.made)).uuid()
    }
}
