//! How far what moved reaches: a memory in two, what is looked at and what is kept as it is.

use crate::engine::islands::Keys;
use crate::engine::memory::{Back, Declared, Front, Other, Whose};
use crate::engine::moved::Moved;
use crate::engine::remember::keys;
use crate::manifest::FileRead;
use crate::model::{KindName, Resource, ResourceId, Stored};
use crate::store::Touched;
use std::collections::BTreeSet;

/// Everything of the islands that anything which moved belongs to, or about which there was something
/// to say: these places among the files and among the others.
fn reached(back: &Back<'_>, moved: &Moved, mut seeds: Keys) -> Reached {
    let mut reached = Reached {
        declared: back.declared.iter().map(|file| vec![false; file.len()]).collect(),
        others: vec![false; back.others.len()],
    };
    loop {
        let mut grown = false;
        for (number, declared) in back.declared.iter().enumerate() {
            let former = moved.former.contains(&number);
            for (one, is_reached) in declared.iter().zip(&mut reached.declared[number]) {
                if !*is_reached && (former || !one.is_settled() || seeds.meet(keys(one.keys))) {
                    *is_reached = true;
                    grown |= seeds.add(keys(one.keys));
                }
            }
        }
        for (one, is_reached) in back.others.iter().zip(&mut reached.others) {
            if !*is_reached && (one.whose == Whose::Undeclared || seeds.meet(keys(one.keys))) {
                *is_reached = true;
                grown |= seeds.add(keys(one.keys));
            }
        }
        if !grown {
            return reached;
        }
    }
}

/// Which of a memory that is.
struct Reached {
    declared: Vec<Vec<bool>>,
    others: Vec<bool>,
}

/// A memory in two: what is kept as it is, and what is looked at.
pub struct Split<'m> {
    /// Declared in files that did not move, and not looked at: for each file that was found.
    pub kept: Vec<Vec<Declared<'m>>>,
    /// Not declared, and not looked at.
    pub kept_others: Vec<Other<'m>>,
    /// What is looked at.
    pub reach: Reach<'m>,
}

/// What is looked at of a memory.
#[derive(Default)]
pub struct Reach<'m> {
    /// Declared in files that did not move, with their places.
    pub looked: Vec<(usize, Declared<'m>)>,
    /// Declared until now, in files that moved.
    pub former: Vec<Declared<'m>>,
    /// Not declared.
    pub others: Vec<Other<'m>>,
    /// Manifests that choose others, with their places.
    pub selectors: Vec<(usize, Resource)>,
}

impl<'m> Split<'m> {
    /// Everything of the islands that meet these keys, or about which there was something to say, is
    /// looked at.
    #[must_use]
    pub fn new(
        mut back: Back<'m>,
        moved: &Moved,
        seeds: Keys,
        selectors: Vec<(usize, Resource)>,
    ) -> Self {
        let reached = reached(&back, moved, seeds);
        let mut split = Self {
            kept: Vec::with_capacity(moved.same.len()),
            kept_others: Vec::new(),
            reach: Reach { selectors, ..Reach::default() },
        };
        for (place, same) in moved.same.iter().enumerate() {
            let mut kept = Vec::new();
            if let Some(number) = *same {
                let declared = std::mem::take(&mut back.declared[number]);
                for (one, is_reached) in declared.into_iter().zip(&reached.declared[number]) {
                    if *is_reached {
                        split.reach.looked.push((place, one));
                    } else {
                        kept.push(one);
                    }
                }
            }
            split.kept.push(kept);
        }
        // What is left are files that moved.
        split.reach.former = back.declared.into_iter().flatten().collect();
        for (one, is_reached) in back.others.into_iter().zip(&reached.others) {
            if *is_reached { &mut split.reach.others } else { &mut split.kept_others }.push(one);
        }
        split
    }

    /// The manifests whose selectors choose any of what is kept.
    #[must_use]
    pub fn chosen(&self, front: &Front) -> BTreeSet<ResourceId> {
        let generated = |one: &&Declared<'_>| one.name.contains('/');
        let manifest = |one: &Declared<'_>| {
            let id = id_of(&front.kinds, one.kind, one.name);
            ResourceId::new(id.kind.as_str(), id.name.manifest())
        };
        self.kept.iter().flatten().filter(generated).map(manifest).collect()
    }
}

impl Reach<'_> {
    /// The rows to read.
    #[must_use]
    pub fn rows(
        &self,
        kinds: &[String],
        read: &[(usize, FileRead)],
        touched: &Touched,
    ) -> BTreeSet<ResourceId> {
        let looked = self.looked.iter().map(|(_, one)| one).chain(&self.former);
        let mut ids: BTreeSet<ResourceId> =
            looked.map(|one| id_of(kinds, one.kind, one.name)).collect();
        let rows = self.others.iter().filter(|one| one.whose != Whose::Unmanaged);
        ids.extend(rows.map(|one| id_of(kinds, one.kind, one.name)));
        let documents = read.iter().flat_map(|(_, file)| &file.documents);
        ids.extend(documents.filter_map(|document| document.id.clone()));
        ids.extend(touched.rows.iter().cloned());
        ids
    }

    /// The things to read.
    #[must_use]
    pub fn things(
        &self,
        kinds: &[String],
        rows: &[Stored],
        touched: &Touched,
    ) -> BTreeSet<(KindName, String)> {
        let unmanaged = self.others.iter().filter(|one| one.whose == Whose::Unmanaged);
        let mut ids: BTreeSet<(KindName, String)> = unmanaged
            .map(|one| (id_of(kinds, one.kind, one.name).kind, one.name.to_owned()))
            .collect();
        let managed = |row: &Stored| Some((row.id.kind.clone(), row.external_id.clone()?));
        ids.extend(rows.iter().filter_map(managed));
        ids.extend(touched.things.iter().cloned());
        ids
    }
}

/// The id that a memory means by a kind's number and a name.
#[must_use]
pub fn id_of(kinds: &[String], kind: u8, name: &str) -> ResourceId {
    let kind = kinds.get(usize::from(kind)).map_or("", String::as_str);
    ResourceId::new(kind, name)
}
