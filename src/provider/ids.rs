//! Ids of what a pass makes: operations, rows, outside things of the embedded provider.

use crate::model::digest::Digest;
use std::collections::BTreeMap;

/// Makes ids that nothing else has, in the shape of a UUID (version 8: made by its owner's own rule,
/// RFC 9562). They begin with a digest of what they are for, the store's lineage, and chance that
/// comes from outside, so that no two passes make the same; they end with a counter. Those of a pass
/// are so in the order they were made in, and stand together in the indexes of the store.
#[derive(Debug, Clone)]
pub struct Ids {
    lineage: String,
    nonce: u64,
    made: u64,
    begun: BTreeMap<String, String>,
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
        if !self.begun.contains_key(what) {
            let nonce = self.nonce.to_string();
            let uuid = Digest::default().text(what).text(&self.lineage).text(&nonce).uuid();
            self.begun.insert(what.to_owned(), uuid[..24].to_owned());
        }
        format!("{}{:012x}", self.begun[what], self.made)
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn ids_of_a_pass_rise_and_no_other_pass_or_word_has_them() {
        let mut ids = Ids::new("lineage", 7);
        let made: Vec<String> = (0..300).map(|_| ids.next("uid")).collect();
        assert!(made.is_sorted_by(|a, b| a < b) && made.iter().all(|id| id.len() == 36));
        let start = |id: &str| id[..24].to_owned();
        let others = [
            ids.next("operation"),
            Ids::new("lineage", 8).next("uid"),
            Ids::new("other", 7).next("uid"),
        ];
        assert!(others.iter().all(|other| start(other) != start(&made[0])));
        assert!(made[0].as_bytes()[14] == b'8' && made[0].ends_with("-000000000001"));
    }
}
