use optimist::TCell;

fn narrower<'a>(cell: &'a TCell<fn(&'static str)>, _: &'a ()) -> &'a TCell<for<'b> fn(&'b str)> {
    cell
}

fn wider<'a>(cell: &'a TCell<for<'b> fn(&'b str)>, _: &'a ()) -> &'a TCell<fn(&'static str)> {
    cell
}

fn main() {
    narrower(&TCell::new(|_| ()), &());
    wider(&TCell::new(|_| ()), &());
}
