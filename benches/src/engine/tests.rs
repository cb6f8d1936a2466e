//! Every engine keeps its word: nothing is lost, and sleepers are woken.

use std::thread;

use super::*;

struct Two<E: Engine> {
    cells: [E::Cell<u64>; 2],
}

fn two<E: Engine>() -> E::World<Two<E>> {
    E::world(Two { cells: [E::cell(0), E::cell(0)] })
}

fn add_to_both<E: Engine>(thread: &mut Thread<'_, E, Two<E>>) -> u64 {
    thread.atomically_on(
        |locks, two| two.cells.iter().for_each(|cell| locks.add(cell)),
        |tx, two| {
            let one = tx.modify(&two.cells[0], |value| {
                *value += 1;
                *value
            })?;
            let other = tx.read(&two.cells[1])?;
            tx.write(&two.cells[1], other + 1)?;
            Ok(one)
        },
    )
}

fn read_both<E: Engine>(thread: &mut Thread<'_, E, Two<E>>) -> [u64; 2] {
    thread.snapshot_on(
        |locks, two| two.cells.iter().for_each(|cell| locks.add(cell)),
        |tx, two| Ok([tx.read(&two.cells[0])?, tx.look(&two.cells[1], |value| *value)?]),
    )
}

fn loses_nothing<E: Engine>() {
    const EACH: u64 = 2_000;
    let threads = if E::ABILITIES.threads { 3 } else { 1 };
    let world = two::<E>();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut thread = Thread::<E, _>::enter(&world);
                for _ in 0..EACH {
                    add_to_both(&mut thread);
                    let [one, other] = read_both(&mut thread);
                    assert_eq!(one, other);
                }
            });
        }
    });
    let mut thread = Thread::<E, _>::enter(&world);
    assert_eq!(read_both(&mut thread), [threads * EACH; 2]);
    thread.add(|two| &two.cells[0], 5);
    assert_eq!(thread.load(|two| &two.cells[0]), threads * EACH + 5);
}

fn keeps_text<E: Engine>() {
    let world = E::world([E::cell("a".to_string())]);
    let mut thread = Thread::<E, _>::enter(&world);
    let length = thread.atomically_on(
        |locks, cells| locks.add(&cells[0]),
        |tx, cells| {
            tx.modify(&cells[0], |text| text.push('b'))?;
            tx.look(&cells[0], String::len)
        },
    );
    assert_eq!(length, 2);
    let text = thread.snapshot_on(|locks, cells| locks.add(&cells[0]), |tx, cells| tx.read(&cells[0]));
    assert_eq!(text, "ab");
}

/// Two threads in turn, each of which sleeps until it is the other's.
fn wakes<E: Engine>() {
    const TURNS: u64 = 100;
    let world = two::<E>();
    thread::scope(|scope| {
        for parity in 0..2 {
            let world = &world;
            scope.spawn(move || {
                let mut thread = Thread::<E, _>::enter(world);
                for _ in 0..TURNS {
                    thread.atomically_or_wait(|tx, two| {
                        let turn = tx.read(&two.cells[0])?;
                        if turn % 2 == parity { tx.write(&two.cells[0], turn + 1) } else { tx.retry() }
                    });
                }
            });
        }
    });
    assert_eq!(read_both(&mut Thread::<E, _>::enter(&world))[0], 2 * TURNS);
}

/// A thread that blocks by other means lets others on.
fn blocks_nobody<E: Engine>() {
    let world = two::<E>();
    let barrier = std::sync::Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut thread = Thread::<E, _>::enter(&world);
                add_to_both(&mut thread);
                thread.blocking(|| _ = barrier.wait());
                assert_eq!(read_both(&mut thread), [2, 2]);
            });
        }
    });
}

macro_rules! engines {
    ($($(#[$attribute:meta])* $module:ident: $engine:ty;)*) => {$(
        $(#[$attribute])*
        mod $module {
            use super::*;

            #[test]
            fn nothing_is_lost_and_nothing_is_torn() {
                loses_nothing::<$engine>();
            }

            #[test]
            fn values_that_are_not_words_are_kept() {
                if <$engine>::ABILITIES.boxes {
                    keeps_text::<$engine>();
                }
            }

            #[test]
            fn sleepers_are_woken() {
                if <$engine>::ABILITIES.waiting {
                    wakes::<$engine>();
                }
            }

            #[test]
            fn who_blocks_lets_others_on() {
                if <$engine>::ABILITIES.threads {
                    blocks_nobody::<$engine>();
                }
            }
        }
    )*};
}

engines! {
    variables: Variables;
    inline_cells: InlineCells;
    global_mutex: GlobalMutex;
    gil: Gil;
    global_rw_lock: GlobalRwLock;
    object_locks: ObjectLocks;
    striped_locks: StripedLocks;
    bare: Bare;
    #[cfg(feature = "rivals")]
    fast_stm: FastStm;
    #[cfg(feature = "rivals")]
    stm_core: StmCore;
    #[cfg(feature = "rivals")]
    async_stm: AsyncStm;
    #[cfg(feature = "rivals")]
    xstm: Xstm;
    #[cfg(feature = "rivals")]
    kovan_stm: KovanStm;
}

#[test]
fn words_add_up_one_by_one() {
    fn adds_up<E: Engine>() {
        let world = E::world([E::cell(0_u64)]);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut thread = Thread::<E, _>::enter(&world);
                    (0..1_000).for_each(|_| thread.add(|cells| &cells[0], 1));
                });
            }
        });
        let mut thread = Thread::<E, _>::enter(&world);
        assert_eq!(thread.load(|cells| &cells[0]), 2_000);
        assert_eq!(thread.snapshot(|tx, cells| tx.read(&cells[0])), 2_000);
    }
    adds_up::<Atomics>();
    adds_up::<Seqlocks>();
}

#[test]
#[should_panic(expected = "missing in the footprint")]
fn a_cell_that_was_not_declared_is_found() {
    let world = two::<ObjectLocks>();
    let mut thread = Thread::<ObjectLocks, _>::enter(&world);
    thread.atomically_on(|locks, two| locks.add(&two.cells[0]), |tx, two| tx.write(&two.cells[1], 1));
}

#[test]
fn what_is_lacking_is_said() {
    assert_eq!(Abilities::ALL.lacking(Abilities::ALL), None);
    assert!(ObjectLocks::ABILITIES.lacking(Abilities::ALL).is_some_and(|why| why.contains("before")));
}
