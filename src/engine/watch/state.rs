//! When a pass runs: a state machine without I/O. Events in, commands out.
//!
//! An event or a timer never says what to do; it makes the machine look. Two looks that show the
//! same tree, with quiet in between, begin a pass. While a root is missing there are no passes.

/// Milliseconds since the watch began.
pub type Millis = u64;

/// How often a missing root is looked for.
const MISSING_LOOK: Millis = 1_000;
/// How often an approval is looked for while something is held for it.
const APPROVAL_LOOK: Millis = 1_000;
/// After each look that was for nothing the next one waits this many quiet times longer, at most.
const FRUITLESS_MAX: u64 = 20;
/// After so long without one they are forgotten.
const FRUITLESS_FOR: Millis = 5_000;
/// How long the tree may keep changing before that is said.
const RESTLESS_AFTER: Millis = 30_000;
/// The first pause after a pass that failed; each further one is twice as long.
const RETRY_FIRST: Millis = 1_000;
/// The longest pause after a pass that failed.
const RETRY_MAX: Millis = 300_000;

/// The times that are set from outside.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Quiet between two looks that must show the same.
    pub debounce: Millis,
    /// The longest time without a pass.
    pub interval: Millis,
    /// How often to look where nothing is heard; `None` where ears hear.
    pub poll: Option<Millis>,
    /// Whether everything ends after the first pass.
    pub once: bool,
}

/// What a look shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A root is missing.
    Missing,
    /// The tree; equal numbers are equal trees.
    Tree(u64),
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do that could be done.
    Settled,
    /// Something waits for an approval.
    Held,
    /// The tree moved under it: it did nothing, or not all of it.
    Moved,
    /// The manifests are not valid: only another tree can help.
    Invalid,
    /// It failed in a way that time may mend.
    Failed,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The watch begins.
    Begin,
    /// Something may have moved.
    Woken,
    /// The time has come that [`State::due`] names.
    Timer,
    /// The answer to [`Command::Look`].
    Looked(Seen),
    /// The answer to [`Command::Pass`].
    Passed(Outcome),
    /// The answer to [`Command::Ask`]: whether what is held is approved.
    Asked(bool),
    /// Everything is to end.
    Stop,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Look at the tree.
    Look,
    /// Run a pass over this tree; it does nothing when the tree is another by then.
    Pass(u64),
    /// Ask whether what is held is approved.
    Ask,
    /// Tell somebody.
    Say(Notice),
    /// Nothing more is to be done.
    End,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A root is missing: passes pause.
    Missing,
    /// The roots are back.
    Back,
    /// The tree does not come to rest.
    Restless,
}

/// What the watch is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is to be done.
    Resting,
    /// Looking until two looks show the same.
    Settling { since: Millis, last: Option<u64>, told: bool },
    /// A pass is under way.
    Passing { tree: u64 },
    /// A root is missing.
    Paused,
    /// All is over.
    Ended,
}

/// Where a watch stands.
#[derive(Debug, Clone)]
pub struct State {
    timing: Timing,
    phase: Phase,
    /// When to look next, while settling or paused.
    look_at: Option<Millis>,
    /// The tree that the last pass saw to its end.
    passed: Option<u64>,
    /// A pass is due even where the tree is the one that passed.
    forced: bool,
    /// Something was heard during the pass.
    woken: bool,
    /// The pass under way is the last.
    stopping: bool,
    /// Wakes in a row that were for nothing, and when the last of them was.
    fruitless: (u64, Millis),
    failures: u32,
    resync_at: Millis,
    retry_at: Option<Millis>,
    poll_at: Option<Millis>,
    ask_at: Option<Millis>,
}

impl State {
    /// A watch that has not begun.
    #[must_use]
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            phase: Phase::Resting,
            look_at: None,
            passed: None,
            forced: true,
            woken: false,
            stopping: false,
            fruitless: (0, 0),
            failures: 0,
            resync_at: timing.interval,
            retry_at: None,
            poll_at: None,
            ask_at: None,
        }
    }

    /// When [`Event::Timer`] is wanted.
    #[must_use]
    pub fn due(&self) -> Option<Millis> {
        match self.phase {
            Phase::Resting => {
                let others = [self.retry_at, self.poll_at, self.ask_at];
                others.into_iter().flatten().chain([self.resync_at]).min()
            }
            Phase::Settling { .. } | Phase::Paused => self.look_at,
            Phase::Passing { .. } | Phase::Ended => None,
        }
    }

    /// True while a root is missing.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.phase == Phase::Paused
    }

    /// From now on nothing is heard any more: look now and then.
    pub fn go_deaf(&mut self, now: Millis, poll: Millis) {
        self.timing.poll = Some(poll);
        self.poll_at = Some(now.saturating_add(poll));
    }

    /// Ears hear again.
    pub fn hear(&mut self) {
        self.timing.poll = None;
        self.poll_at = None;
    }

    fn rest(&mut self, now: Millis) {
        self.phase = Phase::Resting;
        self.look_at = None;
        self.poll_at = self.timing.poll.map(|poll| now.saturating_add(poll));
    }

    /// Begins to look. The first look is for comparing with the second.
    fn settle(&mut self, now: Millis) -> Vec<Command> {
        self.phase = Phase::Settling { since: now, last: None, told: false };
        self.look_at = None;
        vec![Command::Look]
    }

    fn timer(&mut self, now: Millis) -> Vec<Command> {
        let come = |at: Option<Millis>| at.is_some_and(|at| at <= now);
        match self.phase {
            Phase::Settling { .. } | Phase::Paused if come(self.look_at) => {
                self.look_at = None;
                vec![Command::Look]
            }
            Phase::Resting if self.resync_at <= now || come(self.retry_at) => {
                self.forced = true;
                self.settle(now)
            }
            Phase::Resting if come(self.ask_at) => {
                self.ask_at = Some(now.saturating_add(APPROVAL_LOOK));
                vec![Command::Ask]
            }
            Phase::Resting if come(self.poll_at) => self.settle(now),
            _ => Vec::new(),
        }
    }

    fn woken(&mut self, now: Millis) -> Vec<Command> {
        match self.phase {
            // A file beside the manifests that is written all the time must not keep us looking.
            Phase::Resting => {
                let (count, last) = self.fruitless;
                if count == 0 || now.saturating_sub(last) > FRUITLESS_FOR {
                    self.fruitless = (0, now);
                    return self.settle(now);
                }
                self.phase = Phase::Settling { since: now, last: None, told: false };
                let longer = self.timing.debounce.saturating_mul(count);
                self.look_at = Some(now.saturating_add(longer));
            }
            // The looks to come tell whether it was anything. To wait for silence could be for ever.
            Phase::Settling { .. } | Phase::Ended => {}
            Phase::Passing { .. } => self.woken = true,
            Phase::Paused => self.look_at = Some(now),
        }
        Vec::new()
    }

    fn looked(&mut self, now: Millis, seen: Seen) -> Vec<Command> {
        let (Phase::Settling { .. } | Phase::Paused) = self.phase else { return Vec::new() };
        let mut commands = Vec::new();
        let tree = match seen {
            Seen::Missing => {
                if self.phase != Phase::Paused {
                    commands.push(Command::Say(Notice::Missing));
                }
                self.phase = Phase::Paused;
                self.look_at = Some(now.saturating_add(MISSING_LOOK));
                if self.timing.once {
                    self.phase = Phase::Ended;
                    commands.push(Command::End);
                }
                return commands;
            }
            Seen::Tree(tree) => tree,
        };
        if self.phase == Phase::Paused {
            commands.push(Command::Say(Notice::Back));
            self.phase = Phase::Settling { since: now, last: None, told: false };
            self.forced = true;
        }
        let Phase::Settling { since, last, told } = self.phase else { return commands };
        if last != Some(tree) {
            let restless = !told && now.saturating_sub(since) > RESTLESS_AFTER;
            if restless {
                commands.push(Command::Say(Notice::Restless));
            }
            self.phase = Phase::Settling { since, last: Some(tree), told: told || restless };
            self.look_at = Some(now.saturating_add(self.timing.debounce));
        } else if self.forced || self.passed != Some(tree) {
            self.phase = Phase::Passing { tree };
            self.woken = false;
            self.fruitless = (0, now);
            commands.push(Command::Pass(tree));
        } else {
            self.fruitless = ((self.fruitless.0 + 1).min(FRUITLESS_MAX), now);
            self.rest(now);
        }
        commands
    }

    fn ended(&mut self, now: Millis, outcome: Outcome) -> Vec<Command> {
        let Phase::Passing { tree } = self.phase else { return Vec::new() };
        if self.stopping || (self.timing.once && outcome != Outcome::Moved) {
            self.phase = Phase::Ended;
            return vec![Command::End];
        }
        if outcome == Outcome::Moved {
            // Looked at again at once, it would be compared with a tree that is about to move.
            self.phase = Phase::Settling { since: now, last: None, told: false };
            self.look_at = Some(now.saturating_add(self.timing.debounce));
            return Vec::new();
        }
        self.passed = Some(tree);
        self.forced = false;
        self.resync_at = now.saturating_add(self.timing.interval);
        self.ask_at = (outcome == Outcome::Held).then(|| now.saturating_add(APPROVAL_LOOK));
        self.failures = if outcome == Outcome::Failed { self.failures + 1 } else { 0 };
        self.retry_at = (self.failures > 0).then(|| {
            let doubled = RETRY_FIRST.saturating_mul(1 << (self.failures - 1).min(16));
            now.saturating_add(doubled.min(RETRY_MAX))
        });
        if std::mem::take(&mut self.woken) {
            return self.settle(now);
        }
        self.rest(now);
        Vec::new()
    }
}

/// Takes one event and says what to do next.
#[must_use]
pub fn step(mut state: State, now: Millis, event: Event) -> (State, Vec<Command>) {
    let commands = match event {
        Event::Begin => state.settle(now),
        Event::Woken => state.woken(now),
        Event::Timer => state.timer(now),
        Event::Looked(seen) => state.looked(now, seen),
        Event::Passed(outcome) => state.ended(now, outcome),
        Event::Asked(approved) => {
            if approved && state.phase == Phase::Resting {
                state.forced = true;
                state.settle(now)
            } else {
                Vec::new()
            }
        }
        Event::Stop if matches!(state.phase, Phase::Passing { .. }) => {
            state.stopping = true;
            Vec::new()
        }
        Event::Stop if state.phase == Phase::Ended => Vec::new(),
        Event::Stop => {
            state.phase = Phase::Ended;
            vec![Command::End]
        }
    };
    (state, commands)
}

#[cfg(test)]
mod tests {
    use super::{Command, Event, Millis, Notice, Outcome, Seen, State, Timing, step};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const TIMING: Timing = Timing { debounce: 100, interval: 300_000, poll: None, once: false };

    /// A world with one folder, and what the watch over it did.
    struct World {
        state: State,
        now: Millis,
        /// Which content the folder has; each edit makes a new one.
        tree: u64,
        missing: bool,
        /// Trees that passes saw to their end, in order.
        passes: Vec<u64>,
        said: Vec<Notice>,
        /// How passes to come end; settled when nothing stands here.
        outcomes: Vec<Outcome>,
        /// Edits in the middle of passes to come.
        edits: Vec<bool>,
        approved: bool,
        ended: bool,
        looks: usize,
    }

    impl World {
        fn new(timing: Timing) -> Self {
            let state = State::new(timing);
            let mut world = Self {
                state,
                now: 0,
                tree: 0,
                missing: false,
                passes: Vec::new(),
                said: Vec::new(),
                outcomes: Vec::new(),
                edits: Vec::new(),
                approved: false,
                ended: false,
                looks: 0,
            };
            world.happens(Event::Begin);
            world
        }

        fn happens(&mut self, event: Event) {
            let mut events = vec![event];
            while !events.is_empty() {
                let (state, commands) = step(self.state.clone(), self.now, events.remove(0));
                self.state = state;
                for command in commands {
                    events.extend(self.obey(command));
                }
            }
        }

        fn obey(&mut self, command: Command) -> Vec<Event> {
            self.looks += usize::from(command == Command::Look);
            match command {
                Command::Look if self.missing => vec![Event::Looked(Seen::Missing)],
                Command::Look => vec![Event::Looked(Seen::Tree(self.tree))],
                Command::Ask => vec![Event::Asked(self.approved)],
                Command::Pass(tree) => self.pass(tree),
                Command::Say(notice) => {
                    self.said.push(notice);
                    Vec::new()
                }
                Command::End => {
                    self.ended = true;
                    Vec::new()
                }
            }
        }

        /// As the driver does it: what is not the tree that was asked for does nothing.
        fn pass(&mut self, tree: u64) -> Vec<Event> {
            assert!(!self.missing, "a pass while the root is missing");
            assert_eq!(tree, self.tree, "a pass over a tree that is not there");
            self.now += 10;
            if self.edits.pop().unwrap_or(false) {
                self.tree += 1;
                // The driver saw it before it did anything, or the event comes after.
                if self.now.is_multiple_of(20) {
                    return vec![Event::Passed(Outcome::Moved)];
                }
                self.passes.push(tree);
                return vec![Event::Woken, Event::Passed(Outcome::Settled)];
            }
            let outcome = self.outcomes.pop().unwrap_or(Outcome::Settled);
            if outcome != Outcome::Moved {
                self.passes.push(tree);
            }
            vec![Event::Passed(outcome)]
        }

        /// Lets time go by.
        fn wait(&mut self, time: Millis) {
            let until = self.now + time;
            while let Some(due) = self.state.due().filter(|due| *due <= until) {
                self.now = self.now.max(due);
                self.happens(Event::Timer);
            }
            self.now = self.now.max(until);
        }

        fn edit(&mut self) {
            self.tree += 1;
            self.happens(Event::Woken);
        }
    }

    #[test]
    fn it_begins_with_a_pass_and_an_edit_makes_exactly_one_more() {
        let mut world = World::new(TIMING);
        world.wait(99);
        assert!(world.passes.is_empty(), "not before it was quiet");
        world.wait(1);
        assert_eq!(world.passes, [0]);
        world.edit();
        world.wait(60);
        world.edit();
        world.wait(60);
        world.edit();
        world.wait(10_000);
        assert_eq!(world.passes, [0, 3]);
        world.happens(Event::Woken);
        world.wait(10_000);
        assert_eq!(world.passes, [0, 3], "what was heard was nothing");
    }

    #[test]
    fn noise_neither_keeps_it_looking_nor_hides_an_edit() {
        let mut world = World::new(TIMING);
        world.wait(1_000);
        let before = world.looks;
        for _ in 0..1_000 {
            world.happens(Event::Woken);
            world.wait(10);
        }
        let looks = world.looks - before;
        assert!((8..40).contains(&looks), "{looks} looks in ten seconds");
        world.edit();
        for _ in 0..300 {
            world.happens(Event::Woken);
            world.wait(10);
        }
        assert_eq!(world.passes, [0, 1]);
        world.wait(10_000);
        world.edit();
        world.wait(101);
        assert_eq!(world.passes, [0, 1, 2], "the noise is forgotten");
    }

    #[test]
    fn a_pass_comes_at_the_latest_after_the_interval() {
        let mut world = World::new(TIMING);
        world.wait(1_000_000);
        assert_eq!(world.passes, [0; 4]);
    }

    #[test]
    fn a_missing_root_pauses_is_said_once_and_the_pass_comes_when_it_is_back() {
        let mut world = World::new(TIMING);
        world.wait(1_000);
        world.missing = true;
        world.happens(Event::Woken);
        world.wait(1_000_000);
        assert_eq!(
            (world.passes.as_slice(), world.said.as_slice()),
            (&[0][..], &[Notice::Missing][..])
        );
        assert!(world.state.is_paused());
        world.missing = false;
        world.wait(2_000);
        assert_eq!(world.passes, [0, 0]);
        assert_eq!(world.said, [Notice::Missing, Notice::Back]);
    }

    #[test]
    fn what_time_may_mend_is_tried_again_ever_later_and_an_edit_comes_first() {
        let mut world = World::new(TIMING);
        world.outcomes = vec![Outcome::Failed; 4];
        world.wait(200);
        world.wait(1_000);
        world.wait(2_200);
        assert_eq!(world.passes.len(), 3, "after one and two seconds");
        world.edit();
        world.wait(200);
        assert_eq!(world.passes, [0, 0, 0, 1]);
        world.wait(8_500);
        assert_eq!(world.passes, [0, 0, 0, 1, 1]);
        world.wait(100_000);
        assert_eq!(world.passes.len(), 5, "it went well");
    }

    #[test]
    fn invalid_manifests_are_read_again_when_they_moved() {
        let mut world = World::new(TIMING);
        world.outcomes = vec![Outcome::Invalid];
        world.wait(100_000);
        assert_eq!(world.passes, [0]);
        world.edit();
        world.wait(1_000);
        assert_eq!(world.passes, [0, 1]);
    }

    #[test]
    fn an_approval_wakes() {
        let mut world = World::new(TIMING);
        world.outcomes = vec![Outcome::Held];
        world.wait(100_000);
        assert_eq!(world.passes, [0]);
        world.approved = true;
        world.wait(1_200);
        assert_eq!(world.passes, [0, 0]);
        world.wait(100_000);
        assert_eq!(world.passes, [0, 0], "nobody asks any more");
    }

    #[test]
    fn a_tree_that_never_rests_is_told_once_and_not_read() {
        let mut world = World::new(TIMING);
        for _ in 0..1_000 {
            world.tree += 1;
            world.wait(100);
        }
        assert_eq!((world.passes.len(), world.said.as_slice()), (0, &[Notice::Restless][..]));
        world.wait(200);
        assert_eq!(world.passes, [1_000]);
    }

    #[test]
    fn without_ears_edits_are_found_by_looking() {
        let mut world = World::new(Timing { poll: Some(2_000), ..TIMING });
        world.wait(500);
        world.tree += 1;
        world.wait(2_500);
        assert_eq!(world.passes, [0, 1]);
        world.wait(20_000);
        assert_eq!(world.passes, [0, 1]);
    }

    #[test]
    fn once_ends_after_one_pass_that_saw_the_tree_and_without_a_root_at_once() {
        let mut world = World::new(Timing { once: true, ..TIMING });
        world.outcomes = vec![Outcome::Held, Outcome::Moved];
        world.wait(1_000);
        assert_eq!((world.passes.len(), world.ended, world.state.due()), (1, true, None));
        let mut world = World::new(TIMING);
        world.missing = true;
        world.state = State::new(Timing { once: true, ..TIMING });
        world.happens(Event::Begin);
        assert!(world.ended);
    }

    #[test]
    fn stopping_ends_at_once_or_with_the_pass_under_way() {
        let mut world = World::new(TIMING);
        world.happens(Event::Stop);
        assert!(world.ended);
        world.wait(1_000_000);
        assert!(world.passes.is_empty());
        let (state, _) = step(State::new(TIMING), 0, Event::Begin);
        let (state, _) = step(state, 0, Event::Looked(Seen::Tree(1)));
        let (state, commands) = step(state, 100, Event::Timer);
        assert_eq!(commands, [Command::Look]);
        let (state, commands) = step(state, 100, Event::Looked(Seen::Tree(1)));
        assert_eq!(commands, [Command::Pass(1)]);
        let (state, commands) = step(state, 100, Event::Stop);
        assert_eq!(commands, []);
        let (_, commands) = step(state, 200, Event::Passed(Outcome::Moved));
        assert_eq!(commands, [Command::End]);
    }

    #[derive(Debug, Clone)]
    enum Op {
        Edit,
        Unheard,
        Noise,
        Remove,
        PutBack,
        Wait(Millis),
        Ends(Outcome),
        EditInPass,
        Approve,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => Just(Op::Edit),
            1 => Just(Op::Unheard),
            2 => Just(Op::Noise),
            1 => Just(Op::Remove),
            2 => Just(Op::PutBack),
            6 => (0..500_u64).prop_map(Op::Wait),
            1 => (0..20_000_u64).prop_map(Op::Wait),
            1 => prop::sample::select(vec![
                Outcome::Held, Outcome::Moved, Outcome::Invalid, Outcome::Failed
            ]).prop_map(Op::Ends),
            1 => Just(Op::EditInPass),
            1 => Just(Op::Approve),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: no pass while the root is missing or over a tree
        /// that is not there (the world asserts that), and after quiet exactly one pass saw the
        /// final tree, unless a pass was told to come again.
        #[test]
        fn after_quiet_exactly_one_pass_saw_the_final_tree(
            ops in prop::collection::vec(op(), 0..40),
            polls in any::<bool>(),
        ) {
            let poll = polls.then_some(2_000);
            let interval = 10_000_000;
            let mut world = World::new(Timing { poll, interval, ..TIMING });
            let (mut again, mut told) = (false, 0);
            for op in ops {
                match op {
                    Op::Edit => world.edit(),
                    Op::Unheard => world.tree += 1,
                    Op::Noise => world.happens(Event::Woken),
                    Op::Remove => {
                        world.missing = true;
                        world.happens(Event::Woken);
                    }
                    Op::PutBack => {
                        // Whoever puts a folder back makes another one.
                        world.tree += u64::from(world.missing);
                        world.missing = false;
                        world.happens(Event::Woken);
                    }
                    Op::Wait(time) => world.wait(time),
                    Op::Ends(outcome) => {
                        again |= matches!(outcome, Outcome::Failed | Outcome::Held);
                        world.outcomes.push(outcome);
                    }
                    Op::EditInPass => world.edits.push(true),
                    Op::Approve => world.approved = true,
                }
                let missing = world.said.iter().filter(|said| **said == Notice::Missing).count();
                let back = world.said.iter().filter(|said| **said == Notice::Back).count();
                prop_assert!(missing == back || missing == back + 1);
                told = told.max(missing);
            }
            world.tree += u64::from(world.missing);
            world.missing = false;
            world.edits.clear();
            world.outcomes.clear();
            world.wait(20_000);
            let seen = world.passes.iter().filter(|tree| **tree == world.tree).count();
            if !again && (polls || seen > 0) {
                prop_assert_eq!(seen, 1, "{:?} {}", world.passes, world.tree);
            }
            // What nobody heard is found by the next interval at the latest.
            world.wait(interval + 1_000);
            prop_assert_eq!(world.passes.last(), Some(&world.tree));
            // Trees are seen in the order in which they were.
            let sorted: Vec<u64> = world.passes.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            let mut distinct = world.passes.clone();
            distinct.dedup();
            prop_assert_eq!(distinct, sorted);
        }
    }
}
