use optimist::ReadTx;

struct Mine;

impl<'tx> ReadTx<'tx> for Mine {
    fn is_writable(&self) -> bool {
        true
    }
}

fn main() {}
