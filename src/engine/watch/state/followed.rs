//! The state machine over a branch that others move and whose repository comes and goes.

use super::{Command, Event, Millis, Outcome, Seen, State, Timing, step};
use proptest::prelude::*;

const TIMING: Timing =
    Timing { debounce: 100, interval: 300_000, poll: Some(60_000), once: false, chance: 7 };

/// A branch, and what the watch over it did.
struct Branch {
    state: State,
    now: Millis,
    head: u64,
    away: bool,
    /// When it was looked at.
    looks: Vec<Millis>,
    /// Passes with their times.
    passes: Vec<(Millis, u64)>,
    /// How passes to come end; settled when nothing stands here.
    outcomes: Vec<Outcome>,
    approved: bool,
    ended: bool,
}

impl Branch {
    fn begun(timing: Timing, away: bool) -> Self {
        let mut branch = Self {
            state: State::new(timing),
            now: 0,
            head: 1,
            away,
            looks: Vec::new(),
            passes: Vec::new(),
            outcomes: Vec::new(),
            approved: false,
            ended: false,
        };
        branch.happens(Event::Begin);
        branch
    }

    fn happens(&mut self, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let (state, commands) = step(self.state.clone(), self.now, event);
            self.state = state;
            for command in commands {
                assert_eq!(next, None, "one thing at a time");
                next = self.obey(command);
            }
        }
    }

    fn obey(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::Look | Command::LookAnew => {
                self.looks.push(self.now);
                let seen = if self.away { Seen::Away } else { Seen::Commit(self.head) };
                Some(Event::Looked(seen))
            }
            Command::Pass(commit) => {
                self.passes.push((self.now, commit));
                Some(Event::Passed(self.outcomes.pop().unwrap_or(Outcome::Settled)))
            }
            Command::Ask => Some(Event::Asked(self.approved)),
            Command::Say(notice) => panic!("a branch neither rests nor is missing: {notice:?}"),
            Command::End => {
                self.ended = true;
                None
            }
        }
    }

    fn wait(&mut self, time: Millis) {
        let until = self.now + time;
        let mut steps = 0;
        while let Some(due) = self.state.due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.happens(Event::Timer);
            steps += 1;
            assert!(steps < 100_000, "it does not come to rest");
        }
        self.now = until;
    }

    fn commits(&self) -> Vec<u64> {
        self.passes.iter().map(|(_, commit)| *commit).collect()
    }
}

#[test]
fn one_look_is_enough_and_a_commit_is_passed_over_once() {
    let mut branch = Branch::begun(TIMING, false);
    assert_eq!(branch.passes, [(0, 1)]);
    branch.wait(120_000);
    assert_eq!((branch.looks.as_slice(), branch.passes.len()), (&[0, 60_000, 120_000][..], 1));
    branch.head = 2;
    branch.wait(60_000);
    assert_eq!(branch.passes, [(0, 1), (180_000, 2)]);
    branch.wait(300_000);
    assert_eq!(branch.passes[2..], [(480_000, 2)], "at the latest after the interval");
}

#[test]
fn while_the_repository_is_away_it_is_asked_ever_later_and_the_last_commit_stays_in_force() {
    let mut branch = Branch::begun(TIMING, false);
    branch.away = true;
    branch.wait(3_600_000);
    let pauses: Vec<_> = branch.looks.windows(2).skip(1).map(|two| two[1] - two[0]).collect();
    for (tries, pause) in (0_u32..).zip(&pauses) {
        let whole = (1_000 << tries.min(20)).min(300_000);
        assert!(*pause <= whole && *pause >= whole / 4 * 3, "{tries}: {pauses:?}");
    }
    assert_eq!(branch.passes.len(), 13, "every five minutes, without asking for it more often");
    assert!(branch.commits().iter().all(|commit| *commit == 1));
    branch.away = false;
    branch.head = 2;
    branch.wait(300_000);
    assert_eq!(branch.commits().last(), Some(&2));
    let asked = branch.looks.len();
    branch.wait(60_000);
    assert_eq!(branch.looks.len(), asked + 1, "as often as before");
}

#[test]
fn what_is_approved_goes_on_while_the_repository_is_away() {
    let mut branch = Branch::begun(TIMING, true);
    branch.away = false;
    branch.outcomes = vec![Outcome::Held];
    branch.wait(10_000);
    branch.away = true;
    branch.wait(60_000);
    branch.approved = true;
    branch.wait(1_000);
    assert_eq!(branch.commits(), [1, 1]);
}

#[test]
fn the_newest_commit_comes_before_another_try_of_an_older_one() {
    let mut branch = Branch::begun(TIMING, true);
    branch.away = false;
    branch.outcomes = vec![Outcome::Failed; 3];
    branch.wait(1_500);
    assert_eq!(branch.commits(), [1]);
    branch.head = 2;
    branch.wait(1_000);
    assert_eq!(branch.commits(), [1, 2], "its next try is of what is there then");
}

#[test]
fn without_a_repository_from_the_beginning_there_is_no_pass_and_once_ends_at_once() {
    let mut branch = Branch::begun(TIMING, true);
    branch.wait(3_600_000);
    assert!(branch.passes.is_empty() && branch.looks.len() < 30, "{:?}", branch.looks);
    let timing = Timing { once: true, ..TIMING };
    let branch = Branch::begun(timing, true);
    assert!(branch.ended && branch.passes.is_empty());
    let branch = Branch::begun(timing, false);
    assert!(branch.ended && branch.commits() == [1]);
}

proptest! {
    /// However a branch moves and its repository comes and goes: commits are passed over in their
    /// order, never an older one after a newer, and in the end the last one was.
    #[test]
    fn in_the_end_a_pass_saw_the_last_commit_and_none_went_back(
        steps in prop::collection::vec((0..4_u8, 0..400_000_u64), 0..30),
        chance in any::<u64>(),
    ) {
        let mut branch = Branch::begun(Timing { chance, ..TIMING }, false);
        for (what, time) in steps {
            match what {
                0 => branch.head += 1,
                1 => branch.away = !branch.away,
                2 => branch.outcomes.push(Outcome::Failed),
                _ => branch.outcomes.push(Outcome::Invalid),
            }
            branch.wait(time);
        }
        branch.away = false;
        branch.outcomes.clear();
        branch.wait(400_000);
        let commits = branch.commits();
        prop_assert!(commits.is_sorted(), "{commits:?}");
        prop_assert_eq!(commits.last(), Some(&branch.head));
    }
}
