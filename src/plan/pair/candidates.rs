//! What a manifest may stand for: rows and things of one kind, with their references under the names
//! that hold after the plan.

use super::Pairing;
use crate::kinds::KindEntry;
use crate::model::parallel::map;
use crate::model::{KindName, Observed, ResourceId, Spec, Stored};
use std::collections::BTreeMap;

/// The resources of one kind that are not yet paired.
pub(super) struct Candidates {
    pub(super) own: BTreeMap<ResourceId, Box<Stored>>,
    pub(super) foreign: BTreeMap<ResourceId, Box<Stored>>,
    pub(super) unmanaged: BTreeMap<String, Box<Observed>>,
    pub(super) own_by_identity: BTreeMap<String, ResourceId>,
    pub(super) foreign_by_identity: BTreeMap<String, ResourceId>,
    pub(super) unmanaged_by_identity: BTreeMap<String, Vec<String>>,
}

impl Pairing<'_> {
    /// Those of a kind.
    pub(super) fn candidates(&mut self, entry: &KindEntry) -> Candidates {
        let kind = KindName::new(entry.facts.kind);
        let (mut own, mut foreign) = (BTreeMap::new(), BTreeMap::new());
        let stored = self.stored_by_kind.remove(&kind).unwrap_or_default();
        // A kind may refer to itself: its names are known before its references are settled.
        for row in &stored {
            self.know(&row.id, row);
        }
        for row in map(&stored, |row| self.settled_row(entry, row)) {
            if self.input.beside.contains(&row.id) {
                self.pairs.outside.push(row);
                continue;
            }
            let side = if *row.set == *self.input.set { &mut own } else { &mut foreign };
            side.insert(row.id.clone(), Box::new(row));
        }
        let unmanaged: BTreeMap<String, Box<Observed>> = self
            .input
            .unmanaged
            .iter()
            .filter(|observed| observed.kind == kind)
            .map(|observed| {
                let spec = self.settled(entry, &observed.spec);
                (observed.external_id.clone(), Box::new(Observed { spec, ..observed.clone() }))
            })
            .collect();
        let identity = |row: &Stored| (entry.identity)(row.observed.as_ref().unwrap_or(&row.spec));
        let by = |rows: &BTreeMap<ResourceId, Box<Stored>>| {
            rows.values().filter_map(|row| Some((identity(row)?, row.id.clone()))).collect()
        };
        let mut unmanaged_by_identity: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for observed in unmanaged.values() {
            if let Some(identity) = (entry.identity)(&observed.spec) {
                unmanaged_by_identity
                    .entry(identity)
                    .or_default()
                    .push(observed.external_id.clone());
            }
        }
        Candidates {
            own_by_identity: by(&own),
            foreign_by_identity: by(&foreign),
            unmanaged_by_identity,
            own,
            foreign,
            unmanaged,
        }
    }

    /// A row with its references under the names that hold after the plan.
    fn settled_row(&self, entry: &KindEntry, row: &Stored) -> Stored {
        let spec = self.settled(entry, &row.spec);
        // Mostly the three are alike.
        let other = |other: &Spec| {
            if *other == row.spec { spec.clone() } else { self.settled(entry, other) }
        };
        Stored {
            last_applied: row.last_applied.as_ref().map(other),
            observed: row.observed.as_ref().map(other),
            spec: spec.clone(),
            ..row.clone()
        }
    }
}
