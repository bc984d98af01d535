//! Comparing every pair: what differs, before anything is judged.

mod declared;
mod removed;

use crate::model::parallel::pieces;
use crate::plan::PlanInput;
use crate::plan::draft::Drafts;
use crate::plan::pair::{Pair, Pairs};
use std::sync::Arc;

/// Compares every pair.
#[must_use]
pub fn draft(input: &PlanInput, pairs: &Pairs) -> Drafts {
    let new = pairs.own.iter().filter(|pair| pair.stored.is_none()).count();
    // Drafts are large: there is room for all of them where the first ones stand.
    let mut drafts = Drafts { changing: Vec::with_capacity(new), ..Drafts::default() };
    let others = pieces(
        &pairs.own,
        |piece| add(input, piece, &mut drafts),
        |piece| {
            let mut drafts = Drafts::default();
            add(input, piece, &mut drafts);
            drafts
        },
    );
    others.into_iter().for_each(|next| drafts.append(next));
    for (id, old, new) in &pairs.outdated {
        drafts.warn(
            id,
            &format!("it refers to {old}, which is {new} from now on: change the reference"),
        );
    }
    drafts
}

/// Adds those of some pairs.
fn add(input: &PlanInput, pairs: &[Arc<Pair>], drafts: &mut Drafts) {
    for pair in pairs {
        let Some(entry) = pair.id().and_then(|id| input.kinds.get(id.kind.as_str())) else {
            continue;
        };
        match (&pair.desired, &pair.stored) {
            (Some(desired), _) => declared::declared(input, entry, pair, desired, drafts),
            (None, Some(stored)) => removed::undeclared(input, pair, stored, drafts),
            (None, None) => {}
        }
    }
}
