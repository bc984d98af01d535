//! Operations outside that have not ended: what they may have made or changed is left alone until
//! their end is known.

use crate::kinds::{Block, KindEntry};
use crate::model::{ResourceId, Spec, Verb, code};
use crate::plan::PlanInput;
use crate::plan::intent::{Intent, IntentState};
use crate::plan::pair::Pair;
use std::collections::BTreeMap;

/// The unended operations on one kind, by the resource they are about and by what they may have
/// made.
#[derive(Default)]
pub struct Unended<'a> {
    by_name: BTreeMap<&'a ResourceId, Vec<&'a Intent>>,
    by_made: BTreeMap<String, Vec<&'a Intent>>,
}

impl<'a> Unended<'a> {
    /// Those of one kind; `settled` gives a spec its references under the names that hold now.
    #[must_use]
    pub fn of(entry: &KindEntry, intents: &'a [Intent], settled: impl Fn(&Spec) -> Spec) -> Self {
        let mut unended = Self::default();
        let kind = entry.facts.kind;
        for intent in intents.iter().filter(|i| i.resource().kind.as_str() == kind) {
            unended.by_name.entry(intent.resource()).or_default().push(intent);
            let effect = intent.effect().filter(|effect| effect.verb == Verb::Create);
            let after = effect.and_then(|effect| effect.after.as_ref());
            if let Some(made) = after.and_then(|after| entry.sameness(&settled(after))) {
                unended.by_made.entry(made).or_default().push(intent);
            }
        }
        unended
    }

    /// Holds a resource back while an operation on it has not ended. One that would be made new is
    /// recognised by what it is, under whatever name.
    pub fn hold(&self, pair: &mut Pair, input: &PlanInput) {
        if self.by_name.is_empty() {
            return;
        }
        let Some(id) = pair.id().cloned() else { return };
        let mut about: Vec<&Intent> = Vec::new();
        for name in [Some(&id), pair.previous.as_ref()].into_iter().flatten() {
            about.extend(self.by_name.get(name).into_iter().flatten());
        }
        let new = pair.desired.as_ref().filter(|_| pair.observed().is_none());
        let made =
            new.and_then(|desired| input.kinds.get(id.kind.as_str())?.sameness(&desired.spec));
        about.extend(made.and_then(|made| self.by_made.get(&made)).into_iter().flatten());
        about.sort_by_key(|intent| &intent.operation_id);
        about.dedup_by_key(|intent| &intent.operation_id);
        for intent in about {
            hold_for(pair, intent);
        }
    }
}

fn hold_for(pair: &mut Pair, intent: &Intent) {
    // What looks like a second purchase is most likely what that operation made.
    pair.blocked.retain(|block| block.code != code::BLOCK_AMBIGUOUS.0);
    let (operation, from) = (&intent.operation_id, intent.begun_at.format("%Y-%m-%d %H:%M"));
    let resource = intent.resource();
    match intent.state {
        IntentState::Open => {
            let what = format!(
                "the end of operation {operation} on {resource}, begun {from} UTC by {}; \
                 `partnerctl resume` finds it out",
                intent.actor
            );
            pair.waiting.get_or_insert(what);
        }
        IntentState::Unknown => pair.blocked.push(Block::new(
            code::BLOCK_UNKNOWN,
            format!(
                "nobody knows how operation {operation} on {resource} of {from} UTC ended: {}",
                intent.message
            ),
            format!("`partnerctl repair {operation}` shows what it may have done, and ends it"),
        )),
    }
}
