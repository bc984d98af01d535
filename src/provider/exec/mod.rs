//! The exec provider: a program of the user's own that holds the actual state, spoken to in JSON
//! lines over its standard input and output. What it says is read like a manifest, and believed only
//! as far as it can be.

pub mod process;
pub mod wire;

use crate::kinds::{Kinds, state};
use crate::model::tree::Node;
use crate::model::{Effect, KindName, Observed};
use crate::provider::exec::process::{Failure, Program, Settings};
use crate::provider::exec::wire::{
    Call, ErrorCode, FindResult, KeyOutcome, KeyPromise, KeyResult, Lookup, ObserveResult, Page,
    Perform, PerformResult, Thing, WireError,
};
use crate::provider::{
    CallError, Candidate, KeyFound, ObserveError, Outside, Provider, Question, RequestKeys,
};
use crate::store::Store;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Observations begun before giving up on a state that changes all the time.
const OBSERVATIONS_MAX: u32 = 3;
/// The most pages of one observation.
const PAGES_MAX: usize = 1_000_000;

/// A provider that is a program.
pub struct Exec {
    kinds: Kinds,
    program: Program,
}

impl Exec {
    /// A program that is started when it is first asked.
    #[must_use]
    pub fn new(kinds: Kinds, settings: Settings) -> Self {
        Self { kinds, program: Program::new(settings) }
    }

    fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        let answer = self.program.ask(call)?;
        serde_json::from_value(answer).map_err(|error| {
            Failure::NoAnswer(format!("its answer is not what the protocol says: {error}"))
        })
    }

    /// A thing as partnerctl understands it; `None` for one of a kind this version does not have.
    fn thing(&self, thing: Thing) -> Result<Option<Candidate>, String> {
        let Thing { kind, external_id, name, spec, request_key } = thing;
        let Some(entry) = self.kinds.get(&kind) else { return Ok(None) };
        let wrong = |why: String| format!("{kind} {external_id}: {why}");
        if external_id.is_empty() || name.is_empty() {
            return Err(wrong("externalId or name is empty".to_owned()));
        }
        if !spec.is_object() {
            return Err(wrong("its spec is no object".to_owned()));
        }
        let node = Node::from_json(&spec).map_err(wrong)?;
        let (spec, faults) = state::read(entry, &node);
        if let Some(fault) = faults.first() {
            return Err(wrong(format!("{}: {}", fault.code, fault.message)));
        }
        if let Some(why) = (entry.check_observed)(&spec) {
            return Err(wrong(why));
        }
        let observed = Observed { kind: KindName::new(&kind), external_id, name, spec };
        Ok(Some(Candidate { observed, request_key }))
    }

    /// Everything that is there, from one snapshot of it and complete.
    fn observe_all(&self) -> Result<Vec<Candidate>, CallError> {
        let mut why = String::new();
        for _ in 0..OBSERVATIONS_MAX {
            match self.observe_once()? {
                Ok(things) => return Ok(things),
                Err(torn) => why = torn,
            }
        }
        Err(CallError::Unknown { message: format!("{why}, {OBSERVATIONS_MAX} times in a row") })
    }

    /// One observation; the inner error says that its pages do not belong together.
    fn observe_once(&self) -> Result<Result<Vec<Candidate>, String>, CallError> {
        let unknown = |message: String| CallError::Unknown { message };
        let mut things: Vec<Candidate> = Vec::new();
        let (mut page, mut snapshot, mut count) = (None, None, 0);
        let mut seen_pages: BTreeSet<String> = BTreeSet::new();
        let mut seen: BTreeSet<(KindName, String)> = BTreeSet::new();
        loop {
            let result: ObserveResult =
                self.ask(Call::Observe(Page { page: page.clone() })).map_err(call_error)?;
            let first = snapshot.get_or_insert_with(|| result.snapshot.clone());
            if *first != result.snapshot {
                return Ok(Err("the state changed between two pages".to_owned()));
            }
            count += result.items.len();
            for item in result.items {
                let Some(thing) = self.thing(item).map_err(unknown)? else { continue };
                let key = (thing.observed.kind.clone(), thing.observed.external_id.clone());
                if !seen.insert(key) {
                    let (kind, id) = (&thing.observed.kind, &thing.observed.external_id);
                    return Err(unknown(format!("{kind} {id} is there twice")));
                }
                things.push(thing);
            }
            match result.next {
                Some(next) if seen_pages.len() < PAGES_MAX && seen_pages.insert(next.clone()) => {
                    page = Some(next);
                }
                Some(next) => return Err(unknown(format!("page `{next}` comes twice"))),
                None if count == result.total => return Ok(Ok(things)),
                None => {
                    let total = result.total;
                    return Ok(Err(format!("its pages have {count} things, of {total}")));
                }
            }
        }
    }
}

/// A failure in the terms of all providers.
fn call_error(failure: Failure) -> CallError {
    match failure {
        Failure::NotSent(message) => CallError::Transient { message },
        Failure::NoAnswer(message) => CallError::Unknown { message },
        Failure::Said(WireError { code, message, retry_after_seconds }) => match code {
            ErrorCode::Throttled => CallError::Throttled {
                message,
                retry_after: retry_after_seconds.map(Duration::from_secs),
            },
            ErrorCode::Transient => CallError::Transient { message },
            ErrorCode::Conflict => CallError::Conflict { message },
            ErrorCode::Refused | ErrorCode::Unsupported => CallError::Refused { message },
            ErrorCode::Unknown => CallError::Unknown { message },
        },
    }
}

fn is_unsupported(failure: &Failure) -> bool {
    matches!(failure, Failure::Said(WireError { code: ErrorCode::Unsupported, .. }))
}

impl Provider for Exec {
    fn observe(&self, _: Option<&dyn Store>) -> Result<Vec<Observed>, ObserveError> {
        let things = self.observe_all().map_err(ObserveError::Provider)?;
        let mut things: Vec<Observed> = things.into_iter().map(|thing| thing.observed).collect();
        things.sort_by(|a, b| (&a.kind, &a.external_id).cmp(&(&b.kind, &b.external_id)));
        Ok(things)
    }

    fn outside(&self) -> Option<&dyn Outside> {
        Some(self)
    }
}

impl Outside for Exec {
    fn identity(&self) -> String {
        self.program.identity()
    }

    fn request_keys(&self) -> Result<RequestKeys, CallError> {
        let hello = self.program.hello().map_err(call_error)?;
        Ok(match hello.request_keys {
            KeyPromise::Durable => RequestKeys::Durable,
            KeyPromise::None => RequestKeys::None,
        })
    }

    fn perform(&self, effect: &Effect, request_key: &str) -> Result<Option<Observed>, CallError> {
        let hello = self.program.hello().map_err(call_error)?;
        let kind = effect.kind.to_string();
        if !hello.kinds.contains(&kind) {
            let message = format!("{} does not keep {kind}", hello.name);
            return Err(CallError::Refused { message });
        }
        let call = Call::Perform(Perform {
            request_key: request_key.to_owned(),
            action: effect.verb,
            operation: effect.operation.to_string(),
            kind,
            name: effect.name.clone(),
            external_id: effect.external_id.clone(),
            before: effect.before.clone(),
            after: effect.after.clone(),
        });
        let PerformResult { thing } = self.ask(call).map_err(call_error)?;
        let Some(thing) = thing else { return Ok(None) };
        let read = self.thing(thing).map_err(|message| CallError::Unknown { message })?;
        match read.filter(|read| read.observed.kind == effect.kind) {
            Some(read) => Ok(Some(read.observed)),
            None => Err(CallError::Unknown { message: "it answered with another kind".to_owned() }),
        }
    }

    fn key(&self, request_key: &str) -> Result<KeyFound, CallError> {
        let lookup = Lookup::RequestKey { request_key: request_key.to_owned() };
        let KeyResult { outcome, thing } = match self.ask(Call::Lookup(lookup)) {
            Ok(result) => result,
            Err(failure) if is_unsupported(&failure) => return Ok(KeyFound::Unknown),
            Err(failure) => return Err(call_error(failure)),
        };
        let thing = thing.map(|thing| self.thing(thing)).transpose();
        let thing = thing.map_err(|message| CallError::Unknown { message })?.flatten();
        Ok(match outcome {
            KeyOutcome::Performed => KeyFound::Performed(thing.map(|thing| thing.observed)),
            KeyOutcome::NotPerformed => KeyFound::NotPerformed,
            KeyOutcome::Unknown => KeyFound::Unknown,
        })
    }

    fn find(&self, question: &Question) -> Result<Vec<Candidate>, CallError> {
        let (kind, external_id, spec) = match question {
            Question::Id { kind, external_id } => (kind, Some(external_id.clone()), None),
            Question::Like { kind, spec } => (kind, None, Some(spec.clone())),
        };
        let fits = |thing: &Candidate| {
            thing.observed.kind == *kind
                && external_id.as_ref().is_none_or(|id| *id == thing.observed.external_id)
        };
        let lookup =
            Lookup::Identity { kind: kind.to_string(), external_id: external_id.clone(), spec };
        let found: Vec<Candidate> = match self.ask::<FindResult>(Call::Lookup(lookup)) {
            Ok(result) => result
                .items
                .into_iter()
                .filter_map(|item| self.thing(item).transpose())
                .collect::<Result<_, _>>()
                .map_err(|message| CallError::Unknown { message })?,
            // A program without it can be looked through.
            Err(failure) if is_unsupported(&failure) => self.observe_all()?,
            Err(failure) => return Err(call_error(failure)),
        };
        Ok(found.into_iter().filter(fits).collect())
    }
}

/// The JSON Schemas of the protocol, by file name.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("provider-request.v1", schemars::schema_for!(wire::Request).to_value()),
        ("provider-response.v1", schemars::schema_for!(wire::Response).to_value()),
        ("provider-results.v1", schemars::schema_for!(wire::Results).to_value()),
    ]
}
