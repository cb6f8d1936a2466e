//! The books are kept by every engine, and each condition is violated once.

use super::super::testing::{is_found, is_right_everywhere, notices_lost_writes};
use super::*;
use crate::engine::GlobalMutex;

const SMALL: Tpcc = Tpcc { warehouses: 2, items: 50, customers: 30, transactions: 2_000 };

type Books<'a, 'w> = &'a mut Thread<'w, GlobalMutex, Tables<GlobalMutex>>;

#[test]
fn every_engine_keeps_the_books() {
    is_right_everywhere(&SMALL, 2_000);
    is_right_everywhere(&Tpcc { warehouses: 1, ..SMALL }, 2_000);
}

#[test]
fn requests_are_mixed_as_specified() {
    let requests = Tpcc { transactions: 20_000, ..SMALL }.input(1);
    let orders: Vec<&NewOrder> = requests
        .requests
        .iter()
        .filter_map(|request| if let Request::NewOrder(order) = request { Some(order) } else { None })
        .collect();
    assert!((49..54).contains(&(orders.len() * 100 / 20_000)), "{} orders", orders.len());
    assert!((60..150).contains(&requests.rolled_back), "{} without effect", requests.rolled_back);
    let lines: usize = orders.iter().map(|order| order.lines.len()).sum();
    assert!((95..105).contains(&(lines * 10 / orders.len())), "{lines} lines");
}

#[test]
fn a_lost_payment_is_found() {
    let warehouse =
        |books: Books<'_, '_>| books.atomically(|tx, tables| tx.modify(&tables.warehouses[0], |ytd| *ytd += 1));
    is_found(&SMALL, |books, _| warehouse(books), "total of a warehouse");
    let both = |books: Books<'_, '_>| {
        warehouse(books);
        books.atomically(|tx, tables| tx.modify(&tables.districts[0], |district| district.ytd += 1));
    };
    is_found(&SMALL, |books, _| both(books), "total of a district");
    let customer = |books: Books<'_, '_>| {
        books.atomically(|tx, tables| tx.modify(&tables.customers[7], |customer| customer.payments += 1));
    };
    is_found(&SMALL, |books, _| customer(books), "payments of customers");
}

#[test]
fn a_wrong_order_number_is_found() {
    let spoil = |books: Books<'_, '_>| {
        books.atomically(|tx, tables| tx.modify(&tables.districts[3], |district| district.next_order += 1));
    };
    is_found(&SMALL, |books, _| spoil(books), "next order after the last one");
}

#[test]
fn a_lost_new_order_is_found() {
    let last = |books: Books<'_, '_>| {
        books.atomically(|tx, tables| {
            let are_new = &tables.orders[3].are_new;
            tx.write(&are_new[are_new.len() - 1], false)
        });
    };
    is_found(&SMALL, |books, _| last(books), "last new one");
    let middle = |books: Books<'_, '_>| books.atomically(|tx, tables| tx.write(&tables.orders[3].are_new[1], false));
    is_found(&SMALL, |books, _| middle(books), "new orders of a district");
}

#[test]
fn a_lost_line_is_found() {
    let spoil = |books: Books<'_, '_>| {
        books.atomically(|tx, tables| tx.write(&tables.orders[3].lines[1][0], Line::default()));
    };
    is_found(&SMALL, |books, _| spoil(books), "lines of an order");
}

#[test]
fn lost_stock_is_found() {
    let spoil =
        |books: Books<'_, '_>| books.atomically(|tx, tables| tx.modify(&tables.stock[3], |stock| stock.ytd += 1));
    is_found(&SMALL, |books, _| spoil(books), "stock");
}

#[test]
fn lost_writes_are_found() {
    notices_lost_writes(&SMALL);
}
