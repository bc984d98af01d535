//! How far what moved reaches: a memory in two, what is looked at and what is kept as it is.

use crate::engine::memory::{Back, Declared, Front, Other, Whose};
use crate::engine::moved::Moved;
use crate::engine::remember::keys;
use crate::engine::spread::{Fate, Parts, Seeds, standing};
use crate::manifest::FileRead;
use crate::model::{KindName, Resource, ResourceId, Stored};
use crate::store::Touched;
use std::collections::BTreeSet;

/// What a memory knows, by the files as they are now.
pub struct Known<'m> {
    /// For each file that was found: what it declares as before.
    files: Vec<Vec<Declared<'m>>>,
    /// What is declared no longer, or otherwise.
    former: Vec<Declared<'m>>,
    others: Vec<Other<'m>>,
}

impl<'m> Known<'m> {
    /// Of the files that moved, `read` is what they say; what stands in them as before is taken out.
    #[must_use]
    pub fn new(
        mut back: Back<'m>,
        moved: &Moved,
        kinds: &[String],
        read: &mut [(usize, FileRead)],
        touched: &Touched,
    ) -> Self {
        let mut files = Vec::with_capacity(moved.same.len());
        let (mut former, mut read) = (Vec::new(), read.iter_mut().peekable());
        for (place, same) in moved.same.iter().enumerate() {
            let number = same.or(moved.before[place]);
            let declared = number.and_then(|number| back.declared.get_mut(number));
            let mut declared = declared.map(std::mem::take).unwrap_or_default();
            if let Some((_, file)) = read.next_if(|(other, _)| *other == place) {
                let mut stands = standing(kinds, &declared, file, touched).into_iter();
                former.extend(declared.extract_if(.., |_| stands.next() == Some(false)));
            }
            files.push(declared);
        }
        // What is left are files that are gone.
        former.extend(back.declared.into_iter().flatten());
        Self { files, former, others: back.others }
    }

    /// What is to be done about each, file after file, and about the others: everything of the islands
    /// that anything which moved belongs to, or about which there was something to say, is planned
    /// anew.
    fn fates(&self, parts: &Parts, mut seeds: Seeds) -> (Vec<Fate>, Vec<Fate>) {
        let mut files = vec![Fate::Kept; self.files.iter().map(Vec::len).sum()];
        let mut others = vec![Fate::Kept; self.others.len()];
        for one in &self.former {
            seeds.add(parts, one.kind, keys(one.keys));
        }
        for (one, fate) in self.files.iter().flatten().zip(&mut files) {
            if !one.is_settled() {
                *fate = Fate::Reached;
                seeds.add(parts, one.kind, keys(one.keys));
            }
        }
        for (one, fate) in self.others.iter().zip(&mut others) {
            if one.whose == Whose::Undeclared {
                *fate = Fate::Reached;
                seeds.add(parts, one.kind, keys(one.keys));
            }
        }
        loop {
            let mut grown = false;
            for (one, fate) in self.files.iter().flatten().zip(&mut files) {
                grown |= parts.spread(fate, one.kind, keys(one.keys), &mut seeds);
            }
            for (one, fate) in self.others.iter().zip(&mut others) {
                grown |= parts.spread(fate, one.kind, keys(one.keys), &mut seeds);
            }
            if !grown {
                return (files, others);
            }
        }
    }
}

/// A memory in two: what is kept as it is, and what is looked at.
pub struct Split<'m> {
    /// What is kept, for each file that was found; some of it stands beside what is looked at.
    pub kept: Vec<Vec<Declared<'m>>>,
    /// Not declared, and not looked at.
    pub kept_others: Vec<Other<'m>>,
    /// What is looked at.
    pub reach: Reach<'m>,
}

/// What is looked at of a memory.
#[derive(Default)]
pub struct Reach<'m> {
    /// Declared as before, with the places of their files.
    pub looked: Vec<(usize, Declared<'m>)>,
    /// The same, where nothing is planned of them: others are judged by them.
    pub beside: Vec<Declared<'m>>,
    /// Declared until now, and no longer or otherwise.
    pub former: Vec<Declared<'m>>,
    /// Not declared.
    pub others: Vec<Other<'m>>,
    /// Manifests that choose others, with their places.
    pub selectors: Vec<(usize, Resource)>,
}

impl<'m> Split<'m> {
    /// Whatever these keys reach is looked at, and everything about which there was something to say.
    #[must_use]
    pub fn new(
        known: Known<'m>,
        parts: &Parts,
        seeds: Seeds,
        selectors: Vec<(usize, Resource)>,
    ) -> Self {
        let (fates, other_fates) = known.fates(parts, seeds);
        let mut split = Self {
            kept: Vec::with_capacity(known.files.len()),
            kept_others: Vec::new(),
            reach: Reach { selectors, former: known.former, ..Reach::default() },
        };
        let mut fates = fates.into_iter();
        for (place, mut declared) in known.files.into_iter().enumerate() {
            let reached = declared.extract_if(.., |one| {
                let fate = fates.next();
                if fate == Some(Fate::Beside) {
                    split.reach.beside.push(one.clone());
                }
                fate == Some(Fate::Reached)
            });
            split.reach.looked.extend(reached.map(|one| (place, one)));
            split.kept.push(declared);
        }
        for (one, fate) in known.others.into_iter().zip(other_fates) {
            let is_kept = fate == Fate::Kept;
            if is_kept { &mut split.kept_others } else { &mut split.reach.others }.push(one);
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
        let looked = self.looked.iter().map(|(_, one)| one).chain(&self.former).chain(&self.beside);
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
