//! What became of a call that nobody heard the end of, from what the provider says when asked.
//!
//! A purchase is concluded to be done only on evidence that names it, and to be undone only on the
//! promise of a provider that never forgets a request key. Everything else is unclear.

use crate::kinds::KindEntry;
use crate::model::{Effect, Observed, Spec, Verb};
use crate::provider::{Candidate, KeyFound, Question, RequestKeys};
use chrono::DateTime;

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Conclusion {
    /// It was done; the thing as it is.
    Done(Option<Observed>),
    /// It was not done, and asking again cannot do it twice.
    NotDone,
    /// Nobody can tell.
    Unclear(String),
}

/// What to look for when the key alone does not tell.
#[must_use]
pub fn question(effect: &Effect) -> Question {
    let kind = effect.kind.clone();
    match &effect.external_id {
        Some(external_id) => Question::Id { kind, external_id: external_id.clone() },
        None => Question::Like { kind, spec: effect.after.clone().unwrap_or_default() },
    }
}

/// Concludes. `managed` tells whether a thing belongs to a resource already: such a one was not made
/// by this call.
#[must_use]
pub fn conclude(
    entry: &KindEntry,
    effect: &Effect,
    request_key: &str,
    promise: RequestKeys,
    key: &KeyFound,
    candidates: &[Candidate],
    managed: &dyn Fn(&Observed) -> bool,
) -> Conclusion {
    let after = effect.after.clone().unwrap_or_default();
    // What is said to have been made or changed must be of the kind, and have the id, asked for.
    let fits = |made: &Observed| {
        made.kind == effect.kind
            && effect.external_id.as_ref().is_none_or(|id| *id == made.external_id)
    };
    match (effect.verb, key) {
        (Verb::Delete, KeyFound::Performed(_)) => Conclusion::Done(None),
        (Verb::Delete, _) if candidates.is_empty() => Conclusion::Done(None),
        (Verb::Update, KeyFound::Performed(Some(made))) if fits(made) => {
            Conclusion::Done(Some(made.clone()))
        }
        (Verb::Update, _) => {
            let there = candidates.iter().find(|found| {
                let there = &found.observed.spec;
                there.covers(&after) || has_ended_so(entry, &after, there)
            });
            there
                .map_or(Conclusion::NotDone, |found| Conclusion::Done(Some(found.observed.clone())))
        }
        (Verb::Delete, _) => Conclusion::NotDone,
        (Verb::Create, KeyFound::Performed(Some(made))) if !fits(made) => {
            let (kind, id) = (&made.kind, &made.external_id);
            Conclusion::Unclear(format!("the provider says that this made {kind} {id}"))
        }
        (Verb::Create, KeyFound::Performed(Some(made))) if !managed(made) => {
            Conclusion::Done(Some(made.clone()))
        }
        (Verb::Create, KeyFound::Performed(Some(made))) => Conclusion::Unclear(format!(
            "the provider says that this made {}, which another resource has already",
            made.external_id
        )),
        (Verb::Create, KeyFound::Performed(None)) => {
            Conclusion::Unclear("it was made, and is not there any more".to_owned())
        }
        (Verb::Create, key) => {
            created(entry, &after, request_key, (promise, key), candidates, managed)
        }
    }
}

/// True when a thing has ended as was asked, whatever else is said of it: nothing is cancelled or
/// exchanged twice.
fn has_ended_so(entry: &KindEntry, after: &Spec, there: &Spec) -> bool {
    // At the beginning of time nothing has ended by the clock.
    let over = (entry.ended)(after, DateTime::UNIX_EPOCH);
    over && after.text("state").is_some() && after.text("state") == there.text("state")
}

/// For something new whose key the provider does not know as done.
fn created(
    entry: &KindEntry,
    after: &Spec,
    request_key: &str,
    (promise, key): (RequestKeys, &KeyFound),
    candidates: &[Candidate],
    managed: &dyn Fn(&Observed) -> bool,
) -> Conclusion {
    let free: Vec<&Candidate> =
        candidates.iter().filter(|candidate| !managed(&candidate.observed)).collect();
    let ours = |candidate: &&&Candidate| candidate.request_key.as_deref() == Some(request_key);
    if let Some(found) = free.iter().find(ours) {
        return Conclusion::Done(Some(found.observed.clone()));
    }
    let identity = (entry.identity)(after);
    // One that says it was made by another request was.
    let alike: Vec<&&Candidate> = free
        .iter()
        .filter(|candidate| candidate.request_key.is_none())
        .filter(|candidate| is_alike(entry, after, &candidate.observed.spec))
        .collect();
    match (alike.as_slice(), identity, promise, key) {
        // Two things of one identity cannot be: this one is what was asked for.
        ([one], Some(_), ..) => Conclusion::Done(Some(one.observed.clone())),
        ([], _, RequestKeys::Durable, KeyFound::NotPerformed) => Conclusion::NotDone,
        ([], ..) => Conclusion::Unclear(
            "there was no answer and there is no trace of it; asking again might do it twice"
                .to_owned(),
        ),
        (several, ..) => {
            let ids: Vec<_> = several.iter().map(|c| c.observed.external_id.as_str()).collect();
            Conclusion::Unclear(format!("there was no answer; it may be {}", ids.join(" or ")))
        }
    }
}

/// True when a thing may be what a request for `after` made.
#[must_use]
pub fn is_alike(entry: &KindEntry, after: &Spec, there: &Spec) -> bool {
    let (identity, likeness) = ((entry.identity)(after), (entry.likeness)(after));
    match (&identity, &likeness) {
        (Some(_), _) => (entry.identity)(there) == identity,
        (None, Some(_)) => (entry.likeness)(there) == likeness,
        (None, None) => there.covers(after),
    }
}

#[cfg(test)]
mod tests {
    use super::{Conclusion, conclude};
    use crate::kinds::Kinds;
    use crate::model::{Effect, KindName, Observed, Spec, Verb};
    use crate::provider::{Candidate, KeyFound, RequestKeys};
    use serde_json::json;

    fn licence(external_id: &str, quantity: u32, key: Option<&str>) -> Candidate {
        let spec = json!({"customerRef": {"external": "c"}, "offer": {"type": "License", "id": "X"},
            "quantity": quantity});
        let observed = Observed {
            kind: KindName::new("Subscription"),
            external_id: external_id.to_owned(),
            name: "l".to_owned(),
            spec: Spec::from_value(spec),
        };
        Candidate { observed, request_key: key.map(str::to_owned) }
    }

    fn purchase(promise: RequestKeys, key: &KeyFound, candidates: &[Candidate]) -> String {
        concluded(Verb::Create, None, promise, key, candidates)
    }

    fn concluded(
        verb: Verb,
        external_id: Option<&str>,
        promise: RequestKeys,
        key: &KeyFound,
        candidates: &[Candidate],
    ) -> String {
        let kinds = Kinds::default();
        let effect = Effect {
            verb,
            kind: KindName::new("Subscription"),
            name: "l".to_owned(),
            external_id: external_id.map(str::to_owned),
            before: None,
            after: Some(licence("", 5, None).observed.spec),
            operation: "Create order".into(),
        };
        let entry = kinds.get("Subscription").unwrap();
        let managed = |observed: &Observed| observed.external_id == "managed";
        match conclude(entry, &effect, "k", promise, key, candidates, &managed) {
            Conclusion::Done(Some(made)) => format!("done {}", made.external_id),
            Conclusion::Done(None) => "done".to_owned(),
            Conclusion::NotDone => "not done".to_owned(),
            Conclusion::Unclear(_) => "unclear".to_owned(),
        }
    }

    #[test]
    fn a_purchase_is_asked_for_again_only_on_a_durable_promise_without_any_trace() {
        use KeyFound::{NotPerformed, Unknown};
        use RequestKeys::{Durable, None as NoPromise};
        assert_eq!(purchase(Durable, &NotPerformed, &[]), "not done");
        assert_eq!(purchase(Durable, &NotPerformed, &[licence("managed", 5, None)]), "not done");
        assert_eq!(purchase(Durable, &NotPerformed, &[licence("a", 9, None)]), "unclear");
        assert_eq!(purchase(Durable, &Unknown, &[]), "unclear");
        assert_eq!(purchase(NoPromise, &NotPerformed, &[]), "unclear");
        assert_eq!(purchase(NoPromise, &Unknown, &[licence("a", 5, None)]), "unclear");
    }

    #[test]
    fn a_reservation_that_has_ended_as_asked_is_not_ended_again() {
        let of = |state: &str, more: &str| {
            let spec =
                json!({"subscriptionRef": {"external": "s"}, "state": state, "refund": more});
            let observed =
                Observed { spec: Spec::from_value(spec), ..licence("r", 1, None).observed };
            Candidate { observed, request_key: None }
        };
        let kinds = Kinds::default();
        let concluded = |after: &str, there: &[Candidate]| {
            let effect = Effect {
                verb: Verb::Update,
                kind: KindName::new("Reservation"),
                name: "web".to_owned(),
                external_id: Some("r".to_owned()),
                before: None,
                after: Some(of(after, "90.00 EUR").observed.spec),
                operation: "Return reservation".into(),
            };
            let entry = kinds.get("Reservation").unwrap();
            let promise = RequestKeys::None;
            conclude(entry, &effect, "k", promise, &KeyFound::Unknown, there, &|_| true)
        };
        let done = |candidate: &Candidate| Conclusion::Done(Some(candidate.observed.clone()));
        for state in ["Cancelled", "Exchanged"] {
            // The outside reckons otherwise, and has cancelled all the same.
            let there = of(state, "89.00 EUR");
            assert_eq!(concluded(state, std::slice::from_ref(&there)), done(&there));
            assert_eq!(concluded(state, &[of("Active", "")]), Conclusion::NotDone);
        }
        assert_eq!(concluded("Cancelled", &[of("Exchanged", "")]), Conclusion::NotDone);
        assert_eq!(concluded("Active", &[of("Active", "")]), Conclusion::NotDone);
    }

    #[test]
    fn a_purchase_is_done_when_its_key_says_so() {
        use RequestKeys::{Durable, None as NoPromise};
        let made = KeyFound::Performed(Some(licence("a", 5, None).observed));
        assert_eq!(purchase(NoPromise, &made, &[]), "done a");
        let tagged = [licence("b", 5, None), licence("a", 5, Some("k"))];
        assert_eq!(purchase(NoPromise, &KeyFound::Unknown, &tagged), "done a");
        let other = KeyFound::Performed(Some(licence("managed", 5, None).observed));
        assert_eq!(purchase(Durable, &other, &[]), "unclear");
        let not_ours = [licence("a", 5, Some("another key"))];
        assert_eq!(purchase(Durable, &KeyFound::NotPerformed, &not_ours), "not done");
    }

    #[test]
    fn a_key_that_is_said_to_have_made_another_thing_than_asked_for_is_not_believed() {
        let there = || licence("a", 5, None).observed;
        let other_kind = || Observed { kind: KindName::new("Customer"), ..there() };
        let said = |verb, id, thing| {
            concluded(verb, id, RequestKeys::Durable, &KeyFound::Performed(Some(thing)), &[])
        };
        assert_eq!(said(Verb::Create, None, there()), "done a");
        assert_eq!(said(Verb::Create, None, other_kind()), "unclear");
        assert_eq!(said(Verb::Update, Some("a"), there()), "done a");
        assert_eq!(said(Verb::Update, Some("b"), there()), "not done");
        assert_eq!(said(Verb::Update, Some("a"), other_kind()), "not done");
    }
}
