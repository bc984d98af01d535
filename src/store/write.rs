//! What is written into a store: batches of writes, each batch whole or not at all.

use crate::model::activity::Draft;
use crate::model::{KindName, Observed, ResourceId, Stored, Suspension};
use crate::plan::intent::Intent;
use crate::store::{ApplyEnd, ApplyRecord, Approval, Judgement};
use std::sync::Arc;

/// One write of a batch.
#[derive(Debug, Clone)]
pub enum Write {
    /// Inserts or replaces a resource's row. `expected` is the revision it must have now; `None`
    /// when it must not exist. `previous` is the name its row has until now.
    Put {
        /// The row as it shall be.
        row: Arc<Stored>,
        /// Its revision now.
        expected: Option<i64>,
        /// Its name now, for a rename.
        previous: Option<ResourceId>,
    },
    /// Removes a resource's row.
    Delete {
        /// Which.
        id: ResourceId,
        /// Its revision now.
        expected: i64,
    },
    /// Puts something into the embedded provider's state.
    PutActual(Arc<Observed>),
    /// Takes something out of the embedded provider's state.
    DeleteActual {
        /// Its kind.
        kind: KindName,
        /// Its id.
        external_id: String,
    },
    /// Appends to the log.
    Append(Box<Draft>),
    /// Refuses the batch unless a resource is at a revision; `None`: unless it does not exist.
    Expect {
        /// Which.
        id: ResourceId,
        /// Its revision now.
        revision: Option<i64>,
    },
    /// Writes an intent, or what has become of it.
    PutIntent(Box<Intent>),
    /// Takes an intent away: it has ended.
    DropIntent {
        /// Which.
        operation_id: String,
    },
    /// Says that an apply has begun. A plan whose digest was applied before is refused.
    BeginApply(Box<ApplyRecord>),
    /// Says how an apply ended.
    EndApply {
        /// Which.
        id: String,
        /// How.
        end: ApplyEnd,
    },
    /// Says which commit something is brought to from now on. `expected` is the one it was brought to
    /// until now; `None` when it must have been brought to none.
    Follow {
        /// What: a set, or a branch.
        what: String,
        /// The commit.
        commit: String,
        /// The commit until now.
        expected: Option<String>,
    },
    /// Approves a plan beforehand.
    Approve(Approval),
    /// Suspends something, or says anew for how long and why.
    Suspend(Box<Suspension>),
    /// Ends a suspension, unless it was said anew until when.
    Unsuspend(Box<Suspension>),
    /// Says that everything was looked at; the version is that of this batch.
    Judge(Judgement),
    /// Takes an approval away: it was used or withdrawn.
    WithdrawApproval {
        /// Of which plan.
        plan_id: String,
    },
}

/// Writes that happen together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The lease under which it is written; a batch of a lease that was lost is refused.
    pub epoch: Option<i64>,
    /// The writes in order.
    pub writes: Vec<Write>,
}
