//! What SQLite alone can suffer: files that somebody altered, broke, or made with another version.

use super::lease::lease;
use super::operations::intent;
use super::{Factory, batch, grow, sqlite};
use partnerctl::store::{Missing, Problems, StoreError, Write, open};

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
