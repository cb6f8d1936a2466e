//! The tables of the agency, and what its transactions do to them.

use super::super::pool::{NIL, Pool};
use super::super::tree::Tree;
use crate::engine::{Engine, Tx, View};

/// Cars, flights and rooms.
pub(super) const KINDS: usize = 3;
/// What an update adds or takes away.
pub(super) const LOT: u32 = 100;
/// No customer has so many reservations: a walk that is longer has seen a state that never was.
const MOST_RESERVATIONS: usize = 1 << 20;

/// The offers of one kind: used and free ones, and the price, by the node of the id.
pub(super) struct Offers<E: Engine> {
    pub(super) ids: Tree<E>,
    used: Box<[E::Cell<u32>]>,
    pub(super) free: Box<[E::Cell<u32>]>,
    price: Box<[E::Cell<u32>]>,
}

/// The tables.
pub struct Agency<E: Engine> {
    pub(super) offers: [Offers<E>; KINDS],
    /// Customers, each with the first of its reservations.
    pub(super) customers: Tree<E>,
    reservations: Pool<E>,
    /// What is reserved, by reservation: the kind, the id and the price in one word.
    reserved: Box<[E::Cell<u64>]>,
}

debug_by_name!(Agency);

/// An offer: its kind and id, and how many are used and free.
pub(super) type Offer = (usize, u64, u32, u32);

/// A reservation: the kind and id.
pub(super) type Reservation = (usize, u64);

/// All offers and reservations, or what is wrong with the tables.
pub(super) type All = Result<(Vec<Offer>, Vec<Reservation>), &'static str>;

const PRICE_BITS: u32 = 16;

const fn pack(kind: usize, id: u64, price: u32) -> u64 {
    (kind as u64) << 56 | id << PRICE_BITS | price as u64
}

const fn unpack(reserved: u64) -> (usize, u64, u32) {
    ((reserved >> 56) as usize, reserved >> PRICE_BITS & ((1 << 40) - 1), (reserved & 0xffff) as u32)
}

impl<E: Engine> Offers<E> {
    fn new(first: &[(u32, u32)], lanes: usize) -> Self {
        let ids: Vec<u64> = (0..first.len() as u64).collect();
        Self {
            ids: Tree::new(&ids, 0, 0, lanes),
            used: first.iter().map(|_| E::cell(0)).collect(),
            free: first.iter().map(|&(count, _)| E::cell(count)).collect(),
            price: first.iter().map(|&(_, price)| E::cell(price)).collect(),
        }
    }

    /// Adds a lot at this price, or takes one away if there is one free. An id without offers is removed.
    pub(super) fn update<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        lane: usize,
        id: u64,
        price: Option<u32>,
    ) -> Result<(), E::Abort> {
        let found = self.ids.find(tx, id)?;
        match (found, price) {
            (None, None) => Ok(()),
            (None, Some(price)) => {
                let new = self.ids.insert(tx, lane, id, 0)? as usize;
                tx.write(&self.used[new], 0)?;
                tx.write(&self.free[new], LOT)?;
                tx.write(&self.price[new], price)
            }
            (Some(node), Some(price)) => {
                tx.modify(&self.free[node as usize], |free| *free += LOT)?;
                tx.write(&self.price[node as usize], price)
            }
            (Some(node), None) => {
                let free = tx.read(&self.free[node as usize])?;
                if free < LOT {
                    return Ok(());
                }
                tx.write(&self.free[node as usize], free - LOT)?;
                if free == LOT && tx.read(&self.used[node as usize])? == 0 {
                    self.ids.remove(tx, lane, id)?;
                }
                Ok(())
            }
        }
    }

    /// The price of an id that has a free offer, with its node.
    fn ask<'tx>(&'tx self, tx: &mut impl View<'tx, E>, id: u64) -> Result<Option<(u32, u32)>, E::Abort> {
        let Some(node) = self.ids.find(tx, id)? else { return Ok(None) };
        let is_free = tx.read(&self.free[node as usize])? > 0;
        Ok(if is_free { Some((tx.read(&self.price[node as usize])?, node)) } else { None })
    }
}

impl<E: Engine> Agency<E> {
    /// Makes the tables with these offers, how many and at which price, as many customers as there are offers of a
    /// kind, and room for so many reservations.
    pub(super) fn new(offers: &[Vec<(u32, u32)>; KINDS], reservations: usize, lanes: usize) -> Self {
        let customers: Vec<u64> = (0..offers[0].len() as u64).collect();
        Self {
            offers: std::array::from_fn(|kind| Offers::new(&offers[kind], lanes)),
            customers: Tree::new(&customers, NIL, 0, lanes),
            reservations: Pool::new(Vec::new(), reservations, lanes),
            reserved: (0..reservations).map(|_| E::cell(0)).collect(),
        }
    }

    /// Reserves the dearest offer of each kind for a customer, who is added if need be.
    pub(super) fn reserve<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        lane: usize,
        customer: u64,
        queries: &[(usize, u64)],
    ) -> Result<(), E::Abort> {
        let mut dearest: [Option<(u32, u32, u64)>; KINDS] = [None; KINDS];
        for &(kind, id) in queries {
            if let Some((price, node)) = self.offers[kind].ask(tx, id)?
                && dearest[kind].is_none_or(|(other, ..)| price > other)
            {
                dearest[kind] = Some((price, node, id));
            }
        }
        if dearest.iter().all(Option::is_none) {
            return Ok(());
        }
        let customer = match self.customers.find(tx, customer)? {
            Some(node) => node,
            None => self.customers.insert(tx, lane, customer, NIL)?,
        };
        for (kind, found) in dearest.into_iter().enumerate() {
            let Some((price, node, id)) = found else { continue };
            self.add(tx, lane, customer, pack(kind, id, price), node)?;
        }
        Ok(())
    }

    /// Adds a reservation to those of a customer, which are sorted, unless it is there already.
    fn add<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        lane: usize,
        customer: u32,
        reserved: u64,
        offer: u32,
    ) -> Result<(), E::Abort> {
        let (kind, ..) = unpack(reserved);
        let mut link = self.customers.value(customer);
        let mut next = tx.read(link)?;
        for _ in 0..MOST_RESERVATIONS {
            let other = if next == NIL { u64::MAX } else { tx.read(&self.reserved[next as usize])? };
            if other >> PRICE_BITS == reserved >> PRICE_BITS {
                return Ok(());
            }
            if other > reserved {
                let new = self.reservations.take(tx, lane)?;
                tx.write(&self.reserved[new as usize], reserved)?;
                tx.write(self.reservations.link(new), next)?;
                tx.write(link, new)?;
                tx.modify(&self.offers[kind].free[offer as usize], |free| *free -= 1)?;
                return tx.modify(&self.offers[kind].used[offer as usize], |used| *used += 1);
            }
            link = self.reservations.link(next);
            next = tx.read(link)?;
        }
        tx.torn()
    }

    /// Deletes a customer and cancels the reservations.
    pub(super) fn delete<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>, lane: usize, customer: u64) -> Result<(), E::Abort> {
        let Some(node) = self.customers.find(tx, customer)? else { return Ok(()) };
        let mut next = tx.read(self.customers.value(node))?;
        for _ in 0..MOST_RESERVATIONS {
            if next == NIL {
                return self.customers.remove(tx, lane, customer);
            }
            let (kind, id, _) = unpack(tx.read(&self.reserved[next as usize])?);
            let Some(offer) = self.offers[kind].ids.find(tx, id)? else { return tx.torn() };
            tx.modify(&self.offers[kind].free[offer as usize], |free| *free += 1)?;
            let used = tx.read(&self.offers[kind].used[offer as usize])?;
            let Some(rest) = used.checked_sub(1) else { return tx.torn() };
            tx.write(&self.offers[kind].used[offer as usize], rest)?;
            let after = tx.read(self.reservations.link(next))?;
            self.reservations.give(tx, lane, next)?;
            next = after;
        }
        tx.torn()
    }

    /// All offers that there are, and all reservations.
    pub(super) fn all<'tx>(&'tx self, tx: &mut impl View<'tx, E>) -> Result<All, E::Abort> {
        let mut offers = Vec::new();
        for (kind, of_kind) in self.offers.iter().enumerate() {
            let ids = match of_kind.ids.all(tx)? {
                Ok(ids) => ids,
                Err(what) => return Ok(Err(what)),
            };
            for (id, node) in ids {
                let (used, free) = (&of_kind.used[node as usize], &of_kind.free[node as usize]);
                offers.push((kind, id, tx.read(used)?, tx.read(free)?));
            }
        }
        let customers = match self.customers.all(tx)? {
            Ok(customers) => customers,
            Err(what) => return Ok(Err(what)),
        };
        let mut reservations = Vec::new();
        for (_, node) in customers {
            let mut next = tx.read(self.customers.value(node))?;
            let first = reservations.len();
            while next != NIL {
                let (kind, id, _) = unpack(tx.read(&self.reserved[next as usize])?);
                if reservations[first..].last().is_some_and(|&before| before >= (kind, id)) {
                    return Ok(Err("that a customer's reservations are sorted and distinct"));
                }
                reservations.push((kind, id));
                next = tx.read(self.reservations.link(next))?;
            }
        }
        Ok(Ok((offers, reservations)))
    }
}

#[cfg(test)]
impl<E: Engine> Agency<E> {
    /// Makes a reservation of somebody who has two the same as the other one.
    pub(super) fn double<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>) -> Result<(), E::Abort> {
        for (_, node) in self.customers.all(tx)?.expect("the tree is sorted") {
            let first = tx.read(self.customers.value(node))?;
            let second = if first == NIL { NIL } else { tx.read(self.reservations.link(first))? };
            if second != NIL {
                let reserved = tx.read(&self.reserved[first as usize])?;
                return tx.write(&self.reserved[second as usize], reserved);
            }
        }
        unreachable!("somebody has two reservations")
    }
}
