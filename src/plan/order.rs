//! Dependency order, the same whatever order the input had.

use crate::model::ResourceId;
use crate::plan::PlanInput;
use crate::plan::change::Change;
use crate::plan::judge::Worlds;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts changes so that each comes after what it rests on, and writes down what that is.
pub fn order(input: &PlanInput, worlds: &Worlds, changes: &mut Vec<Change>) {
    let key = |change: &Change| {
        let customer = (change.customer.is_none(), change.customer.clone());
        (customer, input.kinds.rank(&change.kind), change.id.clone())
    };
    changes.sort_by_key(key);
    let place: BTreeMap<ResourceId, usize> =
        changes.iter().enumerate().map(|(index, change)| (change.id.clone(), index)).collect();
    let mut dependants: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut open: Vec<usize> = vec![0; changes.len()];
    for change in changes.iter_mut() {
        let index = place[&change.id];
        let first = worlds.rests_on.get(&change.id).cloned().unwrap_or_default();
        open[index] = first.len();
        for id in &first {
            dependants.entry(place[id]).or_default().push(index);
        }
        change.depends_on = first;
    }
    let mut ready: BTreeSet<usize> = (0..changes.len()).filter(|index| open[*index] == 0).collect();
    let mut order = Vec::with_capacity(changes.len());
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for dependant in dependants.remove(&index).unwrap_or_default() {
            open[dependant] -= 1;
            if open[dependant] == 0 {
                ready.insert(dependant);
            }
        }
    }
    // Manifests without circles leave nothing over; if rules of kinds ever contradict each other,
    // the rest keeps its sorted place instead of being lost.
    let placed: BTreeSet<usize> = order.iter().copied().collect();
    order.extend((0..changes.len()).filter(|index| !placed.contains(index)));
    if order.is_sorted() {
        return;
    }
    let mut taken: Vec<Option<Change>> = std::mem::take(changes).into_iter().map(Some).collect();
    changes.extend(order.into_iter().filter_map(|index| taken[index].take()));
}
