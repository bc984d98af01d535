//! What is written down after the changes: where resources are declared now, how they are, and what
//! changed outside and was not put back.

use crate::engine::Gathered;
use crate::engine::executor::Status;
use crate::engine::work::Work;
use crate::model::condition::{ConditionType, Truth};
use crate::model::lookup::{Known, Lookup};
use crate::model::resource::Management;
use crate::model::{ResourceId, Stored};
use crate::plan::change::{ConditionNow, Record};
use crate::plan::{Action, Plan};
use crate::store::{ApplyEnd, Judgement, StoreError, Write};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Writes a plan's records, and how the apply ended. Records of changes that were not done are left
/// out: they tell how things would be then.
///
/// # Errors
/// When the store refuses.
pub fn record(
    work: &Work,
    plan: &Plan,
    gathered: &Gathered,
    statuses: &[(ResourceId, Status)],
) -> Result<(), StoreError> {
    let not_done: Lookup<&ResourceId, &Status> = statuses
        .iter()
        .filter(|(_, status)| *status != Status::Done)
        .map(|(id, status)| (id, status))
        .collect();
    let spoken_of: Known<&ResourceId> = plan.records.iter().map(|r| &r.resource).collect();
    let recorded = || gathered.stored.iter().zip(gathered.recorded.iter());
    let revisions: Lookup<&ResourceId, i64> = recorded()
        .filter(|(row, _)| spoken_of.contains(&row.id))
        .map(|(row, _)| (&row.id, row.revision))
        .collect();
    // A saved plan may be older than what stands in the store of resources it does not touch.
    let fits = |record: &&Record| match (record.revision, revisions.get(&record.resource)) {
        (Some(planned), Some(now)) => planned == *now,
        _ => true,
    };
    // What changed outside and was not put back is written down as it is.
    let drifted: Lookup<&ResourceId, &Stored> = recorded()
        .filter(|(row, observed)| row.observed != **observed)
        .map(|(row, _)| (&row.id, row))
        .collect();
    let is_stale =
        |row: &Stored| drifted.get(&row.id).is_some_and(|then| then.revision == row.revision);
    let now = (work.clock)();
    let mut writes = Vec::new();
    let directory = work.directory();
    // The row of a change says how it is: that was written with it.
    let is_said = |record: &Record| {
        record.source.is_none()
            && record.desired.is_none()
            && directory.has_written(&record.resource)
    };
    let says_more = |record: &&Record| {
        let row = || directory.row(&record.resource);
        !is_said(record) && row().is_some_and(|row| !is_written(record, row))
    };
    let is_done = |record: &&Record| !not_done.contains_key(&&record.resource);
    let records = plan.records.iter().filter(is_done).filter(says_more).filter(fits);
    let records: Lookup<&ResourceId, &Record> =
        records.map(|record| (&record.resource, record)).collect();
    let mut told: Vec<&ResourceId> =
        records.sorted().iter().map(|record| &record.resource).collect();
    told.extend(statuses.iter().map(|(id, _)| id).filter(|id| not_done.contains_key(id)));
    let ids = drifted.sorted().into_iter().map(|row| &row.id);
    told.extend(ids.filter(|id| directory.row(id).is_some_and(is_stale)));
    told.sort();
    told.dedup();
    for row in told.into_iter().filter_map(|id| directory.row(id)) {
        let stale = is_stale(row);
        let record = records.get(&&row.id);
        let condition = not_done.get(&&row.id).and_then(|status| ailing(status));
        if record.is_none() && condition.is_none() && !stale {
            continue;
        }
        writes.extend(put(row, record.copied(), condition, stale, now));
    }
    if let Some(id) = work.begun() {
        writes.push(Write::EndApply { id: id.clone(), end: end(statuses, now) });
    }
    drop(directory);
    // What goes may leave references that lead nowhere: those are seen from what was touched.
    let goes = plan.proceeding().any(|change| change.action == Action::Delete);
    let all_done =
        not_done.is_empty() && !goes && plan.undeclared.is_empty() && plan.outside.is_none();
    if let Some(judgement) = work.judgement.as_ref().filter(|_| all_done)
        && (!writes.is_empty() || is_missed(work, judgement)?)
    {
        writes.push(Write::Judge(judgement.clone()));
    }
    if writes.is_empty() { Ok(()) } else { work.commit_alone(writes) }
}

/// True when the store has no judgement that the next pass could rest on.
fn is_missed(work: &Work, judgement: &Judgement) -> Result<bool, StoreError> {
    let store = work.store.lock();
    match store.judgement(&judgement.set)? {
        Some(last) if last.program == judgement.program => {
            Ok(store.touched_since(&last.version)?.is_none())
        }
        _ => Ok(true),
    }
}

fn end(statuses: &[(ResourceId, Status)], at: DateTime<Utc>) -> ApplyEnd {
    let count = |wanted: fn(&Status) -> bool| statuses.iter().filter(|(_, s)| wanted(s)).count();
    let done = count(|status| *status == Status::Done);
    let failed = count(|status| matches!(status, Status::Failed(_)));
    let unknown = count(|status| matches!(status, Status::Unknown(_)));
    ApplyEnd { at, done, failed, unknown, not_begun: statuses.len() - done - failed - unknown }
}

/// The condition of a resource whose change was begun and not done.
fn ailing(status: &Status) -> Option<ConditionNow> {
    let (reason, message) = match status {
        Status::Failed(why) => ("Failed", why.clone()),
        Status::Unknown(why) => ("Unknown", why.clone()),
        Status::Pending | Status::Running | Status::Done | Status::Skipped(_) => return None,
    };
    let (kind, status) = (ConditionType::Synced, Truth::False);
    Some(ConditionNow { kind, status, reason: reason.to_owned(), message })
}

/// True when a row says already what is recorded of it: what is made new is written with it.
fn is_written(record: &Record, row: &Stored) -> bool {
    let Record { resource: _, revision: _, source, desired, conditions } = record;
    let stands = |now: &ConditionNow| now.is_among(&row.conditions);
    source.is_none() && desired.is_none() && conditions.iter().all(stands)
}

/// Writes a row as it is recorded, with the condition that it has instead where its change was not
/// done; `None` where the row says so already.
fn put(
    row: &Stored,
    record: Option<&Record>,
    condition: Option<ConditionNow>,
    is_stale: bool,
    now: DateTime<Utc>,
) -> Option<Write> {
    let mut new = row.clone();
    if let Some(record) = record {
        fill_in(&mut new, record, now);
    }
    if let Some(condition) = condition {
        condition.put(Arc::make_mut(&mut new.conditions), now);
    }
    if new == *row && !is_stale {
        return None;
    }
    // Conditions tell how it is; they make no plan stale.
    let only_conditions =
        Stored { conditions: row.conditions.clone(), ..new.clone() } == *row && !is_stale;
    new.revision += i64::from(!only_conditions);
    let (expected, previous) = (Some(row.revision), None);
    Some(Write::Put { row: Arc::new(new), expected, previous })
}

fn fill_in(row: &mut Stored, record: &Record, now: DateTime<Utc>) {
    let Record { resource: _, revision: _, source, desired, conditions } = record;
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
    for condition in conditions.iter() {
        condition.put(Arc::make_mut(&mut row.conditions), now);
    }
}
