//! Random programs.
//!
//! Some programs are of everything there is; the others dwell on plain reads and writes, whose races are the narrowest, on
//! parts that are undone, on waiting, or on the token.

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Cell, Kind, Op, Program, Rescue, Step, Transaction};

const CELLS_MAX: usize = 4;

fn cell() -> std::ops::Range<Cell> {
    0..CELLS_MAX
}

fn kind() -> BoxedStrategy<Kind> {
    prop_oneof![Just(Kind::Bits), Just(Kind::Boxed), Just(Kind::Link), Just(Kind::Slot)].boxed()
}

/// Reading and writing, and pauses in between.
fn access() -> BoxedStrategy<Op> {
    prop_oneof![
        6 => cell().prop_map(Op::Read),
        2 => cell().prop_map(Op::ReadRef),
        4 => cell().prop_map(Op::Write),
        3 => cell().prop_map(Op::Modify),
        1 => cell().prop_map(Op::Replace),
        1 => (cell(), cell()).prop_map(|(one, two)| Op::Exchange(one, two)),
        2 => (0..1100_u16).prop_map(Op::Pause),
        1 => cell().prop_map(Op::Rival),
    ]
    .boxed()
}

/// Whatever has no parts.
fn simple() -> BoxedStrategy<Op> {
    prop_oneof![
        30 => access(),
        2 => cell().prop_map(Op::Await),
        1 => Just(Op::AfterCommit),
        1 => Just(Op::AfterAbort),
        1 => kind().prop_map(Op::Fresh),
        1 => Just(Op::Irrevocable),
        1 => Just(Op::Cancel),
        1 => Just(Op::Panic),
        1 => Just(Op::Retry),
    ]
    .boxed()
}

fn anything() -> BoxedStrategy<Op> {
    let with_parts = |part: BoxedStrategy<Op>| {
        let part = vec(part, 0..5);
        prop_oneof![
            6 => simple(),
            // Chosen for a reason: the first branch looks at something, and cannot go on.
            2 => (part.clone(), part.clone()).prop_map(|(mut first, second)| {
                first.push(Op::Retry);
                Op::OrElse(first, second)
            }),
            1 => (part.clone(), part.clone()).prop_map(|(first, second)| Op::OrElse(first, second)),
            1 => part.clone().prop_map(|mut part| {
                part.push(Op::Cancel);
                Op::Nested(part)
            }),
            1 => part.prop_map(Op::Nested),
        ]
    };
    simple().prop_recursive(3, 24, 4, with_parts).boxed()
}

fn waiting() -> BoxedStrategy<Op> {
    prop_oneof![
        4 => access(),
        3 => cell().prop_map(Op::Await),
        1 => (cell(), cell()).prop_map(|(one, two)| Op::OrElse(vec![Op::Await(one)], vec![Op::Await(two)])),
        1 => (vec(access(), 0..3), cell()).prop_map(|(part, cell)| {
            Op::OrElse(part.into_iter().chain([Op::Retry]).collect(), vec![Op::Await(cell)])
        }),
    ]
    .boxed()
}

/// Reading and writing in parts that are undone.
fn undone() -> BoxedStrategy<Op> {
    let part = vec(access(), 1..4);
    let with = |mut part: Vec<Op>, last: Op| {
        part.push(last);
        part
    };
    prop_oneof![
        3 => access(),
        2 => (part.clone(), part.clone()).prop_map(move |(one, two)| Op::OrElse(with(one, Op::Retry), two)),
        1 => part.prop_map(move |part| Op::Nested(with(part, Op::Cancel))),
    ]
    .boxed()
}

/// Reading and writing by those who cannot lose, in the way of others.
fn irrevocable() -> BoxedStrategy<Op> {
    prop_oneof![6 => access(), 1 => Just(Op::Irrevocable)].boxed()
}

fn transaction(op: BoxedStrategy<Op>) -> BoxedStrategy<Transaction> {
    let plain = vec(op.clone(), 1..7).prop_map(|body| Transaction { body, ..Transaction::default() });
    let with_options = (0..4_u32, any::<bool>(), -2..3_i8, vec(op.clone(), 1..7))
        .prop_map(|(attempts_max, is_timed, priority, body)| Transaction { attempts_max, is_timed, priority, body });
    let escalated = (vec(op.clone(), 0..3), cell(), vec(op, 0..3)).prop_map(|(before, cell, after)| {
        let body = before.into_iter().chain([Op::Escalate(cell)]).chain(after).collect();
        Transaction { body, ..Transaction::default() }
    });
    prop_oneof![40 => plain, 8 => with_options, 1 => escalated].boxed()
}

fn step(op: BoxedStrategy<Op>) -> BoxedStrategy<Step> {
    prop_oneof![
        20 => transaction(op.clone()).prop_map(Step::Run),
        2 => vec(transaction(op), 1..4).prop_map(Step::Tasks),
        2 => vec(cell(), 1..6).prop_map(Step::Snapshot),
        2 => cell().prop_map(Step::Load),
        2 => cell().prop_map(Step::Store),
        1 => cell().prop_map(Step::Swap),
        1 => cell().prop_map(Step::Update),
        1 => Just(Step::Collect),
    ]
    .boxed()
}

fn threads(op: BoxedStrategy<Op>) -> BoxedStrategy<Vec<Vec<Step>>> {
    let thread = vec(step(op), 1..5);
    prop_oneof![5 => vec(thread.clone(), 1..4), 2 => vec(thread.clone(), 2..6), 1 => vec(thread, 4..9)].boxed()
}

/// Any program.
pub fn program() -> BoxedStrategy<Program> {
    // What may wait for a time limit is not repeated often.
    let threads = prop_oneof![
        2 => (threads(access()), 1..40_u16),
        1 => (threads(waiting()), 1..20_u16),
        1 => (threads(irrevocable()), 1..30_u16),
        2 => (threads(undone()), 1..30_u16),
        2 => (threads(anything()), 1..4_u16),
    ];
    let rescue = (0..400_u16, any::<bool>()).prop_map(|(after_us, singly)| Rescue { after_us, singly });
    (vec(kind(), 2..=CELLS_MAX), threads, rescue)
        .prop_map(|(cells, (threads, rounds), rescue)| Program { cells, threads, rounds, rescue })
        .boxed()
}

thread_local! {
    // Made once, as that takes longer than to run a program.
    static PROGRAM: BoxedStrategy<Program> = program();
}

/// The program with this seed.
///
/// # Panics
/// Never: programs are not filtered.
#[must_use]
pub fn from_seed(seed: u64) -> Program {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    PROGRAM.with(|program| program.new_tree(&mut runner)).expect("programs are not filtered").current()
}
