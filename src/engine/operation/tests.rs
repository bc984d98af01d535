//! Every way an operation can go, against a small provider: each fault before and after the
//! effect, pauses cut short, and a crash of partnerctl between any two commands.

use super::{Command, Event, Operation, step};
use crate::kinds::Kinds;
use crate::model::{Effect, KindName, Observed, Spec, Verb};
use crate::provider::{CallError, Candidate, Conclusion, KeyFound, RequestKeys, conclude};
use serde_json::json;
use std::collections::BTreeMap;

const KEY: &str = "key";

/// A provider that does one thing, and what is tried with it.
#[derive(Debug, Clone, Copy)]
struct Model {
    verb: Verb,
    kind: &'static str,
    promise: RequestKeys,
    /// It keeps the key with the thing.
    tags: bool,
    /// It promised to keep keys and does not.
    forgets: bool,
    /// What it made does not show yet.
    blind: bool,
    /// Whether its thing may be some other resource's by now.
    taken: bool,
}

/// One moment: what comes next, and what is so by then.
#[derive(Debug, Clone)]
struct Moment {
    operation: Operation,
    event: Event,
    effects: u8,
    /// A call may have been made whose end nobody knows, and no person said that it was not done.
    doubt: bool,
    intended: bool,
    crashes: u8,
}

/// Everything that was found out on the way.
struct Walk {
    model: Model,
    effect: Effect,
    kinds: Kinds,
    /// Commands still to come at each moment; none while it is being found out.
    seen: BTreeMap<String, Option<u32>>,
    ends: BTreeMap<&'static str, u32>,
}

fn spec(quantity: u32) -> Spec {
    Spec::from_value(json!({"domain": "contoso.example", "quantity": quantity,
        "customerRef": {"external": "c"}, "offer": {"type": "License", "id": "X"}}))
}

impl Walk {
    fn of(model: Model, crashes: u8) -> Self {
        let made = model.verb == Verb::Create;
        let effect = Effect {
            verb: model.verb,
            kind: KindName::new(model.kind),
            name: "contoso".to_owned(),
            external_id: (!made).then(|| "1".to_owned()),
            before: (!made).then(|| spec(1)),
            after: (model.verb != Verb::Delete).then(|| spec(5)),
            operation: "".into(),
        };
        let (kinds, seen, ends) = (Kinds::default(), BTreeMap::new(), BTreeMap::new());
        let mut walk = Self { model, effect, kinds, seen, ends };
        walk.explore(Moment {
            operation: Operation::new(0),
            event: Event::Begin,
            effects: 0,
            doubt: false,
            intended: false,
            crashes,
        });
        walk
    }

    /// The most commands from here to the end.
    fn explore(&mut self, moment: Moment) -> u32 {
        let key = format!("{moment:?}");
        match self.seen.get(&key) {
            Some(Some(commands)) => return *commands,
            Some(None) => panic!("it never ends: {key}"),
            None => {}
        }
        self.seen.insert(key.clone(), None);
        let (operation, command) = step(moment.operation.clone(), moment.event.clone());
        let after = self.follow(&Moment { operation, ..moment }, &command);
        let most = after.into_iter().map(|next| self.explore(next)).max().unwrap_or_default();
        self.seen.insert(key, Some(most + 1));
        most + 1
    }

    /// Everything that a command may lead to.
    fn follow(&mut self, at: &Moment, command: &Command) -> Vec<Moment> {
        let on = |event| Moment { event, ..at.clone() };
        let mut after = Vec::new();
        match command {
            Command::Intend => after.push(Moment { intended: true, ..on(Event::Intended) }),
            Command::Call => return self.call(at),
            Command::Look => {
                after.push(on(Event::Concluded(self.look(at.effects))));
                after.push(on(Event::NotAnswered("closed".to_owned())));
            }
            Command::Pause { .. } => after.extend([on(Event::Waited), on(Event::Stopped)]),
            Command::Succeed(_) => self.end("succeeded", at, at.effects == 1),
            Command::Fail(_) => self.end("failed", at, at.effects == 0),
            Command::Withdraw => self.end("withdrawn", at, at.effects == 0),
            Command::Defer(_) => self.end("deferred", at, at.intended),
            Command::Park(why) => {
                let silence = why.contains("never answered");
                let how = if silence { "refused after silence" } else { "parked" };
                self.end(how, at, at.intended);
                if at.effects == 0 && at.crashes > 0 {
                    let crashes = at.crashes - 1;
                    let operation = Operation::new(0);
                    after.push(Moment { operation, crashes, doubt: false, ..on(Event::Retry) });
                }
            }
        }
        after.extend(crash(at, at.effects, at.doubt));
        after
    }

    /// Notes an end, which must be true.
    fn end(&mut self, how: &'static str, at: &Moment, is_true: bool) {
        assert!(is_true, "{how} with {} effects: {:?}\n{at:?}", at.effects, self.model);
        *self.ends.entry(how).or_default() += 1;
    }

    fn knows_keys(&self) -> bool {
        self.model.promise == RequestKeys::Durable && !self.model.forgets
    }

    /// Every answer there may be, with the effects there are then, and every crash around it.
    fn call(&self, at: &Moment) -> Vec<Moment> {
        let made = self.model.verb == Verb::Create;
        let asks_twice = made && at.doubt && self.model.promise == RequestKeys::None;
        assert!(!asks_twice, "it may buy twice: {:?}\n{at:?}", self.model);
        let again = at.effects > 0 && (self.knows_keys() || !made);
        let then = at.effects + u8::from(!again);
        assert!(then <= 1, "a second effect: {:?}\n{at:?}", self.model);
        let message = String::new;
        let unknown = || Err(CallError::Unknown { message: message() });
        let answers = [
            (then, Ok(self.thing())),
            (then, unknown()),
            (at.effects, unknown()),
            (at.effects, Err(CallError::Throttled { message: message(), retry_after: None })),
            (at.effects, Err(CallError::Transient { message: message() })),
            (at.effects, Err(CallError::Refused { message: message() })),
            (at.effects, Err(CallError::Conflict { message: message() })),
        ];
        let mut after = vec![Moment { event: Event::NotOurs(message()), ..at.clone() }];
        for (effects, answer) in answers {
            let doubt = at.doubt || matches!(answer, Err(CallError::Unknown { .. }));
            let event = Event::Answered(answer);
            after.push(Moment { event, effects, doubt, ..at.clone() });
            after.extend(crash(at, effects, true));
        }
        after
    }

    fn thing(&self) -> Option<Observed> {
        (self.model.verb != Verb::Delete).then(|| Observed {
            kind: self.effect.kind.clone(),
            external_id: "1".to_owned(),
            name: "contoso".to_owned(),
            spec: spec(5),
        })
    }

    fn look(&self, effects: u8) -> Conclusion {
        let Model { verb, kind, promise, tags, blind, taken, .. } = self.model;
        let key = match (effects, promise) {
            (0, RequestKeys::Durable) => KeyFound::NotPerformed,
            (_, RequestKeys::Durable) if self.knows_keys() => KeyFound::Performed(self.thing()),
            (_, RequestKeys::Durable) => KeyFound::NotPerformed,
            (_, RequestKeys::None) => KeyFound::Unknown,
        };
        let before = || Observed { spec: spec(1), ..self.thing().unwrap_or(old()) };
        let there = match (verb, effects) {
            (Verb::Create, 0) | (Verb::Delete, 1..) => None,
            (Verb::Update | Verb::Delete, 0) => Some(before()),
            (Verb::Create | Verb::Update, _) => self.thing(),
        };
        let request_key = (tags && effects > 0).then(|| KEY.to_owned());
        let candidates: Vec<Candidate> = there
            .filter(|_| !blind)
            .map(|observed| Candidate { observed, request_key })
            .into_iter()
            .collect();
        let entry = self.kinds.get(kind).unwrap();
        let managed = |_: &Observed| taken;
        conclude(entry, &self.effect, KEY, promise, &key, &candidates, &managed)
    }
}

fn old() -> Observed {
    Observed {
        kind: KindName::new("Subscription"),
        external_id: "1".to_owned(),
        name: "contoso".to_owned(),
        spec: spec(1),
    }
}

/// partnerctl is gone; the next run finds what was written down.
fn crash(at: &Moment, effects: u8, doubt: bool) -> Option<Moment> {
    let crashes = at.crashes.checked_sub(1).filter(|_| at.intended)?;
    let (operation, event) = (Operation::new(0), Event::Resume);
    Some(Moment { operation, event, effects, doubt, intended: true, crashes })
}

/// Providers that keep what they promise, or can at least be looked at.
fn models() -> Vec<Model> {
    let mut models = Vec::new();
    for kind in ["Subscription", "Customer"] {
        for promise in [RequestKeys::Durable, RequestKeys::None] {
            for verb in [Verb::Create, Verb::Update, Verb::Delete] {
                for bits in 0..16u8 {
                    let [tags, forgets, blind, taken] = [1, 2, 4, 8].map(|bit| bits & bit > 0);
                    let model = Model { verb, kind, promise, tags, forgets, blind, taken };
                    let durable = promise == RequestKeys::Durable;
                    let broken = (forgets && (blind || taken || !durable))
                        || (verb != Verb::Create && (blind || taken || tags));
                    if !broken {
                        models.push(model);
                    }
                }
            }
        }
    }
    models
}

#[test]
fn no_fault_and_no_crash_has_a_second_effect_and_every_end_is_true() {
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for model in models() {
        for (how, count) in Walk::of(model, 2).ends {
            *ends.entry(how).or_default() += count;
        }
    }
    let all = ["deferred", "failed", "parked", "refused after silence", "succeeded", "withdrawn"];
    assert_eq!(ends.keys().copied().collect::<Vec<_>>(), all, "each end was reached");
}

#[test]
fn an_operation_ends_after_a_bounded_number_of_commands() {
    for model in models() {
        let walk = Walk::of(model, 0);
        let most = walk.seen.values().flatten().max().copied().unwrap_or_default();
        assert!(most <= 55, "{most}: {model:?}");
    }
}

#[test]
fn a_promise_that_is_kept_leaves_only_a_refusal_after_silence_to_a_person() {
    for model in models().into_iter().filter(|m| m.promise == RequestKeys::Durable) {
        if !model.forgets && !model.taken {
            assert_eq!(Walk::of(model, 2).ends.get("parked"), None, "{model:?}");
        }
    }
}
