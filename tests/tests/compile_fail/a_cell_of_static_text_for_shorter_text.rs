use optimist::TVar;

fn shorter<'a>(cell: TVar<&'static str>, _: &'a str) -> TVar<&'a str> {
    cell
}

fn main() {
    let text = String::from("text");
    shorter(TVar::new("static"), &text);
}
