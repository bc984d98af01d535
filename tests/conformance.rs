//! What every store must do, written against the trait: one suite, a factory for each store.

use crate::touches::*;
use chrono::{DateTime, TimeDelta, Utc};
use partnerctl::model::activity::{Draft, Outcome};
use partnerctl::model::{
    Activity, Effect, KindName, Metadata, Observed, ResourceId, Source, Spec, Stored, Suspension,
    Verb,
};
use partnerctl::plan::Change;
use partnerctl::plan::intent::{Intent, IntentState};
use partnerctl::store::{
    ApplyEnd, ApplyRecord, Approval, Batch, Contents, Filter, Head, Holder, Missing, Problems,
    Store, StoreError, Verification, Write, open,
};
use serde_json::json;

/// Opens the same store again and again; the first time it is empty.
pub trait Factory {
    fn open(&self) -> Box<dyn Store>;
    /// A factory of another store.
    fn another(&self) -> Box<dyn Factory>;
}

struct Sqlite(tempfile::TempDir);

impl Factory for Sqlite {
    fn open(&self) -> Box<dyn Store> {
        let url = format!("sqlite:{}", self.0.path().join("deep/er/state.db").display());
        open(&url, Missing::Create).unwrap().unwrap()
    }

    fn another(&self) -> Box<dyn Factory> {
        Box::new(sqlite())
    }
}

fn sqlite() -> Sqlite {
    Sqlite(tempfile::tempdir().unwrap())
}

fn at() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub fn row(name: &str, revision: i64) -> Stored {
    let spec =
        Spec::from_value(json!({"monthly": {"amount": "1234567890123456.78", "currency": "EUR"}}));
    Stored {
        id: ResourceId::new("Budget", name),
        uid: format!("uid of {name}").into(),
        set: "test".into(),
        generation: 1,
        revision,
        metadata: Metadata::default(),
        last_applied: Some(spec.clone()),
        observed: None,
        spec,
        external_id: Some(format!("external id of {name}")),
        conditions: Vec::new().into(),
        source: Source { file: Some("a\tb.yaml".into()), line: Some(7), ..Source::default() },
    }
}

pub fn put(row: Stored, expected: Option<i64>, previous: Option<&str>) -> Write {
    let previous = previous.map(|name| ResourceId::new("Budget", name));
    Write::Put { row: Box::new(row), expected, previous }
}

fn append(operation_id: &str) -> Write {
    Write::Append(Box::new(Draft {
        at: at(),
        actor: "a".to_owned(),
        source: Source::default(),
        command: "test".to_owned(),
        set: "test".to_owned(),
        resource: ResourceId::new("Budget", "contoso"),
        operation: "Update customer spending budget".to_owned(),
        before: None,
        after: Some(json!({"x": "é\u{0}"}).into()),
        plan_id: "plan".to_owned(),
        operation_id: operation_id.to_owned(),
        outcome: Outcome::Succeeded,
        reason: String::new(),
    }))
}

pub fn batch(writes: Vec<Write>) -> Batch {
    Batch { epoch: None, writes }
}

fn what_is_committed_is_there_after_reopening(factory: &dyn Factory) {
    let mut store = factory.open();
    let thing = Observed {
        kind: KindName::new("Budget"),
        external_id: "1".to_owned(),
        name: "contoso".to_owned(),
        spec: Spec::from_value(json!({"a": [1, "two", null]})),
    };
    let writes =
        vec![put(row("contoso", 1), None, None), Write::PutActual(thing.clone()), append("1")];
    store.commit(&batch(writes)).unwrap();
    let lineage = store.lineage().to_owned();
    drop(store);
    let store = factory.open();
    assert_eq!(store.lineage(), lineage);
    assert_eq!(store.resources().unwrap(), [row("contoso", 1)]);
    assert_eq!(store.actual().unwrap(), [thing]);
    let activities = store.activities(&Filter::default()).unwrap();
    assert_eq!(activities.len(), 1);
    assert_eq!(activities[0].after, Some(json!({"x": "é\u{0}"})));
    assert_eq!((activities[0].seq, store.head().unwrap().seq), (1, 1));
    assert_eq!(activities[0].hash, store.head().unwrap().hash);
}

fn a_batch_that_does_not_fit_changes_nothing(factory: &dyn Factory) {
    let mut store = factory.open();
    store.commit(&batch(vec![put(row("contoso", 1), None, None)])).unwrap();
    for (name, stale) in [
        ("made twice", put(row("contoso", 2), None, None)),
        ("another revision", put(row("contoso", 3), Some(2), None)),
        ("not there", put(row("fabrikam", 2), Some(1), None)),
        ("deleted at another revision", Write::Delete { id: row("contoso", 1).id, expected: 2 }),
        ("renamed onto another", put(row("contoso", 2), Some(1), Some("fabrikam"))),
    ] {
        let writes = vec![put(row("zonnebloem", 1), None, None), append("1"), stale];
        let error = store.commit(&batch(writes)).unwrap_err();
        assert!(matches!(error, StoreError::Stale { .. }), "{name}: {error}");
        assert_eq!(store.resources().unwrap(), [row("contoso", 1)], "{name}");
        assert_eq!(store.head().unwrap().seq, 0, "{name}");
    }
}

fn renames_keep_the_row_and_deletes_take_it(factory: &dyn Factory) {
    let mut store = factory.open();
    store.commit(&batch(vec![put(row("contoso", 1), None, None)])).unwrap();
    let renamed = Stored { uid: row("contoso", 1).uid, ..row("contoso-nl", 2) };
    store.commit(&batch(vec![put(renamed.clone(), Some(1), Some("contoso"))])).unwrap();
    assert_eq!(store.resources().unwrap(), std::slice::from_ref(&renamed));
    store.commit(&batch(vec![Write::Delete { id: renamed.id, expected: 2 }])).unwrap();
    assert!(store.resources().unwrap().is_empty());
}

fn the_log_is_gapless_filtered_and_verified(factory: &dyn Factory) {
    let mut store = factory.open();
    for group in 0..3 {
        let writes = (0..4).map(|n| append(&format!("{group} {n}"))).collect();
        store.commit(&batch(writes)).unwrap();
    }
    let seqs = |filter: &Filter| {
        store.activities(filter).unwrap().iter().map(|a| a.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(&Filter::default()), (1..=12).collect::<Vec<_>>());
    assert_eq!(seqs(&Filter { last: Some(2), ..Filter::default() }), [11, 12]);
    let other = Some(ResourceId::new("Budget", "fabrikam"));
    assert!(seqs(&Filter { resource: other, ..Filter::default() }).is_empty());
    let since = Some("2026-11-22T00:00:00.000Z".to_owned());
    assert!(seqs(&Filter { since, ..Filter::default() }).is_empty());
    let all = Filter {
        resource: Some(ResourceId::new("Budget", "contoso")),
        kind: Some("Budget".to_owned()),
        actor: Some("a".to_owned()),
        set: Some("test".to_owned()),
        plan_id: Some("plan".to_owned()),
        operation_id: None,
        operation: Some("Update customer spending budget".to_owned()),
        outcome: Some("succeeded".to_owned()),
        since: Some("2026-11-21T00:00:00.000Z".to_owned()),
        until: Some("2026-11-22T00:00:00.000Z".to_owned()),
        after: Some(0),
        before: Some(13),
        last: None,
    };
    assert_eq!(seqs(&all).len(), 12);
    // Page by page, from the newest back.
    let page = Filter { before: Some(5), last: Some(3), ..Filter::default() };
    assert_eq!(seqs(&page), [2, 3, 4]);
    assert_eq!(seqs(&Filter { after: Some(10), ..all }), [11, 12]);
    let head = store.head().unwrap();
    assert_eq!(store.verify(None).unwrap(), Verification::Good { head });
    let twice = store.commit(&batch(vec![append("0 0")]));
    assert!(twice.is_err(), "an operation has one activity");
}

fn the_lease_has_one_holder(factory: &dyn Factory) {
    let mut store = factory.open();
    let holder = |pid| Holder {
        host: "h".to_owned(),
        boot_id: "b".to_owned(),
        pid,
        started: "1".to_owned(),
        actor: "a".to_owned(),
    };
    let first = store.acquire(&holder(1), at(), &|_| false).unwrap().unwrap();
    let lease = store.acquire(&holder(2), at(), &|_| false).unwrap().unwrap_err();
    assert_eq!(lease.holder, holder(1));
    let later = at() + TimeDelta::seconds(9);
    store.renew(first, later).unwrap();
    let lease = store.acquire(&holder(2), at(), &|_| false).unwrap().unwrap_err();
    assert_eq!(lease.renewed_at, later);
    let second = store.acquire(&holder(2), at(), &|_| true).unwrap().unwrap();
    assert!(second > first);
    assert!(matches!(store.renew(first, at()), Err(StoreError::LeaseLost { .. })));
    let stale = Batch { epoch: Some(first), writes: vec![append("1")] };
    assert!(matches!(store.commit(&stale), Err(StoreError::LeaseLost { .. })));
    store.release(first).unwrap();
    assert!(
        store.acquire(&holder(3), at(), &|_| false).unwrap().is_err(),
        "not the old one's to give"
    );
    store.release(second).unwrap();
    assert!(store.acquire(&holder(3), at(), &|_| false).unwrap().is_ok());
}

fn holder() -> Holder {
    let text = |text: &str| text.to_owned();
    Holder { host: text("h"), boot_id: text("b"), pid: 1, started: text("1"), actor: text("a") }
}

fn lease(store: &mut dyn Store) -> i64 {
    store.acquire(&holder(), at(), &|_| false).unwrap().unwrap()
}

/// Everything a store says.
fn everything(store: &dyn Store) -> (Vec<Stored>, Vec<Observed>, Vec<Activity>, Head) {
    let activities = store.activities(&Filter::default()).unwrap();
    (store.resources().unwrap(), store.actual().unwrap(), activities, store.head().unwrap())
}

/// One more resource, with its state and its activity.
fn grow(store: &mut dyn Store, name: &str) {
    let spec = Spec::from_value(json!({"a": name}));
    let (kind, external_id) = (KindName::new("Budget"), name.to_owned());
    let actual = Observed { kind, external_id, name: name.to_owned(), spec };
    let writes = vec![put(row(name, 1), None, None), Write::PutActual(actual), append(name)];
    store.commit(&batch(writes)).unwrap();
}

fn restoring_a_backup_goes_back_to_it_for_everybody(factory: &dyn Factory) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    let mut store = factory.open();
    grow(store.as_mut(), "contoso");
    let then = everything(store.as_ref());
    let contents = store.backup(&file, Problems::Refused).unwrap();
    let is = (contents.lineage.as_str(), &contents.head, contents.resources);
    assert_eq!(is, (store.lineage(), &then.3, 1));
    let mut other = factory.open();
    grow(other.as_mut(), "fabrikam");
    grow(other.as_mut(), "zonnebloem");
    let examined = store.examine(&file).unwrap();
    assert_eq!((examined.lost, examined.onto_nothing), (2, false));
    let epoch = lease(store.as_mut());
    store.restore_from(&file, &examined.contents, epoch).unwrap();
    for store in [&store, &other, &factory.open()] {
        assert_eq!(everything(store.as_ref()), then);
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
    }
    // The lease is held as before, and work goes on under it.
    store.renew(epoch, at()).unwrap();
    assert!(other.acquire(&holder(), at(), &|_| false).unwrap().is_err());
    store.release(epoch).unwrap();
    grow(other.as_mut(), "tailspin");
    assert_eq!(other.verify(None).unwrap(), Verification::Good { head: store.head().unwrap() });
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

fn what_would_be_lost_is_counted_from_where_the_logs_part(factory: &dyn Factory) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let mut store = factory.open();
    assert!(factory.another().open().backup(&file("empty"), Problems::Refused).is_ok());
    assert!(store.examine(&file("empty")).unwrap().onto_nothing);
    for name in ["a", "b"] {
        grow(store.as_mut(), name);
    }
    store.backup(&file("two"), Problems::Refused).unwrap();
    for name in ["c", "d", "e"] {
        grow(store.as_mut(), name);
    }
    store.backup(&file("five"), Problems::Refused).unwrap();
    let lost = |store: &dyn Store, name: &str| store.examine(&file(name)).unwrap().lost;
    assert_eq!((lost(store.as_ref(), "two"), lost(store.as_ref(), "five")), (3, 0));
    let epoch = lease(store.as_mut());
    let two = store.examine(&file("two")).unwrap().contents;
    store.restore_from(&file("two"), &two, epoch).unwrap();
    assert_eq!((lost(store.as_ref(), "two"), lost(store.as_ref(), "five")), (0, 0));
    grow(store.as_mut(), "f");
    assert_eq!((lost(store.as_ref(), "two"), lost(store.as_ref(), "five")), (1, 1));
    assert_eq!(lost(store.as_ref(), "empty"), 3);
}

fn a_store_replaced_by_another_is_not_written_to_as_if_it_were_the_old_one(factory: &dyn Factory) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    let mut foreign = factory.another().open();
    grow(foreign.as_mut(), "contoso");
    foreign.backup(&file, Problems::Refused).unwrap();
    let (mut store, mut other) = (factory.open(), factory.open());
    grow(store.as_mut(), "fabrikam");
    let examined = store.examine(&file).unwrap();
    assert_eq!((examined.lost, examined.contents.lineage.as_str()), (1, foreign.lineage()));
    let epoch = lease(store.as_mut());
    store.restore_from(&file, &examined.contents, epoch).unwrap();
    assert_eq!(store.lineage(), foreign.lineage());
    assert_eq!(everything(store.as_ref()), everything(foreign.as_ref()));
    let error = other.commit(&batch(vec![append("late")])).unwrap_err();
    assert!(matches!(error, StoreError::Replaced { .. }), "{error}");
    let error = other.acquire(&holder(), at(), &|_| true).unwrap_err();
    assert!(matches!(error, StoreError::Replaced { .. }), "{error}");
    store.commit(&Batch { epoch: Some(epoch), writes: vec![append("in time")] }).unwrap();
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

fn what_is_no_whole_backup_is_refused_and_changes_nothing(factory: &dyn Factory) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let mut store = factory.open();
    for number in 0..40 {
        grow(store.as_mut(), &format!("c{number}"));
    }
    let contents = store.backup(&file("good"), Problems::Refused).unwrap();
    let epoch = lease(store.as_mut());
    grow(store.as_mut(), "later");
    let then = everything(store.as_ref());
    let good = std::fs::read(file("good")).unwrap();
    let mut torn = good.clone();
    torn[good.len() / 2..].fill(0);
    for (name, bytes) in [
        ("cut", &good[..good.len() / 2]),
        ("torn", torn.as_slice()),
        ("empty", b"".as_slice()),
        ("notes", b"these are notes, not a database".as_slice()),
    ] {
        std::fs::write(file(name), bytes).unwrap();
        let restored = store.restore_from(&file(name), &contents, epoch);
        assert!(restored.is_err(), "{name}");
        assert_eq!(everything(store.as_ref()), then, "{name}");
    }
    assert!(store.examine(&file("not there")).is_err());
    let other = Contents { resources: 7, ..contents.clone() };
    assert!(store.restore_from(&file("good"), &other, epoch).is_err(), "not as it was examined");
    let stale = store.restore_from(&file("good"), &contents, epoch - 1).unwrap_err();
    assert!(matches!(stale, StoreError::LeaseLost { .. }), "{stale}");
    assert_eq!(everything(store.as_ref()), then);
    assert_eq!(std::fs::read(file("good")).unwrap(), good, "a backup is only read");
    store.restore_from(&file("good"), &contents, epoch).unwrap();
    assert_eq!(store.resources().unwrap().len(), 40);
}

fn a_backup_made_while_others_write_is_of_one_moment(factory: &dyn Factory) {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = factory.open();
    let writing = std::thread::spawn(move || {
        for number in 0..60 {
            grow(writer.as_mut(), &format!("c{number}"));
        }
    });
    let store = factory.open();
    let mut number = 0;
    while !writing.is_finished() || number == 0 {
        let file = folder.path().join(number.to_string());
        let contents = store.backup(&file, Problems::Refused).unwrap();
        // Each batch has one resource and one activity.
        assert_eq!(i64::try_from(contents.resources).unwrap(), contents.head.seq);
        assert_eq!(store.examine(&file).unwrap().contents, contents);
        number += 1;
    }
    writing.join().unwrap();
    assert_eq!(store.head().unwrap().seq, 60);
}

fn intent(operation_id: &str, begun: i64) -> Intent {
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
        operation: "Create order".to_owned(),
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

fn intents_stay_until_they_are_taken_away(factory: &dyn Factory) {
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

fn what_is_expected_of_a_resource_is_asked_in_the_same_batch(factory: &dyn Factory) {
    let mut store = factory.open();
    store.commit(&batch(vec![put(row("contoso", 3), None, None)])).unwrap();
    let expect = |name: &str, revision| Write::Expect { id: row(name, 1).id, revision };
    store.commit(&batch(vec![expect("contoso", Some(3)), expect("fabrikam", None)])).unwrap();
    let put_intent = || Write::PutIntent(Box::new(intent("a", 0)));
    for wrong in [
        expect("contoso", None),
        expect("contoso", Some(2)),
        expect("contoso", Some(4)),
        expect("fabrikam", Some(1)),
    ] {
        let error = store.commit(&batch(vec![wrong, put_intent()])).unwrap_err();
        assert!(matches!(error, StoreError::Stale { .. }), "{error}");
    }
    assert_eq!(store.intents().unwrap(), []);
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

fn a_plan_is_applied_once(factory: &dyn Factory) {
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

fn approvals_stay_until_they_are_used_or_withdrawn(factory: &dyn Factory) {
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

fn suspensions_stay_until_they_are_ended_as_they_were_meant(factory: &dyn Factory) {
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

fn a_commit_and_its_author_are_kept_and_the_hash_covers_both(factory: &dyn Factory) {
    let mut store = factory.open();
    let of = |id: &str, author: Option<&str>| {
        let Write::Append(draft) = append(id) else { unreachable!() };
        let source = Source {
            commit: Some("c1".into()),
            author: author.map(Into::into),
            ..Source::default()
        };
        Write::Append(Box::new(Draft { source, ..*draft }))
    };
    store.commit(&batch(vec![of("1", Some("a")), of("2", None), of("3", Some(""))])).unwrap();
    let activities = store.activities(&Filter::default()).unwrap();
    let authors: Vec<_> = activities.iter().map(|one| one.source.author.as_deref()).collect();
    assert_eq!(authors, [Some("a"), None, Some("")]);
    assert!(activities.iter().all(|one| one.source.commit.as_deref() == Some("c1")));
    assert!(matches!(store.verify(None).unwrap(), Verification::Good { .. }));
    let source = Source { author: Some("a".into()), ..source_at("c1") };
    let mut written = row("contoso", 1);
    written.source = source;
    store.commit(&batch(vec![put(written, None, None)])).unwrap();
    assert_eq!(store.resources().unwrap()[0].source, source_at("c1"), "no row names people");
}

fn source_at(commit: &str) -> Source {
    Source { file: Some("a.yaml".into()), line: Some(1), commit: Some(commit.into()), author: None }
}

fn the_commit_that_something_is_brought_to_is_known_for_each(factory: &dyn Factory) {
    let mut store = factory.open();
    assert_eq!(store.followed("test").unwrap(), None);
    let follow = |what: &str, commit: &str| Write::Follow {
        what: what.to_owned(),
        commit: commit.to_owned(),
    };
    store.commit(&batch(vec![follow("test", "c1"), follow("other", "c2")])).unwrap();
    let version = store.version().unwrap();
    store.commit(&batch(vec![follow("test", "c3")])).unwrap();
    let store = factory.open();
    assert_eq!(store.followed("test").unwrap().as_deref(), Some("c3"));
    assert_eq!(store.followed("other").unwrap().as_deref(), Some("c2"));
    assert_eq!(store.version().unwrap(), version, "no resource was touched");
}

macro_rules! conformance {
    ($store:ident: $($case:ident)*) => {
        mod $store {
            $(#[test]
            fn $case() {
                super::$case(&super::$store());
            })*
        }
    };
}

conformance! { sqlite:
    what_is_committed_is_there_after_reopening
    a_batch_that_does_not_fit_changes_nothing
    renames_keep_the_row_and_deletes_take_it
    the_log_is_gapless_filtered_and_verified
    the_lease_has_one_holder
    restoring_a_backup_goes_back_to_it_for_everybody
    what_would_be_lost_is_counted_from_where_the_logs_part
    a_store_replaced_by_another_is_not_written_to_as_if_it_were_the_old_one
    what_is_no_whole_backup_is_refused_and_changes_nothing
    a_backup_made_while_others_write_is_of_one_moment
    intents_stay_until_they_are_taken_away
    what_is_expected_of_a_resource_is_asked_in_the_same_batch
    a_plan_is_applied_once
    approvals_stay_until_they_are_used_or_withdrawn
    suspensions_stay_until_they_are_ended_as_they_were_meant
    what_moved_since_a_version_is_known
    a_restored_store_is_no_version_of_what_it_was
    too_much_or_too_long_ago_is_not_known
    a_judgement_is_of_the_version_of_its_batch
    some_rows_and_things_are_found_without_the_others
    a_commit_and_its_author_are_kept_and_the_hash_covers_both
    the_commit_that_something_is_brought_to_is_known_for_each
}

#[test]
fn an_intent_that_somebody_altered_is_refused() {
    for (column, value) in [
        (
            "effects",
            r#"[{"verb": "delete", "kind": "Customer", "name": "contoso", "externalId": "1", "before": null, "after": null, "operation": ""}]"#,
        ),
        ("effects", "[]"),
        ("effects", "{"),
        ("place", "1"),
        ("place", "9"),
        ("change", "{}"),
        ("body_hash", "x"),
        ("request_key", "x"),
        ("operation_id", "another"),
        ("state", "done"),
        ("begun_at", "yesterday"),
    ] {
        let factory = sqlite();
        let mut store = factory.open();
        store.commit(&batch(vec![Write::PutIntent(Box::new(intent("a", 0)))])).unwrap();
        let path = factory.0.path().join("deep/er/state.db");
        let connection = rusqlite::Connection::open(path).unwrap();
        let changed = connection.execute(&format!("UPDATE intents SET {column} = $1"), [value]);
        assert_eq!(changed, Ok(1), "{column}");
        let error = store.intents().unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{column}: {error}");
        assert_eq!(store.check().unwrap().len(), 1, "{column}");
    }
}

#[test]
fn every_problem_of_a_store_is_told() {
    let factory = sqlite();
    let mut store = factory.open();
    for name in ["contoso", "fabrikam", "zonnebloem"] {
        grow(store.as_mut(), name);
    }
    lease(store.as_mut());
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    let connection = rusqlite::Connection::open(factory.0.path().join("deep/er/state.db")).unwrap();
    connection
        .execute_batch(
            "UPDATE resources SET spec = '{' WHERE name = 'contoso'; \
             UPDATE resources SET conditions = 'x' WHERE name = 'fabrikam'; \
             UPDATE actual SET spec = '[1]' WHERE name = 'zonnebloem'; \
             UPDATE activities SET actor = 'somebody else' WHERE seq = 2; \
             UPDATE leases SET held = 2, since = 'yesterday', epoch = 0;",
        )
        .unwrap();
    let told = store.check().unwrap();
    let wanted = [
        "Budget/contoso in the store cannot be read: EOF while parsing an object at line 1 column 1",
        "Budget/fabrikam in the store cannot be read: expected value at line 1 column 1",
        "actual Budget/zonnebloem in the store cannot be read: invalid type: sequence, expected a map at line 1 column 0",
        "activity 2: it is not as it was written",
        "lease apply: its epoch is 0",
        "lease apply: held is 2, neither 0 nor 1",
        "lease apply: `yesterday` is no time",
    ];
    assert_eq!(told, wanted);
    let folder = tempfile::tempdir().unwrap();
    let refused = store.backup(&folder.path().join("backup.db"), Problems::Refused).unwrap_err();
    assert!(refused.to_string().contains("Budget/contoso in the store"), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    // Pages of zeros: what SQLite says of them is told too.
    drop(store);
    let path = factory.0.path().join("deep/er/state.db");
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4096..].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let told = factory.open().check().unwrap();
    assert!(told.iter().any(|problem| problem.starts_with("file: ")), "{told:?}");
}

#[test]
fn a_newer_schema_and_a_changed_migration_are_refused() {
    let factory = sqlite();
    drop(factory.open());
    let path = factory.0.path().join("deep/er/state.db");
    let url = format!("sqlite:{}", path.display());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("INSERT INTO migrations VALUES (99, 'x')", []).unwrap();
    assert!(matches!(open(&url, Missing::Leave), Err(StoreError::Newer { found: 99, .. })));
    connection.execute("DELETE FROM migrations WHERE version = 99", []).unwrap();
    connection.execute("UPDATE migrations SET checksum = 'x'", []).unwrap();
    assert!(matches!(open(&url, Missing::Leave), Err(StoreError::ForeignMigration { version: 1 })));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    std::fs::write(&path, "these are notes, not a database").unwrap();
    let url = format!("sqlite:{}", path.display());
    assert!(open(&url, Missing::Create).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "these are notes, not a database");
    assert!(matches!(open("mysql://x", Missing::Leave), Err(StoreError::Address { .. })));
    assert!(open("sqlite:/nowhere/at/all.db", Missing::Leave).unwrap().is_none());
}
