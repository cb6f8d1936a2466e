//! TPC-C, its transactions NewOrder and Payment, in memory: a wholesaler with warehouses, of ten districts each.
//!
//! A row of a table is a cell, so that transactions conflict by rows; what no transaction writes is in no cell. Money
//! is in cents, rates are in hundredths of a percent.
//!
//! * NewOrder (clause 2.4) takes the next order number of a district, takes 5 to 15 items from stock, and inserts the
//!   order. One of a hundred asks for an item that does not exist and has no effect: items are looked up first, so that
//!   there is nothing to undo.
//! * Payment (clause 2.5) adds to the year's total of a warehouse and a district, changes a customer's balance, and
//!   inserts a line of history. The customer is found by last name in 60 % of the cases.
//!
//! The tables begin without orders, since neither transaction looks at an old one; there is room for those that the
//! input asks for.

mod input;

#[cfg(test)]
mod tests;

use crate::boxed_value;
use crate::engine::{Abilities, Engine, Thread, Tx, View};
use crate::workload::{Part, Program, WrongAnswer};

pub use input::Requests;
use input::{NewOrder, Payment, Request};

/// Districts of a warehouse.
const DISTRICTS: usize = 10;
/// Lines that an order has at most.
const MOST_LINES: usize = 15;
/// How much data there is on a customer at most.
const MOST_DATA: usize = 500;
const FIRST_YTD: i64 = 3_000_000;

/// The program.
#[derive(Clone, Copy, Debug)]
pub struct Tpcc {
    /// Warehouses.
    pub warehouses: usize,
    /// Items.
    pub items: usize,
    /// Customers of a district.
    pub customers: usize,
    /// Transactions.
    pub transactions: usize,
}

impl Tpcc {
    /// So many warehouses of the size of the specification, and 20,000 transactions.
    #[must_use]
    pub const fn of(warehouses: usize) -> Self {
        Self { warehouses, items: 100_000, customers: 3_000, transactions: 20_000 }
    }

    fn customer(&self, district: usize, customer: u32) -> usize {
        district * self.customers + customer as usize
    }

    fn stock(&self, warehouse: usize, item: u32) -> usize {
        warehouse * self.items + item as usize
    }
}

#[derive(Clone, Copy, Debug)]
struct District {
    ytd: i64,
    next_order: u32,
}

#[derive(Clone, Copy, Debug)]
struct Customer {
    balance: i64,
    ytd: i64,
    payments: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stock {
    quantity: u32,
    ytd: u64,
    orders: u32,
    remote_orders: u32,
}

/// A row of ORDER, and whether there is one of NEW-ORDER: none without lines.
#[derive(Clone, Copy, Debug, Default)]
struct Order {
    customer: u32,
    lines: u32,
    is_all_local: bool,
}

/// A row of ORDER-LINE: none without a quantity.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    item: u32,
    supplier: u32,
    quantity: u32,
    amount: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct History {
    district: u32,
    amount: i64,
}

boxed_value!(District, Customer, Stock, Order, Line, History);

/// The orders of a district, by number, which begins with 0.
struct Orders<E: Engine> {
    orders: Box<[E::Cell<Order>]>,
    are_new: Box<[E::Cell<bool>]>,
    lines: Box<[[E::Cell<Line>; MOST_LINES]]>,
}

/// The tables.
pub struct Tables<E: Engine> {
    /// The totals of the year.
    warehouses: Box<[E::Cell<i64>]>,
    districts: Box<[E::Cell<District>]>,
    customers: Box<[E::Cell<Customer>]>,
    /// The data on customers with bad credit.
    data: Box<[Option<E::Cell<String>>]>,
    stock: Box<[E::Cell<Stock>]>,
    /// By district.
    orders: Box<[Orders<E>]>,
    /// By transaction.
    history: Box<[E::Cell<History>]>,
}

debug_by_name!(Tables);

/// What a thread has done.
#[derive(Debug, Default)]
pub struct Done {
    orders: u64,
    /// What was asked for all orders, in cents.
    total: i64,
}

impl<E: Engine> Tables<E> {
    /// Returns what is asked for the order, or nothing if an item does not exist.
    fn new_order<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        tpcc: &Tpcc,
        input: &Requests,
        order: &NewOrder,
    ) -> Result<Option<i64>, E::Abort> {
        if !order.exists(tpcc) {
            return Ok(None);
        }
        let district = order.district as usize;
        let number = tx.modify(&self.districts[district], |district| {
            district.next_order += 1;
            district.next_order as usize - 1
        })?;
        let orders = &self.orders[district];
        if number >= orders.orders.len() {
            return tx.torn();
        }
        let home = district / DISTRICTS;
        let is_all_local = order.lines.iter().all(|line| line.supplier as usize == home);
        let row = Order { customer: order.customer, lines: order.lines.len() as u32, is_all_local };
        tx.write(&orders.orders[number], row)?;
        tx.write(&orders.are_new[number], true)?;
        let mut sum = 0;
        for (line, place) in order.lines.iter().zip(&orders.lines[number]) {
            let supplier = line.supplier as usize;
            tx.modify(&self.stock[tpcc.stock(supplier, line.item)], |stock| {
                let refill = if stock.quantity >= line.quantity + 10 { 0 } else { 91 };
                stock.quantity = stock.quantity + refill - line.quantity;
                stock.ytd += u64::from(line.quantity);
                stock.orders += 1;
                stock.remote_orders += u32::from(supplier != home);
            })?;
            let amount = i64::from(line.quantity) * input.prices[line.item as usize];
            sum += amount;
            tx.write(place, Line { item: line.item, supplier: line.supplier, quantity: line.quantity, amount })?;
        }
        let discounted = sum * (10_000 - input.discounts[tpcc.customer(district, order.customer)]) / 10_000;
        Ok(Some(discounted * (10_000 + input.warehouse_taxes[home] + input.district_taxes[district]) / 10_000))
    }

    fn pay<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        tpcc: &Tpcc,
        payment: &Payment,
        customer: u32,
        number: usize,
    ) -> Result<(), E::Abort> {
        let (district, amount) = (payment.district as usize, payment.amount);
        tx.modify(&self.warehouses[district / DISTRICTS], |ytd| *ytd += amount)?;
        tx.modify(&self.districts[district], |district| district.ytd += amount)?;
        let row = tpcc.customer(payment.customer_district as usize, customer);
        tx.modify(&self.customers[row], |customer| {
            customer.balance -= amount;
            customer.ytd += amount;
            customer.payments += 1;
        })?;
        if let Some(data) = &self.data[row] {
            tx.modify(data, |data| {
                data.insert_str(0, &format!("{customer} {} {district} {amount}|", payment.customer_district));
                data.truncate(MOST_DATA);
            })?;
        }
        tx.write(&self.history[number], History { district: payment.district, amount })
    }
}

impl Program for Tpcc {
    const NEEDS: Abilities = Abilities { atomicity: true, discovery: true, boxes: true, ..Abilities::NONE };

    type Input = Requests;
    type Data<E: Engine> = Tables<E>;
    type Output = Done;

    fn input(&self, seed: u64) -> Requests {
        Requests::new(self, seed)
    }

    fn data<E: Engine>(&self, input: &Requests, _threads: usize) -> Tables<E> {
        let districts = self.warehouses * DISTRICTS;
        let orders = |count: &usize| Orders {
            orders: (0..*count).map(|_| E::cell(Order::default())).collect(),
            are_new: (0..*count).map(|_| E::cell(false)).collect(),
            lines: (0..*count).map(|_| std::array::from_fn(|_| E::cell(Line::default()))).collect(),
        };
        let customer = Customer { balance: -1_000, ytd: 1_000, payments: 1 };
        Tables {
            warehouses: (0..self.warehouses).map(|_| E::cell(FIRST_YTD * DISTRICTS as i64)).collect(),
            districts: (0..districts).map(|_| E::cell(District { ytd: FIRST_YTD, next_order: 0 })).collect(),
            customers: (0..districts * self.customers).map(|_| E::cell(customer)).collect(),
            data: input.have_bad_credit.iter().map(|&bad| bad.then(|| E::cell("-".repeat(300)))).collect(),
            stock: input.stock.iter().map(|&quantity| E::cell(Stock { quantity, ..Stock::default() })).collect(),
            orders: input.orders_of_district.iter().map(orders).collect(),
            history: input.requests.iter().map(|_| E::cell(History::default())).collect(),
        }
    }

    fn run<E: Engine>(&self, input: &Requests, part: &Part<'_>, thread: &mut Thread<'_, E, Tables<E>>) -> Done {
        let mut done = Done::default();
        for number in part.share(input.requests.len()) {
            match &input.requests[number] {
                Request::NewOrder(order) => {
                    let total = thread.atomically(|tx, tables| tables.new_order(tx, self, input, order));
                    done.orders += u64::from(total.is_some());
                    done.total += total.unwrap_or(0);
                }
                Request::Payment(payment) => {
                    let customer = input.customer(payment);
                    thread.atomically(|tx, tables| tables.pay(tx, self, payment, customer, number));
                }
            }
        }
        done
    }

    /// The consistency conditions of clause 3.3.2, and that nothing was lost.
    fn check<E: Engine>(
        &self,
        input: &Requests,
        thread: &mut Thread<'_, E, Tables<E>>,
        outputs: &[Done],
    ) -> Result<u64, WrongAnswer> {
        let paid = self.check_payments(input, thread)?;
        let mut orders = 0;
        let mut sold = vec![0; self.warehouses * self.items];
        for district in 0..self.warehouses * DISTRICTS {
            let (found, lines) = self.check_orders(input, thread, district)?;
            WrongAnswer::unless_equal("the orders of a district", input.orders_of_district[district] as u64, found)?;
            orders += found;
            lines
                .iter()
                .for_each(|line| sold[self.stock(line.supplier as usize, line.item)] += u64::from(line.quantity));
        }
        WrongAnswer::unless_equal("all orders", outputs.iter().map(|done| done.orders).sum(), orders)?;
        let taken = thread.snapshot(|tx, tables| {
            tables.stock.iter().map(|stock| tx.look(stock, |stock| stock.ytd)).collect::<Result<Vec<u64>, E::Abort>>()
        });
        WrongAnswer::unless("whether what was sold was taken from stock", sold == taken)?;
        let rolled_back = input.requests.len() as u64 - orders - paid;
        WrongAnswer::unless_equal("the orders without effect", input.rolled_back, rolled_back)?;
        Ok(input.requests.len() as u64)
    }
}

impl Tpcc {
    /// Conditions 1, 8 and 9: the totals of a warehouse are those of its districts, and of its history. Returns how
    /// many payments there were.
    fn check_payments<E: Engine>(
        &self,
        input: &Requests,
        thread: &mut Thread<'_, E, Tables<E>>,
    ) -> Result<u64, WrongAnswer> {
        let (warehouses, districts, history, customers) = thread.snapshot(|tx, tables| {
            let warehouses: Vec<i64> = tables.warehouses.iter().map(|one| tx.read(one)).collect::<Result<_, _>>()?;
            let districts: Vec<District> = tables.districts.iter().map(|one| tx.read(one)).collect::<Result<_, _>>()?;
            let history: Vec<History> = tables.history.iter().map(|one| tx.read(one)).collect::<Result<_, _>>()?;
            let customers: Vec<Customer> = tables.customers.iter().map(|one| tx.read(one)).collect::<Result<_, _>>()?;
            Ok((warehouses, districts, history, customers))
        });
        for (ytd, districts) in warehouses.iter().zip(districts.chunks_exact(DISTRICTS)) {
            let sum = districts.iter().map(|district| district.ytd).sum::<i64>();
            WrongAnswer::unless_equal("the total of a warehouse", sum, *ytd)?;
        }
        let mut expected = vec![FIRST_YTD; districts.len()];
        let mut paid = 0;
        for (request, row) in input.requests.iter().zip(&history) {
            let (district, amount) = match request {
                Request::Payment(payment) => (payment.district, payment.amount),
                Request::NewOrder(_) => (0, 0),
            };
            WrongAnswer::unless("whether the history is true", (row.district, row.amount) == (district, amount))?;
            expected[district as usize] += amount;
            paid += u64::from(amount > 0);
        }
        for (expected, district) in expected.into_iter().zip(&districts) {
            WrongAnswer::unless_equal("the total of a district", expected, district.ytd)?;
        }
        let payments = customers.iter().map(|customer| u64::from(customer.payments) - 1).sum();
        WrongAnswer::unless_equal("the payments of customers", paid, payments)?;
        let are_even = customers.iter().all(|customer| customer.balance + customer.ytd == 0);
        WrongAnswer::unless("whether customers have paid what is off their balance", are_even)?;
        Ok(paid)
    }

    /// Conditions 2 to 4: the numbers of orders and new orders have no gaps and end before the next one, and there
    /// are as many lines as orders say. Returns how many orders there are, and all lines.
    fn check_orders<E: Engine>(
        &self,
        input: &Requests,
        thread: &mut Thread<'_, E, Tables<E>>,
        district: usize,
    ) -> Result<(u64, Vec<Line>), WrongAnswer> {
        let (next, orders, are_new, mut lines) = thread.snapshot(|tx, tables| {
            let of_district = &tables.orders[district];
            let orders: Vec<Order> = of_district.orders.iter().map(|one| tx.read(one)).collect::<Result<_, _>>()?;
            let are_new: Vec<bool> = of_district.are_new.iter().map(|one| tx.read(one)).collect::<Result<_, _>>()?;
            let lines = of_district.lines.iter().flatten().map(|one| tx.read(one));
            let lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
            Ok((tx.look(&tables.districts[district], |district| district.next_order)?, orders, are_new, lines))
        });
        let last = orders.iter().rposition(|order| order.lines > 0).map_or(0, |last| last + 1);
        WrongAnswer::unless_equal("the next order after the last one", last, next as usize)?;
        let last = are_new.iter().rposition(|&is_new| is_new).map_or(0, |last| last + 1);
        WrongAnswer::unless_equal("the next order after the last new one", last, next as usize)?;
        let first = are_new.iter().position(|&is_new| is_new).unwrap_or(0);
        let new = are_new.iter().filter(|&&is_new| is_new).count();
        WrongAnswer::unless_equal("the new orders of a district", last - first, new)?;
        let home = (district / DISTRICTS) as u32;
        for (order, lines) in orders.iter().zip(lines.chunks_exact(MOST_LINES)) {
            let found = lines.iter().filter(|line| line.quantity > 0);
            WrongAnswer::unless_equal("the lines of an order", order.lines as usize, found.clone().count())?;
            let is_all_local = found.clone().all(|line| line.supplier == home);
            WrongAnswer::unless_equal("whether an order is local", is_all_local, order.is_all_local)?;
            let mut found = found;
            let is_right = |line: &Line| line.amount == i64::from(line.quantity) * input.prices[line.item as usize];
            WrongAnswer::unless("whether a line has the right amount", found.all(is_right))?;
        }
        let mut customers: Vec<u32> = orders.iter().map(|order| order.customer).collect();
        customers.sort_unstable();
        WrongAnswer::unless("whether all customers have their orders", customers == input.buyers(self, district))?;
        lines.retain(|line| line.quantity > 0);
        Ok((orders.iter().filter(|order| order.lines > 0).count() as u64, lines))
    }
}
