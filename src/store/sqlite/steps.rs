//! The writes of a batch as steps of a transaction. What is text in the database is made beforehand,
//! of a large batch by a thread of its own.

use crate::model::parallel::both;
use crate::store::log::Head;
use crate::store::sqlite::log::Chain;
use crate::store::sqlite::rows::Texts;
use crate::store::sqlite::statements::Statements;
use crate::store::sqlite::{
    BULK, TransactError, conditions, followed, intents, log, meta, rows, suspensions, things,
};
use crate::store::{StoreError, Write};
use rusqlite::Transaction;
use std::sync::mpsc::sync_channel;

/// So many steps are handed over at a time.
const HANDFUL: usize = 128;
/// So many handfuls wait at most: a batch is not in memory twice.
const WAITING_MAX: usize = 8;

/// Writes one thing.
type Step<'w> = Box<dyn FnOnce(&mut Statements<'_>) -> Result<(), TransactError> + Send + 'w>;

/// Makes steps in the order of the writes: each activity has its place behind the one before it.
pub(super) struct Steps<'a> {
    chain: Chain<'a>,
    conditions: conditions::Texts,
}

impl<'a> Steps<'a> {
    /// Steps that put activities behind this one of a store's log.
    pub(super) fn after(head: Head, lineage: &'a str) -> Self {
        Self { chain: Chain::after(head, lineage), conditions: conditions::Texts::default() }
    }

    /// Takes every step; gives the log's head after them.
    pub(super) fn take_all(
        mut self,
        transaction: &Transaction<'_>,
        writes: &[Write],
    ) -> Result<Head, TransactError> {
        let mut statements = Statements::new(transaction);
        if writes.len() < BULK {
            for write in writes {
                self.step(write)(&mut statements)?;
            }
            return Ok(self.chain.head);
        }
        let (sender, handfuls) = sync_channel(WAITING_MAX);
        let make = move || {
            for writes in writes.chunks(HANDFUL) {
                let steps: Vec<_> = writes.iter().map(|write| self.step(write)).collect();
                if sender.send(steps).is_err() {
                    // One was refused: nobody takes another.
                    break;
                }
            }
            self.chain.head
        };
        // Ends with the first that is refused, and takes the channel along.
        let take =
            move || handfuls.into_iter().flatten().try_for_each(|step| step(&mut statements));
        let (head, taken) = both(true, make, take);
        taken.map(|()| head)
    }

    fn step<'w>(&mut self, write: &'w Write) -> Step<'w> {
        match write {
            Write::Put { row, expected, previous } => {
                let texts = Texts::of(row, &mut self.conditions);
                to(move |store| rows::put(store, (row, &texts), *expected, previous.as_ref()))
            }
            Write::Delete { id, expected } => to(|store| rows::delete(store, id, *expected)),
            Write::PutActual(thing) => {
                let spec = thing.spec.canonical();
                to(move |store| things::put(store, thing, &spec))
            }
            Write::DeleteActual { kind, external_id } => {
                to(|store| things::delete(store, kind, external_id))
            }
            Write::Append(draft) => {
                let line = self.chain.line(draft);
                to(move |store| log::append(store, draft, &line))
            }
            Write::Expect { id, revision } => to(|store| rows::expect(store, id, *revision)),
            Write::PutIntent(intent) => to(|store| intents::put_intent(store.transaction, intent)),
            Write::DropIntent { operation_id } => {
                to(|store| intents::drop_intent(store.transaction, operation_id))
            }
            Write::BeginApply(apply) => to(|store| intents::begin(store.transaction, apply)),
            Write::EndApply { id, end } => to(|store| intents::end(store.transaction, id, end)),
            // Written last: its version is that of the whole batch.
            Write::Judge(_) => to(|_| Ok::<(), TransactError>(())),
            Write::Suspend(one) => to(|store| suspensions::put(store.transaction, one)),
            Write::Unsuspend(one) => to(|store| suspensions::drop(store.transaction, one)),
            Write::Follow { what, commit, expected } => {
                to(|store| follow(store.transaction, what, commit, expected.as_ref()))
            }
            Write::Approve(approval) => to(|store| intents::approve(store.transaction, approval)),
            Write::WithdrawApproval { plan_id } => {
                to(|store| intents::withdraw(store.transaction, plan_id))
            }
        }
    }
}

/// Says which commit something is brought to, unless somebody else has said another meanwhile.
fn follow(
    transaction: &Transaction<'_>,
    what: &str,
    commit: &str,
    expected: Option<&String>,
) -> Result<(), TransactError> {
    let what = followed(what);
    let found = meta::get(transaction, &what)?;
    if found.as_ref() != expected {
        let expected = expected.cloned();
        return Err(TransactError::Store(StoreError::Overtaken { expected, found }));
    }
    Ok(meta::put(transaction, &what, commit)?)
}

/// A step that does this.
fn to<'w, E: Into<TransactError>>(
    write: impl FnOnce(&mut Statements<'_>) -> Result<(), E> + Send + 'w,
) -> Step<'w> {
    Box::new(|statements| write(statements).map_err(Into::into))
}
