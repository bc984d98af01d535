//! One effect outside the store, as a state machine without I/O: an event in, a command out.
//!
//! The order is always intent, call, record. When nobody knows how a call ended the machine looks
//! before it does anything else, and asks again only when that cannot have a second effect.

use crate::engine::pause::pause;
use crate::model::Observed;
use crate::provider::{CallError, Conclusion};
use std::time::Duration;

/// Calls for one effect in one run.
const CALLS_MAX: u32 = 6;
/// Times that a provider which does not answer is asked what became of a call.
const LOOKS_MAX: u32 = 4;
/// The first pause; each one after it is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause of our own making; a provider may ask for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest pause a provider may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Begin a new operation.
    Begin,
    /// Take up one whose intent was left open.
    Resume,
    /// A person says that it was not done: ask again.
    Retry,
    /// The intent is written.
    Intended,
    /// Not asked: the lease is lost, or cannot be seen to be held.
    NotOurs(String),
    /// The call was answered.
    Answered(Result<Option<Observed>, CallError>),
    /// It was found out what became of the call.
    Concluded(Conclusion),
    /// It could not be found out.
    NotAnswered(String),
    /// A pause is over.
    Waited,
    /// Told to stop during a pause.
    Stopped,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Write the intent down.
    Intend,
    /// Ask the provider.
    Call,
    /// Find out what became of the call.
    Look,
    /// Wait.
    Pause {
        /// So long.
        time: Duration,
        /// Why.
        why: String,
    },
    /// Record that it was done. Ends the operation, like those below.
    Succeed(Option<Observed>),
    /// Record that it was not done.
    Fail(String),
    /// Record that nobody knows: a person decides.
    Park(String),
    /// Leave the intent open: the next run takes it up.
    Defer(String),
    /// Take the intent back: nothing was done, nothing will be.
    Withdraw,
}

/// Where an operation stands.
#[derive(Debug, Clone, Default)]
pub struct Operation {
    /// Chance for the jitter of pauses.
    chance: u64,
    calls: u32,
    looks: u32,
    /// True once a call may have had its effect without our knowing.
    ambiguous: bool,
    /// A refusal that came after an ambiguous call: it may be the effect itself that is refused a
    /// second time.
    refused: Option<String>,
    looking: bool,
    /// True once a call was never answered: it may still be under way, whatever is seen now.
    unanswered: bool,
}

/// Takes one event and says what to do next.
#[must_use]
pub fn step(mut at: Operation, event: Event) -> (Operation, Command) {
    let command = match event {
        Event::Begin => Command::Intend,
        Event::Intended | Event::Retry => at.call(),
        Event::Resume => {
            at.ambiguous = true;
            at.unanswered = true;
            at.look()
        }
        Event::Answered(Ok(made)) | Event::Concluded(Conclusion::Done(made)) => {
            Command::Succeed(made)
        }
        Event::Answered(Err(CallError::Throttled { message, retry_after })) => {
            at.again(message, retry_after)
        }
        Event::Answered(Err(CallError::Transient { message })) => at.again(message, None),
        Event::Answered(Err(CallError::Conflict { message } | CallError::Refused { message })) => {
            if at.ambiguous || at.unanswered {
                at.refused = Some(message);
                at.look()
            } else {
                Command::Fail(message)
            }
        }
        Event::Answered(Err(CallError::Unknown { .. })) => {
            at.ambiguous = true;
            at.unanswered = true;
            at.refused = None;
            at.look()
        }
        Event::Concluded(Conclusion::NotDone) => match at.refused.take() {
            // The call that was never answered may still have its effect.
            Some(refusal) if at.unanswered => Command::Park(format!(
                "{refusal}; but an earlier call was never answered, and may still do it"
            )),
            Some(refusal) => Command::Fail(refusal),
            None => {
                at.ambiguous = false;
                at.again("it was not done".to_owned(), None)
            }
        },
        Event::Concluded(Conclusion::Unclear(why)) => Command::Park(why),
        Event::NotAnswered(why) if at.looks < LOOKS_MAX => {
            at.looking = true;
            Command::Pause { time: at.pause(at.looks), why }
        }
        Event::NotAnswered(why) | Event::NotOurs(why) => Command::Defer(why),
        Event::Waited if at.looking => at.look(),
        Event::Waited => at.call(),
        Event::Stopped if at.ambiguous || at.unanswered => Command::Defer("interrupted".to_owned()),
        Event::Stopped => Command::Withdraw,
    };
    (at, command)
}

impl Operation {
    /// The beginning; `chance` is for the jitter of pauses.
    #[must_use]
    pub fn new(chance: u64) -> Self {
        Self { chance, ..Self::default() }
    }

    fn call(&mut self) -> Command {
        self.calls += 1;
        self.looking = false;
        Command::Call
    }

    fn look(&mut self) -> Command {
        self.looks += 1;
        self.looking = true;
        Command::Look
    }

    /// Asks again after a pause, unless it was asked often enough.
    fn again(&mut self, why: String, retry_after: Option<Duration>) -> Command {
        self.looking = false;
        self.looks = 0;
        match (self.calls < CALLS_MAX, self.ambiguous) {
            (true, _) => {
                let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
                Command::Pause { time: self.pause(self.calls).max(asked), why }
            }
            (false, true) => Command::Park(format!("{why}, and an earlier call may have done it")),
            // The next run asks under the same key.
            (false, false) if self.unanswered => Command::Defer(why),
            (false, false) => Command::Fail(format!("{why} (asked {CALLS_MAX} times)")),
        }
    }

    fn pause(&self, tries: u32) -> Duration {
        pause(PAUSE, PAUSE_MAX, tries, self.chance)
    }
}

#[cfg(test)]
mod tests;
