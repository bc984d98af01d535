//! Applying a plan: the scheduler's commands go to the store in batches, or to several hands that
//! each carry one change out outside.

use crate::engine::Gathered;
use crate::engine::by_hands::by_hands;
use crate::engine::executor::{Pace, State, Status};
use crate::engine::gather::GatherError;
use crate::engine::in_turn::in_turn;
use crate::engine::progress::{Progress, chain};
use crate::engine::records::record;
use crate::engine::work::{Notice, Work};
use crate::model::ResourceId;
use crate::plan::{Change, Plan};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

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
