//! What is told while a plan is applied.

use crate::engine::executor::{Event, State, Status};
use crate::engine::work::Notice;
use crate::plan::Change;
use crate::store::StoreError;

/// What is told while a plan is applied.
#[derive(Debug, Clone)]
pub enum Progress<'a> {
    /// About a call that is under way.
    Notice(Notice),
    /// A change came so far.
    Ended(&'a Change, Status),
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

/// An error with its causes in one line.
pub(super) fn chain(error: StoreError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}
