//! The customers that a change has to do with.

use crate::kinds::World;
use crate::model::ResourceId;
use crate::plan::draft::Draft;
use std::collections::BTreeMap;

/// Who has to do with a change: what is said of a customer holds for what comes to it and for what
/// leaves it, under its new name and under its old one.
pub struct Belonging<'a> {
    before: &'a World,
    ideal: &'a World,
    /// Old names by new ones.
    called: BTreeMap<ResourceId, ResourceId>,
}

impl<'a> Belonging<'a> {
    /// As it is before the plan, and if everything went ahead.
    #[must_use]
    pub fn new(drafts: &[Draft], before: &'a World, ideal: &'a World) -> Self {
        let renamed = |draft: &Draft| Some((draft.id.clone(), draft.pair.previous.clone()?));
        Self { before, ideal, called: drafts.iter().filter_map(renamed).collect() }
    }

    /// The customers of a change: the one it comes to and the one it leaves, each with its old name.
    #[must_use]
    pub fn customers(&self, id: &ResourceId) -> Vec<ResourceId> {
        let mut customers = Vec::new();
        self.gather(id, &mut Vec::new(), &mut customers);
        customers
    }

    /// Each step of the way is taken as it is and as it will be: what is new may lead through what is to
    /// move and does not.
    fn gather<'b>(
        &'b self,
        id: &'b ResourceId,
        seen: &mut Vec<&'b ResourceId>,
        found: &mut Vec<ResourceId>,
    ) {
        if seen.contains(&id) {
            return;
        }
        seen.push(id);
        if id.kind.as_str() == "Customer" {
            let called = self.called.get(id);
            found.extend(std::iter::once(id).chain(called).cloned());
            return;
        }
        for world in [self.ideal, self.before] {
            let way = world.targets(id).iter().find(|target| world.customer_of(target).is_some());
            if let Some(next) = way {
                self.gather(next, seen, found);
            }
        }
    }
}
