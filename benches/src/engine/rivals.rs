//! `fast-stm`, and `stm-core` from which it comes: variables with a log of reads and writes, validated at commit.
//!
//! Neither promises opacity: their documentation says that a body may see a mixed state.
#![cfg(feature = "rivals")]

use super::{Abilities, Data, Engine, Tx, Value, View};

macro_rules! engine {
    ($(#[$doc:meta])* $engine:ident, $library:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $engine;

        impl<'tx> View<'tx, $engine> for $library::Transaction {
            #[inline]
            fn read<T: Value>(&mut self, cell: &'tx $library::TVar<T>) -> Result<T, $library::StmError> {
                cell.read(self)
            }

            #[inline]
            fn look<T: Value, R>(
                &mut self,
                cell: &'tx $library::TVar<T>,
                look: impl FnOnce(&T) -> R,
            ) -> Result<R, $library::StmError> {
                cell.read(self).map(|value| look(&value))
            }

            fn torn<R>(&mut self) -> Result<R, $library::StmError> {
                Err($library::StmError::Failure)
            }
        }

        impl<'tx> Tx<'tx, $engine> for $library::Transaction {
            #[inline]
            fn write<T: Value>(&mut self, cell: &'tx $library::TVar<T>, value: T) -> Result<(), $library::StmError> {
                cell.write(self, value)
            }

            #[inline]
            fn modify<T: Value, R>(
                &mut self,
                cell: &'tx $library::TVar<T>,
                change: impl FnOnce(&mut T) -> R,
            ) -> Result<R, $library::StmError> {
                let mut result = None;
                cell.modify(self, |mut value| {
                    result = Some(change(&mut value));
                    value
                })?;
                Ok(result.expect("`modify` calls its function"))
            }

            fn retry<R>(&mut self) -> Result<R, $library::StmError> {
                $library::retry()
            }
        }

        impl Engine for $engine {
            const ABILITIES: Abilities = Abilities::ALL;
            const IS_OPAQUE: bool = false;

            type Cell<T: Value> = $library::TVar<T>;
            type World<D: Data> = D;
            type Session<'w, D: Data> = &'w D;
            type Tx<'tx> = $library::Transaction;
            type View<'tx> = $library::Transaction;
            type Abort = $library::StmError;

            fn cell<T: Value>(value: T) -> Self::Cell<T> {
                $library::TVar::new(value)
            }

            fn world<D: Data>(data: D) -> D {
                data
            }

            fn enter<D: Data>(world: &D) -> &D {
                world
            }

            #[inline]
            fn atomically<D: Data, R>(
                session: &mut &D,
                body: impl for<'tx> Fn(&mut Self::Tx<'tx>, &'tx D) -> Result<R, Self::Abort>,
            ) -> R {
                $library::atomically(|tx| body(tx, session))
            }

            #[inline]
            fn snapshot<D: Data, R>(
                session: &mut &D,
                body: impl for<'tx> Fn(&mut Self::View<'tx>, &'tx D) -> Result<R, Self::Abort>,
            ) -> R {
                Self::atomically(session, body)
            }

            #[inline]
            fn load<D: Data>(session: &mut &D, pick: impl Fn(&D) -> &Self::Cell<u64>) -> u64 {
                pick(session).read_atomic()
            }
        }
    };
}

engine! {
    /// The crate `fast-stm`.
    FastStm, fast_stm
}

engine! {
    /// The crate `stm-core`.
    StmCore, stm_core
}
