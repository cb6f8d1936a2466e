use optimist::{Shared, atomically};

fn main() {
    let node = Shared::new(1_u64);
    let kept = atomically(|tx| Ok(node.get(tx)));
    drop(node);
    println!("{kept}");
}
