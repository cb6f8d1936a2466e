//! Intruder, of STAMP: a detector of attacks in network traffic.
//!
//! # Protocol
//! For each packet, which is a fragment of a flow:
//! 1. Capture: take it from the queue of packets (a transaction).
//! 2. Reassembly: add it to the fragments of its flow, in a map. If these are all, remove the flow from the map and
//!    put it into the queue of whole flows (a transaction).
//! 3. Take a flow from that queue, if there is one (a transaction), and look for signatures of attacks in it.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use super::pool::NIL;
use super::queue::Queue;
use super::tree::Tree;
use crate::engine::{Abilities, Engine, Thread, Tx};
use crate::workload::{Part, Program, WrongAnswer, index};

const SIGNATURES: usize = 71;
const SIGNATURE_LENGTHS: std::ops::Range<usize> = 8..32;

/// The program.
#[derive(Clone, Copy, Debug)]
pub struct Intruder {
    /// How many flows are attacks, in percent (`-a`).
    pub attacks: usize,
    /// How many bytes a flow that is none has at most (`-l`).
    pub longest: usize,
    /// Flows (`-n`).
    pub flows: usize,
}

impl Intruder {
    /// For a simulator: `-a10 -l4 -n2038 -s1`.
    #[must_use]
    pub const fn simulator() -> Self {
        Self { attacks: 10, longest: 4, flows: 2_038 }
    }

    /// For real machines: `-a10 -l128 -n262144 -s1`.
    #[must_use]
    pub const fn native() -> Self {
        Self { attacks: 10, longest: 128, flows: 262_144 }
    }
}

/// The traffic.
#[derive(Debug)]
pub struct Traffic {
    signatures: Vec<Vec<u8>>,
    /// What was sent in each flow.
    sent: Vec<Vec<u8>>,
    /// The flows that are attacks, sorted.
    attacks: Vec<u32>,
    /// The packets in the order in which they arrive.
    packets: Vec<Packet>,
}

#[derive(Clone, Debug)]
struct Packet {
    flow: u32,
    fragment: u32,
    fragments: u32,
    data: Vec<u8>,
}

/// What threads share.
pub struct Detector<E: Engine> {
    arrived: Queue<E>,
    /// Flows that are not whole, each with the first of its fragments that are there.
    flows: Tree<E>,
    /// By packet, the fragment after it among those of its flow that are there.
    next: Box<[E::Cell<u32>]>,
    /// The first fragments of flows that are whole.
    whole: Queue<E>,
}

debug_by_name!(Detector);

/// What a thread has detected.
#[derive(Debug, Default)]
pub struct Detected {
    /// Flows that were whole, with the bytes put together.
    flows: Vec<(u32, Vec<u8>)>,
    attacks: Vec<u32>,
}

impl<E: Engine> Detector<E> {
    /// Adds a packet to its flow. The fragments of a flow are sorted.
    fn reassemble<'tx>(
        &'tx self,
        tx: &mut impl Tx<'tx, E>,
        packets: &[Packet],
        lane: usize,
        number: u32,
    ) -> Result<(), E::Abort> {
        let packet = &packets[number as usize];
        if packet.fragments == 1 {
            tx.write(&self.next[number as usize], NIL)?;
            return self.whole.put(tx, number);
        }
        let Some(flow) = self.flows.find(tx, u64::from(packet.flow))? else {
            tx.write(&self.next[number as usize], NIL)?;
            self.flows.insert(tx, lane, u64::from(packet.flow), number)?;
            return Ok(());
        };
        let mut is_added = false;
        let mut count = 0;
        let mut link = self.flows.value(flow);
        loop {
            let next = tx.read(link)?;
            if !is_added && (next == NIL || packets[next as usize].fragment > packet.fragment) {
                tx.write(&self.next[number as usize], next)?;
                tx.write(link, number)?;
                is_added = true;
                count += 1;
            }
            if next == NIL {
                break;
            }
            count += 1;
            if count > packet.fragments {
                return tx.torn();
            }
            link = &self.next[next as usize];
        }
        if count == packet.fragments {
            let first = tx.read(self.flows.value(flow))?;
            self.flows.remove(tx, lane, u64::from(packet.flow))?;
            self.whole.put(tx, first)?;
        }
        Ok(())
    }

    /// Takes the packets of a whole flow.
    fn take_whole<'tx>(&'tx self, tx: &mut impl Tx<'tx, E>, packets: &[Packet]) -> Result<Option<Vec<u32>>, E::Abort> {
        let Some(first) = self.whole.take(tx)? else { return Ok(None) };
        let mut found = Vec::with_capacity(packets[first as usize].fragments as usize);
        let mut next = first;
        while next != NIL {
            if found.len() == packets[first as usize].fragments as usize {
                return tx.torn();
            }
            found.push(next);
            next = tx.read(&self.next[next as usize])?;
        }
        Ok(Some(found))
    }
}

/// Whether one of the signatures is in the data, in whatever case.
fn is_attack(signatures: &[Vec<u8>], data: &[u8]) -> bool {
    let data = data.to_ascii_lowercase();
    signatures.iter().any(|signature| data.windows(signature.len()).any(|window| window == &signature[..]))
}

fn letters(random: &mut SmallRng, count: usize) -> Vec<u8> {
    (0..count).map(|_| b'a' + index(random, 26) as u8).collect()
}

impl Intruder {
    /// Cuts a flow into packets: of as many bytes each, but for the last.
    fn cut(flow: u32, data: &[u8], random: &mut SmallRng) -> impl Iterator<Item = Packet> {
        let count = index(random, data.len()) + 1;
        let each = data.len() / count;
        (0..count).map(move |fragment| {
            let end = if fragment + 1 == count { data.len() } else { (fragment + 1) * each };
            Packet {
                flow,
                fragment: fragment as u32,
                fragments: count as u32,
                data: data[fragment * each..end].to_vec(),
            }
        })
    }
}

impl Program for Intruder {
    const NEEDS: Abilities = Abilities { atomicity: true, discovery: true, ..Abilities::NONE };

    type Input = Traffic;
    type Data<E: Engine> = Detector<E>;
    type Output = Detected;

    fn input(&self, seed: u64) -> Traffic {
        let mut random = SmallRng::seed_from_u64(seed);
        let signatures: Vec<Vec<u8>> = (0..SIGNATURES)
            .map(|_| {
                let length = SIGNATURE_LENGTHS.start + index(&mut random, SIGNATURE_LENGTHS.len());
                letters(&mut random, length)
            })
            .collect();
        let mut traffic = Traffic { signatures, sent: Vec::new(), attacks: Vec::new(), packets: Vec::new() };
        for flow in 0..self.flows as u32 {
            let is_attack_meant = index(&mut random, 100) < self.attacks;
            let mut data = if is_attack_meant {
                traffic.signatures[index(&mut random, SIGNATURES)].clone()
            } else {
                let length = index(&mut random, self.longest) + 1;
                letters(&mut random, length)
            };
            for letter in &mut data {
                if index(&mut random, 2) == 0 {
                    letter.make_ascii_uppercase();
                }
            }
            if is_attack(&traffic.signatures, &data) {
                traffic.attacks.push(flow);
            }
            traffic.packets.extend(Self::cut(flow, &data, &mut random));
            traffic.sent.push(data);
        }
        traffic.packets.shuffle(&mut random);
        traffic
    }

    fn data<E: Engine>(&self, input: &Traffic, threads: usize) -> Detector<E> {
        let numbers: Vec<u32> = (0..input.packets.len() as u32).collect();
        Detector {
            arrived: Queue::new(&numbers, numbers.len()),
            flows: Tree::new(&[], NIL, self.flows, threads),
            next: numbers.iter().map(|_| E::cell(NIL)).collect(),
            whole: Queue::new(&[], self.flows),
        }
    }

    fn run<E: Engine>(&self, input: &Traffic, part: &Part<'_>, thread: &mut Thread<'_, E, Detector<E>>) -> Detected {
        let packets = &input.packets[..];
        let mut detected = Detected::default();
        while let Some(number) = thread.atomically(|tx, detector| detector.arrived.take(tx)) {
            thread.atomically(|tx, detector| detector.reassemble(tx, packets, part.thread, number));
            let Some(flow) = thread.atomically(|tx, detector| detector.take_whole(tx, packets)) else { continue };
            let data = flow.iter().flat_map(|&packet| &packets[packet as usize].data).copied().collect::<Vec<u8>>();
            let number = packets[flow[0] as usize].flow;
            if is_attack(&input.signatures, &data) {
                detected.attacks.push(number);
            }
            detected.flows.push((number, data));
        }
        detected
    }

    /// Each flow was put together once, as it was sent, and the attacks were found.
    fn check<E: Engine>(
        &self,
        input: &Traffic,
        thread: &mut Thread<'_, E, Detector<E>>,
        outputs: &[Detected],
    ) -> Result<u64, WrongAnswer> {
        let mut flows: Vec<&(u32, Vec<u8>)> = outputs.iter().flat_map(|output| &output.flows).collect();
        flows.sort_unstable_by_key(|flow| flow.0);
        WrongAnswer::unless_equal("the flows that were put together", input.sent.len(), flows.len())?;
        let is_sent =
            |(number, flow): (usize, &&(u32, Vec<u8>))| number == flow.0 as usize && input.sent[number] == flow.1;
        WrongAnswer::unless("whether all flows are as they were sent", flows.iter().enumerate().all(is_sent))?;
        let mut attacks: Vec<u32> = outputs.iter().flat_map(|output| &output.attacks).copied().collect();
        attacks.sort_unstable();
        WrongAnswer::unless("whether the attacks were found", attacks == input.attacks)?;
        let left = thread.snapshot(|tx, detector| detector.flows.all(tx)).map_err(super::broken)?;
        WrongAnswer::unless_equal("the flows that are not whole", 0, left.len())?;
        Ok(input.packets.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_found, is_right_everywhere, notices_lost_writes};
    use super::*;

    const SMALL: Intruder = Intruder { attacks: 10, longest: 40, flows: 200 };

    #[test]
    fn every_engine_finds_the_attacks() {
        for program in [SMALL, Intruder::simulator()] {
            let packets = program.input(7).packets.len();
            is_right_everywhere(&program, packets as u64);
        }
    }

    #[test]
    fn there_are_attacks_and_they_are_what_was_meant() {
        let traffic = Intruder::simulator().input(1);
        let share = traffic.attacks.len() * 100 / traffic.sent.len();
        assert!((7..14).contains(&share), "{share}");
    }

    #[test]
    fn a_lost_flow_is_found() {
        is_found(&SMALL, |_, outputs| _ = outputs.iter_mut().find_map(|output| output.flows.pop()), "flows that were");
    }

    #[test]
    fn a_swapped_byte_is_found() {
        let swap = |outputs: &mut Vec<Detected>| {
            let flow = outputs.iter_mut().find_map(|output| output.flows.first_mut()).expect("a flow is whole");
            flow.1[0] ^= 1;
        };
        is_found(&SMALL, |_, outputs| swap(outputs), "as they were sent");
    }

    #[test]
    fn an_attack_that_was_missed_is_found() {
        let miss = |outputs: &mut Vec<Detected>| _ = outputs.iter_mut().find_map(|output| output.attacks.pop());
        is_found(&SMALL, |_, outputs| miss(outputs), "attacks");
    }

    #[test]
    fn a_flow_that_is_left_is_found() {
        is_found(
            &SMALL,
            |thread, _| _ = thread.atomically(|tx, detector| detector.flows.insert(tx, 0, 1_000, NIL)),
            "not whole",
        );
    }

    #[test]
    fn lost_writes_are_found() {
        notices_lost_writes(&SMALL);
    }
}
