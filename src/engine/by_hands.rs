//! Carrying changes out outside: several hands, each with one change at a time.

use crate::engine::executor::{Command, Event, State, step};
use crate::engine::operate::{Ended, operate};
use crate::engine::progress::{Progress, chain, tell};
use crate::engine::work::{Notice, Work};
use crate::model::ResourceId;
use crate::plan::Change;
use crate::store::StoreError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

/// A change that came back from one of the hands.
type Returned = (usize, ResourceId, Result<Ended, StoreError>);

/// Has several hands carry out one change each, outside.
pub(super) async fn by_hands(
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
