use optimist::{TVar, atomically};

fn main() {
    let cell = TVar::new(1_u64);
    let mut kept: Option<&u64> = None;
    atomically(|tx| {
        kept = Some(cell.read_ref(tx)?);
        Ok(())
    });
    println!("{kept:?}");
}
