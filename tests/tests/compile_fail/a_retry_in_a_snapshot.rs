use optimist::snapshot;

fn main() {
    snapshot(|tx| tx.retry::<()>());
}
