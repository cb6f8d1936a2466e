use optimist::{TVar, atomically};

fn main() {
    let cell = TVar::new(String::from("text"));
    let kept = atomically(|tx| cell.read_ref(tx));
    println!("{kept}");
}
