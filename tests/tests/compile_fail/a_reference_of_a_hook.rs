use optimist::{TVar, atomically};

fn main() {
    let cell = TVar::new(String::from("text"));
    atomically(|tx| {
        let lent = cell.read_ref(tx)?;
        tx.after_commit(move || println!("{lent}"));
        Ok(())
    });
}
