use std::cell::Cell;

fn main() {
    optimist::TVar::new(Cell::new(1));
}
