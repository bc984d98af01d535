//! What is under way or meant: intents, applies, approvals, suspensions.

use super::{Factory, append, at, batch, row};
use chrono::TimeDelta;
use partnerctl::model::{Effect, KindName, ResourceId, Spec, Suspension, Verb};
use partnerctl::plan::Change;
use partnerctl::plan::intent::{Intent, IntentState};
use partnerctl::store::{ApplyEnd, ApplyRecord, Approval, StoreError, Write};
use serde_json::json;

pub fn intent(operation_id: &str, begun: i64) -> Intent {
    let change: Change = serde_json::from_value(json!({
        "id": "Subscription/l", "kind": "Subscription", "name": "l", "uid": null, "set": "test",
        "revision": null, "action": "create", "reason": "new", "risk": "costly", "source": {},
        "fields": [], "desired": null, "operation": "Create order", "blocked": [],
        "waiting": null, "money": {}, "dependsOn": [], "customer": "contoso"
    }))
    .unwrap();
    let effect = |verb, quantity| Effect {
        verb,
        kind: KindName::new("Subscription"),
        name: "l".to_owned(),
        external_id: None,
        before: None,
        after: Some(Spec::from_value(json!({"quantity": quantity}))),
        operation: "Create order".into(),
    };
    Intent {
        operation_id: operation_id.to_owned(),
        epoch: 7,
        change,
        effects: vec![effect(Verb::Create, 5), effect(Verb::Delete, 1)],
        place: 0,
        actor: "a".to_owned(),
        command: "apply".to_owned(),
        plan_id: "plan".to_owned(),
        provider: "a program".to_owned(),
        begun_at: at() + TimeDelta::seconds(begun),
        state: IntentState::Open,
        message: String::new(),
    }
}

pub fn intents_stay_until_they_are_taken_away(factory: &dyn Factory) {
    let mut store = factory.open();
    let (first, second) = (intent("b", 0), intent("a", 1));
    let put = |intent: &Intent| Write::PutIntent(Box::new(intent.clone()));
    store.commit(&batch(vec![put(&second), put(&first)])).unwrap();
    assert_eq!(factory.open().intents().unwrap(), [first.clone(), second.clone()]);
    let (state, message) = (IntentState::Unknown, "no trace".to_owned());
    let parked = Intent { state, message, epoch: 8, ..first.clone() };
    store.commit(&batch(vec![put(&parked)])).unwrap();
    assert_eq!(store.intents().unwrap(), [parked.clone(), second]);
    assert_eq!(parked.request_key(), first.request_key(), "the key outlives every attempt");
    let next = first.next("c".to_owned(), at()).unwrap();
    assert!(next.request_key() != first.request_key() && next.next("d".to_owned(), at()).is_none());
    let drop = |id: &str| Write::DropIntent { operation_id: id.to_owned() };
    let stale = Write::Expect { id: row("contoso", 1).id, revision: Some(1) };
    assert!(store.commit(&batch(vec![drop("a"), drop("b"), stale])).is_err());
    assert_eq!(store.intents().unwrap().len(), 2);
    store.commit(&batch(vec![drop("a"), put(&next), drop("b")])).unwrap();
    assert_eq!(factory.open().intents().unwrap(), [next]);
}

fn applied(digest: &str) -> ApplyRecord {
    ApplyRecord {
        id: format!("apply {digest}"),
        plan_id: "p".to_owned(),
        digest: digest.to_owned(),
        actor: "a".to_owned(),
        begun_at: at(),
        end: None,
    }
}

pub fn a_plan_is_applied_once(factory: &dyn Factory) {
    let mut store = factory.open();
    let begin = |record: &ApplyRecord| Write::BeginApply(Box::new(record.clone()));
    assert_eq!((store.last_apply().unwrap(), store.apply_of("1").unwrap()), (None, None));
    store.commit(&batch(vec![begin(&applied("1"))])).unwrap();
    store.commit(&batch(vec![begin(&applied("2"))])).unwrap();
    assert_eq!(store.last_apply().unwrap(), Some(applied("2")));
    let end = ApplyEnd { at: at(), done: 1, failed: 2, unknown: 3, not_begun: 4 };
    store.commit(&batch(vec![Write::EndApply { id: applied("1").id, end }])).unwrap();
    let ended = ApplyRecord { end: Some(end), ..applied("1") };
    assert_eq!(factory.open().apply_of("1").unwrap(), Some(ended));
    assert_eq!(store.apply_of("2").unwrap(), Some(applied("2")));
    // Ended or not: under whatever id it comes again, nothing of its batch is written.
    for digest in ["1", "2"] {
        let again = ApplyRecord { id: "another".to_owned(), ..applied(digest) };
        let error = store.commit(&batch(vec![append("x"), begin(&again)])).unwrap_err();
        let is_typed = matches!(&error, StoreError::AlreadyApplied { plan_id, actor }
            if plan_id == "p" && actor == "a");
        assert!(is_typed, "{error}");
    }
    assert_eq!(store.head().unwrap().seq, 0);
}

pub fn approvals_stay_until_they_are_used_or_withdrawn(factory: &dyn Factory) {
    let mut store = factory.open();
    let approval = |plan_id: &str, actor: &str, seconds| Approval {
        plan_id: plan_id.to_owned(),
        actor: actor.to_owned(),
        at: at() + TimeDelta::seconds(seconds),
    };
    let approve = |given: Approval| Write::Approve(given);
    let writes = vec![approve(approval("a", "x", 2)), approve(approval("b", "x", 1))];
    store.commit(&batch(writes)).unwrap();
    assert_eq!(factory.open().approvals().unwrap(), [approval("b", "x", 1), approval("a", "x", 2)]);
    store.commit(&batch(vec![approve(approval("b", "y", 3))])).unwrap();
    assert_eq!(store.approvals().unwrap(), [approval("a", "x", 2), approval("b", "y", 3)]);
    let withdraw = |id: &str| Write::WithdrawApproval { plan_id: id.to_owned() };
    store.commit(&batch(vec![withdraw("a"), withdraw("not there")])).unwrap();
    assert_eq!(store.approvals().unwrap(), [approval("b", "y", 3)]);
}

pub fn suspensions_stay_until_they_are_ended_as_they_were_meant(factory: &dyn Factory) {
    let mut store = factory.open();
    let one = |name: &str, with_all_of_it, until: Option<i64>| Suspension {
        resource: ResourceId::new("Customer", name),
        with_all_of_it,
        set: "s".to_owned(),
        actor: "a".to_owned(),
        since: at(),
        until: until.map(|seconds| at() + TimeDelta::seconds(seconds)),
        reason: "why".to_owned(),
    };
    let suspend = |one: Suspension| Write::Suspend(Box::new(one));
    let end = |one: Suspension| Write::Unsuspend(Box::new(one));
    let before = store.version().unwrap();
    let writes = vec![suspend(one("b", false, None)), suspend(one("a", true, Some(1)))];
    store.commit(&batch(writes)).unwrap();
    let both = [one("a", true, Some(1)), one("b", false, None)];
    assert_eq!(factory.open().suspensions().unwrap(), both);
    // Said anew until when: who meant the old end does not end it.
    store.commit(&batch(vec![suspend(one("a", true, Some(2)))])).unwrap();
    let others = [one("a", true, Some(1)), one("a", false, Some(2)), one("b", true, None)];
    store.commit(&batch(others.map(end).to_vec())).unwrap();
    assert_eq!(store.suspensions().unwrap(), [one("a", true, Some(2)), one("b", false, None)]);
    let writes = [one("a", true, Some(2)), one("b", false, None)].map(end).to_vec();
    store.commit(&batch(writes)).unwrap();
    assert_eq!(store.suspensions().unwrap(), []);
    // No row moved, and the log has nothing of it.
    assert_eq!((store.version().unwrap(), store.head().unwrap().seq), (before, 0));
}
