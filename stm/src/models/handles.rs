//! Handles: the last drop against readers.

use super::{Payload, both, check, prepare, shared};
use crate::domain::DOMAIN;
use crate::participant::Current;
use crate::{Shared, TCell, atomically};

/// Who got at a value while pinned may use it for as long as it is pinned.
#[test]
fn a_value_outlives_the_transactions_that_see_it() {
    check(2, || {
        let link = shared(TCell::new(Some(Shared::new(Payload::new(1)))));
        both(
            || {
                link.store(None);
                crate::collect();
                crate::collect();
            },
            || {
                atomically(|tx| {
                    let Some(value) = link.read_ref(tx)? else { return Ok(()) };
                    assert_eq!(value.get(tx).get(), 1);
                    Ok(())
                });
            },
        );
    });
}

/// Of two who drop, the last destroys, and sees all that the other did.
#[test]
fn the_last_handle_destroys() {
    check(3, || {
        let value = Shared::new(Payload::new(1));
        let other = value.clone();
        both(
            move || {
                assert_eq!(Payload::get(&value), 1);
                drop(value);
                crate::collect();
            },
            move || {
                assert_eq!(Payload::get(&other), 1);
                drop(other);
                crate::collect();
            },
        );
    });
}

/// A value whose last handle goes outside of any cell is kept for who got at it before.
#[test]
fn a_dropped_value_is_kept_for_who_was_pinned() {
    check(1, || {
        DOMAIN.clock.tick();
        let (reader, dropper) = (prepare().0, prepare().0);
        let handle = Shared::new(Payload::new(0));
        let pin = reader.pin();
        let value: *const Payload = std::ops::Deref::deref(&handle);
        // SAFETY: the reader is pinned; later, a model keeps the memory.
        let seen = || unsafe { &*value }.get();
        // From here on this thread is the one that drops.
        _ = Current::take_over(dropper);
        drop(handle);
        crate::collect();
        assert_eq!(seen(), 0, "destroyed under a pin");
        drop(pin);
        crate::collect();
        assert_eq!(seen(), u64::MAX, "kept for nobody");
    });
}
