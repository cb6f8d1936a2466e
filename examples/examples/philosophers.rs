//! Dining philosophers, who never deadlock and never wait while they have something better to do: what `or_else` is
//! for.
//!
//! Around a table sit five philosophers, and between any two of them lies one fork. To eat one needs both
//! neighbouring forks. If each takes the left fork and then waits for the right one, all starve. The classic ways
//! out are an order on the forks, or a waiter. With transactions, taking two forks is one step, so there is nothing
//! to order.
//!
//! ```text
//! cargo run --release --example philosophers
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use comfy_table::{Table, presets};
use optimist::{Stm, TVar, Tx, atomically};

const NAMES: [&str; 5] = ["Hypatia", "Socrates", "Confucius", "Avicenna", "Arendt"];
const SEATS: usize = NAMES.len();
/// How often everybody wants to eat.
const MEALS: u32 = 40;
/// How many notes fit on the sheet of paper that everybody has beside the plate.
const PAPER: u32 = 8;
const BITE: Duration = Duration::from_micros(500);

/// What lies on the table.
struct Dinner {
    /// For each fork who holds it. Fork `i` is to the left of seat `i`.
    forks: [TVar<Option<usize>>; SEATS],
    /// For each seat how many thoughts have been noted that nobody has read yet.
    notes: [TVar<u32>; SEATS],
    /// Whether a fork is in somebody's hand, by other means than transactions: to catch them if they are wrong.
    in_hand: [AtomicBool; SEATS],
}

/// What a philosopher does next.
enum Next {
    /// Eats with these two forks, which are taken.
    Eat([usize; 2]),
    /// Writes down a thought, which is done.
    Think,
    /// Reads the notes of a neighbour, which is done, and how many there were.
    Read(u32),
}

#[derive(Clone, Copy, Default)]
struct Evening {
    meals: u32,
    thoughts: u32,
    read: u32,
}

impl Dinner {
    fn new() -> Self {
        Self { forks: Default::default(), notes: Default::default(), in_hand: Default::default() }
    }

    fn forks_of(seat: usize) -> [usize; 2] {
        [seat, (seat + 1) % SEATS]
    }

    /// Takes a fork, or waits until it lies on the table.
    fn take(&self, tx: &mut Tx<'_>, fork: usize, seat: usize) -> Stm<()> {
        let holder = self.forks[fork].read(tx)?;
        tx.check(holder.is_none())?;
        self.forks[fork].write(tx, Some(seat))
    }

    /// Takes both forks, or waits.
    fn take_both(&self, tx: &mut Tx<'_>, seat: usize) -> Stm<Next> {
        let [left, right] = Self::forks_of(seat);
        self.take(tx, left, seat)?;
        // If this waits, the left fork is not held meanwhile: a transaction that waits has taken nothing.
        self.take(tx, right, seat)?;
        Ok(Next::Eat([left, right]))
    }

    /// Notes a thought, or waits until there is space on the paper.
    fn think(&self, tx: &mut Tx<'_>, seat: usize) -> Stm<Next> {
        let notes = self.notes[seat].read(tx)?;
        tx.check(notes < PAPER)?;
        self.notes[seat].write(tx, notes + 1)?;
        Ok(Next::Think)
    }

    /// Reads what the neighbour has noted, or waits until the paper is full.
    fn read(&self, tx: &mut Tx<'_>, seat: usize) -> Stm<Next> {
        let neighbour = (seat + 1) % SEATS;
        let notes = self.notes[neighbour].replace(tx, 0)?;
        tx.check(notes == PAPER)?;
        Ok(Next::Read(notes))
    }

    /// Eats, or else thinks, or else reads; only if nothing of this is possible, waits until something is.
    ///
    /// Each alternative is written as if it were the only one, and would wait. `or_else` goes on with the next one
    /// instead, and undoes what the one before had done: a left fork that was taken is back on the table. If the
    /// last one waits too, the thread sleeps until one of all the things changes that were looked at: forks or
    /// notes.
    fn next(&self, tx: &mut Tx<'_>, seat: usize) -> Stm<Next> {
        tx.or_else(|tx| self.take_both(tx, seat), |tx| tx.or_else(|tx| self.think(tx, seat), |tx| self.read(tx, seat)))
    }

    fn put_back(&self, tx: &mut Tx<'_>, forks: [usize; 2], seat: usize) -> Stm<()> {
        for fork in forks {
            let holder = self.forks[fork].replace(tx, None)?;
            assert_eq!(holder, Some(seat), "{} has lost a fork", NAMES[seat]);
        }
        Ok(())
    }

    /// Sits at the table until there were enough meals.
    fn dine(&self, seat: usize) -> Evening {
        let mut evening = Evening::default();
        while evening.meals < MEALS {
            match atomically(|tx| self.next(tx, seat)) {
                Next::Eat(forks) => {
                    // Eating takes its time, and takes place outside of any transaction, with the forks in hand.
                    self.eat(forks);
                    atomically(|tx| self.put_back(tx, forks, seat));
                    evening.meals += 1;
                }
                Next::Think => evening.thoughts += 1,
                Next::Read(notes) => evening.read += notes,
            }
        }
        evening
    }

    fn eat(&self, forks: [usize; 2]) {
        for fork in forks {
            // Relaxed, here and below: if the transactions are right, the holders of a fork follow each other
            // through them.
            let is_shared = self.in_hand[fork].swap(true, Ordering::Relaxed);
            assert!(!is_shared, "fork {fork} is in two hands");
        }
        thread::sleep(BITE);
        for fork in forks {
            self.in_hand[fork].store(false, Ordering::Relaxed);
        }
    }
}

fn main() {
    let dinner = Dinner::new();
    let evenings: Vec<Evening> = thread::scope(|scope| {
        let seats: Vec<_> = (0..SEATS)
            .map(|seat| {
                scope.spawn({
                    let dinner = &dinner;
                    move || dinner.dine(seat)
                })
            })
            .collect();
        seats.into_iter().map(|seat| seat.join().expect("a philosopher does not panic")).collect()
    });

    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "philosopher",
        "meals",
        "thoughts noted",
        "thoughts read",
    ]);
    for (name, evening) in NAMES.iter().zip(&evenings) {
        let Evening { meals, thoughts, read } = evening;
        table.add_row([(*name).to_owned(), meals.to_string(), thoughts.to_string(), read.to_string()]);
    }
    println!("{table}");

    assert!(evenings.iter().all(|evening| evening.meals == MEALS), "somebody is still hungry");
    assert!(dinner.forks.iter().all(|fork| fork.load().is_none()), "a fork was not put back");
    let noted: u32 = evenings.iter().map(|evening| evening.thoughts).sum();
    let read: u32 = evenings.iter().map(|evening| evening.read).sum();
    let unread: u32 = dinner.notes.iter().map(TVar::load).sum();
    assert_eq!(noted, read + unread, "a thought was lost");
    println!("Everybody ate {MEALS} times, no fork was in two hands, and no thought was lost.");
}
