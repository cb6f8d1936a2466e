use optimist::{TVar, snapshot};

fn main() {
    let cell = TVar::new(String::from("text"));
    let kept = snapshot(|tx| cell.read_ref(tx));
    println!("{kept}");
}
