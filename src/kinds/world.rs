//! A state of the world to judge by: resources by id, and who refers to whom.

use crate::kinds::{Kinds, ReferenceTo};
use crate::model::{ResourceId, Spec};
use std::collections::{BTreeMap, BTreeSet};
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
    standing: BTreeMap<ResourceId, Arc<Standing>>,
    referrers: BTreeMap<ResourceId, Arc<BTreeSet<ResourceId>>>,
    targets: BTreeMap<ResourceId, Arc<[ResourceId]>>,
}

impl World {
    /// Gathers resources and their references.
    #[must_use]
    pub fn new(kinds: &Kinds, resources: impl IntoIterator<Item = Standing>) -> Self {
        let mut world = Self::default();
        for standing in resources {
            world.put(kinds, standing);
        }
        world
    }

    /// Puts a resource into the world, in place of the one with its id.
    pub fn put(&mut self, kinds: &Kinds, standing: Standing) {
        self.take(&standing.id);
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
        for target in &targets {
            let referrers = things.referrers.entry(target.clone()).or_default();
            Arc::make_mut(referrers).insert(standing.id.clone());
        }
        things.targets.insert(standing.id.clone(), targets.into());
        things.standing.insert(standing.id.clone(), Arc::new(standing));
    }

    /// Takes a resource out of the world.
    pub fn take(&mut self, id: &ResourceId) {
        if !self.0.standing.contains_key(id) {
            return;
        }
        let things = Arc::make_mut(&mut self.0);
        for target in things.targets.remove(id).iter().flat_map(|targets| targets.iter()) {
            if let Some(referrers) = things.referrers.get_mut(target) {
                Arc::make_mut(referrers).remove(id);
            }
        }
        things.standing.remove(id);
    }

    /// A resource that is there.
    #[must_use]
    pub fn get(&self, id: &ResourceId) -> Option<&Standing> {
        self.0.standing.get(id).map(Arc::as_ref)
    }

    /// Everything that is there, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Standing> {
        self.0.standing.values().map(Arc::as_ref)
    }

    /// Who refers to a resource, in order; with a kind, only that kind.
    pub fn referrers<'a>(
        &'a self,
        id: &ResourceId,
        kind: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Standing> {
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
        self.0.targets.get(id).map_or(&[], AsRef::as_ref)
    }

    /// The customer a resource belongs to: itself, or what its references lead to.
    #[must_use]
    pub fn customer_of(&self, id: &ResourceId) -> Option<ResourceId> {
        let mut seen = BTreeSet::new();
        let mut next = vec![id.clone()];
        while let Some(id) = next.pop() {
            if id.kind.as_str() == "Customer" {
                return Some(id);
            }
            if seen.insert(id.clone()) {
                next.extend(self.targets(&id).iter().rev().cloned());
            }
        }
        None
    }
}
