//! Which things manifests declare: selectors taken apart, and what is one thing under two names.

use super::{Checker, Firsts};
use crate::model::lookup::Lookup;
use crate::model::parallel::{map, sort_by};
use crate::model::{KindName, Resource, ResourceId, code};

/// A resource with the manifest that it comes from.
type By = (Resource, ResourceId);

/// Resources by the thing that they declare.
struct Things {
    places: Lookup<(KindName, String), usize>,
    /// The first of each, and others that declare the same.
    groups: Vec<(By, Vec<By>)>,
}

impl Things {
    /// With room for so many.
    fn of_about(number: usize) -> Self {
        let mut places = Lookup::default();
        places.reserve(number);
        Self { places, groups: Vec::with_capacity(number) }
    }

    fn put(&mut self, one: By, identity: String) {
        let thing = (one.0.id.kind.clone(), identity);
        if let Some(place) = self.places.get(&thing) {
            self.groups[*place].1.push(one);
        } else {
            self.places.insert(thing, self.groups.len());
            self.groups.push((one, Vec::new()));
        }
    }
}

/// What a manifest stands for.
enum Meant {
    /// For what its selector chooses.
    Chosen(Vec<Resource>),
    /// For itself, and the identity of that, where it has one.
    Itself(Option<String>),
}

impl Checker<'_> {
    /// Takes selectors apart and finds things declared under two names. A resource that names its
    /// customer beats one that a selector made.
    pub(super) fn identities(&mut self, firsts: &Firsts<'_>) -> Vec<Resource> {
        let in_order = firsts.sorted();
        let faulty = in_order.iter().any(|d| d.document.resource.is_none());
        let kinds = self.kinds;
        let entry = |resource: &Resource| kinds.get(resource.id.kind.as_str());
        let declared = in_order.iter().filter_map(|d| d.document.resource.as_ref());
        let declared: Vec<Resource> =
            declared.filter(|one| entry(one).is_some()).cloned().collect();
        let identity = |one: &Resource| entry(one).and_then(|entry| (entry.identity)(&one.spec));
        let meant = map(&declared, |one| {
            let chosen = entry(one).and_then(|entry| (entry.expand)(one, &declared));
            chosen.map_or_else(|| Meant::Itself(identity(one)), Meant::Chosen)
        });
        let mut things = Things::of_about(declared.len());
        let mut resources = Vec::with_capacity(declared.len());
        let mut put = |one: Resource, by: ResourceId, identity| match identity {
            Some(identity) => things.put((one, by), identity),
            None => resources.push(one),
        };
        for (resource, meant) in declared.into_iter().zip(meant) {
            let by = resource.id.clone();
            match meant {
                Meant::Itself(identity) => put(resource, by, identity),
                Meant::Chosen(chosen) => {
                    // A faulty manifest may be the one that it would choose.
                    if chosen.is_empty() && !faulty && !self.beyond.chosen.contains(&by) {
                        self.chooses_nothing(firsts, &by);
                    }
                    for one in chosen {
                        let identity = identity(&one);
                        put(one, by.clone(), identity);
                    }
                    self.selectors.push(resource);
                }
            }
        }
        for (first, others) in things.groups {
            resources.extend(self.one_of(firsts, first, others));
        }
        sort_by(&mut resources, |a, b| a.id.cmp(&b.id));
        resources
    }

    fn chooses_nothing(&mut self, firsts: &Firsts<'_>, selector: &ResourceId) {
        self.problem(
            code::SELECTS_NOTHING,
            format!("the selector of {selector} chooses no declared customer"),
            "compare it with the labels of the customers".to_owned(),
            &[(firsts[selector], "spec.customerSelector")],
        );
    }

    /// The one that counts of those that declare the same thing.
    fn one_of(&mut self, firsts: &Firsts<'_>, first: By, others: Vec<By>) -> Option<Resource> {
        if others.is_empty() {
            return Some(first.0);
        }
        let mut same: Vec<By> = std::iter::once(first).chain(others).collect();
        if same.iter().any(|(one, _)| !one.id.name.is_generated()) {
            same.retain(|(one, _)| !one.id.name.is_generated());
        }
        let mut same = same.into_iter();
        let (first, by) = same.next()?;
        for (other, other_by) in same {
            self.same_thing(firsts, (&first, &by), (&other, &other_by));
        }
        Some(first)
    }

    fn same_thing(
        &mut self,
        firsts: &Firsts<'_>,
        (first, by): (&Resource, &ResourceId),
        (other, other_by): (&Resource, &ResourceId),
    ) {
        if other.id.name.is_generated() {
            let customer = other.spec.text("customerRef.name").unwrap_or_default();
            let path = "spec.customerSelector";
            self.problem(
                code::SELECTOR_CONFLICT,
                format!("the selectors of {by} and {other_by} both choose Customer/{customer}"),
                "narrow one of them, or give this customer its own with `customerRef`".to_owned(),
                &[(firsts[other_by], path), (firsts[by], path)],
            );
        } else {
            let path = "metadata.name";
            self.problem(
                code::DUPLICATE_IDENTITY,
                format!("{} and {} are the same thing under two names", first.id, other.id),
                "remove one of the two".to_owned(),
                &[(firsts[other_by], path), (firsts[by], path)],
            );
        }
    }
}
