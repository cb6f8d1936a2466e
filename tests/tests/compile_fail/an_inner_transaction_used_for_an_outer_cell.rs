use optimist::{Stm, TCell, Tx};

fn lengthen<'short, 'long>(tx: &mut Tx<'short>, cell: &'short TCell<u64>) -> Stm<&'long u64> {
    cell.read_ref(tx)
}

fn main() {
    let _ = lengthen;
}
