//! A part of a plan: what `-l`, `--customer`, `--kind` and `--exclude` choose.

use crate::kinds::Risk;
use crate::kinds::selector::Selector;
use crate::model::{KindName, Metadata, ResourceId};
use std::collections::BTreeSet;

/// Which changes go ahead; everything given must hold. The rest is held back, and so is what rests
/// on it.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Labels they must have.
    pub labels: Option<Selector>,
    /// The customers they must belong to, by name; empty: any.
    pub customers: BTreeSet<String>,
    /// The kinds they must be of; empty: any.
    pub kinds: BTreeSet<KindName>,
    /// The resources themselves; empty: any.
    pub only: BTreeSet<ResourceId>,
    /// Resources left out.
    pub exclude: BTreeSet<ResourceId>,
    /// Kinds left out.
    pub exclude_kinds: BTreeSet<KindName>,
    /// What goes ahead without anybody being asked; riskier changes wait for approval.
    pub risk_max: Option<Risk>,
    /// What becomes of what was changed outside.
    pub drift: Drift,
}

/// What becomes of what was changed outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Drift {
    /// It is put back as declared.
    #[default]
    PutBack,
    /// It is put back, but for what moves money: that is left as it is, and told.
    LeaveMoney,
    /// It is left as it is, and told.
    Leave,
}

impl Selection {
    /// True when nothing is left out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.chooses_all() && self.risk_max.is_none() && self.drift == Drift::PutBack
    }

    /// True when no resource is left out, whatever becomes of its risk and drift.
    #[must_use]
    pub fn chooses_all(&self) -> bool {
        let Self { labels, customers, kinds, only, exclude, exclude_kinds, risk_max: _, drift: _ } =
            self;
        labels.is_none()
            && only.is_empty()
            && customers.is_empty()
            && kinds.is_empty()
            && exclude.is_empty()
            && exclude_kinds.is_empty()
    }

    /// The resources it names.
    #[must_use]
    pub fn names(&self) -> Vec<ResourceId> {
        let customers = self.customers.iter().map(|name| ResourceId::new("Customer", name));
        customers.chain(self.only.iter().chain(&self.exclude).cloned()).collect()
    }

    /// True when a resource is chosen.
    #[must_use]
    pub fn chooses(
        &self,
        id: &ResourceId,
        metadata: &Metadata,
        customer: Option<&ResourceId>,
    ) -> bool {
        let Self { labels, customers, kinds, only, exclude, exclude_kinds, risk_max: _, drift: _ } =
            self;
        let of_customer = || customer.is_some_and(|id| customers.contains(id.name.as_str()));
        labels.as_ref().is_none_or(|selector| selector.matches(&metadata.labels))
            && (customers.is_empty() || of_customer())
            && (kinds.is_empty() || kinds.contains(&id.kind))
            && (only.is_empty() || only.contains(id))
            && !exclude.contains(id)
            && !exclude_kinds.contains(&id.kind)
    }
}
