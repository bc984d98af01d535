//! A state of the world to judge by: resources by id, and who refers to whom.

use crate::kinds::staff::{self, Staff};
use crate::kinds::{Kinds, Reference, ReferenceTo};
use crate::model::lookup::Lookup;
use crate::model::parallel::{ALONE_MAX, both, each};
use crate::model::{ResourceId, Spec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A resource that stands in a [`World`].
#[derive(Debug, Clone)]
pub struct Standing {
    /// Kind and name.
    pub id: ResourceId,
    /// Its effective state: observed with desired over it and defaults under it.
    pub spec: Spec,
}

/// Resources that exist together (clones share them), before a plan, after it, or as the manifests alone declare them.
#[derive(Debug, Clone, Default)]
pub struct World(Arc<Things>);

#[derive(Debug, Clone, Default)]
struct Things {
    standing: Lookup<ResourceId, Arc<Thing>>,
    /// Sorted, by what they refer to.
    referrers: Lookup<ResourceId, Arc<Vec<ResourceId>>>,
    /// Who was taken out of it, by what it referred to: what refers to them still belongs somewhere.
    gone: Lookup<ResourceId, Vec<ResourceId>>,
    /// Partner users, also those that are not among the resources because they stay as they are.
    staff: Staff,
}

#[derive(Debug, Clone)]
struct Thing {
    standing: Standing,
    targets: Vec<ResourceId>,
}

impl World {
    /// Gathers resources and their references.
    #[must_use]
    pub fn new(kinds: &Kinds, resources: impl IntoIterator<Item = Standing>) -> Self {
        let mut world = Self::default();
        world.put_all(kinds, resources.into_iter().collect());
        world
    }

    /// Puts resources into the world, each in place of the one with its id. What they refer to is looked
    /// for on all cores.
    pub fn put_all(&mut self, kinds: &Kinds, resources: Vec<Standing>) {
        if resources.is_empty() {
            return;
        }
        let things = Arc::make_mut(&mut self.0);
        let new = each(resources, |standing| Thing::of(kinds, standing));
        if !things.fill(&new) {
            things.standing.reserve(new.len());
            new.iter().for_each(|new| things.put(new));
        }
    }

    /// The same with the partner's staff.
    #[must_use]
    pub fn with_staff(mut self, staff: Staff) -> Self {
        Arc::make_mut(&mut self.0).staff = staff;
        self
    }

    /// The partner's staff in this world, and who acts.
    #[must_use]
    pub fn staff(&self) -> &Staff {
        &self.0.staff
    }

    /// Puts a resource into the world, in place of the one with its id.
    pub fn put(&mut self, kinds: &Kinds, standing: Standing) {
        Arc::make_mut(&mut self.0).put(&Thing::of(kinds, standing));
    }

    /// Takes a resource out of the world.
    pub fn take(&mut self, id: &ResourceId) {
        if !self.0.standing.contains_key(id) {
            return;
        }
        let things = Arc::make_mut(&mut self.0);
        if let Some(old) = things.standing.remove(id) {
            if id.kind.as_str() == staff::KIND {
                things.staff.take(&old.standing.spec);
            }
            things.forget(id, &old.targets);
            for target in &old.targets {
                things.gone.or_default(target.clone()).push(id.clone());
            }
        }
    }

    /// A resource that is there.
    #[must_use]
    pub fn get(&self, id: &ResourceId) -> Option<&Standing> {
        self.0.standing.get(id).map(|thing| &thing.standing)
    }

    /// True when nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.standing.is_empty()
    }

    /// Everything that is there, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Standing> {
        self.0.standing.sorted().into_iter().map(|thing| &thing.standing)
    }

    /// Who refers to a resource, in order; with a kind, only that kind.
    pub fn referrers<'a>(
        &'a self,
        id: &ResourceId,
        kind: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Standing> + Clone {
        self.0
            .referrers
            .get(id)
            .into_iter()
            .flat_map(|referrers| referrers.iter())
            .filter(move |referrer| kind.is_none_or(|kind| referrer.kind.as_str() == kind))
            .filter_map(|referrer| self.get(referrer))
    }

    /// What stands below a resource: what refers to it, and what refers to something of a kind that
    /// does, or did until it was taken out. Each once, in order.
    #[must_use]
    pub fn below<'a>(
        &'a self,
        id: &ResourceId,
        kind: &'a str,
        through: &'a str,
    ) -> Vec<&'a Standing> {
        let there = self.referrers(id, Some(through)).map(|standing| &standing.id);
        let gone = self.0.gone.get(id).into_iter().flatten();
        let gone = gone.filter(|gone| gone.kind.as_str() == through);
        let found = there.chain(gone).flat_map(|between| self.referrers(between, Some(kind)));
        let found: BTreeMap<&ResourceId, &Standing> = found
            .chain(self.referrers(id, Some(kind)))
            .map(|standing| (&standing.id, standing))
            .collect();
        found.into_values().collect()
    }

    /// What a resource refers to, in the order of its fields.
    #[must_use]
    pub fn targets(&self, id: &ResourceId) -> &[ResourceId] {
        self.0.standing.get(id).map_or(&[], |thing| thing.targets.as_slice())
    }

    /// The customer a resource belongs to: itself, or what its references lead to.
    #[must_use]
    pub fn customer_of(&self, id: &ResourceId) -> Option<ResourceId> {
        self.way_to_customer(id, &mut Vec::new()).cloned()
    }

    /// Looks behind each reference in turn, never twice at one place: references may lead in a circle.
    fn way_to_customer<'a>(
        &'a self,
        id: &'a ResourceId,
        seen: &mut Vec<&'a ResourceId>,
    ) -> Option<&'a ResourceId> {
        if id.kind.as_str() == "Customer" {
            return Some(id);
        }
        if seen.contains(&id) {
            return None;
        }
        seen.push(id);
        self.targets(id).iter().find_map(|target| self.way_to_customer(target, seen))
    }
}

impl Thing {
    fn of(kinds: &Kinds, standing: Standing) -> Arc<Self> {
        let references =
            kinds.get(standing.id.kind.as_str()).map_or(&[][..], |entry| entry.facts.references);
        let target = |reference: &Reference| match reference.target(&standing.spec)? {
            ReferenceTo::Resource(target) => Some(target),
            ReferenceTo::External(_) => None,
        };
        let targets = references.iter().filter_map(target).collect();
        Arc::new(Self { standing, targets })
    }

    /// Notes it with what it refers to.
    fn refer(&self, referrers: &mut Lookup<ResourceId, Arc<Vec<ResourceId>>>) {
        let id = &self.standing.id;
        for target in &self.targets {
            let referrers = referrers.or_default(target.clone());
            if let Err(place) = referrers.binary_search(id) {
                Arc::make_mut(referrers).insert(place, id.clone());
            }
        }
    }
}

impl Things {
    /// Puts resources where there is nothing yet, and notes beside it who refers to whom. False where
    /// they must be put one after another, as some take the places of others.
    fn fill(&mut self, new: &[Arc<Thing>]) -> bool {
        if !self.standing.is_empty() || new.len() < ALONE_MAX {
            return false;
        }
        let refer = || {
            let mut referrers = Lookup::default();
            new.iter().for_each(|thing| thing.refer(&mut referrers));
            referrers
        };
        let stand = || -> Lookup<_, _> {
            new.iter().map(|thing| (thing.standing.id.clone(), thing.clone())).collect()
        };
        let (referrers, standing) = both(true, refer, stand);
        let is_each_once = standing.len() == new.len();
        if is_each_once {
            (self.referrers, self.standing) = (referrers, standing);
            let staff = new.iter().map(|thing| &thing.standing);
            let staff = staff.filter(|standing| standing.id.kind.as_str() == staff::KIND);
            staff.for_each(|standing| self.staff.put(&standing.spec));
        }
        is_each_once
    }

    /// Puts a resource among them, in place of the one with its id.
    fn put(&mut self, new: &Arc<Thing>) {
        let id = &new.standing.id;
        if id.kind.as_str() == staff::KIND {
            self.staff.put(&new.standing.spec);
        }
        if let Some(old) = self.standing.insert(id.clone(), new.clone()) {
            self.forget(id, &old.targets);
        }
        new.refer(&mut self.referrers);
    }

    /// Takes a resource from those who refer to what it referred to.
    fn forget(&mut self, id: &ResourceId, targets: &[ResourceId]) {
        for target in targets {
            if let Some(referrers) = self.referrers.get_mut(target)
                && let Ok(place) = referrers.binary_search(id)
            {
                Arc::make_mut(referrers).remove(place);
            }
        }
    }
}
