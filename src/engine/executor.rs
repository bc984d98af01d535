//! The executor: a state machine without I/O. Events in, commands out.

use crate::model::ResourceId;
use crate::model::lookup::Lookup;
use crate::model::parallel::map;
use crate::plan::{Change, Plan};
use std::cell::OnceCell;
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
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Groups under way at the same time.
    pub parallelism: usize,
    /// Changes in one group: one transaction of a transactional provider, one call of another.
    pub group: usize,
    /// True when groups are carried out one after another: what runs already comes before, and a
    /// group that fails takes back those that were to come after it.
    pub in_turn: bool,
}

/// Changes in one transaction: large enough to be fast, small enough to stop soon on Ctrl-C.
const TRANSACTION: usize = 5_000;
/// Changes in the first transaction, each after it having twice as many: what comes after the
/// preparing soon has something to do. Towards the end each has half of what is left: what comes after
/// the last one is soon done.
const FIRST_TRANSACTION: usize = 750;
/// Transactions under way: one is prepared and one committed, while the disk takes in some.
const TRANSACTIONS: usize = 6;

impl Pace {
    /// One transaction after another where changes are writes to the store, those that come next being
    /// prepared while one is committed; else one change at a time in each of several hands.
    #[must_use]
    pub fn new(is_transactional: bool, parallelism: usize) -> Self {
        if is_transactional {
            Self { parallelism: TRANSACTIONS, group: TRANSACTION, in_turn: true }
        } else {
            Self { parallelism, group: 1, in_turn: false }
        }
    }

    /// Changes in a group by its number, where so many are left.
    fn size(&self, group: usize, left: usize) -> usize {
        if !self.in_turn {
            return self.group;
        }
        let half = left.div_ceil(2).max(FIRST_TRANSACTION);
        (FIRST_TRANSACTION << group.min(16)).min(half).min(self.group)
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
        /// Their places among the changes of the plan that go ahead.
        changes: Vec<usize>,
    },
    /// Nothing is left to do.
    Finish,
}

/// Where an apply stands. Changes are known by their places among those that go ahead.
#[derive(Debug, Clone, Default)]
pub struct State {
    order: Vec<ResourceId>,
    depends_on: Vec<Vec<usize>>,
    /// Known once something fails.
    dependants: OnceCell<Vec<Vec<usize>>>,
    status: Vec<Status>,
    groups: BTreeMap<usize, Vec<usize>>,
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
        let changes: Vec<&Change> = plan.proceeding().collect();
        let order = changes.iter().map(|change| change.id.clone()).collect();
        let places: Lookup<&ResourceId, usize> =
            changes.iter().enumerate().map(|(place, change)| (&change.id, place)).collect();
        let first = |id| places.get(&id).copied();
        let depends_on =
            map(&changes, |change| change.depends_on.iter().filter_map(first).collect());
        Self::of(order, depends_on, pace)
    }

    pub(super) fn of(order: Vec<ResourceId>, depends_on: Vec<Vec<usize>>, pace: Pace) -> Self {
        Self {
            status: vec![Status::Pending; order.len()],
            order,
            depends_on,
            dependants: OnceCell::new(),
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
        self.order.iter().zip(&self.status)
    }

    /// The changes of a group that is under way, by their places.
    #[must_use]
    pub fn members(&self, group: usize) -> &[usize] {
        self.groups.get(&group).map_or(&[], Vec::as_slice)
    }

    /// True when it was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// The next group: pending changes in order whose dependencies are done or come earlier in the
    /// same group, which makes them running.
    fn group(&mut self) -> Vec<usize> {
        while self.status.get(self.first_open).is_some_and(|status| *status != Status::Pending) {
            self.first_open += 1;
        }
        let mut chosen: BTreeSet<usize> = BTreeSet::new();
        let mut group = Vec::new();
        let size = self.pace.size(self.next_group, self.order.len() - self.first_open);
        let comes_before = |status: &Status| {
            *status == Status::Done || (self.pace.in_turn && *status == Status::Running)
        };
        for place in self.first_open..self.order.len() {
            if group.len() >= size {
                break;
            }
            let ready = self.depends_on[place]
                .iter()
                .all(|first| comes_before(&self.status[*first]) || chosen.contains(first));
            if self.status[place] == Status::Pending && ready {
                chosen.insert(place);
                group.push(place);
            }
        }
        for place in &group {
            self.status[*place] = Status::Running;
        }
        group
    }

    /// Ends a group, each of its changes in the same way.
    fn end(&mut self, group: usize, status: &Status) -> Vec<usize> {
        let members = self.groups.remove(&group).unwrap_or_default();
        for place in &members {
            self.status[*place] = status.clone();
        }
        if *status == Status::Pending {
            self.open_again(&members);
        }
        members
    }

    /// Takes back what was to come after a group that failed.
    fn take_back_later_than(&mut self, group: usize) {
        if self.pace.in_turn {
            let later: Vec<usize> =
                self.groups.range(group + 1..).map(|(group, _)| *group).collect();
            for group in later {
                self.end(group, &Status::Pending);
            }
        }
    }

    /// What is pending again is looked for from its place on.
    fn open_again(&mut self, members: &[usize]) {
        let first = members.iter().copied().min().unwrap_or(self.first_open);
        self.first_open = self.first_open.min(first);
    }

    /// Everything that rests on a failed change will not be begun.
    fn skip_dependants(&mut self, failed: usize) {
        let dependants = self.dependants.get_or_init(|| {
            let mut dependants = vec![Vec::new(); self.order.len()];
            for (place, first) in self.depends_on.iter().enumerate() {
                first.iter().for_each(|first| dependants[*first].push(place));
            }
            dependants
        });
        let mut next = vec![failed];
        while let Some(lost) = next.pop() {
            for place in dependants[lost].iter().copied() {
                if self.status[place] == Status::Pending {
                    self.status[place] = Status::Skipped(self.order[failed].clone());
                    next.push(place);
                }
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
            state.end(group, &Status::Done);
        }
        Event::Returned { group } => {
            state.stopping = true;
            state.end(group, &Status::Pending);
        }
        Event::Unknown { group, why } => {
            for place in state.end(group, &Status::Unknown(why)) {
                state.skip_dependants(place);
            }
        }
        Event::Failed { group, change: None, error } => {
            state.end(group, &Status::Failed(error));
            state.take_back_later_than(group);
            state.stopping = true;
        }
        Event::Failed { group, change: Some(change), error } => {
            let members = state.end(group, &Status::Pending);
            state.take_back_later_than(group);
            let failed = members.into_iter().find(|place| state.order[*place] == change);
            if let Some(place) = failed {
                state.status[place] = Status::Failed(error);
                state.skip_dependants(place);
            }
        }
    }
    let mut commands = Vec::new();
    while !state.stopping && state.groups.len() < state.pace.parallelism {
        let changes = state.group();
        if changes.is_empty() {
            break;
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

    fn id(name: &str) -> ResourceId {
        ResourceId::new("Budget", name)
    }

    /// `a`, `b` after `a`, `c` after `b`, and `d` by itself.
    fn state(pace: Pace) -> State {
        let order: Vec<_> = ["a", "b", "c", "d"].map(id).into();
        State::of(order, vec![vec![], vec![0], vec![1], vec![]], pace)
    }

    fn names(commands: &[Command]) -> Vec<String> {
        let name = |command: &Command| match command {
            Command::Perform { changes, .. } => {
                changes.iter().map(|place| ["a", "b", "c", "d"][*place]).collect()
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
    fn the_first_and_the_last_transactions_are_small_and_those_between_as_large_as_may_be() {
        let sizes = |mut left: usize| {
            let mut sizes = Vec::new();
            while left > 0 {
                sizes.push(Pace::new(true, 10).size(sizes.len(), left).min(left));
                left -= sizes[sizes.len() - 1];
            }
            sizes
        };
        assert_eq!(sizes(20_000), [750, 1_500, 3_000, 5_000, 4_875, 2_438, 1_219, 750, 468]);
        assert_eq!(sizes(750), [750]);
        assert_eq!(sizes(751), [750, 1]);
        assert_eq!(Pace::new(false, 10).size(9, 100), 1);
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
    fn the_next_transaction_is_chosen_while_one_runs_and_taken_back_when_that_fails() {
        let two = Pace { group: 2, ..Pace::new(true, 1) };
        let (state, commands) = step(state(two), Event::Start);
        assert_eq!(names(&commands), ["ab", "cd"], "c comes after b in turn");
        let failed = Event::Failed { group: 0, change: Some(id("b")), error: "stale".to_owned() };
        let (state, commands) = step(state, failed);
        assert_eq!(names(&commands), ["ad"], "cd was not begun, and c has lost what it rests on");
        let (state, _) = step(state, Event::Done { group: 2 });
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
