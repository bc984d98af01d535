//! The driver of the executor: does the I/O its commands ask for.

use crate::engine::executor::{Command, Event, Pace, State, Status, step};
use crate::engine::lease::SharedStore;
use crate::engine::{Gathered, gather};
use crate::kinds::Kinds;
use crate::model::condition::set;
use crate::model::resource::Management;
use crate::model::{Condition, ResourceId, Spec, Stored};
use crate::plan::change::Record;
use crate::plan::{Change, Plan};
use crate::provider::{Context, Directory, Provider};
use crate::store::{Batch, StoreError, Write};
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an apply did.
#[derive(Debug)]
pub struct Applied {
    /// Each change with how far it came.
    pub statuses: Vec<(ResourceId, Status)>,
    /// True when it was told to stop before the end.
    pub interrupted: bool,
}

impl Applied {
    /// How many changes ended so.
    #[must_use]
    pub fn count(&self, wanted: fn(&Status) -> bool) -> usize {
        self.statuses.iter().filter(|(_, status)| wanted(status)).count()
    }
}

/// Everything one apply works with.
pub struct Apply<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// What the plan was made from.
    pub gathered: &'a Gathered,
    /// The kinds.
    pub kinds: &'a Kinds,
    /// Who holds the actual state.
    pub provider: &'a dyn Provider,
    /// The store, under the lease of `epoch`.
    pub store: SharedStore,
    /// The lease.
    pub epoch: i64,
    /// What the log says beside the changes.
    pub context: Context,
    /// How much at once.
    pub pace: Pace,
    /// Chance for the ids of what is made.
    pub nonce: u64,
}

/// Carries out what proceeds in a plan, in order; then writes its records down.
///
/// # Errors
/// When the records cannot be written. A change that fails is no error here: it is in the result.
pub async fn apply(
    work: &Apply<'_>,
    mut stop: tokio::sync::watch::Receiver<bool>,
    mut done: impl FnMut(&Change),
) -> anyhow::Result<Applied> {
    let changes: BTreeMap<&ResourceId, &Change> =
        work.plan.proceeding().map(|change| (&change.id, change)).collect();
    let mut directory = directory_of(work.kinds, work.gathered, work.nonce);
    let mut events = vec![Event::Start];
    let mut state = State::new(work.plan, work.pace);
    while let Some(event) = events.pop() {
        let (next, commands) = step(state, event);
        state = next;
        for command in commands {
            let Command::Perform { group, changes: ids } = command else { continue };
            // What was told to stop before it began is handed back untouched.
            tokio::task::yield_now().await;
            if *stop.borrow_and_update() {
                events.insert(0, Event::Stop);
                events.insert(0, Event::Returned { group });
                continue;
            }
            let members: Vec<&Change> =
                ids.iter().filter_map(|id| changes.get(id).copied()).collect();
            let event = match prepare(work, &members, &mut directory) {
                Err((change, error)) => Event::Failed { group, change: Some(change), error },
                Ok(writes) => match commit(work, writes).await {
                    Ok(()) => {
                        members.iter().for_each(|change| done(change));
                        Event::Done { group }
                    }
                    Err(StoreError::Stale { id, expected, found }) if ids.contains(&id) => {
                        let error = StoreError::Stale { id: id.clone(), expected, found };
                        Event::Failed { group, change: Some(id), error: error.to_string() }
                    }
                    Err(error) => {
                        let error = format!("{:#}", anyhow::Error::from(error));
                        Event::Failed { group, change: None, error }
                    }
                },
            };
            if matches!(event, Event::Failed { .. }) {
                // Nothing of the group was done, but the directory went ahead.
                let gathered = gather(Some(work.store.lock().as_ref()), work.provider)?;
                directory = directory_of(work.kinds, &gathered, work.nonce);
            }
            events.insert(0, event);
        }
    }
    let statuses: Vec<_> = state.statuses().map(|(id, s)| (id.clone(), s.clone())).collect();
    let whole = statuses.iter().all(|(_, status)| *status == Status::Done);
    if whole {
        record(work, &directory).await?;
    }
    Ok(Applied { statuses, interrupted: *stop.borrow() && !whole })
}

/// What a pass knows at its beginning.
#[must_use]
pub fn directory_of(kinds: &Kinds, gathered: &Gathered, nonce: u64) -> Directory {
    let lineage = gathered.lineage.clone().unwrap_or_default();
    let seq = gathered.head.as_ref().map_or(0, |head| head.seq);
    let (rows, actual) = (gathered.stored.to_vec(), gathered.actual.clone());
    Directory::new(kinds.clone(), &lineage, seq, nonce, rows, actual)
}

/// The writes of a group; the directory moves along.
fn prepare(
    work: &Apply<'_>,
    members: &[&Change],
    directory: &mut Directory,
) -> Result<Vec<Write>, (ResourceId, String)> {
    let mut writes = Vec::new();
    for change in members {
        match work.provider.perform(change, directory, &work.context) {
            Ok(more) => writes.extend(more),
            Err(error) => return Err((change.id.clone(), error.to_string())),
        }
    }
    Ok(writes)
}

async fn commit(work: &Apply<'_>, writes: Vec<Write>) -> Result<(), StoreError> {
    let (store, batch) = (work.store.clone(), Batch { epoch: Some(work.epoch), writes });
    match tokio::task::spawn_blocking(move || store.lock().commit(&batch)).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Writes the plan's records: where resources are declared now, their conditions, and what the
/// provider says of resources that did not change.
async fn record(work: &Apply<'_>, directory: &Directory) -> anyhow::Result<()> {
    let gathered = work.gathered.stored.iter().zip(work.gathered.recorded.iter());
    let recorded: BTreeMap<&ResourceId, (i64, &Option<Spec>)> =
        gathered.map(|(row, observed)| (&row.id, (row.revision, observed))).collect();
    let records: BTreeMap<&ResourceId, &Record> =
        work.plan.records.iter().map(|record| (&record.resource, record)).collect();
    let mut writes = Vec::new();
    for row in directory.rows() {
        let mut new = row.clone();
        if let Some(record) = records.get(&row.id) {
            fill_in(&mut new, record, work);
        }
        // What changed outside and was not put back is written down as it is.
        let stale = recorded.get(&row.id).is_some_and(|(revision, observed)| {
            *revision == row.revision && **observed != row.observed
        });
        if new != *row || stale {
            // Conditions tell how it is; they make no plan stale.
            let only_conditions =
                Stored { conditions: row.conditions.clone(), ..new.clone() } == *row && !stale;
            new.revision += i64::from(!only_conditions);
            let (expected, previous) = (Some(row.revision), None);
            writes.push(Write::Put { row: Box::new(new), expected, previous });
        }
    }
    if writes.is_empty() {
        return Ok(());
    }
    commit(work, writes)
        .await
        .context("the changes are applied, but not what is recorded beside them")
}

fn fill_in(row: &mut Stored, record: &Record, work: &Apply<'_>) {
    let Record { resource: _, source, desired, conditions } = record;
    if let Some(source) = source {
        row.source = source.clone();
    }
    if let Some(desired) = desired {
        row.generation += i64::from(row.spec != desired.spec);
        row.metadata = desired.metadata.clone();
        row.spec = desired.spec.clone();
        if desired.metadata.management() == Management::Manage {
            row.last_applied = Some(desired.spec.clone());
        }
    }
    for now in conditions {
        let condition = Condition {
            kind: now.kind,
            status: now.status,
            reason: now.reason.clone(),
            message: now.message.clone(),
            last_transition_time: work.context.at,
        };
        set(Arc::make_mut(&mut row.conditions), condition);
    }
}
