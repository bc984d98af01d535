//! Holding the lease: taken, renewed while it is held, given back.

use crate::engine::machine;
use crate::store::lease::is_gone;
use crate::store::{Holder, Lease, Store, StoreError};
use chrono::Utc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the holder of the lease says that it is there.
const RENEWAL: Duration = Duration::from_secs(5);
/// No lease has this epoch: they count from 1.
const NO_EPOCH: i64 = i64::MIN;
/// How often a second apply looks whether the first is done.
const RETRY: Duration = Duration::from_millis(100);

/// A store that several threads use one after another.
#[derive(Clone)]
pub struct SharedStore {
    store: Arc<Mutex<Box<dyn Store>>>,
    /// The last epoch whose lease was seen to be lost.
    lost: Arc<AtomicI64>,
}

impl SharedStore {
    /// Shares a store.
    #[must_use]
    pub fn new(store: Box<dyn Store>) -> Self {
        Self { store: Arc::new(Mutex::new(store)), lost: Arc::new(AtomicI64::new(NO_EPOCH)) }
    }

    /// The store, for as long as the guard lives. A panic elsewhere leaves no half-written state
    /// behind: transactions see to that.
    pub fn lock(&self) -> MutexGuard<'_, Box<dyn Store>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Demands that the lease is still held, by saying that its holder is there. What is asked of
    /// others has no transaction that would refuse it: after a sleep it must be asked for here.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else has taken it over, or when the store fails.
    pub fn demand_lease(&self, epoch: i64) -> Result<(), StoreError> {
        let renewed = self.lock().renew(epoch, Utc::now());
        if let Err(StoreError::LeaseLost { .. } | StoreError::Replaced { .. }) = &renewed {
            self.lost.store(epoch, Ordering::Relaxed);
        }
        renewed
    }

    /// True once it was seen that somebody else has taken the lease over.
    #[must_use]
    pub fn has_lost(&self, epoch: i64) -> bool {
        self.lost.load(Ordering::Relaxed) == epoch
    }
}

/// The lease while it is held. It is renewed from a thread of its own, also while a person reads
/// the plan.
pub struct Held {
    /// Writes are made under this epoch.
    pub epoch: i64,
    store: SharedStore,
    ending: Option<Sender<()>>,
    renewal: Option<JoinHandle<()>>,
}

/// Takes the lease, waiting for another holder at most so long. `Ok(Err(lease))` names the holder
/// that was still there at the end.
///
/// # Errors
/// When the store fails.
pub fn hold(
    store: &SharedStore,
    me: &Holder,
    timeout: Duration,
    mut waiting: impl FnMut(&Lease),
) -> Result<Result<Held, Lease>, StoreError> {
    let until = Instant::now() + timeout;
    let mut told = false;
    loop {
        let now = Utc::now();
        let gone = |lease: &Lease| is_gone(lease, me, now, machine::started);
        let acquired = store.lock().acquire(me, now, &gone)?;
        match acquired {
            Ok(epoch) => return Ok(Ok(Held::new(store.clone(), epoch))),
            Err(lease) if Instant::now() >= until => return Ok(Err(lease)),
            Err(lease) => {
                if !told {
                    waiting(&lease);
                    told = true;
                }
                std::thread::sleep(RETRY);
            }
        }
    }
}

impl Held {
    fn new(store: SharedStore, epoch: i64) -> Self {
        let (ending, end) = channel();
        let shared = store.clone();
        let renewal = std::thread::spawn(move || {
            while end.recv_timeout(RENEWAL) == Err(RecvTimeoutError::Timeout) {
                // A lease that was lost ends pauses, and the next commit is refused; a store that is
                // only busy is asked again.
                let _or_asked_again = shared.demand_lease(epoch);
                if shared.has_lost(epoch) {
                    return;
                }
            }
        });
        Self { epoch, store, ending: Some(ending), renewal: Some(renewal) }
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// When the store fails; the lease then ends with this process.
    pub fn release(mut self) -> Result<(), StoreError> {
        drop(self.ending.take());
        if let Some(renewal) = self.renewal.take() {
            // The thread only renews; that it panicked would change nothing here.
            let _ended = renewal.join();
        }
        self.store.lock().release(self.epoch)
    }
}
