//! A draft that was judged, as users see it.

use crate::kinds::{KindEntry, Transition};
use crate::model::{Resource, ResourceId, Source};
use crate::plan::change::{Action, Change, Desired};
use crate::plan::draft::Draft;
use crate::plan::judge::Worlds;
use crate::plan::{PlanInput, money};

/// What a delete means that only ends management.
const RELEASED: &str = "released from management, nothing else happens";

impl Draft {
    fn operation(&self, entry: &KindEntry, input: &PlanInput) -> &'static str {
        let outside = self.fields.iter().any(|field| field.path.starts_with("spec."));
        match self.action {
            _ if self.release => "Release from management",
            Action::Adopt if !outside => "Take under management",
            Action::Rename | Action::Update if !outside => "Record name and metadata",
            _ => (entry.operation)(&self.transition(input)),
        }
    }

    /// The change as users see it.
    #[must_use]
    pub fn change(
        &self,
        input: &PlanInput,
        worlds: &Worlds,
        customer: Option<&ResourceId>,
    ) -> Change {
        let Self { id, pair, action, reason, fields, metadata, release, blocked, waiting, .. } =
            self;
        let entry = input.kinds.get(id.kind.as_str());
        let stored = pair.stored.as_ref();
        let transition = self.transition(input);
        let undeclared = || stored.map(|stored| stored.source.clone()).unwrap_or_default();
        Change {
            id: id.clone(),
            kind: id.kind.clone(),
            name: id.name.to_shared(),
            uid: stored.map(|stored| stored.uid.to_string()),
            set: input.set.clone(),
            revision: stored.map(|stored| stored.revision),
            action: *action,
            reason: *reason,
            risk: self.risk(input),
            source: pair
                .desired
                .as_ref()
                .map_or_else(undeclared, |d: &Resource| -> Source { d.source.clone() }),
            fields: fields.clone(),
            desired: pair
                .declared
                .as_ref()
                .filter(|_| *action != Action::Delete)
                .map(|declared| Desired { metadata: metadata.clone(), spec: declared.clone() }),
            operation: entry.map(|entry| self.operation(entry, input)).unwrap_or_default().into(),
            effect: entry
                .filter(|_| *action == Action::Delete)
                .map(|entry| if *release { RELEASED } else { entry.facts.deleting }.to_owned()),
            removal: entry.filter(|_| *action == Action::Replace).map(|entry| {
                (entry.operation)(&Transition { after: None, ..transition }).to_owned()
            }),
            previous: pair.previous.clone().filter(|_| *action != Action::Delete),
            external_id: match (&pair.found, stored) {
                (Some(found), _) => Some(found.external_id.clone()),
                (None, stored) => stored.and_then(|stored| stored.external_id.clone()),
            },
            release: *release,
            blocked: blocked.clone(),
            waiting: waiting.clone(),
            suspended: self.suspended.clone(),
            money: entry
                .map(|entry| money::effect(entry, self, &transition, &worlds.after))
                .unwrap_or_default(),
            policies: self.policies.clone(),
            refund: self.refund.clone(),
            exchange: self.exchange.clone(),
            later: entry.and_then(|entry| (entry.later)(&transition)).map(str::to_owned),
            depends_on: worlds.rests_on(id).to_vec(),
            customer: customer.map(|customer| customer.name.to_shared()),
        }
    }
}
