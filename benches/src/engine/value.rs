//! What cells hold: words, and everything else.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// What a cell may hold. Words are done by [`word_value!`](crate::word_value), anything else that can be cloned by
/// [`boxed_value!`](crate::boxed_value).
pub trait Value: Clone + Send + Sync + 'static {
    /// The place for it in an engine whose locks are not around the value: it lets a thread that holds the right
    /// lock change the value behind a shared reference, without `unsafe`.
    type Plain: Plain<Self>;
}

/// A value of up to 8 bytes.
pub trait WordValue: Value + Copy {
    /// Its bits.
    fn to_word(self) -> u64;

    /// The value with these bits.
    fn from_word(word: u64) -> Self;
}

/// A place that one thread at a time may write, which the engine sees to.
pub trait Plain<T>: Send + Sync + 'static {
    /// Whether the value is a word.
    const IS_WORD: bool;

    /// Makes it.
    fn new(value: T) -> Self;

    /// The value.
    fn get(&self) -> T;

    /// Looks at the value.
    fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R;

    /// Replaces the value.
    fn set(&self, value: T);

    /// Edits the value.
    fn edit<R>(&self, change: impl FnOnce(&mut T) -> R) -> R;

    /// A word as such.
    ///
    /// # Panics
    /// If the value is not a word.
    fn word(value: T) -> u64;

    /// The value with these bits.
    ///
    /// # Panics
    /// If the value is not a word.
    fn value(word: u64) -> T;
}

/// A word. Its loads and stores are relaxed, which are the instructions of a plain word.
#[derive(Debug)]
pub struct PlainWord(AtomicU64);

impl<T: WordValue> Plain<T> for PlainWord {
    const IS_WORD: bool = true;

    fn new(value: T) -> Self {
        Self(AtomicU64::new(value.to_word()))
    }

    #[inline]
    fn get(&self) -> T {
        // Relaxed: the engine's lock orders the accesses.
        T::from_word(self.0.load(Ordering::Relaxed))
    }

    #[inline]
    fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.get())
    }

    #[inline]
    fn set(&self, value: T) {
        // Relaxed: the engine's lock orders the accesses.
        self.0.store(value.to_word(), Ordering::Relaxed);
    }

    #[inline]
    fn edit<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.get();
        let result = change(&mut value);
        self.set(value);
        result
    }

    #[inline]
    fn word(value: T) -> u64 {
        value.to_word()
    }

    #[inline]
    fn value(word: u64) -> T {
        T::from_word(word)
    }
}

/// A value of any size, behind a lock of its own that nobody ever waits for, because the engine's own lock is held.
/// Taking it is what safe code costs such an engine.
#[derive(Debug)]
pub struct PlainLocked<T>(Mutex<T>);

impl<T: Value> Plain<T> for PlainLocked<T> {
    const IS_WORD: bool = false;

    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    #[inline]
    fn get(&self) -> T {
        self.0.lock().clone()
    }

    #[inline]
    fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0.lock())
    }

    #[inline]
    fn set(&self, value: T) {
        *self.0.lock() = value;
    }

    #[inline]
    fn edit<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.0.lock())
    }

    fn word(_value: T) -> u64 {
        unreachable!("an engine of words is not paired with a workload of other values")
    }

    fn value(_word: u64) -> T {
        unreachable!("an engine of words is not paired with a workload of other values")
    }
}

/// Makes types of up to 8 bytes words: `word_value!(Type, to_bits, from_bits)`.
#[macro_export]
macro_rules! word_value {
    ($type:ty, $to:expr, $from:expr) => {
        impl $crate::engine::Value for $type {
            type Plain = $crate::engine::PlainWord;
        }

        impl $crate::engine::WordValue for $type {
            #[inline]
            fn to_word(self) -> u64 {
                let to: fn($type) -> u64 = $to;
                to(self)
            }

            #[inline]
            fn from_word(word: u64) -> Self {
                let from: fn(u64) -> $type = $from;
                from(word)
            }
        }
    };
}

/// Makes types values that are not words.
#[macro_export]
macro_rules! boxed_value {
    ($($type:ty),+ $(,)?) => {
        $(impl $crate::engine::Value for $type {
            type Plain = $crate::engine::PlainLocked<Self>;
        })+
    };
}

word_value!(u64, |value| value, |word| word);
word_value!(u32, u64::from, |word| word as u32);
word_value!(usize, |value| value as u64, |word| word as usize);
word_value!(i64, |value| value.cast_unsigned(), u64::cast_signed);
word_value!(i32, |value| u64::from(value.cast_unsigned()), |word| (word as u32).cast_signed());
word_value!(f64, f64::to_bits, f64::from_bits);
word_value!(f32, |value| u64::from(value.to_bits()), |word| f32::from_bits(word as u32));
word_value!(bool, u64::from, |word| word != 0);
boxed_value!(String, Vec<u64>);
