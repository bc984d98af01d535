//! A pass of a process that goes on: from what it kept, reading only where something was heard of.
//!
//! It looks at the same as a pass over what moved would ([`crate::engine::narrow`]), and finds it
//! without the list of all files and of all resources.

use crate::engine::Gathered;
use crate::engine::islands;
use crate::engine::look::Look;
use crate::engine::looked::{Checked, check};
use crate::engine::memory::Window;
use crate::engine::memory::kept::{Kept, Reread};
use crate::engine::narrow::{seeds, touched};
use crate::engine::pieces::Mark;
use crate::engine::remember::{fresh, others, speak};
use crate::engine::reread::Text;
use crate::engine::spread::Parts;
use crate::engine::tree::{Found, read_file};
use crate::kinds::Kinds;
use crate::model::lookup::Lookup;
use crate::model::{Resource, ResourceId};
use crate::plan::{LeftOut, Plan};
use crate::store::{StoreError, Version};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What a pass found.
pub struct Woken {
    /// What the manifests declare of it.
    pub desired: Vec<Resource>,
    /// What the store and the provider say of it.
    pub gathered: Gathered,
    /// How much was left out.
    pub left_out: LeftOut,
    /// True when there may be things that nobody manages.
    pub unmanaged: bool,
    /// The times between which this is so.
    pub window: Window,
    /// What becomes of what is kept.
    next: Next,
}

struct Next {
    version: Version,
    looked_at: BTreeSet<u32>,
    reread: Vec<Reread>,
    places: Lookup<ResourceId, usize>,
    marks: Lookup<ResourceId, Mark>,
}

/// Gathers what moved: at most these files, which are all still there, and whatever transactions
/// touched. `None` when everything must be looked at.
///
/// # Errors
/// When the store fails.
pub fn wake(look: &Look<'_>, kept: &Kept, moved: &[Found]) -> Result<Option<Woken>, StoreError> {
    if kept.key() != look.place.key() || !kept.window().holds(look.at) {
        return Ok(None);
    }
    if !look.store.intents()?.is_empty() {
        return Ok(None);
    }
    let Some(touched) = touched(look.store, kept.version())? else { return Ok(None) };
    let rows: Vec<islands::Key> = touched.rows.iter().map(islands::of_id).collect();
    let lost = kept.settled_under(&rows);
    let Some((texts, reread)) = read(kept, moved, &lost) else { return Ok(None) };
    let numbers: BTreeSet<usize> = texts.iter().map(|text| text.place).collect();
    if kept.choose_in(&numbers) {
        return Ok(None);
    }
    let Some(read) = look.reading(kept.kinds(), &touched, true).all(texts) else { return Ok(None) };
    let stands = kept.standing(&read);
    let parts = Parts::of_kinds(look.kinds);
    let seeds = seeds(look, &parts, &read, &touched)?;
    let wanted = kept.wanted(&numbers, &stands, &parts, seeds);
    let checked = check(&wanted.reach, kept.kinds(), wanted.chosen, look, read, &touched)?;
    let Some(Checked { desired, gathered, places, marks }) = checked else { return Ok(None) };
    let unmanaged = wanted.unmanaged || !gathered.unmanaged.is_empty();
    let version = look.store.version()?;
    let window = kept.window().around(look.at, look.kinds, &desired);
    let next = Next { version, looked_at: wanted.places, reread, places, marks };
    Ok(Some(Woken { desired, gathered, left_out: wanted.left_out, unmanaged, window, next }))
}

/// The files that hold something else than before, and those of which the store no longer says what
/// they declare; `None` when one cannot be read.
fn read<'k>(
    kept: &'k Kept,
    moved: &[Found],
    lost: &BTreeSet<usize>,
) -> Option<(Vec<Text<'k>>, Vec<Reread>)> {
    let mut stats = BTreeMap::new();
    for found in moved {
        stats.insert(kept.number_of(&found.name)?, found.stat?);
    }
    for number in lost {
        stats.entry(*number).or_insert(kept.file(*number)?.0.stat?);
    }
    let (mut texts, mut reread) = (Vec::new(), Vec::with_capacity(stats.len()));
    for (number, stat) in stats {
        let (found, before) = kept.file(number)?;
        let text = read_file(&found.path).ok()?;
        let digest: [u8; 32] = Sha256::digest(&text).into();
        let is_other = digest != *before;
        if is_other && !moved.iter().any(|one| one.name == found.name) {
            // Nothing was heard of it.
            return None;
        }
        if is_other || lost.contains(&number) {
            let (place, name, text) = (number, found.name.clone(), text.into());
            texts.push(Text { place, name, text, before: kept.declared_in(number) });
        }
        reread.push(Reread { number, stat, digest });
    }
    Some((texts, reread))
}

impl Woken {
    /// Keeps what came of it once it was planned.
    pub fn keep(
        self,
        kept: &mut Kept,
        kinds: &Kinds,
        desired: &[Resource],
        plan: &Plan,
    ) -> Gathered {
        let Next { version, looked_at, reread, places, marks } = self.next;
        let set = kept.key().set.clone();
        let mut fresh = fresh((&places, &marks), kinds, desired, &self.gathered);
        speak(&mut fresh, desired, plan);
        let others = others(kinds, &set, desired, &self.gathered);
        kept.follow((version, self.window), &looked_at, reread, fresh, &others);
        self.gathered
    }
}
