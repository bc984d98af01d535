//! A state of the world to judge by: resources by id, and who refers to whom.

use crate::kinds::staff::{self, Staff};
use crate::kinds::{Kinds, ReferenceTo};
use crate::model::lookup::Lookup;
use crate::model::{ResourceId, Spec};
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
        let resources = resources.into_iter();
        world.reserve(resources.size_hint().0);
        for standing in resources {
            world.put(kinds, standing);
        }
        world
    }

    /// Makes room for so many more resources.
    pub fn reserve(&mut self, more: usize) {
        if more > 0 {
            Arc::make_mut(&mut self.0).standing.reserve(more);
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
        let references =
            kinds.get(standing.id.kind.as_str()).map_or(&[][..], |entry| entry.facts.references);
        let targets: Vec<ResourceId> = references
            .iter()
            .filter_map(|reference| match reference.target(&standing.spec)? {
                ReferenceTo::Resource(target) => Some(target),
                ReferenceTo::External(_) => None,
            })
            .collect();
        let things = Arc::make_mut(&mut self.0);
        let id = standing.id.clone();
        if id.kind.as_str() == staff::KIND {
            things.staff.put(&standing.spec);
        }
        let new = Arc::new(Thing { standing, targets });
        if let Some(old) = things.standing.insert(id.clone(), new.clone()) {
            things.forget(&id, &old.targets);
        }
        for target in &new.targets {
            let referrers = things.referrers.or_default(target.clone());
            if let Err(place) = referrers.binary_search(&id) {
                Arc::make_mut(referrers).insert(place, id.clone());
            }
        }
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

impl Things {
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
