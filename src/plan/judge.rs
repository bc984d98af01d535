//! What stands against changes and what they wait for, judged on the state after the plan.

use crate::kinds::{Block, Kinds, ReferenceTo, Standing, World};
use crate::model::lookup::{Known, Lookup};
use crate::model::parallel::{map, parts, parts_mut};
use crate::model::{Metadata, ResourceId, Suspension, code};
use crate::plan::PlanInput;
use crate::plan::belonging::Belonging;
use crate::plan::change::Action;
use crate::plan::draft::{Draft, Drafts};
use crate::plan::pair::Pairs;
use crate::plan::policy;
use crate::plan::roles;
use crate::plan::settle;
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with resources: (one word, one sentence).
pub type Ailments = BTreeMap<ResourceId, (&'static str, String)>;

/// The state before the plan, as it would be if everything went ahead, and as it will be.
#[derive(Default)]
pub struct Worlds {
    /// Before.
    pub before: World,
    /// If nothing were blocked and nothing waited.
    pub ideal: World,
    /// After what goes ahead.
    pub after: World,
    /// Which changes each change rests on.
    rests_on: Lookup<ResourceId, Vec<ResourceId>>,
    kinds: Kinds,
}

impl Worlds {
    /// What the change of a resource rests on.
    #[must_use]
    pub fn rests_on(&self, id: &ResourceId) -> &[ResourceId] {
        self.rests_on.get(id).map_or(&[], Vec::as_slice)
    }

    /// The customer a resource belongs to, whether it comes or goes.
    #[must_use]
    pub fn customer_of(&self, id: &ResourceId) -> Option<ResourceId> {
        self.ideal.customer_of(id).or_else(|| self.before.customer_of(id))
    }

    /// What is wrong with resources of the set as they will stand, but for those whose change is
    /// held back: that says why already.
    #[must_use]
    pub fn ailments(&self, drafts: &Drafts) -> Ailments {
        let held: BTreeSet<&ResourceId> = drafts
            .changing
            .iter()
            .filter(|draft| !draft.proceeds())
            .map(|draft| &draft.id)
            .collect();
        let changing = drafts.changing.iter().map(|draft| &draft.id);
        let unchanged = drafts.unchanged.iter().filter_map(|pair| pair.id());
        let stands = changing.chain(unchanged).filter(|id| !held.contains(id));
        let stands: Vec<&ResourceId> = stands.collect();
        let ailing = parts(&stands, |ids| -> Vec<_> {
            let one = |id: &&ResourceId| {
                let standing = self.after.get(id)?;
                let entry = self.kinds.get(id.kind.as_str())?;
                Some(((*id).clone(), (entry.ailment)(standing, &self.after)?))
            };
            ids.iter().filter_map(one).collect()
        });
        ailing.into_iter().flatten().collect()
    }
}

/// Judges every draft, and marks those that are blocked or wait, until nothing more changes. What
/// is held back only ever grows, so this ends.
///
/// What a cancellation gives back depends on those before it: where one of them is held back, the rest
/// is judged again without it, so that figures, policies and brakes are about what goes ahead.
#[must_use]
pub fn judge(input: &PlanInput, pairs: &Pairs, drafts: &mut Drafts) -> Worlds {
    loop {
        let gives_back = settle::give_back(input, drafts).any(Draft::proceeds);
        let start = gives_back.then(|| drafts.clone());
        let worlds = judge_once(input, pairs, drafts);
        let Some(mut start) = start else { return worlds };
        let open = start.changing.iter().map(Draft::proceeds);
        let held = settle::give_back(input, drafts).filter(|draft| settle::holds_otherwise(draft));
        let held: BTreeSet<ResourceId> = held.map(|draft| draft.id.clone()).collect();
        let mut counted = drafts.changing.iter().zip(open).filter(|(_, open)| *open);
        if !counted.any(|(draft, _)| held.contains(&draft.id)) {
            return worlds;
        }
        for (before, judged) in start.changing.iter_mut().zip(&drafts.changing) {
            if held.contains(&judged.id) {
                *before = judged.clone();
            }
        }
        *drafts = start;
    }
}

fn judge_once(input: &PlanInput, pairs: &Pairs, drafts: &mut Drafts) -> Worlds {
    let before = before(input, pairs);
    let ideal = after(input, &before, drafts.changing.iter());
    // Asked only of what goes.
    let any_goes = drafts.changing.iter().any(|draft| draft.after.is_none());
    let managed = if any_goes { managed(pairs, drafts) } else { Known::default() };
    let declared = input.desired.iter().filter(|_| any_goes).map(|one| &one.id);
    let stays = (&managed, &declared.collect());
    // Policies and brakes look at money.
    settle::settle(input, drafts, &before, &ideal);
    policy::rule(input, drafts, &before, &ideal);
    select(input, drafts, &before, &ideal);
    let Drafts { changing, outside, warnings, .. } = drafts;
    let told = parts_mut(changing, |drafts| {
        let mut warnings = Vec::new();
        for draft in drafts {
            let blocks = against(input, draft, &ideal, stays);
            draft.blocked.extend(blocks);
            draft.blocked.extend(roles::against(input, draft));
            if !outside.contains(&draft.id) {
                policy::put(draft, &mut warnings);
            }
            // What is judged again has been blocked by the same before.
            let mut seen = BTreeSet::new();
            draft.blocked.retain(|block| seen.insert(block.clone()));
            if draft.waiting.is_none() && draft.blocked.is_empty() {
                draft.waiting = gate(input, draft, &before, &ideal);
            }
        }
        warnings
    });
    warnings.extend(told.into_iter().flatten());
    suspend(input, drafts, &before, &ideal);
    let rests_on = dependencies(input, drafts, &before, &ideal);
    loop {
        if drafts.changing.iter().all(Draft::proceeds) {
            // Everything was judged by this very world already, and nothing it rests on is held back.
            let after = ideal.clone();
            return Worlds { before, ideal, after, rests_on, kinds: input.kinds.clone() };
        }
        let now = after(input, &before, drafts.changing.iter().filter(|draft| draft.proceeds()));
        let held: BTreeMap<ResourceId, Hold> = drafts
            .changing
            .iter()
            .filter(|draft| !draft.proceeds())
            .map(|draft| (draft.id.clone(), Hold::of(draft)))
            .collect();
        let mut changed = false;
        for draft in drafts.changing.iter_mut().filter(|draft| draft.proceeds()) {
            let needs = rests_on.get(&draft.id).into_iter().flatten();
            let held_needs = needs.filter_map(|id| Some((id, held.get(id)?)));
            let held_needs: Vec<_> = held_needs.collect();
            let mut waits_for = held_needs.iter().find(|(_, hold)| hold.makes).copied();
            let blocks = against(input, draft, &now, stays);
            if !blocks.is_empty() {
                // Something that this rests on, or refers to, is held back, and without it this cannot
                // be.
                let named = now.targets(&draft.id).iter().find_map(|id| Some((id, held.get(id)?)));
                waits_for = waits_for.or(held_needs.first().copied()).or(named);
            }
            changed |= waits_for.is_some() || !blocks.is_empty();
            match waits_for {
                Some((id, hold)) => draft.waiting = Some(format!("{id}, which {}", hold.why)),
                None => draft.blocked.extend(blocks),
            }
        }
        if !changed {
            return Worlds { before, ideal, after: now, rests_on, kinds: input.kinds.clone() };
        }
    }
}

/// Holds back what lies outside the selection; what rests on it then waits as well.
fn select(input: &PlanInput, drafts: &mut Drafts, before: &World, ideal: &World) {
    if input.selection.is_everything() {
        return;
    }
    let chooses = |id: &ResourceId, metadata: &Metadata| {
        let customer = ideal.customer_of(id).or_else(|| before.customer_of(id));
        input.selection.chooses(id, metadata, customer.as_ref())
    };
    for draft in &mut drafts.changing {
        let risk = draft.risk(input);
        if !chooses(&draft.id, &draft.metadata) {
            draft.waiting = Some("another plan: it lies outside the selection".to_owned());
            drafts.outside.insert(draft.id.clone());
        } else if input.selection.risk_max.is_some_and(|most| risk > most) {
            draft.waiting = Some(format!("approval: it is {}", risk.as_str()));
            drafts.outside.insert(draft.id.clone());
        } else if input.selection.risk_max.is_some() && policy::wants_approval(&draft.policies) {
            draft.waiting = Some("approval: a policy asks for it".to_owned());
            drafts.outside.insert(draft.id.clone());
        }
    }
    drafts.unchanged.retain(|pair| {
        let metadata = pair.desired.as_ref().map(|desired| &desired.metadata);
        pair.id().zip(metadata).is_some_and(|(id, metadata)| chooses(id, metadata))
    });
    let drafts_chosen = drafts.changing.iter().filter(|draft| !drafts.outside.contains(&draft.id));
    let chosen: BTreeSet<&ResourceId> = drafts_chosen
        .map(|draft| &draft.id)
        .chain(drafts.unchanged.iter().filter_map(|pair| pair.id()))
        .collect();
    drafts.only_observed.retain(|one| chosen.contains(&one.resource));
    // What is no longer declared is told of the whole set only.
    drafts.undeclared.clear();
}

/// Holds back what is suspended, under whatever name, or belongs to a customer that is.
fn suspend(input: &PlanInput, drafts: &mut Drafts, before: &World, ideal: &World) {
    if input.suspensions.is_empty() {
        return;
    }
    let belonging = Belonging::new(&drafts.changing, before, ideal);
    for draft in &mut drafts.changing {
        if drafts.outside.contains(&draft.id) {
            continue;
        }
        let customers = belonging.customers(&draft.id);
        let customers: Vec<_> = customers.iter().collect();
        let names: Vec<_> = std::iter::once(&draft.id).chain(&draft.pair.previous).collect();
        let named = Suspension::of_any(&input.suspensions, input.at, &names, &customers);
        if let Some(one) = named {
            let its = if one.resource == draft.id {
                "its suspension".to_owned()
            } else {
                format!("the suspension of {}", one.subject())
            };
            draft.waiting = Some(format!("the end of {its}, {}", one.story()));
            draft.suspended = Some(Box::new(one.clone()));
        }
    }
}

/// A change that is held back.
struct Hold {
    why: String,
    /// True when others cannot do without it: it would make the thing, give it its name, or make another
    /// one of it than there is, as whose they are declared.
    makes: bool,
}

impl Hold {
    fn of(draft: &Draft) -> Self {
        let is_another = draft.blocked.iter().any(|block| block.code == code::BLOCK_IMMUTABLE.0);
        let makes = is_another
            || draft.pair.previous.is_some()
            || matches!(draft.action, Action::Create | Action::Adopt | Action::Rename);
        Self { why: why(draft), makes }
    }
}

/// What stays under management: what refers from there to something deleted stands in the way.
fn managed<'a>(pairs: &'a Pairs, drafts: &Drafts) -> Known<&'a ResourceId> {
    let released: BTreeSet<&ResourceId> =
        drafts.changing.iter().filter(|draft| draft.release).map(|draft| &draft.id).collect();
    let own = pairs.own.iter().filter_map(|pair| pair.id()).filter(|id| !released.contains(id));
    let others = pairs.outside.iter().chain(&pairs.foreign).map(|stored| &stored.id);
    own.chain(others).collect()
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
    let mut world = World::default().with_staff(input.staff.clone());
    let mut stands = Vec::new();
    let mut put = |id: &ResourceId, spec: &crate::model::Spec| {
        if let Some(entry) = input.kinds.get(id.kind.as_str()) {
            stands.push(Standing { id: id.clone(), spec: entry.effective(spec) });
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
    world.put_all(&input.kinds, stands);
    world
}

fn after<'a>(input: &PlanInput, before: &World, drafts: impl Iterator<Item = &'a Draft>) -> World {
    let mut world = before.clone();
    let mut stands = Vec::with_capacity(drafts.size_hint().0);
    for draft in drafts {
        match &draft.after {
            Some(spec) => stands.push(Standing { id: draft.id.clone(), spec: spec.clone() }),
            None => world.take(&draft.id),
        }
    }
    world.put_all(&input.kinds, stands);
    world
}

/// What stands against a draft in a world: the kind's own rules, a reference that leads nowhere,
/// and on a delete the managed ones that still refer to it.
fn against(
    input: &PlanInput,
    draft: &Draft,
    world: &World,
    (managed, declared): (&Known<&ResourceId>, &Known<&ResourceId>),
) -> Vec<Block> {
    let Some(entry) = input.kinds.get(draft.id.kind.as_str()) else { return Vec::new() };
    if draft.release {
        return Vec::new();
    }
    let mut blocks = (entry.judge)(&draft.transition(input), world);
    let Some(after) = &draft.after else {
        let goes_on = |user: &&Standing| {
            let entry = input.kinds.get(user.id.kind.as_str());
            !entry.is_some_and(|entry| (entry.ended)(&user.spec, input.at))
        };
        let users = world.referrers(&draft.id, None).filter(|user| managed.contains(&&user.id));
        // What is over and still declared would refer to nothing: then nothing could be planned.
        let users = users.filter(|user| goes_on(user) || declared.contains(&&user.id));
        let users: Vec<_> = users.map(|user| user.id.to_string()).collect();
        if !users.is_empty() && blocks.is_empty() {
            blocks.push(Block::new(
                code::BLOCK_IN_USE,
                format!("{} still refers to it", users.join(", ")),
                "remove that first, or in the same plan with --prune",
            ));
        }
        return blocks;
    };
    for reference in entry.facts.references {
        if let Some(ReferenceTo::Resource(target)) = reference.target(after)
            && world.get(&target).is_none()
            && blocks.is_empty()
        {
            blocks.push(Block::new(
                code::BLOCK_PREREQUISITE,
                format!("{target} does not exist"),
                "declare it, or ingest it if it exists outside",
            ));
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

/// Which changes each change rests on: what it refers to, on a delete what refers to it, and what
/// its kind says must come first. Where the kind says so, that beats the order of references: a
/// permission is revoked before the subscription it names is suspended.
fn dependencies(
    input: &PlanInput,
    drafts: &Drafts,
    before: &World,
    ideal: &World,
) -> Lookup<ResourceId, Vec<ResourceId>> {
    let changing: Known<&ResourceId> = drafts.changing.iter().map(|draft| &draft.id).collect();
    let follows: Lookup<&ResourceId, Vec<ResourceId>> = drafts
        .changing
        .iter()
        .filter_map(|draft| {
            let entry = input.kinds.get(draft.id.kind.as_str())?;
            let first = (entry.follows)(&draft.transition(input), before, ideal);
            (!first.is_empty()).then_some((&draft.id, first))
        })
        .collect();
    let of = |draft: &Draft| -> Vec<ResourceId> {
        if draft.release {
            return Vec::new();
        }
        let mut first: BTreeSet<ResourceId> = if draft.after.is_some() {
            ideal.targets(&draft.id).iter().cloned().collect()
        } else {
            before.referrers(&draft.id, None).map(|referrer| referrer.id.clone()).collect()
        };
        first.extend(follows.get(&draft.id).into_iter().flatten().cloned());
        let reversed = |id: &ResourceId| {
            follows.get(id).is_some_and(|first: &Vec<ResourceId>| first.contains(&draft.id))
        };
        first.retain(|id| *id != draft.id && changing.contains(id) && !reversed(id));
        first.into_iter().collect()
    };
    map(&drafts.changing, |draft| (draft.id.clone(), of(draft))).into_iter().collect()
}
