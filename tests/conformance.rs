//! What every store must do, written against the trait: one suite, a factory for each store.

use chrono::{DateTime, TimeDelta, Utc};
use partnerctl::model::activity::{Draft, Outcome};
use partnerctl::model::{KindName, Metadata, Observed, ResourceId, Source, Spec, Stored};
use partnerctl::store::{
    Batch, Filter, Holder, Missing, Store, StoreError, Verification, Write, open,
};
use serde_json::json;

/// Opens the same store again and again; the first time it is empty.
trait Factory {
    fn open(&self) -> Box<dyn Store>;
}

struct Sqlite(tempfile::TempDir);

impl Factory for Sqlite {
    fn open(&self) -> Box<dyn Store> {
        let url = format!("sqlite:{}", self.0.path().join("deep/er/state.db").display());
        open(&url, Missing::Create).unwrap().unwrap()
    }
}

fn sqlite() -> Sqlite {
    Sqlite(tempfile::tempdir().unwrap())
}

fn at() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn row(name: &str, revision: i64) -> Stored {
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
        source: Source { file: Some("a\tb.yaml".into()), line: Some(7), commit: None },
    }
}

fn put(row: Stored, expected: Option<i64>, previous: Option<&str>) -> Write {
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
        after: Some(json!({"x": "é\u{0}"})),
        plan_id: "plan".to_owned(),
        operation_id: operation_id.to_owned(),
        outcome: Outcome::Succeeded,
        reason: String::new(),
    }))
}

fn batch(writes: Vec<Write>) -> Batch {
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
        operation: Some("Update customer spending budget".to_owned()),
        outcome: Some("succeeded".to_owned()),
        since: Some("2026-11-21T00:00:00.000Z".to_owned()),
        until: Some("2026-11-22T00:00:00.000Z".to_owned()),
        last: None,
    };
    assert_eq!(seqs(&all).len(), 12);
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
