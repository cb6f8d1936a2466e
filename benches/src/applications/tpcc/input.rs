//! What terminals ask for, and what is never written, by clauses 2.1.6, 2.4.1, 2.5.1 and 4.3.3 of the specification.

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::{DISTRICTS, MOST_LINES, Tpcc};
use crate::workload::index;

/// Last names.
const NAMES: usize = 1_000;
/// How many of 88 transactions are new orders: the shares of the specification are 45 % and 43 %.
const NEW_ORDERS: (usize, usize) = (45, 88);

/// What terminals ask for, in the order in which it is done, and what is never written.
#[derive(Debug)]
pub struct Requests {
    pub(super) requests: Vec<Request>,
    /// How many orders ask for an item that does not exist.
    pub(super) rolled_back: u64,
    /// How many orders there will be in each district.
    pub(super) orders_of_district: Vec<usize>,
    /// By item.
    pub(super) prices: Vec<i64>,
    pub(super) warehouse_taxes: Vec<i64>,
    pub(super) district_taxes: Vec<i64>,
    /// By customer, as the next one.
    pub(super) discounts: Vec<i64>,
    pub(super) have_bad_credit: Vec<bool>,
    /// How much there is at first of each item in each warehouse.
    pub(super) stock: Vec<u32>,
    /// By district and last name, the customers of that name in the order of their first names.
    by_name: Vec<Vec<u32>>,
}

#[derive(Debug)]
pub(super) enum Request {
    NewOrder(NewOrder),
    Payment(Payment),
}

#[derive(Debug)]
pub(super) struct NewOrder {
    pub(super) district: u32,
    pub(super) customer: u32,
    pub(super) lines: Vec<Wanted>,
}

impl NewOrder {
    /// Whether all items do.
    pub(super) fn exists(&self, tpcc: &Tpcc) -> bool {
        self.lines.iter().all(|line| (line.item as usize) < tpcc.items)
    }
}

#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) item: u32,
    pub(super) supplier: u32,
    pub(super) quantity: u32,
}

#[derive(Debug)]
pub(super) struct Payment {
    pub(super) district: u32,
    pub(super) customer_district: u32,
    who: Who,
    pub(super) amount: i64,
}

#[derive(Debug)]
enum Who {
    Number(u32),
    LastName(u32),
}

/// The random numbers of the specification. The constants of its uneven numbers are zero.
struct Terminal {
    random: SmallRng,
    tpcc: Tpcc,
}

impl Terminal {
    fn below(&mut self, count: usize) -> usize {
        index(&mut self.random, count)
    }

    /// One of a hundred times as often as this.
    fn in_percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A number below `count`, some much more often than others: NURand of the specification.
    fn uneven(&mut self, spread: usize, count: usize) -> u32 {
        ((self.below(spread + 1) | self.below(count)) % count) as u32
    }

    fn names(&self) -> usize {
        NAMES.min(self.tpcc.customers)
    }

    fn name(&mut self) -> u32 {
        let names = self.names();
        self.uneven(255, names)
    }

    fn customer(&mut self) -> u32 {
        let customers = self.tpcc.customers;
        self.uneven(1_023, customers)
    }

    /// A warehouse that is not this one, if there is another one.
    fn other_warehouse(&mut self, home: usize) -> usize {
        let warehouses = self.tpcc.warehouses;
        if warehouses == 1 { home } else { (home + 1 + self.below(warehouses - 1)) % warehouses }
    }

    fn new_order(&mut self) -> NewOrder {
        let home = self.below(self.tpcc.warehouses);
        let district = home * DISTRICTS + self.below(DISTRICTS);
        let customer = self.customer();
        let count = 5 + self.below(MOST_LINES - 4);
        let items = self.tpcc.items;
        let mut lines: Vec<Wanted> = (0..count)
            .map(|_| {
                let item = self.uneven(8_191, items);
                let supplier = if self.in_percent(1) { self.other_warehouse(home) } else { home };
                Wanted { item, supplier: supplier as u32, quantity: 1 + self.below(10) as u32 }
            })
            .collect();
        if self.in_percent(1) {
            lines[count - 1].item = items as u32;
        }
        NewOrder { district: district as u32, customer, lines }
    }

    fn payment(&mut self) -> Payment {
        let home = self.below(self.tpcc.warehouses);
        let district = home * DISTRICTS + self.below(DISTRICTS);
        let customer_district =
            if self.in_percent(85) { district } else { self.other_warehouse(home) * DISTRICTS + self.below(DISTRICTS) };
        let who = if self.in_percent(60) { Who::LastName(self.name()) } else { Who::Number(self.customer()) };
        let amount = 100 + self.below(500_000 - 99) as i64;
        Payment { district: district as u32, customer_district: customer_district as u32, who, amount }
    }

    fn by_name(&mut self) -> Vec<Vec<u32>> {
        let names = self.names();
        let districts = self.tpcc.warehouses * DISTRICTS;
        let mut by_name = vec![Vec::new(); districts * NAMES];
        for district in 0..districts {
            for customer in 0..self.tpcc.customers {
                let name = if customer < names { customer } else { self.name() as usize };
                let namesakes = &mut by_name[district * NAMES + name];
                // First names are random: each new one is anywhere among them.
                let place = index(&mut self.random, namesakes.len() + 1);
                namesakes.insert(place, customer as u32);
            }
        }
        by_name
    }

    fn rates(&mut self, count: usize, highest: usize) -> Vec<i64> {
        (0..count).map(|_| self.below(highest + 1) as i64).collect()
    }
}

impl Requests {
    pub(super) fn new(tpcc: &Tpcc, seed: u64) -> Self {
        let mut terminal = Terminal { random: SmallRng::seed_from_u64(seed), tpcc: *tpcc };
        let districts = tpcc.warehouses * DISTRICTS;
        let customers = districts * tpcc.customers;
        let mut orders_of_district = vec![0; districts];
        let mut rolled_back = 0;
        let requests = (0..tpcc.transactions)
            .map(|_| {
                if terminal.below(NEW_ORDERS.1) >= NEW_ORDERS.0 {
                    return Request::Payment(terminal.payment());
                }
                let order = terminal.new_order();
                if order.exists(tpcc) {
                    orders_of_district[order.district as usize] += 1;
                } else {
                    rolled_back += 1;
                }
                Request::NewOrder(order)
            })
            .collect();
        Self {
            requests,
            rolled_back,
            orders_of_district,
            prices: (0..tpcc.items).map(|_| 100 + terminal.below(9_901) as i64).collect(),
            warehouse_taxes: terminal.rates(tpcc.warehouses, 2_000),
            district_taxes: terminal.rates(districts, 2_000),
            discounts: terminal.rates(customers, 5_000),
            have_bad_credit: (0..customers).map(|_| terminal.in_percent(10)).collect(),
            stock: (0..tpcc.warehouses * tpcc.items).map(|_| 10 + terminal.below(91) as u32).collect(),
            by_name: terminal.by_name(),
        }
    }

    /// Who orders in a district what exists, sorted.
    pub(super) fn buyers(&self, tpcc: &Tpcc, district: usize) -> Vec<u32> {
        let buyer = |request: &Request| match request {
            Request::NewOrder(order) if order.district as usize == district && order.exists(tpcc) => {
                Some(order.customer)
            }
            _ => None,
        };
        let mut buyers: Vec<u32> = self.requests.iter().filter_map(buyer).collect();
        buyers.sort_unstable();
        buyers
    }

    /// Who pays: of those with the last name that is given, the one in the middle.
    pub(super) fn customer(&self, payment: &Payment) -> u32 {
        match payment.who {
            Who::Number(customer) => customer,
            Who::LastName(name) => {
                let namesakes = &self.by_name[payment.customer_district as usize * NAMES + name as usize];
                namesakes[namesakes.len().div_ceil(2) - 1]
            }
        }
    }
}
