use optimist::{TVar, snapshot};

fn main() {
    let cell = TVar::new(1);
    snapshot(|tx| cell.write(tx, 2));
}
