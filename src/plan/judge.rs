//! What stands against changes and what they wait for, judged on the state after the plan.

use crate::kinds::{Block, Standing, World};
use crate::model::{ResourceId, code};
use crate::plan::PlanInput;
use crate::plan::change::Action;
use crate::plan::draft::{Draft, Drafts, effective};
use crate::plan::pair::Pairs;
use std::collections::{BTreeMap, BTreeSet};

/// The state before the plan, as it would be if everything went ahead, and as it will be.
#[derive(Default)]
pub struct Worlds {
    /// Before.
    pub before: World,
    /// If nothing were blocked and nothing waited.
    pub ideal: World,
    /// After what goes ahead.
    pub after: World,
    kinds: crate::kinds::Kinds,
}

impl Worlds {
    /// The customer a resource belongs to, whether it comes or goes.
    #[must_use]
    pub fn customer_of(&self, id: &ResourceId) -> Option<ResourceId> {
        self.ideal.customer_of(id).or_else(|| self.before.customer_of(id))
    }

    /// What is wrong with resources of the set as they will stand, but for those whose change is
    /// held back: that says why already.
    #[must_use]
    pub fn ailments(&self, drafts: &Drafts) -> Vec<(ResourceId, &'static str, String)> {
        let held: BTreeSet<&ResourceId> = drafts
            .changing
            .iter()
            .filter(|draft| !draft.proceeds())
            .map(|draft| &draft.id)
            .collect();
        let changing = drafts.changing.iter().map(|draft| &draft.id);
        let unchanged = drafts.unchanged.iter().filter_map(|pair| pair.id());
        let mut own: Vec<_> = changing.chain(unchanged).filter(|id| !held.contains(id)).collect();
        own.sort();
        own.into_iter()
            .filter_map(|id| {
                let standing = self.after.get(id)?;
                let entry = self.kinds.get(id.kind.as_str())?;
                let (reason, message) = (entry.ailment)(standing, &self.after)?;
                Some((id.clone(), reason, message))
            })
            .collect()
    }
}

/// Judges every draft, and marks those that are blocked or wait, until nothing more changes. What
/// is held back only ever grows, so this ends.
#[must_use]
pub fn judge(input: &PlanInput, pairs: &Pairs, drafts: &mut Drafts) -> Worlds {
    let before = before(input, pairs);
    let ideal = after(input, &before, drafts.changing.iter());
    for draft in &mut drafts.changing {
        let blocks = against(input, draft, &ideal);
        draft.blocked.extend(blocks);
        draft.blocked.dedup();
        if draft.waiting.is_none() && draft.blocked.is_empty() {
            draft.waiting = gate(input, draft, &before, &ideal);
        }
    }
    loop {
        let now = after(input, &before, drafts.changing.iter().filter(|draft| draft.proceeds()));
        let held: BTreeMap<ResourceId, String> = drafts
            .changing
            .iter()
            .filter(|draft| !draft.proceeds())
            .map(|draft| (draft.id.clone(), why(draft)))
            .collect();
        let mut changed = false;
        for draft in drafts.changing.iter_mut().filter(|draft| draft.proceeds()) {
            let needs = needs(input, draft, &before, &ideal);
            let waits_for: Vec<_> = needs.iter().filter(|id| held.contains_key(id)).collect();
            if let Some(first) = waits_for.first() {
                draft.waiting = Some(format!("{first}, which {}", held[first]));
                changed = true;
            } else {
                // Something further away is held back, and with it what this rests on.
                let blocks = against(input, draft, &now);
                changed |= !blocks.is_empty();
                draft.blocked.extend(blocks);
            }
        }
        if !changed {
            return Worlds { before, ideal, after: now, kinds: input.kinds.clone() };
        }
    }
}

fn why(draft: &Draft) -> String {
    match (draft.blocked.first(), &draft.waiting) {
        (Some(block), _) => format!("is blocked: {}", block.message),
        (None, Some(waiting)) => format!("waits for {waiting}"),
        (None, None) => String::new(),
    }
}

/// Everything that exists before the plan, managed by whom ever.
fn before(input: &PlanInput, pairs: &Pairs) -> World {
    let mut world = World::default();
    let mut put = |id: &ResourceId, spec: &crate::model::Spec| {
        if let Some(entry) = input.kinds.get(id.kind.as_str()) {
            let standing = Standing { id: id.clone(), spec: effective(entry, spec) };
            world.put(&input.kinds, standing);
        }
    };
    for stored in pairs.outside.iter().chain(&pairs.foreign) {
        if let Some(observed) = &stored.observed {
            put(&stored.id, observed);
        }
    }
    for (id, observed) in &pairs.unmanaged {
        put(id, &observed.spec);
    }
    for pair in &pairs.own {
        if let (Some(id), Some(observed)) = (pair.id(), pair.observed()) {
            put(id, observed);
        }
    }
    world
}

fn after<'a>(input: &PlanInput, before: &World, drafts: impl Iterator<Item = &'a Draft>) -> World {
    let mut world = before.clone();
    for draft in drafts {
        match &draft.after {
            Some(spec) => {
                let standing = Standing { id: draft.id.clone(), spec: spec.clone() };
                world.put(&input.kinds, standing);
            }
            None => {
                world.take(&draft.id);
            }
        }
    }
    world
}

/// What stands against a draft in a world: the kind's own rules, a reference that leads nowhere,
/// and on a delete those that still refer to it.
fn against(input: &PlanInput, draft: &Draft, world: &World) -> Vec<Block> {
    let Some(entry) = input.kinds.get(draft.id.kind.as_str()) else { return Vec::new() };
    if draft.release {
        return Vec::new();
    }
    let mut blocks = (entry.judge)(&draft.transition(input), world);
    if draft.after.is_none() && blocks.is_empty() {
        let users: Vec<_> =
            world.referrers(&draft.id, None).map(|user| user.id.to_string()).collect();
        if !users.is_empty() {
            blocks.push(Block::new(
                code::BLOCK_IN_USE,
                format!("{} still refers to it", users.join(", ")),
                "remove that first, or in the same plan with --prune",
            ));
        }
    }
    if let Some(after) = &draft.after {
        for reference in entry.facts.references {
            let Some(crate::kinds::ReferenceTo::Resource(target)) = reference.target(after) else {
                continue;
            };
            if world.get(&target).is_none() && blocks.is_empty() {
                blocks.push(Block::new(
                    code::BLOCK_PREREQUISITE,
                    format!("{target} does not exist"),
                    "declare it, or ingest it if it exists outside",
                ));
            }
        }
    }
    blocks
}

/// What the customer must do before anything under it can change.
fn gate(input: &PlanInput, draft: &Draft, before: &World, ideal: &World) -> Option<String> {
    if draft.release {
        return None;
    }
    let customer = ideal.customer_of(&draft.id).or_else(|| before.customer_of(&draft.id))?;
    if customer == draft.id && draft.action == Action::Create {
        return None;
    }
    let standing = ideal.get(&customer).or_else(|| before.get(&customer))?;
    let entry = input.kinds.get(customer.kind.as_str())?;
    let reason = (entry.gate)(&standing.spec)?;
    Some(format!("{customer}: {reason}"))
}

/// The changes a draft rests on: what it refers to, and what its kind says must come first.
pub(crate) fn needs(
    input: &PlanInput,
    draft: &Draft,
    before: &World,
    ideal: &World,
) -> Vec<ResourceId> {
    let Some(entry) = input.kinds.get(draft.id.kind.as_str()) else { return Vec::new() };
    let mut needs: Vec<ResourceId> = Vec::new();
    if draft.after.is_some() {
        needs.extend(ideal.targets(&draft.id).iter().cloned());
    } else {
        needs.extend(before.referrers(&draft.id, None).map(|referrer| referrer.id.clone()));
    }
    needs.extend((entry.follows)(&draft.transition(input), before, ideal));
    needs.retain(|id| *id != draft.id);
    needs.sort();
    needs.dedup();
    needs
}
