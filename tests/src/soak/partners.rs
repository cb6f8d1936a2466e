//! Threads and tasks that wait for each other (S3).

use std::sync::atomic::{AtomicU64, Ordering};

use optimist::{Atomically, Stm, TVar, Tx, atomically};

use crate::counted::{Census, Counted};

/// A box for one letter. Who sends waits until it is empty, who receives until it is full, until it is closed.
pub(super) struct Mailbox {
    letter: TVar<Option<Counted>>,
    is_closed: TVar<bool>,
    sent: AtomicU64,
    received: AtomicU64,
    deliveries: AtomicU64,
    census: Census,
}

impl Mailbox {
    pub(super) fn new(census: &Census) -> Self {
        Self {
            letter: TVar::new(None),
            is_closed: TVar::new(false),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            census: census.clone(),
        }
    }

    /// Ends all waits.
    pub(super) fn close(&self) {
        self.is_closed.store(true);
    }

    /// What was received is what was sent (S3).
    pub(super) fn end(&self) -> Result<(), String> {
        // Relaxed: the threads have been joined.
        let (sent, received) = (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed));
        if sent == received && self.letter.load().is_none() {
            return Ok(());
        }
        Err(format!("letters that add up to {sent} were sent, and {received} was received (S3)"))
    }

    /// Whether it is closed.
    pub(super) fn is_closed(&self, tx: &mut Tx<'_>) -> Stm<bool> {
        self.is_closed.read(tx)
    }

    fn put(&self, tx: &mut Tx<'_>, number: u64) -> Stm<bool> {
        if self.is_closed(tx)? {
            return Ok(false);
        }
        let is_empty = self.letter.read_ref(tx)?.is_none();
        tx.check(is_empty)?;
        self.letter.write(tx, Some(self.census.make(number)))?;
        Ok(true)
    }

    fn take(&self, tx: &mut Tx<'_>) -> Stm<Option<u64>> {
        tx.or_else(
            |tx| match self.letter.replace(tx, None)? {
                Some(letter) => Ok(Some(letter.value)),
                None => tx.retry(),
            },
            |tx| {
                let is_closed = self.is_closed(tx)?;
                tx.check(is_closed)?;
                Ok(None)
            },
        )
    }

    fn note(counter: &AtomicU64, number: u64) {
        // Relaxed: see `soak.rs`.
        counter.fetch_add(number, Ordering::Relaxed);
    }

    /// Notes what was received, and says whether that was a letter.
    fn note_received(&self, letter: Option<u64>) -> bool {
        Self::note(&self.received, letter.unwrap_or(0));
        Self::note(&self.deliveries, letter.is_some().into());
        letter.is_some()
    }

    /// How many letters were received.
    pub(super) fn deliveries(&self) -> u64 {
        // Relaxed: see `soak.rs`.
        self.deliveries.load(Ordering::Relaxed)
    }

    /// Sends one letter; false if the box is closed.
    pub(super) fn send(&self, number: u64) -> bool {
        let is_sent = atomically(|tx| self.put(tx, number));
        Self::note(&self.sent, if is_sent { number } else { 0 });
        is_sent
    }

    /// Receives one letter; false if the box is closed and empty.
    pub(super) fn receive(&self) -> bool {
        let letter = atomically(|tx| self.take(tx));
        self.note_received(letter)
    }

    /// As [`send`](Self::send), for a task.
    pub(super) async fn send_async(&self, number: u64) -> bool {
        let is_sent = Atomically::new().run_async(|tx| self.put(tx, number)).await.expect("it has no limit");
        Self::note(&self.sent, if is_sent { number } else { 0 });
        is_sent
    }

    /// As [`receive`](Self::receive), for a task.
    pub(super) async fn receive_async(&self) -> bool {
        let letter = Atomically::new().run_async(|tx| self.take(tx)).await.expect("it has no limit");
        self.note_received(letter)
    }
}
