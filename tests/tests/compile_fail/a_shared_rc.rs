use std::rc::Rc;

fn main() {
    optimist::Shared::new(Rc::new(1));
}
