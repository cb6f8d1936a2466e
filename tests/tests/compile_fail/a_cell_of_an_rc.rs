use std::rc::Rc;

fn main() {
    optimist::TVar::new(Rc::new(1));
}
