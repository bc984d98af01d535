//! The messages between partnerctl and a provider program: one JSON object a line, versioned.
//! `docs/provider-protocol.md` tells it to those who write such a program.

use crate::model::{Spec, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version both sides must speak.
pub const PROTOCOL: &str = "partnerctl.dev/provider/v1";

/// What partnerctl asks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "A request of partnerctl to a provider program")]
pub struct Request {
    /// Comes back in the answer. Several requests may be open at once; answers may come in any order.
    pub id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub call: Call,
}

/// The methods.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "method", content = "params", rename_all = "camelCase")]
pub enum Call {
    /// The first request after the program was started.
    Hello(Hello),
    /// Everything that is there, page by page.
    Observe(Page),
    /// Do one thing.
    Perform(Perform),
    /// What became of a request, or what is there.
    Lookup(Lookup),
}

impl Call {
    /// True when asking can change nothing.
    #[must_use]
    pub fn only_asks(&self) -> bool {
        !matches!(self, Self::Perform(_))
    }
}

/// Who is asking.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// `partnerctl.dev/provider/v1`
    pub protocol: String,
    /// The version of partnerctl.
    pub partnerctl: String,
}

/// Which page.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Page {
    /// `next` of the page before; null for the first.
    pub page: Option<String>,
}

/// One thing to do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Perform {
    /// The same for every attempt at this one thing, also after a crash, and for nothing else.
    pub request_key: String,
    /// What is done: create something new, bring something to the state in `after`, take it away.
    pub action: Verb,
    /// The operation in the portal's words.
    pub operation: String,
    /// The kind.
    pub kind: String,
    /// A name to call it by.
    pub name: String,
    /// The program's own id of the thing; null for something new.
    pub external_id: Option<String>,
    /// Its state as observed; null for something new.
    #[schemars(with = "Option<Value>")]
    pub before: Option<Spec>,
    /// The state it shall have; null when it is taken away. References are `{"external": id}`.
    #[schemars(with = "Option<Value>")]
    pub after: Option<Spec>,
}

/// What to look for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "by", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Lookup {
    /// What became of a request.
    RequestKey {
        /// Its key.
        request_key: String,
    },
    /// Things of a kind: the one with an id, or those that may be what a request made.
    Identity {
        /// The kind.
        kind: String,
        /// The id, when it is known.
        external_id: Option<String>,
        /// What was asked for, when it is not. More may be given back than fits.
        #[schemars(with = "Option<Value>")]
        spec: Option<Spec>,
    },
}

/// What the program answers: `result` or `error`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "An answer of a provider program")]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The id of the request.
    pub id: u64,
    /// What was asked for.
    #[serde(default)]
    pub result: Option<Value>,
    /// Why it was not done.
    #[serde(default)]
    pub error: Option<WireError>,
}

/// Why something was not done.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WireError {
    /// What kind of failure.
    pub code: ErrorCode,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// For `throttled`: how long to wait.
    #[serde(default)]
    pub retry_after_seconds: Option<u64>,
}

/// What kind of failure. All but `unknown` say that nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    /// Too many calls; ask again later.
    Throttled,
    /// Not now; ask again later.
    Transient,
    /// The thing is not as `before` says.
    Conflict,
    /// Never.
    Refused,
    /// It may have been done.
    Unknown,
    /// The program does not have this method or kind of lookup.
    Unsupported,
}

/// The answer to `hello`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelloResult {
    /// `partnerctl.dev/provider/v1`
    pub protocol: String,
    /// What the program calls itself.
    pub name: String,
    /// What it promises about request keys.
    pub request_keys: KeyPromise,
    /// The kinds it keeps.
    pub kinds: Vec<String>,
}

/// A promise about request keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeyPromise {
    /// The same key never has a second effect, and is never forgotten, not by a crash either.
    Durable,
    /// No promise. Purchases whose end nobody knows are then left to a person.
    None,
}

/// The answer to `observe`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObserveResult {
    /// The same on every page of one observation; another one when the state has changed meanwhile.
    pub snapshot: String,
    /// How many things all pages have together: a lost page shows.
    pub total: usize,
    /// The things of this page.
    pub items: Vec<Thing>,
    /// What to ask the next page by; null on the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// The answer to `perform`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PerformResult {
    /// The thing as it is now; null when it was taken away.
    #[serde(default)]
    pub thing: Option<Thing>,
}

/// The answer to `lookup` by `requestKey`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct KeyResult {
    /// What became of it.
    pub outcome: KeyOutcome,
    /// The thing as it is now, for `performed`; null when it was taken away.
    #[serde(default)]
    pub thing: Option<Thing>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeyOutcome {
    /// It was done.
    Performed,
    /// It was not done, and no request with this key is under way; else answer `unknown`.
    NotPerformed,
    /// The program cannot tell.
    Unknown,
}

/// The answer to `lookup` by `identity`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct FindResult {
    /// What was found.
    pub items: Vec<Thing>,
}

/// One thing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Thing {
    /// Its kind.
    pub kind: String,
    /// The program's own id, unique within the kind, never used again for something else.
    pub external_id: String,
    /// A name to show and to call it by while nobody manages it.
    pub name: String,
    /// Its state. References are `{"external": id}`; amounts are texts; numbers have no fraction.
    pub spec: Value,
    /// The key of the request that made it, where the program keeps that.
    #[serde(default)]
    pub request_key: Option<String>,
}

/// Every answer there is, so that one schema describes them.
#[derive(Debug, JsonSchema)]
#[schemars(title = "The results of a provider program, by method", rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Results {
    hello: HelloResult,
    observe: ObserveResult,
    perform: PerformResult,
    lookup_by_request_key: KeyResult,
    lookup_by_identity: FindResult,
}
