//! Batches: written whole or not at all, each against the revisions it names.

use super::operations::intent;
use super::{Factory, append, batch, put, put_thing, row};
use partnerctl::model::{KindName, Observed, Spec, Stored};
use partnerctl::store::{Filter, Missing, StoreError, Verification, Write, open};
use serde_json::json;
use std::path::{Path, PathBuf};

pub fn what_is_committed_is_there_after_reopening(factory: &dyn Factory) {
    let mut store = factory.open();
    let thing = Observed {
        kind: KindName::new("Budget"),
        external_id: "1".to_owned(),
        name: "contoso".to_owned(),
        spec: Spec::from_value(json!({"a": [1, "two", null]})),
    };
    let writes = vec![put(row("contoso", 1), None, None), put_thing(thing.clone()), append("1")];
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

pub fn a_batch_that_does_not_fit_changes_nothing(factory: &dyn Factory) {
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

pub fn a_large_batch_is_written_whole_or_not_at_all(factory: &dyn Factory) {
    let mut store = factory.open();
    store.commit(&batch(vec![put(row("contoso", 1), None, None)])).unwrap();
    let many = || -> Vec<Write> {
        let one = |number: usize| {
            [put(row(&format!("many-{number:04}"), 1), None, None), append(&number.to_string())]
        };
        (0..3_000).flat_map(one).collect()
    };
    for place in [0, 1, 4_000, 6_000] {
        let mut writes = many();
        writes.insert(place, put(row("contoso", 1), None, None));
        let error = store.commit(&batch(writes)).unwrap_err();
        assert!(matches!(error, StoreError::Stale { .. }), "at {place}: {error}");
        assert_eq!(store.resources().unwrap(), [row("contoso", 1)], "at {place}");
        assert_eq!(store.head().unwrap().seq, 0, "at {place}");
    }
    store.commit(&batch(many())).unwrap();
    assert_eq!(store.resources().unwrap().len(), 3_001);
    let last = store.activities(&Filter::default()).unwrap().pop().unwrap();
    assert_eq!((last.seq, last.operation_id.as_str()), (3_000, "2999"));
    let verified = store.verify(None).unwrap();
    assert!(matches!(verified, Verification::Good { head } if head.seq == 3_000));
}

pub fn renames_keep_the_row_and_deletes_take_it(factory: &dyn Factory) {
    let mut store = factory.open();
    store.commit(&batch(vec![put(row("contoso", 1), None, None)])).unwrap();
    let renamed = Stored { uid: row("contoso", 1).uid, ..row("contoso-nl", 2) };
    store.commit(&batch(vec![put(renamed.clone(), Some(1), Some("contoso"))])).unwrap();
    assert_eq!(store.resources().unwrap(), std::slice::from_ref(&renamed));
    store.commit(&batch(vec![Write::Delete { id: renamed.id, expected: 2 }])).unwrap();
    assert!(store.resources().unwrap().is_empty());
}

pub fn what_is_expected_of_a_resource_is_asked_in_the_same_batch(factory: &dyn Factory) {
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

pub fn catching_up_leaves_the_next_commit_less_and_changes_nothing(factory: &dyn Factory) {
    let (mut store, other) = (factory.open(), factory.open());
    store.commit(&batch(vec![put(row("contoso", 1), None, None), append("1")])).unwrap();
    let file = store.file().unwrap().to_owned();
    // What the file alone has, without the journal beside it.
    let file_alone = || {
        let copy = file.with_file_name("copy.db");
        std::fs::copy(&file, &copy).unwrap();
        let url = format!("sqlite:{}", copy.display());
        let rows = open(&url, Missing::Leave).unwrap().map(|store| store.resources().unwrap());
        rows.unwrap_or_default()
    };
    assert!(file_alone().is_empty());
    other
        .consistently(&mut |reading| {
            assert_eq!(reading.resources()?, [row("contoso", 1)]);
            store.commit(&batch(vec![put(row("fabrikam", 1), None, None)]))?;
            factory.open().catch_up().unwrap();
            assert_eq!(reading.resources()?, [row("contoso", 1)], "a reader sees what it saw");
            Ok(())
        })
        .unwrap();
    factory.open().catch_up().unwrap();
    assert_eq!(store.resources().unwrap(), [row("contoso", 1), row("fabrikam", 1)]);
    assert_eq!(file_alone(), store.resources().unwrap());
    store.commit(&batch(vec![put(row("zonnebloem", 1), None, None)])).unwrap();
    assert_eq!(other.resources().unwrap().len(), 3);
}

pub fn what_is_committed_ahead_is_seen_at_once_and_settles_with_what_came_before(
    factory: &dyn Factory,
) {
    let mut store = factory.open();
    let names = ["adatum", "contoso", "fabrikam"];
    let batches = names.map(|name| batch(vec![put(row(name, 1), None, None), append(name)]));
    let settlings = batches.each_ref().map(|batch| store.commit_ahead(batch).unwrap());
    let other = factory.open();
    assert_eq!(other.resources().unwrap(), names.map(|name| row(name, 1)));
    assert_eq!(other.head().unwrap(), store.head().unwrap());
    let error = store.commit_ahead(&batches[1]).err().unwrap();
    assert!(matches!(error, StoreError::Stale { .. }), "{error}");
    let last = settlings.into_iter().next_back().unwrap();
    std::thread::spawn(last).join().unwrap().unwrap();
    store.commit(&batch(vec![append("4")])).unwrap();
    assert_eq!(other.head().unwrap().seq, 4);
}

/// What a power loss leaves of the journal is whole up to some place.
pub fn of_batches_that_the_disk_lost_none_is_there_without_those_before_it(factory: &dyn Factory) {
    let mut store = factory.open();
    let Some(path) = store.file().map(Path::to_owned) else { return };
    let journal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    let names = ["adatum", "contoso", "fabrikam"];
    store.commit(&batch(vec![append("0")])).unwrap();
    let mut lengths = vec![journal(&path).metadata().unwrap().len()];
    for name in names {
        let writes = vec![put(row(name, 1), None, None), append(name)];
        let _settles_later = store.commit_ahead(&batch(writes)).unwrap();
        lengths.push(journal(&path).metadata().unwrap().len());
    }
    assert!(lengths.is_sorted_by(|a, b| a < b), "{lengths:?}");
    let whole = std::fs::read(journal(&path)).unwrap();
    for (count, pair) in lengths.windows(2).enumerate() {
        for length in [pair[0], pair[0].midpoint(pair[1]), pair[1] - 1] {
            let folder = tempfile::tempdir().unwrap();
            let copy = folder.path().join("state.db");
            std::fs::copy(&path, &copy).unwrap();
            let left = usize::try_from(length).unwrap();
            std::fs::write(journal(&copy), &whole[..left]).unwrap();
            let address = format!("sqlite:{}", copy.display());
            let left = open(&address, Missing::Leave).unwrap().unwrap();
            let rows: Vec<Stored> = names[..count].iter().map(|name| row(name, 1)).collect();
            assert_eq!(left.resources().unwrap(), rows, "of {length} bytes");
            let verified = left.verify(None).unwrap();
            let is_good =
                matches!(&verified, Verification::Good { head } if head.seq == 1 + count as i64);
            assert!(is_good, "of {length} bytes: {verified:?}");
        }
    }
}
