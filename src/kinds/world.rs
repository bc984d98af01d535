//! A state of the world to judge by: resources by id, and who refers to whom.

use crate::kinds::{Kinds, ReferenceTo};
use crate::model::{ResourceId, Spec};
use std::collections::{BTreeMap, BTreeSet};

/// A resource that stands in a [`World`].
#[derive(Debug, Clone)]
pub struct Standing {
    /// Kind and name.
    pub id: ResourceId,
    /// Its effective state: observed with desired over it and defaults under it.
    pub spec: Spec,
}

/// Resources that exist together, before a plan, after it, or as the manifests alone declare them.
#[derive(Debug, Clone, Default)]
pub struct World {
    standing: BTreeMap<ResourceId, Standing>,
    referrers: BTreeMap<ResourceId, BTreeSet<ResourceId>>,
    targets: BTreeMap<ResourceId, Vec<ResourceId>>,
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
        for target in &targets {
            self.referrers.entry(target.clone()).or_default().insert(standing.id.clone());
        }
        self.targets.insert(standing.id.clone(), targets);
        self.standing.insert(standing.id.clone(), standing);
    }

    /// Takes a resource out of the world.
    pub fn take(&mut self, id: &ResourceId) -> Option<Standing> {
        for target in self.targets.remove(id).unwrap_or_default() {
            if let Some(referrers) = self.referrers.get_mut(&target) {
                referrers.remove(id);
            }
        }
        self.standing.remove(id)
    }

    /// A resource that is there.
    #[must_use]
    pub fn get(&self, id: &ResourceId) -> Option<&Standing> {
        self.standing.get(id)
    }

    /// Everything that is there, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Standing> {
        self.standing.values()
    }

    /// Who refers to a resource, in order; with a kind, only that kind.
    pub fn referrers<'a>(
        &'a self,
        id: &ResourceId,
        kind: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Standing> {
        self.referrers
            .get(id)
            .into_iter()
            .flatten()
            .filter(move |referrer| kind.is_none_or(|kind| referrer.kind.as_str() == kind))
            .filter_map(|referrer| self.standing.get(referrer))
    }

    /// What a resource refers to, in the order of its fields.
    #[must_use]
    pub fn targets(&self, id: &ResourceId) -> &[ResourceId] {
        self.targets.get(id).map_or(&[], Vec::as_slice)
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
