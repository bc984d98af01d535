//! The driver of operations: carries one change out with a provider whose effects are outside the
//! store, by doing what [`operation`](crate::engine::operation) says.

use crate::engine::operation::{Command, Event, Operation, step};
use crate::engine::progress::chain;
use crate::engine::work::{Notice, Work};
use crate::model::activity::Outcome;
use crate::model::{Effect, Observed, Verb};
use crate::plan::Change;
use crate::plan::intent::{Intent, IntentState};
use crate::provider::conclude::question;
use crate::provider::{
    CallError, Conclusion, Context, KeyFound, Outside, RequestKeys, conclude, effects, record,
    refund,
};
use crate::store::{StoreError, Write};
use std::sync::PoisonError;
use std::time::Duration;

/// How often a pause looks whether it was told to stop.
const GLANCE: Duration = Duration::from_millis(20);

/// How far a change came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Done, and written down.
    Done,
    /// Not done, and written down.
    Failed(String),
    /// Nobody knows; its intent stays.
    Unknown(String),
    /// Not begun: told to stop before anything was done.
    Withdrawn,
}

/// Carries one change out, from its first intent to its last record.
///
/// # Errors
/// When the store refuses in a way that ends the whole run.
pub fn operate(work: &Work, outside: &dyn Outside, change: &Change) -> Result<Ended, StoreError> {
    let (planned, expected) = {
        let directory = work.directory();
        let name = change.previous.as_ref().unwrap_or(&change.id);
        let context = work.context();
        let at = context.at.date_naive();
        let settled = refund::settled(change, &directory, &context.refunds, at);
        let planned = settled.and_then(|change| Ok((effects(&change, &directory)?, change)));
        (planned, directory.row(name).map(|row| row.revision))
    };
    let (effects, change) = match &planned {
        Ok((effects, change)) => (effects.clone(), change.as_ref()),
        Err(error) => return Ok(Ended::Failed(error.to_string())),
    };
    if effects.is_empty() {
        return only_recorded(work, change);
    }
    let intent = Intent {
        operation_id: work.id("operation"),
        epoch: work.epoch,
        change: change.clone(),
        effects,
        place: 0,
        provider: outside.identity(),
        actor: work.context.actor.to_string(),
        command: work.context.command.to_string(),
        plan_id: work.context.plan_id.to_string(),
        begun_at: (work.clock)(),
        state: IntentState::Open,
        message: String::new(),
    };
    let id = change.previous.as_ref().unwrap_or(&change.id).clone();
    let expect = Write::Expect { id, revision: expected };
    run(work, outside, intent, Event::Begin, Some(expect))
}

/// Takes an open intent up that was left behind.
///
/// # Errors
/// When the store refuses in a way that ends the whole run.
pub fn take_up(work: &Work, outside: &dyn Outside, intent: Intent) -> Result<Ended, StoreError> {
    run(work, outside, intent, Event::Resume, None)
}

/// Sends an intent that nobody knew the end of on its way again. That is written down first: killed in
/// the middle, the next run looks what became of it before anybody asks once more.
///
/// # Errors
/// When the store refuses.
pub fn retry(work: &Work, outside: &dyn Outside, intent: Intent) -> Result<Ended, StoreError> {
    let intent = Intent { state: IntentState::Retried, message: String::new(), ..intent };
    work.commit(vec![Write::PutIntent(Box::new(intent.clone()))])?;
    run(work, outside, intent, Event::Retry, None)
}

/// Ends an intent that nobody knew the end of: a person says that it was done, and what `made` is
/// what it left. Its change then goes on with the effects that come after.
///
/// # Errors
/// When the store refuses.
pub fn adopt(
    work: &Work,
    outside: &dyn Outside,
    intent: Intent,
    made: Option<Observed>,
) -> Result<Ended, StoreError> {
    run(work, outside, intent, Event::Concluded(Conclusion::Done(made)), None)
}

/// Ends an intent that nobody knew the end of: a person says that it was not done and shall not be.
///
/// # Errors
/// When the store refuses.
pub fn give_up(work: &Work, intent: &Intent) -> Result<Ended, StoreError> {
    match intent.effect() {
        Some(effect) => fail(work, intent, effect, ""),
        None => Ok(Ended::Done),
    }
}

/// A change without effects.
fn only_recorded(work: &Work, change: &Change) -> Result<Ended, StoreError> {
    let mut directory = work.directory();
    let written = {
        let mut ids = work.ids.lock().unwrap_or_else(PoisonError::into_inner);
        record::only_recorded(change, &directory, &mut ids, &work.context())
    };
    match written {
        Err(error) => Ok(Ended::Failed(error.to_string())),
        Ok(writes) => match settle(work.commit(writes.clone()))? {
            Some(failed) => Ok(failed),
            None => {
                directory.absorb(&change.id, &writes);
                Ok(Ended::Done)
            }
        },
    }
}

/// A resource that moved meanwhile fails its own change; other refusals end the run.
fn settle(committed: Result<(), StoreError>) -> Result<Option<Ended>, StoreError> {
    match committed {
        Ok(()) => Ok(None),
        Err(error @ StoreError::Stale { .. }) => Ok(Some(Ended::Failed(error.to_string()))),
        Err(error) => Err(error),
    }
}

/// Drives the machine through one intent, and through those that follow it.
fn run(
    work: &Work,
    outside: &dyn Outside,
    mut intent: Intent,
    how: Event,
    mut expect: Option<Write>,
) -> Result<Ended, StoreError> {
    let mut event = how;
    let mut at = Operation::new(chance(&intent.operation_id));
    // A new change was reckoned right before its intent was made.
    let mut is_reckoned = event == Event::Begin;
    loop {
        let Some(effect) = intent.effect().cloned() else { return Ok(Ended::Done) };
        // What was committed a moment ago was committed under the lease.
        let is_leased = matches!(event, Event::Intended | Event::Retry);
        let (next, command) = step(at, event);
        at = next;
        event = match command {
            Command::Intend => {
                let put = Write::PutIntent(Box::new(intent.clone()));
                let writes = expect.take().into_iter().chain([put]).collect();
                if let Some(failed) = settle(work.commit(writes))? {
                    return Ok(failed);
                }
                Event::Intended
            }
            Command::Call => {
                let is_first = std::mem::take(&mut is_reckoned);
                ask(work, outside, &intent, &effect, is_first, is_leased)
            }
            Command::Look => look(work, outside, &intent, &effect),
            Command::Pause { time, why } => {
                let resource = intent.resource().clone();
                let _nobody_listens = work.notices.send(Notice::Paused { resource, time, why });
                if pause(work, time) { Event::Waited } else { Event::Stopped }
            }
            Command::Succeed(made) => match recorded(work, &intent, &effect, made.as_ref()) {
                Recorded::Not(why) => return Ok(Ended::Unknown(why)),
                Recorded::Done => return Ok(Ended::Done),
                Recorded::Clash(why) => {
                    return park(work, &intent, &effect, &why, Outcome::Unknown);
                }
                Recorded::Next(following) => {
                    at = Operation::new(chance(&following.operation_id));
                    intent = *following;
                    // It was written with the record of the one before it.
                    Event::Intended
                }
            },
            // The first half of a replacement is done: the second must not be forgotten.
            Command::Fail(why) if intent.place > 0 => {
                return park(work, &intent, &effect, &why, Outcome::Failed);
            }
            Command::Fail(why) => return fail(work, &intent, &effect, &why),
            Command::Park(why) => {
                return park(work, &intent, &effect, &why, Outcome::Unknown);
            }
            Command::Defer(why) => return Ok(Ended::Unknown(why)),
            Command::Withdraw if intent.place > 0 => {
                return Ok(Ended::Unknown("interrupted".to_owned()));
            }
            Command::Withdraw => {
                let operation_id = intent.operation_id;
                work.commit(vec![Write::DropIntent { operation_id }])?;
                return Ok(Ended::Withdrawn);
            }
        };
    }
}

/// Chance for pauses, from the operation's own id.
fn chance(operation_id: &str) -> u64 {
    let digits: String = operation_id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or_default()
}

/// Waits; `false` when told to stop meanwhile.
fn pause(work: &Work, time: Duration) -> bool {
    let mut left = time;
    while !work.is_stopped() {
        if left.is_zero() {
            return true;
        }
        let nap = left.min(GLANCE);
        std::thread::sleep(nap);
        left -= nap;
    }
    false
}

/// Reckons once more what a change gives back and costs: after a pause or in a later run that may be
/// worse than was meant, and then nobody is asked.
fn reckon(work: &Work, intent: &Intent) -> Result<(), CallError> {
    let context = work.context();
    let today = context.at.date_naive();
    match refund::settled(&intent.change, &work.directory(), &context.refunds, today) {
        Ok(_) => Ok(()),
        Err(error) => Err(CallError::Refused { message: error.to_string() }),
    }
}

/// Asks the provider, unless that is not worth it any more or not ours to do: whoever took the lease
/// over while this paused may have asked already, or have a person decide.
fn ask(
    work: &Work,
    outside: &dyn Outside,
    intent: &Intent,
    effect: &Effect,
    is_reckoned: bool,
    is_leased: bool,
) -> Event {
    if !is_reckoned && let Err(error) = reckon(work, intent) {
        return Event::Answered(Err(error));
    }
    if !is_leased && let Err(error) = work.store.demand_lease(work.epoch) {
        let error = chain(error);
        return Event::NotOurs(format!("{error}; the next apply finds out what became of it"));
    }
    Event::Answered(call(work, outside, intent, effect))
}

/// Makes the call, and distrusts the answer: one that cannot be is no answer.
fn call(
    work: &Work,
    outside: &dyn Outside,
    intent: &Intent,
    effect: &Effect,
) -> Result<Option<Observed>, CallError> {
    let (resource, operation) = (intent.resource().clone(), effect.operation.to_string());
    let _nobody_listens = work.notices.send(Notice::Started { resource, operation });
    let made = outside.perform(effect, &intent.request_key())?;
    check_made(work, effect, made)
}

fn check_made(
    work: &Work,
    effect: &Effect,
    made: Option<Observed>,
) -> Result<Option<Observed>, CallError> {
    let unknown = |message: String| Err(CallError::Unknown { message });
    match (effect.verb, &made) {
        (Verb::Delete, _) => Ok(None),
        (_, None) => unknown("it answered without the thing".to_owned()),
        (Verb::Create, Some(thing)) if work.is_managed(thing) => {
            unknown(format!("it answered with {}, which is another's id", thing.external_id))
        }
        (Verb::Update, Some(thing)) if effect.external_id.as_ref() != Some(&thing.external_id) => {
            unknown(format!("it answered with another id, {}", thing.external_id))
        }
        _ => Ok(made),
    }
}

/// Finds out what became of a call: by its key, and by looking at what is there.
fn look(work: &Work, outside: &dyn Outside, intent: &Intent, effect: &Effect) -> Event {
    let key = intent.request_key();
    let asked = || -> Result<_, CallError> {
        let promise = outside.request_keys()?;
        let known = outside.key(&key)?;
        let found = match &known {
            KeyFound::Performed(_) => Vec::new(),
            KeyFound::NotPerformed | KeyFound::Unknown => outside.find(&question(effect))?,
        };
        Ok((promise, known, found))
    };
    let (promise, known, found): (RequestKeys, KeyFound, Vec<_>) = match asked() {
        Ok(answers) => answers,
        Err(error) => return Event::NotAnswered(error.to_string()),
    };
    let entry = match work.directory().entry(effect.kind.as_str()) {
        Ok(entry) => entry,
        Err(error) => return Event::NotAnswered(error.to_string()),
    };
    let managed = |thing: &Observed| work.is_managed(thing);
    Event::Concluded(conclude(&entry, effect, &key, promise, &known, &found, &managed))
}

/// What came of recording an effect.
enum Recorded {
    /// The change is done.
    Done,
    /// The next effect of the change is meant to happen.
    Next(Box<Intent>),
    /// It cannot be recorded: the thing belongs to another resource.
    Clash(String),
    /// The store refused; the intent is still there.
    Not(String),
}

/// Records an effect that was done. Where that fails it was done all the same: that is no failure of
/// the change, and the next run records it.
fn recorded(work: &Work, intent: &Intent, effect: &Effect, made: Option<&Observed>) -> Recorded {
    succeed(work, intent, effect, made).unwrap_or_else(|error| {
        let error = anyhow::Error::from(error);
        Recorded::Not(format!(
            "it was done and could not be written down ({error:#}); the next apply does that"
        ))
    })
}

/// Records an effect that was done, with the intent of the next one of its change.
fn succeed(
    work: &Work,
    intent: &Intent,
    effect: &Effect,
    made: Option<&Observed>,
) -> Result<Recorded, StoreError> {
    let change = &intent.change;
    let operation_id = logged_as(work, intent);
    let following = intent.next(work.id("operation"), (work.clock)());
    let mut directory = work.directory();
    // Two hands may have been answered with the same id at the same time.
    if let (Verb::Create, Some(thing)) = (effect.verb, made)
        && directory.is_managed(&thing.kind, &thing.external_id)
    {
        let id = &thing.external_id;
        return Ok(Recorded::Clash(format!("it answered with {id}, which is another's id")));
    }
    let context = context_of(work, intent);
    let mut writes = {
        let mut ids = work.ids.lock().unwrap_or_else(PoisonError::into_inner);
        record::succeeded(change, effect, made, &operation_id, &directory, &mut ids, &context)
    };
    let own = writes.clone();
    writes.push(Write::DropIntent { operation_id: intent.operation_id.clone() });
    writes.extend(following.clone().map(|next| Write::PutIntent(Box::new(next))));
    work.commit(writes)?;
    directory.absorb(&change.id, &own);
    match (made, &effect.external_id) {
        (Some(thing), _) => directory.put_actual(thing.clone()),
        (None, Some(external_id)) => directory.drop_actual(&effect.kind, external_id),
        (None, None) => {}
    }
    Ok(following.map_or(Recorded::Done, |next| Recorded::Next(Box::new(next))))
}

/// Records that an effect was not done.
fn fail(work: &Work, intent: &Intent, effect: &Effect, why: &str) -> Result<Ended, StoreError> {
    let (id, context) = (logged_as(work, intent), context_of(work, intent));
    let ended = record::ended(&intent.change, effect, Outcome::Failed, why, &id, &context);
    let drop = Write::DropIntent { operation_id: intent.operation_id.clone() };
    work.commit(vec![ended, drop])?;
    Ok(Ended::Failed(why.to_owned()))
}

/// Records that a person must decide: once in the log, however often it is looked at again.
fn park(
    work: &Work,
    intent: &Intent,
    effect: &Effect,
    why: &str,
    outcome: Outcome,
) -> Result<Ended, StoreError> {
    let parked = Intent { state: IntentState::Unknown, message: why.to_owned(), ..intent.clone() };
    let mut writes = vec![Write::PutIntent(Box::new(parked))];
    if intent.state == IntentState::Open {
        let (id, context) = (&intent.operation_id, context_of(work, intent));
        writes.push(record::ended(&intent.change, effect, outcome, why, id, &context));
    }
    work.commit(writes)?;
    Ok(Ended::Unknown(format!("{why} (operation {})", intent.operation_id)))
}

/// The operation id of the record: one that was logged as unknown before gets another.
fn logged_as(work: &Work, intent: &Intent) -> String {
    match intent.state {
        IntentState::Open => intent.operation_id.clone(),
        IntentState::Unknown | IntentState::Retried => work.id("operation"),
    }
}

/// What is recorded was asked for by whoever wrote the intent; a repair by whoever repairs.
fn context_of(work: &Work, intent: &Intent) -> Context {
    let at = (work.clock)();
    match intent.state {
        IntentState::Open => Context {
            at,
            actor: intent.actor.as_str().into(),
            command: intent.command.as_str().into(),
            plan_id: intent.plan_id.as_str().into(),
            note: String::new(),
            refunds: work.context.refunds.clone(),
            outlook: work.context.outlook.clone(),
        },
        IntentState::Unknown | IntentState::Retried => {
            Context { at, plan_id: intent.plan_id.as_str().into(), ..work.context.clone() }
        }
    }
}

#[cfg(test)]
mod tests;
