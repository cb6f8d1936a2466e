//! Optimist, with a variable for each value, or with cells in place.

use optimist::{Abort, ReadTx, Shared, Snapshot, Stm, TCell, TVar, Tx, atomically, snapshot, stats};

use super::{Abilities, Data, Engine, Value};

/// What both ways to use Optimist have in common. The data is a [`Shared`], whose cells live as long as any
/// transaction sees them; only [`TCell`]s need that.
macro_rules! engine {
    ($(#[$doc:meta])* $engine:ident, $cell:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $engine;

        impl<'tx, V: ReadTx<'tx>> super::View<'tx, $engine> for V {
            #[inline]
            fn read<T: Value>(&mut self, cell: &'tx $cell<T>) -> Stm<T> {
                cell.read(self)
            }

            #[inline]
            fn look<T: Value, R>(&mut self, cell: &'tx $cell<T>, look: impl FnOnce(&T) -> R) -> Stm<R> {
                cell.read_ref(self).map(look)
            }

            fn torn<R>(&mut self) -> Stm<R> {
                panic!("Optimist has shown a state that never was")
            }
        }

        impl<'tx> super::Tx<'tx, $engine> for Tx<'tx> {
            #[inline]
            fn write<T: Value>(&mut self, cell: &'tx $cell<T>, value: T) -> Stm<()> {
                cell.write(self, value)
            }

            #[inline]
            fn modify<T: Value, R>(&mut self, cell: &'tx $cell<T>, change: impl FnOnce(&mut T) -> R) -> Stm<R> {
                cell.modify(self, change)
            }

            fn retry<R>(&mut self) -> Stm<R> {
                Tx::retry(self)
            }
        }

        impl Engine for $engine {
            const ABILITIES: Abilities = Abilities::ALL;

            type Cell<T: Value> = $cell<T>;
            type World<D: Data> = Shared<D>;
            type Session<'w, D: Data> = &'w Shared<D>;
            type Tx<'tx> = Tx<'tx>;
            type View<'tx> = Snapshot<'tx>;
            type Abort = Abort;

            fn cell<T: Value>(value: T) -> Self::Cell<T> {
                $cell::new(value)
            }

            fn world<D: Data>(data: D) -> Shared<D> {
                Shared::new(data)
            }

            fn enter<D: Data>(world: &Shared<D>) -> &Shared<D> {
                world
            }

            #[inline]
            fn atomically<D: Data, R>(
                session: &mut &Shared<D>,
                body: impl for<'tx> Fn(&mut Tx<'tx>, &'tx D) -> Stm<R>,
            ) -> R {
                atomically(|tx| body(tx, session.get(tx)))
            }

            #[inline]
            fn snapshot<D: Data, R>(
                session: &mut &Shared<D>,
                body: impl for<'tx> Fn(&mut Snapshot<'tx>, &'tx D) -> Stm<R>,
            ) -> R {
                snapshot(|view| body(view, session.get(view)))
            }

            #[inline]
            fn load<D: Data>(session: &mut &Shared<D>, pick: impl Fn(&D) -> &Self::Cell<u64>) -> u64 {
                pick(session).load()
            }

            #[inline]
            fn add<D: Data>(session: &mut &Shared<D>, pick: impl Fn(&D) -> &Self::Cell<u64>, amount: u64) {
                pick(session).update(|value| *value += amount);
            }

            fn conflicts() -> Option<u64> {
                Some(stats().conflicts())
            }
        }
    };
}

engine! {
    /// A [`TVar`] for each value: what most users write.
    Variables, TVar
}

engine! {
    /// [`TCell`]s in place, in one [`Shared`] allocation: how a data structure keeps them.
    InlineCells, TCell
}
