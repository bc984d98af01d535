//! The driver beside somebody who takes the lease over.

use super::{Ended, retry};
use crate::engine::lease::SharedStore;
use crate::engine::work::Work;
use crate::model::{Effect, KindName, Observed, Spec, Verb};
use crate::plan::Change;
use crate::plan::intent::{Intent, IntentState};
use crate::provider::{CallError, Candidate, KeyFound, Outside, Question, RequestKeys};
use crate::store::{Holder, Missing, Store, open};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Somebody else's connection to the store of this folder.
fn store(folder: &Path) -> Box<dyn Store> {
    let address = format!("sqlite:{}", folder.join("state.db").display());
    open(&address, Missing::Create).unwrap().unwrap()
}

/// Takes the lease, whoever holds it; gives its epoch.
fn take_lease(folder: &Path, host: &str) -> i64 {
    let holder = Holder {
        host: host.into(),
        boot_id: "b".into(),
        pid: 1,
        started: "1".into(),
        actor: "somebody".into(),
    };
    store(folder).acquire(&holder, Utc::now(), &|_| true).unwrap().unwrap()
}

/// A provider that says the first time that it is too busy, when somebody takes the lease over.
struct Busy<'a> {
    folder: &'a Path,
    is_taken_over: bool,
    asked: AtomicUsize,
}

impl Outside for Busy<'_> {
    fn identity(&self) -> String {
        "busy".to_owned()
    }

    fn request_keys(&self) -> Result<RequestKeys, CallError> {
        Ok(RequestKeys::None)
    }

    fn perform(&self, effect: &Effect, _: &str) -> Result<Option<Observed>, CallError> {
        if self.asked.fetch_add(1, Ordering::Relaxed) == 0 {
            if self.is_taken_over {
                take_lease(self.folder, "there");
            }
            return Err(CallError::Throttled { message: "too busy".into(), retry_after: None });
        }
        Ok(Some(Observed {
            kind: effect.kind.clone(),
            external_id: "1".to_owned(),
            name: effect.name.clone(),
            spec: effect.after.clone().unwrap(),
        }))
    }

    fn key(&self, _: &str) -> Result<KeyFound, CallError> {
        Ok(KeyFound::Unknown)
    }

    fn find(&self, _: &Question) -> Result<Vec<Candidate>, CallError> {
        Ok(Vec::new())
    }
}

fn work(folder: &Path) -> Work {
    let epoch = take_lease(folder, "here");
    Work::alone(SharedStore::new(store(folder)), epoch)
}

/// A purchase that a person has sent on its way again.
fn purchase() -> Intent {
    let spec = json!({"customerRef": {"external": "c"}, "quantity": 5,
        "offer": {"type": "License", "id": "X:1"}});
    let change: Change = serde_json::from_value(json!({
        "id": "Subscription/l", "kind": "Subscription", "name": "l", "uid": null, "set": "test",
        "revision": null, "action": "create", "reason": "new", "risk": "costly", "source": {},
        "fields": [], "operation": "Create order", "blocked": [], "waiting": null, "money": {},
        "dependsOn": [], "customer": null, "desired": null
    }))
    .unwrap();
    let effect = Effect {
        verb: Verb::Create,
        kind: KindName::new("Subscription"),
        name: "l".to_owned(),
        external_id: None,
        before: None,
        after: Some(Spec::from_value(spec)),
        operation: "Create order".into(),
    };
    Intent {
        operation_id: "operation".to_owned(),
        epoch: 1,
        change,
        effects: vec![effect],
        place: 0,
        actor: "a".to_owned(),
        command: "apply".to_owned(),
        plan_id: "plan".to_owned(),
        provider: "busy".to_owned(),
        begun_at: DateTime::<Utc>::UNIX_EPOCH,
        state: IntentState::Unknown,
        message: String::new(),
    }
}

#[test]
fn nothing_is_asked_of_a_provider_again_by_who_lost_the_lease_while_it_paused() {
    for is_taken_over in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let busy = Busy { folder, is_taken_over, asked: AtomicUsize::new(0) };
        let work = work(folder);
        let ended = retry(&work, &busy, purchase()).unwrap();
        let asked = busy.asked.into_inner();
        if is_taken_over {
            assert_eq!(asked, 1, "it was bought by who had nothing to say any more: {ended:?}");
            let Ended::Unknown(why) = &ended else { panic!("{ended:?}") };
            assert!(why.contains("another process has taken over: somebody on there"), "{why}");
            assert!(work.is_stopped());
            let intents = store(folder).intents().unwrap();
            assert_eq!(intents.len(), 1, "who took over finds the intent");
        } else {
            assert_eq!(asked, 2, "{ended:?}");
        }
    }
}
