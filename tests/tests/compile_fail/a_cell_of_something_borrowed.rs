fn main() {
    let text = String::from("gone soon");
    let cell = optimist::TVar::new(text.as_str());
    drop(text);
    println!("{}", cell.load());
}
