//! The state machine in a world with one folder: claims about single cases, then about any.

use super::{Command, Event, Millis, Notice, Outcome, Seen, State, Timing, step};
use proptest::prelude::*;
use std::collections::BTreeSet;

const TIMING: Timing =
    Timing { debounce: 100, interval: 300_000, poll: None, once: false, chance: 7 };

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
        self.looks += usize::from(matches!(command, Command::Look | Command::LookAnew));
        match command {
            Command::Look | Command::LookAnew if self.missing => vec![Event::Looked(Seen::Missing)],
            Command::Look | Command::LookAnew => vec![Event::Looked(Seen::Tree(self.tree))],
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
fn what_ends_by_itself_makes_a_pass_on_time_and_only_one() {
    let mut world = World::new(TIMING);
    world.wait(1_000);
    world.state.expect(Some(5_000));
    world.wait(3_999);
    assert_eq!(world.passes, [0]);
    world.wait(1 + 2 * TIMING.debounce);
    assert_eq!(world.passes, [0, 0], "the tree is the same, the time is another");
    world.wait(60_000);
    assert_eq!(world.passes, [0, 0]);
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
