//! Panics of user code that end in the runtime, because there is no caller that they belong to.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `step`, and returns the payload of its panic. The panic hook has reported it.
pub(crate) fn caught(step: impl FnOnce()) -> Option<Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(step)).err()
}

/// Drops the payload of a panic. Its destructor may panic as well, and so on; after a few it is left alone.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    let mut left = Some(payload);
    for _ in 0..8 {
        let Some(payload) = left else { return };
        left = caught(|| drop(payload));
    }
    std::mem::forget(left);
}

/// Runs `step`; a panic ends here.
pub(crate) fn swallow(step: impl FnOnce()) {
    caught(step).into_iter().for_each(discard);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::panic_any;

    struct Stubborn(u32);

    impl Drop for Stubborn {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Self(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_payload_whose_drop_panics_ends_here_as_well() {
        swallow(|| panic_any(Stubborn(3)));
    }

    #[test]
    fn a_payload_that_never_ends_is_forgotten() {
        swallow(|| panic_any(Stubborn(u32::MAX)));
    }
}
