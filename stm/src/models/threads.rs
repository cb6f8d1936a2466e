//! Participants from thread to thread, and the table of chunks.

use super::{check, prepare, shared, spawn};
use crate::domain::DOMAIN;
use crate::{TCell, snapshot};

/// A participant passes from a thread that ends to one that begins, with all that it holds.
#[test]
fn a_participant_is_handed_over_complete() {
    check(2, || {
        let cell = shared(TCell::new(0_u64));
        let threads = [0, 1].map(|_| spawn(|| cell.update(|value| *value += 1)));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(cell.load(), 2);
    });
}

/// A participant that is found in the list is complete.
#[test]
fn participants_are_found_complete() {
    check(3, || {
        let adder = spawn(|| DOMAIN.registry.claim().id());
        let ids: Vec<u32> = DOMAIN.registry.iter().map(|participant| participant.id()).collect();
        let own = DOMAIN.registry.claim().id();
        assert_ne!(adder.join().unwrap(), own);
        assert!(ids.len() <= 1);
    });
}

/// A record's number leads to its chunk as soon as the record can be found.
#[test]
fn chunks_are_found_by_who_sees_their_numbers() {
    check(2, || {
        let cell = shared(TCell::new(0_u64));
        let reader = prepare();
        // The writer makes its chunks itself.
        let writer = spawn(|| {
            cell.store(1);
            cell.store(2);
        });
        let reader = reader.spawn(|| snapshot(|tx| cell.read(tx)));
        writer.join().unwrap();
        assert!(reader.join().unwrap() <= 2);
    });
}
