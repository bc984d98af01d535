//! Dependency order, the same whatever order the input had.

use crate::model::ResourceId;
use crate::model::lookup::Lookup;
use crate::model::parallel::{map, parts, sort_by};
use crate::plan::PlanInput;
use crate::plan::draft::Draft;
use crate::plan::judge::Worlds;
use std::collections::BTreeSet;

/// A draft in its place, with the customer that it belongs to.
pub struct Placed<'a> {
    /// What is changed.
    pub draft: &'a Draft,
    /// Whose it is.
    pub customer: Option<ResourceId>,
}

impl Placed<'_> {
    /// By what customers are sorted: what belongs to none comes last.
    fn of_whom(&self) -> (bool, Option<&str>) {
        let name = self.customer.as_ref().map(|id| id.name.as_str());
        (name.is_none(), name)
    }
}

/// Sorts drafts by customer, kind and name, and so that each comes after what it rests on.
#[must_use]
pub fn order<'a>(input: &PlanInput, worlds: &Worlds, drafts: &'a [Draft]) -> Vec<Placed<'a>> {
    let mut sorted: Vec<(usize, Placed<'a>)> = map(drafts, |draft| {
        let rank = input.kinds.rank(draft.id.kind.as_str());
        (rank, Placed { draft, customer: worlds.customer_of(&draft.id) })
    });
    sort_by(&mut sorted, |(rank, a), (other, b)| {
        (a.of_whom(), rank, &a.draft.id).cmp(&(b.of_whom(), other, &b.draft.id))
    });
    let order = after_what_they_rest_on(worlds, &sorted);
    let mut taken: Vec<_> = sorted.into_iter().map(|(_, placed)| Some(placed)).collect();
    order.into_iter().filter_map(|at| taken[at].take()).collect()
}

fn after_what_they_rest_on(worlds: &Worlds, sorted: &[(usize, Placed<'_>)]) -> Vec<usize> {
    let place: Lookup<&ResourceId, usize> =
        sorted.iter().enumerate().map(|(at, (_, placed))| (&placed.draft.id, at)).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); sorted.len()];
    let mut open: Vec<usize> = Vec::with_capacity(sorted.len());
    let rests_on = parts(sorted, |part| -> Vec<Vec<usize>> {
        let rests_on = part.iter().map(|(_, placed)| worlds.rests_on(&placed.draft.id));
        rests_on.map(|ids| ids.iter().filter_map(|id| place.get(&id).copied()).collect()).collect()
    });
    for (at, first) in rests_on.into_iter().flatten().enumerate() {
        open.push(first.len());
        first.into_iter().for_each(|first| dependants[first].push(at));
    }
    let mut ready: BTreeSet<usize> = (0..open.len()).filter(|at| open[*at] == 0).collect();
    let mut order = Vec::with_capacity(sorted.len());
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for dependant in std::mem::take(&mut dependants[at]) {
            open[dependant] -= 1;
            if open[dependant] == 0 {
                ready.insert(dependant);
            }
        }
    }
    // Manifests without circles leave nothing over; if rules of kinds ever contradict each other,
    // the rest keeps its sorted place instead of being lost.
    order.extend((0..open.len()).filter(|at| open[*at] > 0));
    order
}
