//! Backups: of one moment, whole or refused, and going back to one.

use super::lease::{holder, lease};
use super::{Factory, append, at, batch, grow};
use partnerctl::model::{Activity, Observed, Stored};
use partnerctl::store::{Batch, Contents, Filter, Head, Problems, Store, StoreError, Verification};

/// Everything a store says.
fn everything(store: &dyn Store) -> (Vec<Stored>, Vec<Observed>, Vec<Activity>, Head) {
    let activities = store.activities(&Filter::default()).unwrap();
    (store.resources().unwrap(), store.actual().unwrap(), activities, store.head().unwrap())
}

pub fn restoring_a_backup_goes_back_to_it_for_everybody(factory: &dyn Factory) {
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

pub fn what_would_be_lost_is_counted_from_where_the_logs_part(factory: &dyn Factory) {
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

pub fn a_store_replaced_by_another_is_not_written_to_as_if_it_were_the_old_one(
    factory: &dyn Factory,
) {
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

pub fn what_is_no_whole_backup_is_refused_and_changes_nothing(factory: &dyn Factory) {
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

pub fn a_backup_made_while_others_write_is_of_one_moment(factory: &dyn Factory) {
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
