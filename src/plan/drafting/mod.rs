//! Comparing every pair: what differs, before anything is judged.

mod declared;
mod removed;

use crate::model::parallel::parts;
use crate::plan::PlanInput;
use crate::plan::draft::Drafts;
use crate::plan::pair::{Pair, Pairs};
use std::sync::Arc;

/// Compares every pair.
#[must_use]
pub fn draft(input: &PlanInput, pairs: &Pairs) -> Drafts {
    let new = |pairs: &[Arc<Pair>]| pairs.iter().filter(|pair| pair.stored.is_none()).count();
    // Drafts are large: there is room for all of them where the first ones stand.
    let of = |part: &[Arc<Pair>]| {
        let is_first = std::ptr::eq(part.as_ptr(), pairs.own.as_ptr());
        of(input, part, new(if is_first { &pairs.own } else { part }))
    };
    let mut all = parts(&pairs.own, of).into_iter();
    let mut drafts = all.next().unwrap_or_default();
    all.for_each(|part| drafts.append(part));
    for (id, old, new) in &pairs.outdated {
        drafts.warn(
            id,
            &format!("it refers to {old}, which is {new} from now on: change the reference"),
        );
    }
    drafts
}

/// Those of some pairs, with room for so many that change.
fn of(input: &PlanInput, pairs: &[Arc<Pair>], changing: usize) -> Drafts {
    let mut drafts = Drafts { changing: Vec::with_capacity(changing), ..Drafts::default() };
    for pair in pairs {
        let Some(entry) = pair.id().and_then(|id| input.kinds.get(id.kind.as_str())) else {
            continue;
        };
        match (&pair.desired, &pair.stored) {
            (Some(desired), _) => declared::declared(input, entry, pair, desired, &mut drafts),
            (None, Some(stored)) => removed::undeclared(input, pair, stored, &mut drafts),
            (None, None) => {}
        }
    }
    drafts
}
