use optimist::{Atomically, TVar};
use std::rc::Rc;

fn main() {
    let (cell, count) = (TVar::new(1), Rc::new(1));
    let task = Atomically::new().run_async(move |tx| Ok(cell.read(tx)? + *count));
    std::thread::spawn(move || futures::executor::block_on(task));
}
