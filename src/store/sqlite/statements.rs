//! The statements of one transaction that many writes need.

use rusqlite::{CachedStatement, Transaction};

/// Prepared statements, each found by where its text stands: the connection's own cache reads the
/// whole text of a statement twice for every row.
pub(super) struct Statements<'t> {
    /// For everything that is written once.
    pub transaction: &'t Transaction<'t>,
    kept: Vec<(&'static str, CachedStatement<'t>)>,
}

impl<'t> Statements<'t> {
    pub(super) fn new(transaction: &'t Transaction<'t>) -> Self {
        Self { transaction, kept: Vec::new() }
    }

    /// A statement, prepared when it is asked for the first time.
    pub(super) fn of(&mut self, sql: &'static str) -> rusqlite::Result<&mut CachedStatement<'t>> {
        let is_it = |(kept, _): &(&'static str, _)| std::ptr::eq(*kept, sql);
        let place = match self.kept.iter().position(is_it) {
            Some(place) => place,
            None => {
                self.kept.push((sql, self.transaction.prepare_cached(sql)?));
                self.kept.len() - 1
            }
        };
        Ok(&mut self.kept[place].1)
    }
}
