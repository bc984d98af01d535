//! Intents: what was asked of a provider with outside effects, written down before it is asked.

use crate::model::digest::Digest;
use crate::model::{Effect, ResourceId};
use crate::plan::Change;
use chrono::{DateTime, Utc};

/// How far an intent has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentState {
    /// Its call may have been made; the next apply finds out.
    Open,
    /// Nobody could find out: a person decides, with `repair`.
    Unknown,
    /// A person had it asked for again; its call may have been made, as when it is open.
    Retried,
}

impl IntentState {
    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Unknown => "unknown",
            Self::Retried => "retried",
        }
    }

    /// True when the next run finds out what became of it.
    #[must_use]
    pub fn is_open(self) -> bool {
        self != Self::Unknown
    }

    /// Reads the word back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Open, Self::Unknown, Self::Retried].into_iter().find(|state| state.as_str() == word)
    }
}

/// An effect that is meant to happen, with everything needed to finish it after a crash: the change
/// it belongs to, and the effects of that change that come after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// The operation, unique in the store.
    pub operation_id: String,
    /// The lease under which it was written.
    pub epoch: i64,
    /// The change it belongs to.
    pub change: Change,
    /// Every effect of that change, in order.
    pub effects: Vec<Effect>,
    /// Which of them this is.
    pub place: usize,
    /// The provider that is asked: no other one can tell what became of it.
    pub provider: String,
    /// Who claims to do it.
    pub actor: String,
    /// The command, `apply`.
    pub command: String,
    /// The plan.
    pub plan_id: String,
    /// When it was written.
    pub begun_at: DateTime<Utc>,
    /// How far it has come.
    pub state: IntentState,
    /// What is known of its end; empty while it is open.
    pub message: String,
}

impl Intent {
    /// The effect that is asked for.
    #[must_use]
    pub fn effect(&self) -> Option<&Effect> {
        self.effects.get(self.place)
    }

    /// The resource it is about.
    #[must_use]
    pub fn resource(&self) -> &ResourceId {
        &self.change.id
    }

    /// The hash of what is asked for.
    #[must_use]
    pub fn body_hash(&self) -> String {
        let body = self.effect().map(|effect| serde_json::to_string(effect).unwrap_or_default());
        Digest::default().optional(body.as_deref()).hex()
    }

    /// The key under which it is asked for: the same for every attempt, also after a crash.
    #[must_use]
    pub fn request_key(&self) -> String {
        Digest::default().text("request").text(&self.operation_id).text(&self.body_hash()).uuid()
    }

    /// The same change's next effect, as an intent of its own.
    #[must_use]
    pub fn next(&self, operation_id: String, now: DateTime<Utc>) -> Option<Self> {
        let place = self.place + 1;
        self.effects.get(place)?;
        let (state, message) = (IntentState::Open, String::new());
        Some(Self { operation_id, place, begun_at: now, state, message, ..self.clone() })
    }
}
