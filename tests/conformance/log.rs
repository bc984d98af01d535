//! The activity log, and the commits it names.

use super::{Factory, append, batch, put, row};
use partnerctl::model::activity::Draft;
use partnerctl::model::{ResourceId, Source};
use partnerctl::store::{Filter, StoreError, Verification, Write};

pub fn the_log_is_gapless_filtered_and_verified(factory: &dyn Factory) {
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

pub fn a_commit_and_its_author_are_kept_and_the_hash_covers_both(factory: &dyn Factory) {
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

fn follow(what: &str, expected: Option<&str>, commit: &str) -> Write {
    Write::Follow {
        what: what.to_owned(),
        commit: commit.to_owned(),
        expected: expected.map(str::to_owned),
    }
}

pub fn the_commit_that_something_is_brought_to_is_known_for_each(factory: &dyn Factory) {
    let mut store = factory.open();
    assert_eq!(store.followed("test").unwrap(), None);
    store.commit(&batch(vec![follow("test", None, "c1"), follow("other", None, "c2")])).unwrap();
    let version = store.version().unwrap();
    store.commit(&batch(vec![follow("test", Some("c1"), "c3")])).unwrap();
    let store = factory.open();
    assert_eq!(store.followed("test").unwrap().as_deref(), Some("c3"));
    assert_eq!(store.followed("other").unwrap().as_deref(), Some("c2"));
    assert_eq!(store.version().unwrap(), version, "no resource was touched");
}

pub fn who_was_overtaken_does_not_say_which_commit_something_is_brought_to(factory: &dyn Factory) {
    let (mut slow, mut fast) = (factory.open(), factory.open());
    slow.commit(&batch(vec![follow("test", None, "c1")])).unwrap();
    fast.commit(&batch(vec![follow("test", Some("c1"), "c2")])).unwrap();
    for (expected, why) in [(Some("c1"), "it was c1"), (None, "it was none")] {
        let writes = vec![follow("other", None, "c1"), follow("test", expected, "c1")];
        let error = slow.commit(&batch(writes)).unwrap_err();
        let found =
            matches!(&error, StoreError::Overtaken { found, .. } if found.as_deref() == Some("c2"));
        assert!(found, "{why}: {error}");
    }
    assert_eq!(fast.followed("test").unwrap().as_deref(), Some("c2"));
    assert_eq!(fast.followed("other").unwrap(), None, "the batch is refused whole");
}
