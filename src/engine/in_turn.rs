//! Carrying groups out one after another, each as one transaction of the store: while one is
//! committed the next is prepared, and the disk takes in those before.

use crate::engine::executor::{Command, Event, State, step};
use crate::engine::gather::{GatherError, gather};
use crate::engine::progress::{Progress, chain, tell};
use crate::engine::work::Work;
use crate::model::ResourceId;
use crate::plan::Change;
use crate::provider::{ProviderError, embedded};
use crate::store::{Batch, Settling, StoreError, Write};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

/// A batch that others see, and how it comes onto the disk.
type Ahead = (Batch, Settling);

/// A batch on its way onto the disk.
type OntoTheDisk = JoinHandle<Result<(), StoreError>>;

/// What is prepared: the writes, or which change cannot be made.
type Prepared = Result<Vec<Write>, (ResourceId, ProviderError)>;

/// Groups on their way. Those of each stage come before those of the stage above it.
struct Turns<'a, 'p> {
    work: &'a Arc<Work>,
    changes: &'a [&'p Change],
    state: State,
    told: &'a mut dyn FnMut(Progress<'_>),
    /// To be prepared.
    waiting: VecDeque<(usize, Vec<usize>)>,
    /// The one that is being committed.
    committing: Option<(usize, JoinHandle<Result<Ahead, StoreError>>)>,
    /// Committed since the disk was last told to take in what there is.
    committed: Vec<(usize, Ahead)>,
    /// What the disk takes in.
    settling: Option<(Vec<usize>, OntoTheDisk)>,
}

/// Carries out everything, and gives the state at the end. A group is done when the disk has it.
///
/// # Errors
/// When the state cannot be read again after a batch was refused.
pub(super) async fn in_turn(
    work: &Arc<Work>,
    changes: &[&Change],
    state: State,
    stop: &watch::Receiver<bool>,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<State, GatherError> {
    let (state, commands) = step(state, Event::Start);
    let mut turns = Turns {
        work,
        changes,
        state,
        told,
        waiting: performs(commands),
        committing: None,
        committed: Vec::new(),
        settling: None,
    };
    while turns.is_under_way() {
        // A signal is seen here; what was told to stop before it began is handed back untouched.
        tokio::task::yield_now().await;
        let is_stopped = *stop.borrow();
        turns.turn(is_stopped).await?;
    }
    Ok(turns.state)
}

impl Turns<'_, '_> {
    fn is_under_way(&self) -> bool {
        !self.rests() || !self.committed.is_empty() || self.settling.is_some()
    }

    /// True when there is nothing to do but to wait for the disk.
    fn rests(&self) -> bool {
        self.waiting.is_empty() && self.committing.is_none()
    }

    /// Brings each group one stage further.
    async fn turn(&mut self, stopped: bool) -> Result<(), GatherError> {
        self.settle();
        let next = self.waiting.pop_front();
        let mut prepared =
            next.map(|(group, places)| (group, (!stopped).then(|| self.prepare(&places))));
        if let Some((group, commit)) = self.committing.take() {
            match joined(commit.await) {
                Ok(ahead) => self.committed.push((group, ahead)),
                Err(error) => {
                    // What was prepared after it rests on it.
                    prepared = None;
                    self.waiting.clear();
                    let event = refused(&self.state, group, self.changes, error);
                    self.advance(event)?;
                }
            }
        }
        if let Some((group, prepared)) = prepared {
            self.begin(group, prepared)?;
        }
        let rests = self.rests();
        if self.settling.as_ref().is_some_and(|(_, thread)| rests || thread.is_finished()) {
            self.settled().await?;
        }
        Ok(())
    }

    /// Commits what was prepared, or says why it is not.
    fn begin(&mut self, group: usize, prepared: Option<Prepared>) -> Result<(), GatherError> {
        match prepared {
            Some(Ok(writes)) => {
                let hand = self.work.clone();
                let commit = spawn_blocking(move || hand.commit_ahead(writes));
                self.committing = Some((group, commit));
                Ok(())
            }
            Some(Err((change, error))) => {
                self.waiting.clear();
                let error = error.to_string();
                self.advance(Event::Failed { group, change: Some(change), error })
            }
            None => self.advance(Event::Returned { group }),
        }
    }

    /// Has the disk take in what is committed by now, unless it is at it. The writes, of which there
    /// are many, are forgotten on the same thread: it has nothing to do but wait.
    fn settle(&mut self) {
        if self.settling.is_some() || self.committed.is_empty() {
            return;
        }
        let (groups, aheads): (Vec<usize>, Vec<Ahead>) = self.committed.drain(..).unzip();
        let thread = spawn_blocking(move || {
            let (batches, settlings): (Vec<Batch>, Vec<Settling>) = aheads.into_iter().unzip();
            // The last takes in what came before it.
            let settled = settlings.into_iter().next_back().map_or(Ok(()), |settle| settle());
            drop(batches);
            settled
        });
        self.settling = Some((groups, thread));
    }

    /// Hears what became of what the disk took in.
    async fn settled(&mut self) -> Result<(), GatherError> {
        let Some((mut groups, thread)) = self.settling.take() else { return Ok(()) };
        let Err(error) = joined(thread.await) else {
            return groups.into_iter().try_for_each(|group| self.advance(Event::Done { group }));
        };
        // Whatever was committed after it is not on the disk either.
        self.waiting.clear();
        groups.extend(self.committed.drain(..).map(|(group, _)| group));
        if let Some((group, commit)) = self.committing.take() {
            let _not_on_the_disk_either = joined(commit.await);
            groups.push(group);
        }
        let error = chain(error);
        let failed = |group| Event::Failed { group, change: None, error: error.clone() };
        groups.into_iter().rev().try_for_each(|group| self.advance(failed(group)))
    }

    /// Tells the scheduler how a group ended, and takes what is to be done next.
    fn advance(&mut self, event: Event) -> Result<(), GatherError> {
        let work = self.work;
        if matches!(event, Event::Failed { .. }) {
            // Nothing of the group was done, but the directory went ahead.
            let gathered = gather(Some(work.store.lock().as_ref()), work.provider.as_ref())?;
            let kinds = work.directory().kinds.clone();
            *work.directory() = gathered.directory(&kinds);
        }
        tell(&self.state, &event, self.changes, self.told);
        let (next, commands) = step(std::mem::take(&mut self.state), event);
        self.state = next;
        self.waiting.extend(performs(commands));
        Ok(())
    }

    /// The writes of a group; the directory moves along.
    fn prepare(&self, places: &[usize]) -> Prepared {
        let (mut directory, context) = (self.work.directory(), self.work.context());
        let mut ids = self.work.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writes = Vec::new();
        for place in places {
            let change = self.changes[*place];
            match embedded::carry_out(change, &mut directory, &mut ids, &context) {
                Ok(more) => writes.extend(more),
                Err(error) => return Err((change.id.clone(), error)),
            }
        }
        Ok(writes)
    }
}

/// What a thread gives; where it panicked, so does this one.
fn joined<T>(ended: Result<T, tokio::task::JoinError>) -> T {
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// The groups to carry out.
fn performs(commands: Vec<Command>) -> VecDeque<(usize, Vec<usize>)> {
    let perform = |command| match command {
        Command::Perform { group, changes } => Some((group, changes)),
        Command::Finish => None,
    };
    commands.into_iter().filter_map(perform).collect()
}

/// How a group failed that the store refused.
fn refused(state: &State, group: usize, changes: &[&Change], error: StoreError) -> Event {
    let is_member = |id: &ResourceId| state.members(group).iter().any(|at| changes[*at].id == *id);
    let stale = match &error {
        StoreError::Stale { id, .. } if is_member(id) => Some(id.clone()),
        _ => None,
    };
    Event::Failed { group, change: stale, error: chain(error) }
}

#[cfg(test)]
mod tests {
    use super::{Ahead, OntoTheDisk, Turns, performs};
    use crate::engine::executor::{Event, Pace, State, step};
    use crate::engine::lease::SharedStore;
    use crate::engine::progress::Progress;
    use crate::engine::work::Work;
    use crate::model::ResourceId;
    use crate::plan::Change;
    use crate::store::{Batch, Missing, Settling, StoreError, open};
    use serde_json::json;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::task::spawn_blocking;

    fn change(name: &str) -> Change {
        serde_json::from_value(json!({
            "id": format!("Budget/{name}"), "kind": "Budget", "name": name, "uid": null, "set": "test",
            "revision": null, "action": "create", "reason": "new", "risk": "reversible", "source": {},
            "fields": [], "desired": null, "operation": "Update customer spending budget",
            "blocked": [], "waiting": null, "money": {}, "dependsOn": [], "customer": null
        }))
        .unwrap()
    }

    fn work(folder: &Path) -> Work {
        let address = format!("sqlite:{}", folder.join("state.db").display());
        let store = open(&address, Missing::Create).unwrap().unwrap();
        Work::alone(SharedStore::new(store), 0)
    }

    /// What has been committed, and what becomes of it on the disk.
    fn ahead(disk: Result<(), &'static str>) -> Ahead {
        let is_full = |why: &str| StoreError::Io {
            path: "state.db-wal".into(),
            source: std::io::Error::other(why),
        };
        (Batch::default(), Box::new(move || disk.map_err(is_full)))
    }

    fn slowly(settle: Settling) -> OntoTheDisk {
        spawn_blocking(|| {
            std::thread::sleep(Duration::from_millis(50));
            settle()
        })
    }

    /// How changes end when the disk takes its time for the first, and those that come after it are
    /// committed meanwhile, being committed, and not yet begun.
    async fn statuses(disk: Result<(), &'static str>, is_heard_first: bool) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let work = Arc::new(work(folder.path()));
        let changes = ["a", "b", "c", "d"].map(change);
        let changes: Vec<&Change> = changes.iter().collect();
        let order: Vec<ResourceId> = changes.iter().map(|change| change.id.clone()).collect();
        let pace = Pace { parallelism: 3, group: 1, in_turn: true };
        let (state, commands) = step(State::of(order, vec![vec![]; 4], pace), Event::Start);
        let [first, second, third] = [disk, Ok(()), Ok(())].map(ahead);
        let mut told = Vec::new();
        let mut tell = |progress: Progress<'_>| {
            if let Progress::Ended(change, status) = progress {
                told.push(format!("{} {status:?}", change.name));
            }
        };
        let mut turns = Turns {
            work: &work,
            changes: &changes,
            state,
            told: &mut tell,
            waiting: performs(commands),
            committing: Some((2, spawn_blocking(move || Ok(third)))),
            committed: vec![(1, second)],
            settling: Some((vec![0], slowly(first.1))),
        };
        turns.waiting.clear();
        if is_heard_first {
            turns.settled().await.unwrap();
        }
        let mut number = 0;
        while turns.is_under_way() {
            turns.turn(true).await.unwrap();
            number += 1;
        }
        assert!(number <= 4, "it turned {number} times, instead of waiting for the disk");
        let end = turns.state.statuses();
        let end: Vec<String> = end.map(|(id, status)| format!("{} {status:?}", id.name)).collect();
        let done = end.iter().filter(|line| line.ends_with("Done")).count();
        assert_eq!(told.iter().filter(|line| line.ends_with("Done")).count(), done);
        end
    }

    #[tokio::test]
    async fn a_change_is_done_when_the_disk_has_it() {
        for is_heard_first in [false, true] {
            let done = statuses(Ok(()), is_heard_first).await;
            assert_eq!(done, ["a Done", "b Done", "c Done", "d Pending"]);
        }
    }

    #[tokio::test]
    async fn what_the_disk_does_not_take_in_failed_and_so_did_all_that_came_after_it() {
        for is_heard_first in [false, true] {
            let failed = statuses(Err("no space"), is_heard_first).await;
            let [a, b, c, d] = failed.as_slice() else { panic!("{failed:?}") };
            for line in [a, b, c] {
                assert!(line.contains("Failed(") && line.contains("no space"), "{failed:?}");
            }
            assert_eq!(d, "d Pending");
        }
    }
}
