//! Handles: the last drop against readers.

use super::{Payload, both, check, shared};
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
