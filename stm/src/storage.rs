//! How a value becomes a word, and back.
//!
//! Chosen at compile time from the type:
//!
//! | storage | for | a word is | a new version costs |
//! | --- | --- | --- | --- |
//! | bits | numbers, `bool`, `char` and their like ([`is_bits`]) of at most one machine word | the value itself | nothing |
//! | slot | any other type of at most one machine word, such as a link | the address of a slot | a slot from the thread's pool |
//! | boxed | everything else | the address of a box | one allocation |
//!
//! Bits are only for types without padding, because a padding byte is uninitialised and may not be read as
//! part of an integer, and without interior mutability, because bits are handed out as copies and a
//! copy of, say, a spin lock would unlock what the original guards. The language does not tell either of a
//! generic type, so the list is closed. Small types beyond it have a place of their own that is never
//! copied, and that costs one more load but no allocation once the pool is warm.
//!
//! # Invariants
//! * **S1** A word made by [`encode::<T>`](encode) is only ever read or destroyed as `T`: a cell is invariant in its
//!   type.
//! * **S2** For slots and boxes, the word is the address of a valid `T` until its destructor runs.

use std::any::TypeId;
use std::num::NonZero;

use crate::reclaim::{Destructor, Word};
use crate::slot;
use crate::sync;

/// Whether a `T` is stored as its own bits.
///
/// The comparisons are between constants and vanish when optimised.
#[inline(always)]
pub(crate) fn is_bits<T: 'static>() -> bool {
    macro_rules! any_of {
        ($($bits:ty),* $(,)?) => {
            $(TypeId::of::<T>() == TypeId::of::<$bits>())||*
        };
    }
    macro_rules! with_non_zero {
        ($($integer:ty),*) => {
            any_of!($($integer, NonZero<$integer>, Option<NonZero<$integer>>),*)
        };
    }
    if size_of::<T>() > size_of::<Word>() || align_of::<T>() > align_of::<Word>() {
        return false;
    }
    match size_of::<T>() {
        0 => any_of!(()),
        1 => with_non_zero!(u8, i8) || any_of!(bool, Option<bool>, std::cmp::Ordering, [u8; 1]),
        2 => with_non_zero!(u16, i16) || any_of!([u8; 2]),
        4 => with_non_zero!(u32, i32, usize, isize) || any_of!(f32, char, Option<char>, [u8; 4], [u16; 2]),
        8 => {
            with_non_zero!(u64, i64, usize, isize)
                || any_of!(f64, [u8; 8], [u16; 4], [u32; 2], [i32; 2], [f32; 2], (u32, u32), (i32, i32), (f32, f32))
        }
        _ => false,
    }
}

#[inline(always)]
const fn fits_slot<T>() -> bool {
    size_of::<T>() <= slot::SIZE && align_of::<T>() <= slot::ALIGN
}

/// Turns a value into a word. The word owns the value.
#[inline]
pub(crate) fn encode<T: 'static>(value: T) -> Word {
    if is_bits::<T>() {
        let mut bytes = [0_u8; size_of::<Word>()];
        // SAFETY: `T` fits in `bytes`. It has no padding, so the bytes stay initialised.
        unsafe { bytes.as_mut_ptr().cast::<T>().write_unaligned(value) };
        std::ptr::without_provenance_mut(usize::from_ne_bytes(bytes))
    } else if fits_slot::<T>() {
        let place = slot::allocate().cast::<T>();
        // SAFETY: a slot is large and aligned enough for `T` and exclusively ours.
        unsafe { place.write(value) };
        place.cast()
    } else {
        Box::into_raw(Box::new(value)).cast()
    }
}

/// What destroys a word made from a `T`; nothing for bits.
#[inline]
pub(crate) fn destructor<T: 'static>() -> Option<Destructor> {
    /// # Safety
    /// As for [`Destructor`]: the word is a slot.
    unsafe fn free_slot(word: Word) {
        // SAFETY: the caller's duty.
        unsafe { slot::free(word.cast()) }
    }

    /// # Safety
    /// As for [`Destructor`]: the word is a slot that holds a `T`.
    unsafe fn drop_slot<T>(word: Word) {
        // SAFETY: `encode` put a `T` there, and the caller gives it up.
        let value = unsafe { word.cast::<T>().read() };
        // SAFETY: the value has been moved out.
        unsafe { slot::free(word.cast()) };
        drop(value);
    }

    /// # Safety
    /// As for [`Destructor`]: the word is a box of a `T`.
    unsafe fn drop_box<T>(word: Word) {
        // SAFETY: `encode` made the word from such a box, and the caller gives it up.
        unsafe { sync::drop_box(word.cast::<T>()) };
    }

    if is_bits::<T>() {
        None
    } else if fits_slot::<T>() {
        if std::mem::needs_drop::<T>() { Some(drop_slot::<T>) } else { Some(free_slot) }
    } else {
        Some(drop_box::<T>)
    }
}

/// The value of a word of bits.
///
/// # Safety
/// [`is_bits::<T>()`](is_bits), and `word` was made from a `T` (S1).
#[inline]
pub(crate) unsafe fn decode_bits<T: 'static>(word: Word) -> T {
    debug_assert!(is_bits::<T>());
    let bytes = word.addr().to_ne_bytes();
    // SAFETY: the first bytes are those of a valid `T`, which has neither drop glue nor uniqueness to violate.
    unsafe { bytes.as_ptr().cast::<T>().read_unaligned() }
}

/// The place of a value that is not stored as bits.
///
/// # Safety
/// Not [`is_bits::<T>()`](is_bits); `word` was made from a `T` and is not destroyed during `'a` (S2).
#[inline]
pub(crate) unsafe fn as_ref<'a, T: 'static>(word: Word) -> &'a T {
    debug_assert!(!is_bits::<T>());
    // SAFETY: the caller's duty is that of the reference.
    unsafe { &*word.cast::<T>() }
}

/// The value of a word, cloned.
///
/// # Safety
/// `word` was made from a `T` and is not destroyed during the call.
#[inline]
pub(crate) unsafe fn clone<T: Clone + 'static>(word: Word) -> T {
    if is_bits::<T>() {
        // SAFETY: the caller's duty; a type of bits is its own clone.
        unsafe { decode_bits(word) }
    } else {
        // SAFETY: the caller's duty.
        unsafe { as_ref::<T>(word) }.clone()
    }
}

/// Calls `look` with a reference to the value of a word.
///
/// # Safety
/// `word` was made from a `T` and is not destroyed during the call.
#[inline]
pub(crate) unsafe fn with<T: 'static, R>(word: Word, look: impl FnOnce(&T) -> R) -> R {
    if is_bits::<T>() {
        // SAFETY: the caller's duty.
        let value: T = unsafe { decode_bits(word) };
        look(&value)
    } else {
        // SAFETY: the caller's duty.
        look(unsafe { as_ref::<T>(word) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    fn round_trip<T: Clone + PartialEq + Debug + 'static>(value: T, bits: bool) {
        assert_eq!(is_bits::<T>(), bits, "{}", std::any::type_name::<T>());
        let word = encode(value.clone());
        // SAFETY: the word was just made from a `T`.
        assert_eq!(unsafe { clone::<T>(word) }, value);
        // SAFETY: the word was just made from a `T`.
        assert!(unsafe { with(word, |seen: &T| *seen == value) });
        if let Some(destroy) = destructor::<T>() {
            // SAFETY: the word is not used any more.
            unsafe { destroy(word) };
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Padded(u8, u32);

    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(align(64))]
    struct OverAligned;

    #[test]
    fn words_come_back_as_they_were() {
        round_trip((), true);
        round_trip(true, true);
        round_trip('ß', true);
        round_trip(Option::<char>::None, true);
        round_trip(-7_i16, true);
        round_trip(u64::MAX, true);
        round_trip(f64::MIN_POSITIVE, true);
        round_trip(NonZero::new(9_u32), true);
        round_trip((1_u32, 2_u32), true);
    }

    #[test]
    fn a_type_with_padding_or_of_unknown_inside_is_not_bits() {
        round_trip(Padded(1, 2), false);
        round_trip(Some(5_u32), false);
        round_trip(OverAligned, false);
        round_trip(String::from("text"), false);
        round_trip(Box::new(7), false);
        round_trip([1_u64; 4], false);
        assert!(!is_bits::<std::sync::atomic::AtomicU64>());
    }
}
