//! What is written down beside the changes: where resources are declared now, and how they are.

use crate::model::condition::{ConditionType, Truth};
use crate::model::lookup::Lookup;
use crate::model::{Condition, ResourceId, Stored};
use crate::plan::PlanInput;
use crate::plan::change::{Change, ConditionNow, Desired, Record};
use crate::plan::diff::keep_protection;
use crate::plan::draft::Drafts;
use crate::plan::judge::{Ailments, Worlds};
use std::sync::Arc;

/// The reason of `Synced=False` while something that was changed outside is left alone; its time is
/// when a pass first saw that.
pub const DRIFTED: &str = "Drifted";

/// Records of resources whose stored source, wording or conditions differ from what they are now.
/// What a change makes, and is well then, has none: its row begins so.
#[must_use]
pub fn records(
    input: &PlanInput,
    drafts: &Drafts,
    worlds: &Worlds,
    ailments: &Ailments,
    changes: &[Change],
) -> Vec<Record> {
    // All others go ahead, and leave what is declared.
    let special: Lookup<&ResourceId, &Change> = changes
        .iter()
        .filter(|change| !change.proceeds() || change.desired.is_none())
        .map(|change| (&change.id, change))
        .collect();
    // The rows as the store has them: pairs carry references under their new names.
    let rows: Lookup<&ResourceId, &Stored> = input.stored.iter().map(|s| (&s.id, s)).collect();
    let is_left = |id: &ResourceId| drafts.left.contains(id);
    let well = ConditionNow::well();
    let mut records = Vec::new();
    for pair in &drafts.unchanged {
        let (Some(desired), Some(id)) = (&pair.desired, pair.id()) else { continue };
        // Only the set's own row: one of that name may belong to another set.
        let Some(stored) = rows.get(id).filter(|row| *row.set == *input.set) else { continue };
        let metadata = keep_protection(&desired.metadata, Some(&stored.metadata));
        let declared = pair.declared.as_ref().unwrap_or(&desired.spec);
        let reworded = stored.spec != *declared || stored.metadata != metadata;
        records.push(Record {
            resource: id.clone(),
            revision: Some(stored.revision),
            source: (!stored.source.is_same_place(&desired.source)).then(|| desired.source.clone()),
            desired: reworded.then(|| Desired { metadata, spec: declared.clone() }),
            conditions: differing(
                &stored.conditions,
                conditions(
                    id,
                    (ailments, worlds),
                    Stands { change: None, drifted: is_left(id) },
                    &well,
                ),
            ),
        });
    }
    for draft in drafts.changing.iter().filter(|draft| !drafts.outside.contains(&draft.id)) {
        let change = special.get(&draft.id).copied();
        let stored =
            draft.pair.stored.as_ref().map_or(&[][..], |stored| stored.conditions.as_slice());
        let vanishes = change.is_some_and(|c| c.proceeds() && c.desired.is_none());
        let appears =
            draft.pair.stored.is_none() && change.is_some_and(|change| !change.proceeds());
        if vanishes || appears {
            continue;
        }
        let stands = Stands { change, drifted: is_left(&draft.id) };
        let now = conditions(&draft.id, (ailments, worlds), stands, &well);
        if draft.pair.stored.is_some() || now != well {
            records.push(Record {
                resource: draft.id.clone(),
                revision: draft.pair.stored.as_ref().map(|stored| stored.revision),
                source: None,
                desired: None,
                conditions: differing(stored, now),
            });
        }
    }
    records.retain(|r| r.source.is_some() || r.desired.is_some() || !r.conditions.is_empty());
    records.sort_by(|a, b| a.resource.cmp(&b.resource));
    records
}

/// How a resource stands to what is declared.
struct Stands<'a> {
    change: Option<&'a Change>,
    /// Something of it was changed outside, and is left alone.
    drifted: bool,
}

fn ailing(kind: ConditionType, reason: &str, message: &str) -> ConditionNow {
    let (reason, message) = (reason.to_owned(), message.to_owned());
    ConditionNow { kind, status: Truth::False, reason, message }
}

/// How a resource is; where all is well, `well`, which is shared.
fn conditions(
    id: &ResourceId,
    (ailments, worlds): (&Ailments, &Worlds),
    Stands { change, drifted }: Stands<'_>,
    well: &Arc<[ConditionNow]>,
) -> Arc<[ConditionNow]> {
    let ready = |reason, message| Some(ailing(ConditionType::Ready, reason, message));
    let synced = |reason, message| Some(ailing(ConditionType::Synced, reason, message));
    // What is suspended goes on as it is.
    let waits = change.filter(|change| change.suspended.is_none());
    let ready = match (ailments.get(id), waits.and_then(|change| change.waiting.as_ref())) {
        (_, Some(waiting)) => ready("Waiting", &format!("waits for {waiting}")),
        (Some((reason, message)), None) => ready(reason, message),
        (None, None) if worlds.after.get(id).is_none() => ready("Gone", "it is not there"),
        (None, None) => None,
    };
    let synced = match change {
        Some(change) if !change.blocked.is_empty() => {
            let messages: Vec<_> = change.blocked.iter().map(|b| b.message.clone()).collect();
            synced("Blocked", &messages.join("; "))
        }
        Some(Change { suspended: Some(one), .. }) => {
            synced("Suspended", &format!("suspended {}", one.story()))
        }
        Some(Change { waiting: Some(waiting), .. }) => {
            synced("Waiting", &format!("waits for {waiting}"))
        }
        _ if drifted => synced(DRIFTED, "it was changed outside, and is left alone"),
        _ => None,
    };
    if ready.is_none() && synced.is_none() {
        return well.clone();
    }
    let said = [ready, synced].into_iter().zip(well.iter());
    said.map(|(said, well)| said.unwrap_or_else(|| well.clone())).collect()
}

/// Those that a row does not say yet.
fn differing(stored: &[Condition], now: Arc<[ConditionNow]>) -> Arc<[ConditionNow]> {
    if now.iter().all(|now| !now.is_among(stored)) {
        return now;
    }
    now.iter().filter(|now| !now.is_among(stored)).cloned().collect()
}
