//! Operations outside that have not ended: what they may have made or changed is left alone until
//! their end is known.

use crate::kinds::{Block, KindEntry};
use crate::model::{ResourceId, Spec, Verb, code};
use crate::plan::intent::{Intent, IntentState};
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

    /// True when everything has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Those about a resource by one of its names, or by what it would be made as.
    #[must_use]
    pub fn about(&self, names: &[&ResourceId], made: Option<&String>) -> Vec<&'a Intent> {
        let named = names.iter().filter_map(|name| self.by_name.get(name));
        let alike = made.and_then(|made| self.by_made.get(made));
        let mut about: Vec<&Intent> = named.chain(alike).flatten().copied().collect();
        about.sort_by_key(|intent| &intent.operation_id);
        about.dedup_by_key(|intent| &intent.operation_id);
        about
    }
}

/// What an unended operation means for its resource.
pub enum Hold {
    /// It waits: the next apply finds out.
    Waits(String),
    /// It is blocked: a person must find out.
    Blocks(Block),
}

impl Hold {
    /// What an operation means for its resource.
    #[must_use]
    pub fn of(intent: &Intent) -> Self {
        let (operation, from) = (&intent.operation_id, intent.begun_at.format("%Y-%m-%d %H:%M"));
        let resource = intent.resource();
        match intent.state {
            IntentState::Open | IntentState::Retried => Self::Waits(format!(
                "the end of operation {operation} on {resource}, begun {from} UTC by {}; \
                 `partnerctl resume` finds it out",
                intent.actor
            )),
            IntentState::Unknown => Self::Blocks(Block::new(
                code::BLOCK_UNKNOWN,
                format!(
                    "nobody knows how operation {operation} on {resource} of {from} UTC ended: {}",
                    intent.message
                ),
                format!("`partnerctl repair {operation}` shows what it may have done, and ends it"),
            )),
        }
    }
}
