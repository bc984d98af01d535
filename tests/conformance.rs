//! What every store must do, written against the trait: one suite, a factory for each store.

mod backups;
mod batches;
mod damage;
mod lease;
mod log;
mod operations;
mod touches;

use backups::*;
use batches::*;
use chrono::{DateTime, Utc};
use lease::*;
use log::*;
use operations::*;
use partnerctl::model::activity::{Draft, Outcome};
use partnerctl::model::{KindName, Metadata, Observed, ResourceId, Source, Spec, Stored};
use partnerctl::store::{Batch, Missing, Store, Write, open};
use serde_json::json;
use std::sync::Arc;
use touches::*;

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

/// The same store by a link to it from another folder.
#[cfg(unix)]
struct Linked(Sqlite);

#[cfg(unix)]
impl Factory for Linked {
    fn open(&self) -> Box<dyn Store> {
        drop(self.0.open());
        let (file, link) =
            (self.0.0.path().join("deep/er/state.db"), self.0.0.path().join("link.db"));
        if !link.exists() {
            std::os::unix::fs::symlink(file, &link).unwrap();
        }
        open(&format!("sqlite:{}", link.display()), Missing::Create).unwrap().unwrap()
    }

    fn another(&self) -> Box<dyn Factory> {
        Box::new(Linked(sqlite()))
    }
}

#[cfg(unix)]
fn linked() -> Linked {
    Linked(sqlite())
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
    Write::Put { row: Arc::new(row), expected, previous }
}

pub fn put_thing(thing: Observed) -> Write {
    Write::PutActual(Arc::new(thing))
}

fn append(operation_id: &str) -> Write {
    Write::Append(Box::new(Draft {
        at: at(),
        actor: "a".into(),
        source: Source::default(),
        command: "test".into(),
        set: "test".into(),
        resource: ResourceId::new("Budget", "contoso"),
        operation: "Update customer spending budget".into(),
        before: None,
        after: Some(json!({"x": "é\u{0}"}).into()),
        plan_id: "plan".into(),
        operation_id: operation_id.to_owned(),
        outcome: Outcome::Succeeded,
        reason: "".into(),
    }))
}

pub fn batch(writes: Vec<Write>) -> Batch {
    Batch { epoch: None, writes }
}

/// One more resource, with its state and its activity.
fn grow(store: &mut dyn Store, name: &str) {
    let spec = Spec::from_value(json!({"a": name}));
    let (kind, external_id) = (KindName::new("Budget"), name.to_owned());
    let actual = Observed { kind, external_id, name: name.to_owned(), spec };
    let writes = vec![put(row(name, 1), None, None), put_thing(actual), append(name)];
    store.commit(&batch(writes)).unwrap();
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
    a_large_batch_is_written_whole_or_not_at_all
    what_is_committed_ahead_is_seen_at_once_and_settles_with_what_came_before
    of_batches_that_the_disk_lost_none_is_there_without_those_before_it
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
    who_was_overtaken_does_not_say_which_commit_something_is_brought_to
    catching_up_leaves_the_next_commit_less_and_changes_nothing
}

#[cfg(unix)]
conformance! { linked:
    what_is_committed_is_there_after_reopening
    what_is_committed_ahead_is_seen_at_once_and_settles_with_what_came_before
}
