use optimist::{Tx, atomically};

fn main() {
    let mut kept: Option<&mut Tx<'_>> = None;
    atomically(|tx| {
        kept = Some(tx);
        Ok(())
    });
    drop(kept);
}
