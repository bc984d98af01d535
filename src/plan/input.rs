//! Everything a plan is made from.

use crate::finance::RefundTerms;
use crate::kinds::{AgentRole, Kinds, Staff};
use crate::model::lookup::Known;
use crate::model::{Money, Observed, Resource, ResourceId, Stored, Suspension};
use crate::plan::intent::Intent;
use crate::plan::policy::Policies;
use crate::plan::selection::Selection;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The input of [`plan`](crate::plan::plan): values only, gathered before.
#[derive(Clone)]
pub struct PlanInput {
    /// The kinds.
    pub kinds: Kinds,
    /// The plan's clock.
    pub at: DateTime<Utc>,
    /// The store's lineage, when there is a store.
    pub lineage: Option<String>,
    /// Which set is planned.
    pub set: Arc<str>,
    /// Who claims to plan it.
    pub actor: String,
    /// The partner users that are stored, whoever manages them, and who of them acts.
    pub staff: Staff,
    /// What the manifests declare.
    pub desired: Vec<Resource>,
    /// What the store manages, of every set, with what the provider says now.
    pub stored: Arc<Vec<Stored>>,
    /// What the provider has beyond that.
    pub unmanaged: Vec<Observed>,
    /// Operations outside that have not ended: what they may have made is not made again.
    pub intents: Vec<Intent>,
    /// What is suspended, also where that has ended by itself.
    pub suspensions: Vec<Suspension>,
    /// How much of the set the manifests are.
    pub scope: Scope,
    /// Folders of the workspace in which something was declared, and in or below which there is no
    /// manifest any more; known when what is no longer declared is deleted.
    pub vanished_folders: BTreeSet<String>,
    /// Which of its changes are wanted.
    pub selection: Selection,
    /// Whether what another set owns and this one declares is taken over.
    pub take_ownership: bool,
    /// The workspace's brakes.
    pub limits: Limits,
    /// The workspace's rules over changes.
    pub policies: Arc<Policies>,
    /// By what refunds are reckoned.
    pub refunds: RefundTerms,
    /// A plan id whose brakes are let go.
    pub override_id: Option<String>,
    /// Rows that stand as they are, with nothing to say about them: others are judged by them.
    pub beside: Arc<Known<ResourceId>>,
    /// What gathering left out, because nothing of it has to do with anything that differs.
    pub left_out: LeftOut,
}

impl PlanInput {
    /// That of a set of which nothing is declared, in a world without anything: whoever plans puts in
    /// what there is.
    #[must_use]
    pub fn new(kinds: Kinds, at: DateTime<Utc>, set: &str) -> Self {
        Self {
            kinds,
            at,
            lineage: None,
            set: set.into(),
            actor: String::new(),
            staff: Staff::default(),
            desired: Vec::new(),
            stored: Arc::default(),
            unmanaged: Vec::new(),
            intents: Vec::new(),
            suspensions: Vec::new(),
            scope: Scope::Whole,
            vanished_folders: BTreeSet::new(),
            selection: Selection::default(),
            take_ownership: false,
            limits: Limits::default(),
            policies: Arc::default(),
            refunds: RefundTerms::default(),
            override_id: None,
            beside: Arc::default(),
            left_out: LeftOut::default(),
        }
    }
}

/// Counts of what is not in the input. Whatever a resource in it has to do with is in it as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Resources of the set that are declared as they stand, with nothing to say about them.
    pub settled: usize,
    /// Those of them that the selection chooses, with what is only looked at beside others.
    pub chosen: usize,
    /// Rows of other sets.
    pub foreign: usize,
}

impl PlanInput {
    /// True when who plans holds a role, as it is stored: what the plan gives does not count.
    #[must_use]
    pub fn actor_has(&self, role: AgentRole) -> bool {
        self.staff.holds(self.staff.actor(), role)
    }

    /// How many resources the planned set owns.
    #[must_use]
    pub fn owned(&self) -> usize {
        let own = self.stored.iter().filter(|stored: &&Stored| *stored.set == *self.set).count();
        own + self.left_out.settled
    }

    /// True when the manifests declare nothing.
    #[must_use]
    pub fn declares_nothing(&self) -> bool {
        self.desired.is_empty() && self.left_out.settled == 0 && self.beside.is_empty()
    }

    /// True when the store manages nothing, of no set.
    #[must_use]
    pub fn manages_nothing(&self) -> bool {
        self.stored.is_empty() && self.left_out == LeftOut::default()
    }
}

/// How much of the set was read, and so what may be said about what was not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it; what is no longer declared is listed.
    Whole,
    /// All of it; what is no longer declared is deleted.
    WholeAndPrune,
    /// A part: nothing is said about the rest.
    Part,
}

/// The brakes of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Deletes over this share of what the set owns are refused, in percent.
    pub delete_percent: u32,
    /// Updates over this share are refused, in percent.
    pub update_percent: u32,
    /// Fewer deletes or updates than this are never refused for their share.
    pub at_least: usize,
    /// More customers than this may not lose their folder, with everything of them, at once.
    pub vanished_folders: usize,
    /// The most by which monthly budgets may grow, by currency.
    pub monthly_increase: Vec<Money>,
    /// The most that may be paid once, by currency.
    pub one_time: Vec<Money>,
    /// The most that may come back, by currency: much of it means that much is cancelled.
    pub refund: Vec<Money>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            delete_percent: 30,
            update_percent: 30,
            at_least: 10,
            vanished_folders: 0,
            monthly_increase: Vec::new(),
            one_time: Vec::new(),
            refund: Vec::new(),
        }
    }
}
