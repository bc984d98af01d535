//! The lease: one holder, and nothing is written under one that was lost.

use super::{Factory, append, at};
use chrono::TimeDelta;
use partnerctl::store::{Batch, Holder, Store, StoreError};

pub fn the_lease_has_one_holder(factory: &dyn Factory) {
    let mut store = factory.open();
    let holder = |pid| Holder { pid, ..holder() };
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

pub fn holder() -> Holder {
    let text = |text: &str| text.to_owned();
    Holder { host: text("h"), boot_id: text("b"), pid: 1, started: text("1"), actor: text("a") }
}

pub fn lease(store: &mut dyn Store) -> i64 {
    store.acquire(&holder(), at(), &|_| false).unwrap().unwrap()
}
