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
        for customer in [self.ideal, self.before].into_iter().filter_map(|w| w.customer_of(id)) {
            let called = self.called.get(&customer).cloned();
            for one in std::iter::once(customer).chain(called) {
                if !customers.contains(&one) {
                    customers.push(one);
                }
            }
        }
        customers
    }
}
