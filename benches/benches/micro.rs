//! The six basic transactions at one thread, on Optimist's variables and on one lock.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion's macros make public items without docs")]

use criterion::{Criterion, criterion_group, criterion_main};
use optimist_benches::engine::{Engine, Locked, Variables};
use optimist_benches::micro::{Counter, Mixed, Read, Update, WORDS};
use optimist_benches::workload::{Evidence, RunOn};
use rand::SeedableRng;
use rand::rngs::SmallRng;

fn bench_engine<W: RunOn<E>, E: Engine>(criterion: &mut Criterion, workload_name: &str, engine_name: &str) {
    let words = W::words(WORDS);
    let engine = E::new(words, W::FIRST_VALUE);
    let before = engine.values();
    let mut workload = W::new(0, words);
    let mut random = SmallRng::seed_from_u64(1);
    let mut transactions = 0;
    criterion.benchmark_group(workload_name).bench_function(engine_name, |bencher| {
        bencher.iter(|| {
            workload.draw(&mut random);
            workload.run(&engine);
            transactions += 1;
        });
    });
    let threads = [(transactions, workload)];
    let evidence = Evidence { before: &before, after: &engine.values(), threads: &threads };
    W::check(&evidence).unwrap();
}

fn bench<W: RunOn<Variables> + RunOn<Locked>>(criterion: &mut Criterion, workload_name: &str) {
    bench_engine::<W, Variables>(criterion, workload_name, "optimist-tvar");
    bench_engine::<W, Locked>(criterion, workload_name, "mutex");
}

fn micro(criterion: &mut Criterion) {
    bench::<Read<1>>(criterion, "read-1");
    bench::<Read<16>>(criterion, "read-16");
    bench::<Update<1>>(criterion, "update-1");
    bench::<Update<4>>(criterion, "update-4");
    bench::<Mixed>(criterion, "read-8-update-2");
    bench::<Counter>(criterion, "counter");
}

criterion_group!(benches, micro);
criterion_main!(benches);
