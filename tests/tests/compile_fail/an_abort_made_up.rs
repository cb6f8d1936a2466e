use optimist::{Abort, atomically};

fn main() {
    atomically(|_| Err::<(), _>(Abort(())));
    atomically(|_| Err::<(), _>(Abort::new()));
}
