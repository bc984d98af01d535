//! Dependency order, the same whatever order the input had.

use crate::model::ResourceId;
use crate::plan::PlanInput;
use crate::plan::change::Change;
use crate::plan::judge::Worlds;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts changes so that each comes after what it rests on, and writes down what that is.
#[must_use]
pub fn order(input: &PlanInput, worlds: &Worlds, mut changes: Vec<Change>) -> Vec<Change> {
    for change in &mut changes {
        change.depends_on = worlds.rests_on.get(&change.id).cloned().unwrap_or_default();
    }
    let order = places(input, &changes);
    let mut taken: Vec<Option<Change>> = changes.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| taken[index].take()).collect()
}

/// Where each of the changes in their order is among those given.
fn places(input: &PlanInput, changes: &[Change]) -> Vec<usize> {
    let ranks: Vec<usize> = changes.iter().map(|change| input.kinds.rank(&change.kind)).collect();
    let key = |index: &usize| {
        let Change { customer, id, .. } = &changes[*index];
        (customer.is_none(), customer, ranks[*index], id)
    };
    let mut sorted: Vec<usize> = (0..changes.len()).collect();
    sorted.sort_by(|a, b| key(a).cmp(&key(b)));
    let place: BTreeMap<&ResourceId, usize> =
        sorted.iter().enumerate().map(|(place, index)| (&changes[*index].id, place)).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); sorted.len()];
    let mut open: Vec<usize> = Vec::with_capacity(sorted.len());
    for (at, index) in sorted.iter().enumerate() {
        let first = &changes[*index].depends_on;
        open.push(first.len());
        first.iter().for_each(|id| dependants[place[id]].push(at));
    }
    let mut ready: BTreeSet<usize> = (0..open.len()).filter(|at| open[*at] == 0).collect();
    let mut order = Vec::with_capacity(sorted.len());
    while let Some(at) = ready.pop_first() {
        order.push(sorted[at]);
        for dependant in std::mem::take(&mut dependants[at]) {
            open[dependant] -= 1;
            if open[dependant] == 0 {
                ready.insert(dependant);
            }
        }
    }
    // Manifests without circles leave nothing over; if rules of kinds ever contradict each other,
    // the rest keeps its sorted place instead of being lost.
    order.extend((0..open.len()).filter(|at| open[*at] > 0).map(|at| sorted[at]));
    order
}
