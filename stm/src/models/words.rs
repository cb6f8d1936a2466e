//! The words that the protocols hand things over by, each alone: what its module promises to whoever uses it.
//!
//! Some of these promises are kept twice where the protocols stand now, for instance by the lock of a table; the models
//! hold each word to its own.

use std::sync::Arc;
use std::task::Wake;

use super::{Payload, check, shared, spawn};
use crate::Shared;
use crate::clock::{Clock, Version};
use crate::participant::with_current;
use crate::versioned_lock::{Owner, VersionedLock};
use crate::wait::ThreadWaker;

const OWNER: Owner = Owner { participant: 1, entry: 0 };

/// Runs two bodies side by side, of threads that need nothing of the runtime.
fn side_by_side(one: impl FnOnce() + 'static, other: impl FnOnce() + 'static) {
    let threads = (spawn(one), spawn(other));
    threads.0.join().unwrap();
    threads.1.join().unwrap();
}

/// `try_lock` acquires what `restore` released.
#[test]
fn a_lock_that_is_given_back_is_handed_over() {
    check(3, || {
        let (lock, payload) = shared((VersionedLock::new(), Payload::new(0)));
        let sample = lock.sample();
        let add = move || {
            if lock.try_lock(sample, OWNER) {
                payload.add();
                lock.restore(sample);
            }
        };
        side_by_side(add, add);
        assert!(payload.get() >= 1);
    });
}

/// `sample` acquires what `unlock` released.
#[test]
fn a_version_brings_what_came_before_it() {
    check(3, || {
        let (lock, payload) = shared((VersionedLock::new(), Payload::new(0)));
        side_by_side(
            move || {
                assert!(lock.try_lock(lock.sample(), OWNER));
                payload.add();
                lock.unlock(Version::new(2));
            },
            move || {
                let sample = lock.sample();
                if !sample.is_locked() && sample.version() == Version::new(2) {
                    assert_eq!(payload.get(), 1);
                }
            },
        );
    });
}

/// `try_own` acquires what `disown` released.
#[test]
fn ownership_is_handed_over() {
    check(3, || {
        let (lock, payload) = shared((VersionedLock::new(), Payload::new(0)));
        let sample = lock.sample();
        let add = move || {
            if lock.try_own(sample) {
                payload.add();
                lock.disown();
            }
        };
        side_by_side(add, add);
        assert!(payload.get() >= 1);
    });
}

/// Who locks a word that was owned comes after what the owner did.
#[test]
fn a_committer_comes_after_the_owner() {
    check(3, || {
        let (lock, payload) = shared((VersionedLock::new(), Payload::new(0)));
        let sample = lock.sample();
        side_by_side(
            move || {
                if lock.try_own(sample) {
                    payload.get();
                    lock.disown();
                }
            },
            move || {
                if lock.try_lock(sample, OWNER) {
                    payload.add();
                    lock.unlock(Version::new(2));
                }
            },
        );
    });
}

/// A mark brings what came before it, and acquires the version that it was added to.
#[test]
fn a_mark_is_a_message_both_ways() {
    check(3, || {
        let (lock, registered, published) = shared((VersionedLock::new(), Payload::new(0), Payload::new(0)));
        side_by_side(
            move || {
                registered.add();
                let sample = lock.add_waiter();
                if !sample.is_locked() && sample.version() == Version::new(2) {
                    assert_eq!(published.get(), 1);
                }
            },
            move || {
                let sample = lock.sample();
                if sample.has_waiters() {
                    assert_eq!(registered.get(), 1);
                }
                if lock.try_lock(sample, OWNER) {
                    published.add();
                    lock.unlock(Version::new(2));
                }
            },
        );
    });
}

/// `now` and `tick` acquire what every `tick` before has released.
#[test]
fn the_clock_brings_what_came_before_its_ticks() {
    check(3, || {
        let (clock, payload) = shared((Clock::new(), Payload::new(0)));
        side_by_side(
            || {
                payload.add();
                clock.tick();
            },
            || {
                if clock.now() == Version::new(2) {
                    assert_eq!(payload.get(), 1);
                }
            },
        );
        let (clock, payload) = shared((Clock::new(), Payload::new(0)));
        side_by_side(
            || {
                payload.add();
                clock.tick();
            },
            || {
                if clock.tick() == Version::new(3) {
                    assert_eq!(payload.get(), 1);
                }
            },
        );
    });
}

/// Who is woken sees what the waker did before, and is woken also when that comes before the sleep.
#[test]
fn who_is_woken_sees_why() {
    check(3, || {
        let payload = shared(Payload::new(0));
        let sleeper = ThreadWaker::new();
        let waker = Arc::clone(&sleeper);
        let other = spawn(move || {
            payload.add();
            waker.wake_by_ref();
        });
        assert!(sleeper.sleep(None));
        assert_eq!(payload.get(), 1);
        other.join().unwrap();
    });
}

/// Who sees that handles are gone sees what their owners did before.
#[test]
fn the_number_of_handles_brings_what_came_before_it_fell() {
    check(3, || {
        let payload = shared(Payload::new(0));
        let kept = Shared::new(0_u64);
        let dropped = kept.clone();
        let other = spawn(move || {
            payload.add();
            drop(dropped);
        });
        if Shared::handles(&kept) == 1 {
            assert_eq!(payload.get(), 1);
        }
        other.join().unwrap();
        std::mem::forget(kept);
    });
}

/// A participant is claimed by one thread at a time, and brings what the one before did with it.
#[test]
fn a_participant_is_handed_over() {
    check(3, || {
        // Edits what only its owner may.
        let touch = || with_current(|participant| participant.with_garbage(|garbage| assert_eq!(garbage.values(), 0)));
        side_by_side(touch, touch);
    });
}
