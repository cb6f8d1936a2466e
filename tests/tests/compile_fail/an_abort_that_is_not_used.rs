#![deny(unused_must_use)]

use optimist::{Abort, TVar, atomically};

fn give() -> Abort {
    loop {}
}

fn main() {
    let cell = TVar::new(1);
    atomically(|tx| {
        cell.write(tx, 2);
        Ok(())
    });
    give();
    optimist::Atomically::new();
}
