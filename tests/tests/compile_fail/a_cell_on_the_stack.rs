use optimist::{TCell, atomically};

fn main() {
    let cell = TCell::new(1);
    atomically(|tx| cell.read(tx));
}
