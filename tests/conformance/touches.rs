//! What a store says of what moved, and finds without reading the rest.

use super::{Factory, batch, put, put_thing, row};
use partnerctl::model::{KindName, Observed, ResourceId, Spec};
use partnerctl::store::{Judgement, Problems, Store, Touched, Version, Write};
use serde_json::json;

fn thing(external_id: &str) -> Observed {
    Observed {
        kind: KindName::new("Budget"),
        external_id: external_id.to_owned(),
        name: external_id.to_owned(),
        spec: Spec::from_value(json!({"a": 1})),
    }
}

fn touched(rows: &[&str], things: &[&str]) -> Touched {
    let kind = KindName::new("Budget");
    Touched {
        rows: rows.iter().map(|name| ResourceId::new("Budget", name)).collect(),
        things: things.iter().map(|id| (kind.clone(), (*id).to_owned())).collect(),
    }
}

pub fn what_moved_since_a_version_is_known(factory: &dyn Factory) {
    let mut store = factory.open();
    let start = store.version().unwrap();
    let since = |store: &dyn Store, version: &Version| store.touched_since(version).unwrap();
    assert_eq!(since(store.as_ref(), &start), Some(Touched::default()));
    // The thing of a row that is written with it is told by the row.
    let its = thing("external id of contoso");
    let writes = vec![put(row("contoso", 1), None, None), put_thing(its)];
    store.commit(&batch(writes)).unwrap();
    let first = store.version().unwrap();
    store.commit(&batch(vec![put_thing(thing("alone"))])).unwrap();
    assert_eq!(since(store.as_ref(), &first), Some(touched(&[], &["alone"])));
    assert_eq!(since(store.as_ref(), &start), Some(touched(&["contoso"], &["alone"])));
    // A renamed row under both names; a deleted one with the thing it leaves behind.
    let second = store.version().unwrap();
    let mut renamed = row("fabrikam", 2);
    renamed.external_id = Some("external id of contoso".to_owned());
    store.commit(&batch(vec![put(renamed, Some(1), Some("contoso"))])).unwrap();
    assert_eq!(since(store.as_ref(), &second), Some(touched(&["contoso", "fabrikam"], &[])));
    let third = store.version().unwrap();
    let id = ResourceId::new("Budget", "fabrikam");
    store.commit(&batch(vec![Write::Delete { id, expected: 2 }])).unwrap();
    let left = touched(&["fabrikam"], &["external id of contoso"]);
    assert_eq!(since(store.as_ref(), &third), Some(left));
    // What touches nothing is no new version, and what is refused neither.
    let last = store.version().unwrap();
    store.commit(&batch(Vec::new())).unwrap();
    assert!(store.commit(&batch(vec![put(row("x", 2), Some(1), None)])).is_err());
    assert_eq!(factory.open().version().unwrap(), last);
    assert_eq!(since(store.as_ref(), &Version { token: "x".to_owned(), ..last }), None);
}

pub fn a_restored_store_is_no_version_of_what_it_was(factory: &dyn Factory) {
    let mut store = factory.open();
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let holder = partnerctl::engine::machine::this_process("a");
    let epoch = store.acquire(&holder, now, &|_| false).unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.db");
    store.commit(&batch(vec![put(row("contoso", 1), None, None)])).unwrap();
    let contents = store.backup(&backup, Problems::Refused).unwrap();
    let kept = store.version().unwrap();
    store.commit(&batch(vec![put(row("fabrikam", 1), None, None)])).unwrap();
    let lost = store.version().unwrap();
    store.restore_from(&backup, &contents, epoch).unwrap();
    assert_eq!(store.version().unwrap(), kept);
    assert_eq!(store.touched_since(&lost).unwrap(), None);
    // The same number again, of something else.
    store.commit(&batch(vec![put(row("zonnebloem", 1), None, None)])).unwrap();
    assert_eq!(store.version().unwrap().number, lost.number);
    assert_eq!(store.touched_since(&lost).unwrap(), None);
}

pub fn too_much_or_too_long_ago_is_not_known(factory: &dyn Factory) {
    let mut store = factory.open();
    let start = store.version().unwrap();
    let many = (0..10_001).map(|n| put_thing(thing(&n.to_string()))).collect();
    store.commit(&batch(many)).unwrap();
    assert_eq!(store.touched_since(&start).unwrap(), None);
    // Old versions go once enough came after them; the newest stay.
    let then = store.version().unwrap();
    for round in 0..12 {
        let some = (0..10_000).map(|n| put_thing(thing(&n.to_string()))).collect();
        store.commit(&batch(some)).unwrap();
        let known = store.touched_since(&then).unwrap().map(|touched| touched.len());
        assert_eq!(known, Some(10_000), "{round}");
    }
    for _ in 0..64 {
        store.commit(&batch(vec![put_thing(thing("1"))])).unwrap();
    }
    assert_eq!(store.touched_since(&then).unwrap(), None);
    assert!(store.touched_since(&store.version().unwrap()).unwrap().is_some());
}

pub fn a_judgement_is_of_the_version_of_its_batch(factory: &dyn Factory) {
    let mut store = factory.open();
    assert_eq!(store.judgement("test").unwrap(), None);
    let judgement = |program: &str| Judgement {
        set: "test".to_owned(),
        program: program.to_owned(),
        unmanaged: true,
        version: Version::default(),
    };
    let writes = vec![Write::Judge(judgement("one")), put(row("contoso", 1), None, None)];
    store.commit(&batch(writes)).unwrap();
    let version = store.version().unwrap();
    let kept = Judgement { version: version.clone(), ..judgement("one") };
    assert_eq!(store.judgement("test").unwrap(), Some(kept));
    assert_eq!(store.judgement("other").unwrap(), None);
    store.commit(&batch(vec![Write::Judge(judgement("two"))])).unwrap();
    let kept = Judgement { version, ..judgement("two") };
    assert_eq!(factory.open().judgement("test").unwrap(), Some(kept));
}

pub fn some_rows_and_things_are_found_without_the_others(factory: &dyn Factory) {
    let mut store = factory.open();
    let mut writes: Vec<_> =
        ["a", "b", "c"].iter().map(|name| put(row(name, 1), None, None)).collect();
    let ids = ["external id of a", "external id of b", "free"];
    writes.extend(ids.iter().map(|id| put_thing(thing(id))));
    store.commit(&batch(writes)).unwrap();
    let wanted = touched(&["c", "a", "none"], &["free", "external id of b", "none"]);
    assert_eq!(store.resources_of(&wanted.rows).unwrap(), [row("a", 1), row("c", 1)]);
    let things = store.actual_of(&wanted.things).unwrap();
    assert_eq!(things, [thing("external id of b"), thing("free")]);
    assert_eq!(store.unmanaged().unwrap(), [thing("free")]);
    let kind = KindName::new("Budget");
    let holder = store.holder_of(&kind, "external id of b").unwrap();
    assert_eq!(holder, Some(ResourceId::new("Budget", "b")));
    assert_eq!(store.holder_of(&kind, "free").unwrap(), None);
    assert!(store.manages_any(&kind).unwrap());
    assert!(!store.manages_any(&KindName::new("Budge")).unwrap());
    let mut seen = Vec::new();
    store
        .glance(&mut |row| seen.push((row.name.to_owned(), row.spec.to_owned(), row.source.1)))
        .unwrap();
    seen.sort();
    let spec = row("a", 1).spec.canonical();
    assert_eq!(seen, ["a", "b", "c"].map(|name| (name.to_owned(), spec.clone(), Some(7))));
}
