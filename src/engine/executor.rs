//! The executor: a state machine without I/O. Events in, commands out.

use crate::model::ResourceId;
use crate::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};

/// How far a change has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Not begun.
    Pending,
    /// In a group that is under way.
    Running,
    /// Done.
    Done,
    /// Not done, with why.
    Failed(String),
    /// Nobody knows whether it was done.
    Unknown(String),
    /// Not begun, because this one failed.
    Skipped(ResourceId),
}

/// How much is done at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Groups under way at the same time.
    pub parallelism: usize,
    /// Changes in one group: one transaction of a transactional provider, one call of another.
    pub group: usize,
}

/// Changes in one transaction: large enough to be fast, small enough to stop soon on Ctrl-C.
const TRANSACTION: usize = 5_000;

impl Pace {
    /// One transaction after another where changes are writes to the store; else one change at a
    /// time in each of several hands.
    #[must_use]
    pub fn new(is_transactional: bool, parallelism: usize) -> Self {
        if is_transactional {
            Self { parallelism: 1, group: TRANSACTION }
        } else {
            Self { parallelism, group: 1 }
        }
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Begin.
    Start,
    /// A group is done, durably.
    Done {
        /// Which.
        group: usize,
    },
    /// One change of a group failed; nothing of the group was done.
    Failed {
        /// Which group.
        group: usize,
        /// Which change; `None` when nothing at all can be done any more.
        change: Option<ResourceId>,
        /// Why.
        error: String,
    },
    /// Nobody knows whether the one change of a group was done.
    Unknown {
        /// Which group.
        group: usize,
        /// What is known.
        why: String,
    },
    /// A group was not begun, because everything is to stop.
    Returned {
        /// Which.
        group: usize,
    },
    /// Finish what is under way, start nothing.
    Stop,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Carry these changes out, in this order, together or not at all.
    Perform {
        /// Its number.
        group: usize,
        /// Which.
        changes: Vec<ResourceId>,
    },
    /// Nothing is left to do.
    Finish,
}

/// Where an apply stands.
#[derive(Debug, Clone)]
pub struct State {
    order: Vec<ResourceId>,
    depends_on: BTreeMap<ResourceId, Vec<ResourceId>>,
    status: BTreeMap<ResourceId, Status>,
    groups: BTreeMap<usize, Vec<ResourceId>>,
    next_group: usize,
    first_open: usize,
    stopping: bool,
    finished: bool,
    pace: Pace,
}

impl State {
    /// The beginning of an apply of what proceeds in a plan.
    #[must_use]
    pub fn new(plan: &Plan, pace: Pace) -> Self {
        let order: Vec<_> = plan.proceeding().map(|change| change.id.clone()).collect();
        let included: BTreeSet<_> = order.iter().collect();
        let depends_on = plan
            .proceeding()
            .map(|change| {
                let first = change.depends_on.iter().filter(|id| included.contains(id));
                (change.id.clone(), first.cloned().collect())
            })
            .collect();
        Self::of(order, depends_on, pace)
    }

    fn of(
        order: Vec<ResourceId>,
        depends_on: BTreeMap<ResourceId, Vec<ResourceId>>,
        pace: Pace,
    ) -> Self {
        let status = order.iter().map(|id| (id.clone(), Status::Pending)).collect();
        Self {
            order,
            depends_on,
            status,
            groups: BTreeMap::new(),
            next_group: 0,
            first_open: 0,
            stopping: false,
            finished: false,
            pace,
        }
    }

    /// Each change with how far it has come, in order.
    pub fn statuses(&self) -> impl Iterator<Item = (&ResourceId, &Status)> {
        self.order.iter().filter_map(|id| Some((id, self.status.get(id)?)))
    }

    /// The changes of a group that is under way.
    pub fn members(&self, group: usize) -> impl Iterator<Item = &ResourceId> {
        self.groups.get(&group).into_iter().flatten()
    }

    /// True when it was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// The next group: pending changes in order whose dependencies are done or come earlier in the
    /// same group.
    fn group(&mut self) -> Vec<ResourceId> {
        let is_open = |status: Option<&Status>| matches!(status, Some(Status::Pending));
        while self.order.get(self.first_open).is_some_and(|id| !is_open(self.status.get(id))) {
            self.first_open += 1;
        }
        let mut chosen: BTreeSet<ResourceId> = BTreeSet::new();
        let mut group = Vec::new();
        for id in &self.order[self.first_open..] {
            if group.len() >= self.pace.group {
                break;
            }
            let ready = self.depends_on[id]
                .iter()
                .all(|first| chosen.contains(first) || self.status[first] == Status::Done);
            if self.status[id] == Status::Pending && ready {
                chosen.insert(id.clone());
                group.push(id.clone());
            }
        }
        group
    }

    /// Everything that rests on a failed change will not be begun.
    fn skip_dependants(&mut self, failed: &ResourceId) {
        let mut lost: BTreeSet<ResourceId> = BTreeSet::from([failed.clone()]);
        for id in &self.order {
            let rests = self.depends_on[id].iter().any(|first| lost.contains(first));
            if rests && self.status[id] == Status::Pending {
                lost.insert(id.clone());
                self.status.insert(id.clone(), Status::Skipped(failed.clone()));
            }
        }
    }
}

/// Takes one event and says what to do next.
#[must_use]
pub fn step(mut state: State, event: Event) -> (State, Vec<Command>) {
    match event {
        Event::Start => {}
        Event::Stop => state.stopping = true,
        Event::Done { group } => {
            for id in state.groups.remove(&group).unwrap_or_default() {
                state.status.insert(id, Status::Done);
            }
        }
        Event::Returned { group } => {
            state.stopping = true;
            for id in state.groups.remove(&group).unwrap_or_default() {
                state.status.insert(id, Status::Pending);
            }
        }
        Event::Unknown { group, why } => {
            for id in state.groups.remove(&group).unwrap_or_default() {
                state.status.insert(id.clone(), Status::Unknown(why.clone()));
                state.skip_dependants(&id);
            }
        }
        Event::Failed { group, change, error } => {
            let members = state.groups.remove(&group).unwrap_or_default();
            for id in members {
                let status = if change.as_ref().is_none_or(|failed| *failed == id) {
                    Status::Failed(error.clone())
                } else {
                    Status::Pending
                };
                state.status.insert(id, status);
            }
            state.first_open = 0;
            match &change {
                Some(failed) => state.skip_dependants(failed),
                None => state.stopping = true,
            }
        }
    }
    let mut commands = Vec::new();
    while !state.stopping && state.groups.len() < state.pace.parallelism {
        let changes = state.group();
        if changes.is_empty() {
            break;
        }
        for id in &changes {
            state.status.insert(id.clone(), Status::Running);
        }
        let group = state.next_group;
        state.next_group += 1;
        state.groups.insert(group, changes.clone());
        commands.push(Command::Perform { group, changes });
    }
    if state.groups.is_empty() && commands.is_empty() && !state.finished {
        state.finished = true;
        commands.push(Command::Finish);
    }
    (state, commands)
}

#[cfg(test)]
mod tests {
    use super::{Command, Event, Pace, State, Status, step};
    use crate::model::ResourceId;
    use std::collections::BTreeMap;

    fn id(name: &str) -> ResourceId {
        ResourceId::new("Budget", name)
    }

    /// `a`, `b` after `a`, `c` after `b`, and `d` by itself.
    fn state(pace: Pace) -> State {
        let order: Vec<_> = ["a", "b", "c", "d"].map(id).into();
        let depends_on = BTreeMap::from([
            (id("a"), vec![]),
            (id("b"), vec![id("a")]),
            (id("c"), vec![id("b")]),
            (id("d"), vec![]),
        ]);
        State::of(order, depends_on, pace)
    }

    fn names(commands: &[Command]) -> Vec<String> {
        let name = |command: &Command| match command {
            Command::Perform { changes, .. } => {
                changes.iter().map(|id| id.name.to_string()).collect::<Vec<_>>().join("")
            }
            Command::Finish => "finish".to_owned(),
        };
        commands.iter().map(name).collect()
    }

    fn statuses(state: &State) -> Vec<String> {
        let word = |status: &Status| match status {
            Status::Failed(why) => format!("failed {why}"),
            Status::Skipped(first) => format!("skipped for {}", first.name),
            other => format!("{other:?}").to_lowercase(),
        };
        state.statuses().map(|(id, status)| format!("{} {}", id.name, word(status))).collect()
    }

    #[test]
    fn one_transaction_takes_what_depends_on_each_other_in_order() {
        let (state, commands) = step(state(Pace::new(true, 10)), Event::Start);
        assert_eq!(names(&commands), ["abcd"]);
        let (state, commands) = step(state, Event::Done { group: 0 });
        assert_eq!(names(&commands), ["finish"]);
        assert_eq!(statuses(&state), ["a done", "b done", "c done", "d done"]);
    }

    #[test]
    fn several_hands_take_only_what_is_ready() {
        let (state, commands) = step(state(Pace::new(false, 3)), Event::Start);
        assert_eq!(names(&commands), ["a", "d"]);
        let (state, commands) = step(state, Event::Done { group: 1 });
        assert!(commands.is_empty());
        let (_, commands) = step(state, Event::Done { group: 0 });
        assert_eq!(names(&commands), ["b"]);
    }

    #[test]
    fn a_failed_change_skips_what_rests_on_it_and_nothing_else() {
        let (state, _) = step(state(Pace::new(true, 1)), Event::Start);
        let failed = Event::Failed { group: 0, change: Some(id("b")), error: "stale".to_owned() };
        let (state, commands) = step(state, failed);
        assert_eq!(names(&commands), ["ad"], "the rest of the group is tried again");
        let (state, commands) = step(state, Event::Done { group: 1 });
        assert_eq!(names(&commands), ["finish"]);
        assert_eq!(statuses(&state), ["a done", "b failed stale", "c skipped for b", "d done"]);
    }

    #[test]
    fn when_nothing_can_be_done_any_more_everything_ends() {
        let (state, _) = step(state(Pace::new(true, 1)), Event::Start);
        let full = Event::Failed { group: 0, change: None, error: "disk full".to_owned() };
        let (state, commands) = step(state, full);
        assert_eq!(names(&commands), ["finish"]);
        assert!(statuses(&state).iter().all(|line| line.ends_with("failed disk full")));
    }

    #[test]
    fn stopping_finishes_what_is_under_way_and_starts_nothing() {
        let (state, _) = step(state(Pace::new(false, 1)), Event::Start);
        let (state, commands) = step(state, Event::Stop);
        assert!(commands.is_empty());
        let (state, commands) = step(state, Event::Done { group: 0 });
        assert_eq!(names(&commands), ["finish"]);
        assert_eq!(statuses(&state), ["a done", "b pending", "c pending", "d pending"]);
    }

    #[test]
    fn a_group_handed_back_was_never_begun() {
        let (state, _) = step(state(Pace::new(true, 1)), Event::Start);
        let (state, commands) = step(state, Event::Returned { group: 0 });
        assert_eq!(names(&commands), ["finish"]);
        assert!(
            state.is_stopping() && statuses(&state).iter().all(|line| line.ends_with("pending"))
        );
    }
}
