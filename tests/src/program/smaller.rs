//! Making a program that fails smaller.
//!
//! What fails by chance must be tried often, so the largest parts are left out first: threads, then steps, then halves of
//! bodies, then single operations. A strategy's own way of simplifying goes from small to large, and only knows programs
//! that it has made itself.

use std::time::{Duration, Instant};

use super::{Kind, Op, Program, Rescue, Step, Transaction};

/// Makes a program smaller for as long as `fails` says that it still does, and returns the smallest with what it said of it;
/// nothing if it does not fail.
pub fn smallest(
    program: &Program,
    time: Duration,
    mut fails: impl FnMut(&Program) -> Option<String>,
) -> Option<(Program, String)> {
    let start = Instant::now();
    let mut problem = fails(program)?;
    let mut best = program.clone();
    let mut smaller = smaller_programs(&best);
    let (mut next, mut failed_since) = (0, 0);
    while failed_since < smaller.len() && start.elapsed() < time {
        next %= smaller.len();
        match fails(&smaller[next]) {
            Some(new) => {
                best = smaller.swap_remove(next);
                (problem, failed_since) = (new, 0);
                // Where a part has been left out, the next one stands now.
                smaller = smaller_programs(&best);
            }
            None => {
                next += 1;
                failed_since += 1;
            }
        }
    }
    Some((best, problem))
}

/// The list without each of its elements in turn.
fn without_one<T: Clone>(list: &[T]) -> impl Iterator<Item = Vec<T>> + '_ {
    (0..list.len()).map(|out| [&list[..out], &list[out + 1..]].concat())
}

/// The list with one element replaced by each of what `others` makes of it.
fn with_other<T: Clone>(list: &[T], others: impl Fn(&T) -> Vec<T>) -> Vec<Vec<T>> {
    let with = |place: usize, other: T| {
        let mut list = list.to_vec();
        list[place] = other;
        list
    };
    let all = list.iter().enumerate();
    all.flat_map(|(place, element)| others(element).into_iter().map(move |other| with(place, other))).collect()
}

/// Programs that are a little smaller, those that are much smaller first.
#[must_use]
pub fn smaller_programs(program: &Program) -> Vec<Program> {
    let of_threads = |threads: Vec<Vec<Step>>| Program { threads, ..program.clone() };
    let mut smaller: Vec<Program> = without_one(&program.threads).map(of_threads).collect();
    smaller.extend(with_other(&program.threads, |steps| without_one(steps).collect()).into_iter().map(of_threads));
    let changed = with_other(&program.threads, |steps| with_other(steps, smaller_steps));
    smaller.extend(changed.into_iter().map(of_threads));
    for rounds in [1, program.rounds / 2] {
        if (1..program.rounds).contains(&rounds) {
            smaller.push(Program { rounds, ..program.clone() });
        }
    }
    if program.cells.len() > 1 {
        smaller.extend(without_one(&program.cells).map(|cells| Program { cells, ..program.clone() }));
    }
    let simpler_kind = |kind: &Kind| if *kind == Kind::Bits { Vec::new() } else { vec![Kind::Bits] };
    let of_cells = with_other(&program.cells, simpler_kind).into_iter();
    smaller.extend(of_cells.map(|cells| Program { cells, ..program.clone() }));
    for rescue in [Rescue { after_us: 0, ..program.rescue }, Rescue { singly: false, ..program.rescue }] {
        if rescue != program.rescue {
            smaller.push(Program { rescue, ..program.clone() });
        }
    }
    smaller
}

fn smaller_steps(step: &Step) -> Vec<Step> {
    match step {
        Step::Run(transaction) => smaller_transactions(transaction).into_iter().map(Step::Run).collect(),
        Step::Tasks(tasks) => {
            let alone = tasks.iter().cloned().map(Step::Run);
            let fewer = without_one(tasks).filter(|tasks| !tasks.is_empty()).map(Step::Tasks);
            let changed = with_other(tasks, smaller_transactions).into_iter().map(Step::Tasks);
            alone.chain(fewer).chain(changed).collect()
        }
        Step::Snapshot(cells) => without_one(cells).map(Step::Snapshot).collect(),
        Step::Swap(cell) | Step::Update(cell) => vec![Step::Store(*cell)],
        Step::Load(_) | Step::Store(_) | Step::Collect => Vec::new(),
    }
}

fn smaller_transactions(transaction: &Transaction) -> Vec<Transaction> {
    let mut smaller = Vec::new();
    let plain = Transaction { body: transaction.body.clone(), ..Transaction::default() };
    if plain != *transaction {
        smaller.push(plain);
    }
    smaller
        .extend(smaller_bodies(&transaction.body).into_iter().map(|body| Transaction { body, ..transaction.clone() }));
    smaller
}

fn smaller_bodies(ops: &[Op]) -> Vec<Vec<Op>> {
    let mut smaller = Vec::new();
    if ops.len() > 3 {
        let (first, second) = ops.split_at(ops.len() / 2);
        smaller.extend([first.to_vec(), second.to_vec()]);
    }
    smaller.extend(without_one(ops));
    for (place, op) in ops.iter().enumerate() {
        for part in super::parts(op) {
            smaller.push([&ops[..place], part, &ops[place + 1..]].concat());
        }
    }
    smaller.extend(with_other(ops, smaller_ops));
    smaller
}

fn smaller_ops(op: &Op) -> Vec<Op> {
    match op {
        Op::OrElse(first, second) => {
            let of_first = smaller_bodies(first).into_iter().map(|first| Op::OrElse(first, second.clone()));
            let of_second = smaller_bodies(second).into_iter().map(|second| Op::OrElse(first.clone(), second));
            of_first.chain(of_second).collect()
        }
        Op::Nested(part) => smaller_bodies(part).into_iter().map(Op::Nested).collect(),
        Op::Exchange(one, two) => vec![Op::Modify(*one), Op::Modify(*two)],
        Op::Modify(cell) | Op::Replace(cell) => vec![Op::Read(*cell), Op::Write(*cell)],
        Op::ReadRef(cell) => vec![Op::Read(*cell)],
        _ => Vec::new(),
    }
}
