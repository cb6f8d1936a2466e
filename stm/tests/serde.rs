//! Cells are serialised as their values.
#![cfg(feature = "serde")]

use optimist::{TCell, TVar, atomically};

#[test]
fn a_variable_is_written_and_read_as_its_value() {
    let names = TVar::new(vec!["Ada".to_string()]);
    atomically(|tx| names.modify(tx, |names| names.push("Alan".into())));
    let text = serde_json::to_string(&names).unwrap();
    assert_eq!(text, r#"["Ada","Alan"]"#);
    let back: TVar<Vec<String>> = serde_json::from_str(&text).unwrap();
    assert_eq!(back.load(), names.load());
    assert!(!back.ptr_eq(&names));
}

#[test]
fn a_cell_is_written_and_read_as_its_value() {
    let cell: TCell<u64> = serde_json::from_str("7").unwrap();
    cell.update(|value| *value += 1);
    assert_eq!(serde_json::to_string(&cell).unwrap(), "8");
}

#[test]
fn what_does_not_fit_the_type_is_an_error() {
    assert!(serde_json::from_str::<TVar<u8>>("300").is_err());
}
