//! Applying a plan: the scheduler's commands go to the store in batches, or to several hands that
//! each carry one change out outside.

use crate::engine::Gathered;
use crate::engine::executor::{Command, Event, Pace, State, Status, step};
use crate::engine::gather::GatherError;
use crate::engine::in_turn::in_turn;
use crate::engine::operate::{Ended, operate};
use crate::engine::records::record;
use crate::engine::work::{Notice, Work};
use crate::kinds::Kinds;
use crate::model::ResourceId;
use crate::plan::{Change, Plan};
use crate::provider::Directory;
use crate::store::StoreError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

/// What an apply did.
#[derive(Debug)]
pub struct Applied {
    /// Each change with how far it came.
    pub statuses: Vec<(ResourceId, Status)>,
    /// True when it was told to stop before the end.
    pub interrupted: bool,
    /// Why what is recorded beside the changes could not be written, when it could not.
    pub unrecorded: Option<String>,
}

impl Applied {
    /// How many changes ended so.
    #[must_use]
    pub fn count(&self, wanted: fn(&Status) -> bool) -> usize {
        self.statuses.iter().filter(|(_, status)| wanted(status)).count()
    }
}

/// What is told while a plan is applied.
#[derive(Debug, Clone)]
pub enum Progress<'a> {
    /// About a call that is under way.
    Notice(Notice),
    /// A change came so far.
    Ended(&'a Change, Status),
}

/// A change that came back from one of the hands.
type Returned = (usize, ResourceId, Result<Ended, StoreError>);

/// Carries out what proceeds in a plan, in order; then writes its records down.
///
/// # Errors
/// When the state cannot be read again after a batch was refused. A change that fails is no error
/// here: it is in the result.
pub async fn apply(
    work: &Arc<Work>,
    plan: &Plan,
    gathered: &Gathered,
    pace: Pace,
    mut stop: tokio::sync::watch::Receiver<bool>,
    mut notices: UnboundedReceiver<Notice>,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<Applied, GatherError> {
    let changes: Vec<&Change> = plan.proceeding().collect();
    let state = State::new(plan, pace);
    let state = if work.provider.outside().is_some() {
        by_hands(work, &changes, state, &mut stop, &mut notices, told).await
    } else {
        in_turn(work, &changes, state, &stop, told).await?
    };
    let statuses: Vec<_> = state.statuses().map(|(id, s)| (id.clone(), s.clone())).collect();
    let whole = statuses.iter().all(|(_, status)| *status == Status::Done);
    let unrecorded = record(work, plan, gathered, &statuses).err().map(chain);
    Ok(Applied { statuses, interrupted: *stop.borrow() && !whole, unrecorded })
}

/// Has several hands carry out one change each, outside.
async fn by_hands(
    work: &Arc<Work>,
    changes: &[&Change],
    mut state: State,
    stop: &mut tokio::sync::watch::Receiver<bool>,
    notices: &mut UnboundedReceiver<Notice>,
    told: &mut dyn FnMut(Progress<'_>),
) -> State {
    let mut hands: JoinSet<Returned> = JoinSet::new();
    let mut events = vec![Event::Start];
    loop {
        while let Some(event) = events.pop() {
            if let Event::Failed { change: None, .. } = &event {
                // Nothing can be written any more: nobody asks the provider for anything.
                work.stop.store(true, Ordering::Relaxed);
            }
            tell(&state, &event, changes, told);
            let (next, commands) = step(state, event);
            state = next;
            for command in commands {
                let Command::Perform { group, changes: places } = command else { continue };
                // What was told to stop before it began is handed back untouched.
                tokio::task::yield_now().await;
                if *stop.borrow() {
                    events.insert(0, Event::Returned { group });
                } else {
                    places
                        .iter()
                        .for_each(|place| hand_over(work, group, changes[*place], &mut hands));
                }
            }
        }
        tokio::select! {
            returned = hands.join_next() => match returned {
                None => return state,
                Some(Ok(returned)) => {
                    // What was told of a change comes before how it ended.
                    while let Ok(notice) = notices.try_recv() {
                        told(Progress::Notice(notice));
                    }
                    events.push(event_of(returned));
                }
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            },
            Some(notice) = notices.recv() => told(Progress::Notice(notice)),
            Ok(()) = stop.changed(), if !hands.is_empty() => {
                work.stop.store(true, Ordering::Relaxed);
                events.push(Event::Stop);
            }
        }
    }
}

/// Tells how the changes of a group ended, before the scheduler hears of it.
pub(super) fn tell(
    state: &State,
    event: &Event,
    changes: &[&Change],
    told: &mut dyn FnMut(Progress<'_>),
) {
    let (group, status) = match event {
        Event::Done { group } => (group, Status::Done),
        Event::Unknown { group, why } => (group, Status::Unknown(why.clone())),
        Event::Failed { group, error, .. } => (group, Status::Failed(error.clone())),
        Event::Start | Event::Stop | Event::Returned { .. } => return,
    };
    for place in state.members(*group) {
        let change = changes[*place];
        let meant = match event {
            Event::Failed { change: Some(failed), .. } => *failed == change.id,
            _ => true,
        };
        if meant {
            told(Progress::Ended(change, status.clone()));
        }
    }
}

/// Gives a change to a hand of its own.
fn hand_over(work: &Arc<Work>, group: usize, change: &Change, hands: &mut JoinSet<Returned>) {
    let (work, change) = (work.clone(), change.clone());
    hands.spawn_blocking(move || {
        let ended = match work.provider.outside() {
            Some(outside) => operate(&work, outside, &change),
            None => Ok(Ended::Withdrawn),
        };
        (group, change.id, ended)
    });
}

fn event_of((group, id, ended): Returned) -> Event {
    match ended {
        Ok(Ended::Done) => Event::Done { group },
        Ok(Ended::Withdrawn) => Event::Returned { group },
        Ok(Ended::Unknown(why)) => Event::Unknown { group, why },
        Ok(Ended::Failed(error)) => Event::Failed { group, change: Some(id), error },
        Err(error) => Event::Failed { group, change: None, error: chain(error) },
    }
}

/// An error with its causes in one line.
pub(super) fn chain(error: StoreError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// What a pass knows at its beginning.
#[must_use]
pub fn directory_of(kinds: &Kinds, gathered: &Gathered) -> Directory {
    Directory::new(kinds.clone(), gathered.stored.to_vec(), gathered.actual.clone())
}
