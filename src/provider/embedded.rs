//! The embedded provider: a table of the store, so that its effect and its record are one
//! transaction.

use crate::model::{Effect, Observed, Verb};
use crate::plan::Change;
use crate::provider::record::{only_recorded, succeeded, thing};
use crate::provider::{
    Context, Directory, Ids, ObserveError, Outside, Provider, ProviderError, effects, refund,
};
use crate::store::{Store, Write};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Actual state in the store's own table.
pub struct Embedded;

impl Provider for Embedded {
    fn observe(&self, store: Option<&dyn Store>) -> Result<Vec<Observed>, ObserveError> {
        store.map_or_else(|| Ok(Vec::new()), |store| Ok(store.actual()?))
    }

    fn outside(&self) -> Option<&dyn Outside> {
        None
    }
}

/// Carries one change out: the writes that do it and record it. The directory moves along, so that
/// later changes of the same batch find what this one made.
///
/// # Errors
/// When the change cannot be made; nothing happened then.
pub fn carry_out(
    change: &Change,
    directory: &mut Directory,
    ids: &mut Ids,
    context: &Context,
) -> Result<Vec<Write>, ProviderError> {
    let settled = refund::settled(change, directory, &context.refunds, context.at.date_naive())?;
    let change = settled.as_ref();
    let effects = effects(change, directory)?;
    if effects.is_empty() {
        let writes = only_recorded(change, directory, ids, context)?;
        directory.absorb(&change.id, &writes);
        return Ok(writes);
    }
    let mut all = Vec::new();
    for effect in &effects {
        let (write, made) = fulfil(effect, directory, ids, context.at)?;
        let mut writes = vec![write];
        let id = ids.next("operation");
        writes.extend(succeeded(change, effect, made.as_deref(), &id, directory, ids, context));
        directory.absorb(&change.id, &writes);
        all.append(&mut writes);
    }
    Ok(all)
}

/// The effect itself, as a write to the table of actual state, and the thing it leaves.
fn fulfil(
    effect: &Effect,
    directory: &Directory,
    ids: &mut Ids,
    at: DateTime<Utc>,
) -> Result<(Write, Option<Arc<Observed>>), ProviderError> {
    let kind = effect.kind.clone();
    let existing = || effect.external_id.clone().unwrap_or_default();
    let mut spec = effect.after.clone().unwrap_or_default();
    let made = match effect.verb {
        Verb::Delete => {
            let write = Write::DeleteActual { kind, external_id: existing() };
            return Ok((write, None));
        }
        Verb::Create => {
            (directory.entry(kind.as_str())?.born)(&mut spec, at);
            let external_id = ids.next(kind.as_str());
            (directory.entry(kind.as_str())?.registered)(&mut spec, &external_id);
            thing(effect, external_id, spec)
        }
        Verb::Update => thing(effect, existing(), spec),
    };
    let made = Arc::new(made);
    Ok((Write::PutActual(made.clone()), Some(made)))
}
