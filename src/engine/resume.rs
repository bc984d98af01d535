//! Taking up what an earlier run left open.

use crate::engine::operate::{Ended, take_up};
use crate::engine::work::Work;
use crate::plan::intent::Intent;
use crate::provider::Outside;
use crate::store::StoreError;
use std::sync::{Mutex, PoisonError};

/// An intent with how it ended.
pub type Resumed = (Intent, Result<Ended, StoreError>);

/// True for an open intent that this provider was asked for: another one cannot tell what became of it.
#[must_use]
pub fn can_resume(intent: &Intent, outside: &dyn Outside) -> bool {
    intent.state.is_open() && intent.provider == outside.identity()
}

/// Finds out what became of every open intent of this provider, several at once, and ends those that can be ended.
/// The order of the result is that of the intents.
#[must_use]
pub fn resume(
    work: &Work,
    outside: &dyn Outside,
    intents: &[Intent],
    hands: usize,
) -> Vec<Resumed> {
    let open = intents.iter().filter(|intent| can_resume(intent, outside)).cloned();
    let open: Vec<Intent> = open.collect();
    let next = Mutex::new(open.into_iter().enumerate());
    let done: Mutex<Vec<(usize, Resumed)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..hands.max(1) {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((place, intent)) = taken else { return };
                    let ended = take_up(work, outside, intent.clone());
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((place, (intent, ended)));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, resumed)| resumed).collect()
}
