//! When a pass runs: a state machine without I/O. Events in, commands out.
//!
//! An event or a timer never says what to do; it makes the machine look. Two looks that show the
//! same tree, with quiet in between, begin a pass. While a root is missing there are no passes.
//!
//! A branch is looked at in the same way, but a commit never moves: one look is enough. While its
//! repository is away, the last commit that was seen stays in force.

use crate::engine::pause::pause;
use std::time::Duration;

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
/// The first pause after a branch could not be looked at, and the longest.
const AWAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

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
    /// Chance, for pauses that many take at the same time.
    pub chance: u64,
}

/// What a look shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A root is missing.
    Missing,
    /// The tree; equal numbers are equal trees.
    Tree(u64),
    /// The tree of a commit, which never moves; equal numbers are equal commits.
    Commit(u64),
    /// The repository of the branch cannot be asked; what it held stays in force.
    Away,
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
    /// Look at the tree, where anything was heard of.
    Look,
    /// Trust nothing that was seen or heard: look at all of the tree.
    LookAnew,
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
    /// The commit that was seen last.
    commit: Option<u64>,
    /// Looks in a row for which the repository was away, and when to ask it again.
    away: (u32, Millis),
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
    end_at: Option<Millis>,
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
            commit: None,
            away: (0, 0),
            forced: true,
            woken: false,
            stopping: false,
            fruitless: (0, 0),
            failures: 0,
            resync_at: timing.interval,
            retry_at: None,
            poll_at: None,
            ask_at: None,
            end_at: None,
        }
    }

    /// When [`Event::Timer`] is wanted.
    #[must_use]
    pub fn due(&self) -> Option<Millis> {
        match self.phase {
            Phase::Resting => {
                let others = [self.retry_at, self.poll_at, self.ask_at, self.end_at];
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

    /// Something that is declared, or a suspension, ends by itself at this time: a pass is due then.
    pub fn expect(&mut self, end: Option<Millis>) {
        self.end_at = end;
    }

    /// Ears hear again.
    pub fn hear(&mut self) {
        self.timing.poll = None;
        self.poll_at = None;
    }

    fn rest(&mut self, now: Millis) {
        self.phase = Phase::Resting;
        self.look_at = None;
        self.poll_at = match self.away {
            (0, _) => self.timing.poll.map(|poll| now.saturating_add(poll)),
            (_, until) => Some(until),
        };
    }

    /// Begins a pass over a tree.
    fn begin(&mut self, now: Millis, tree: u64) -> Command {
        self.phase = Phase::Passing { tree };
        self.woken = false;
        self.fruitless = (0, now);
        Command::Pass(tree)
    }

    /// Begins to look. The first look is for comparing with the second.
    fn settle(&mut self, now: Millis) -> Vec<Command> {
        let (vain, until) = self.away;
        if vain > 0 && now < until {
            return self.with_what_was_seen(now);
        }
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
            Phase::Resting if self.resync_at <= now || come(self.retry_at) || come(self.end_at) => {
                // What was not heard of is found now.
                self.forced = true;
                self.end_at = None;
                let commands = self.settle(now);
                if commands == [Command::Look] { vec![Command::LookAnew] } else { commands }
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
            Seen::Commit(commit) => return self.found(now, commit),
            Seen::Away => return self.away(now),
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
            commands.push(self.begin(now, tree));
        } else {
            self.fruitless = ((self.fruitless.0 + 1).min(FRUITLESS_MAX), now);
            self.rest(now);
        }
        commands
    }

    /// The branch is at this commit.
    fn found(&mut self, now: Millis, commit: u64) -> Vec<Command> {
        self.commit = Some(commit);
        self.away = (0, 0);
        if self.forced || self.passed != Some(commit) {
            return vec![self.begin(now, commit)];
        }
        self.rest(now);
        Vec::new()
    }

    /// The branch could not be looked at.
    fn away(&mut self, now: Millis) -> Vec<Command> {
        if self.timing.once {
            self.phase = Phase::Ended;
            return vec![Command::End];
        }
        let tries = self.away.0.saturating_add(1);
        let (first, longest) = AWAY;
        let time = pause(first, longest, tries, self.timing.chance).as_millis();
        self.away = (tries, now.saturating_add(Millis::try_from(time).unwrap_or(RETRY_MAX)));
        self.with_what_was_seen(now)
    }

    /// Does what is due with the commit that was seen last.
    fn with_what_was_seen(&mut self, now: Millis) -> Vec<Command> {
        if let Some(commit) = self.commit.filter(|_| self.forced) {
            return vec![self.begin(now, commit)];
        }
        // Without any there is nothing to do before it was asked again.
        if self.commit.is_none() {
            self.resync_at = self.resync_at.max(self.away.1);
        }
        self.rest(now);
        Vec::new()
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
mod followed;
#[cfg(test)]
mod tests;
