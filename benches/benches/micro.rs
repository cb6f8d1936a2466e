//! Single figures by criterion: the basic transactions and values at one thread, on Optimist and under one lock.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion's macros make public items without docs")]

use criterion::{Criterion, criterion_group, criterion_main};
use optimist_benches::engine::{Engine, GlobalMutex, InlineCells, Thread, Variables};
use optimist_benches::workload::{Done, Workload};
use optimist_benches::workloads::array::Array;
use optimist_benches::workloads::boxed::{Boxed, Record};
use optimist_benches::workloads::single::Single;
use optimist_benches::workloads::swaps::Swaps;
use rand::SeedableRng;
use rand::rngs::SmallRng;

fn bench_engine<E: Engine, W: Workload>(criterion: &mut Criterion, name: &str, engine: &str, workload: &W) {
    let world = E::world(workload.data::<E>(1));
    let mut thread = Thread::<E, _>::enter(&world);
    workload.prepare(&mut thread);
    let mut worker = workload.worker(0, 1);
    let mut random = SmallRng::seed_from_u64(1);
    let mut counts = vec![0; W::KINDS.len()];
    criterion.benchmark_group(name).bench_function(engine, |bencher| {
        bencher.iter(|| {
            workload.draw(&mut worker, &mut random);
            if let Some(kind) = workload.run(&mut worker, &mut thread) {
                counts[kind] += 1;
            }
        });
    });
    workload.check(&mut W::Account::default(), &mut thread, &[Done { counts, worker }]).unwrap();
}

fn bench(criterion: &mut Criterion, name: &str, workload: &impl Workload) {
    bench_engine::<Variables, _>(criterion, name, "optimist-tvar", workload);
    bench_engine::<InlineCells, _>(criterion, name, "optimist-tcell", workload);
    bench_engine::<GlobalMutex, _>(criterion, name, "mutex", workload);
}

fn micro(criterion: &mut Criterion) {
    bench(criterion, "read-1", &Array::read(1));
    bench(criterion, "read-16", &Array::read(16));
    bench(criterion, "snapshot-64", &Array::snapshot(64));
    bench(criterion, "update-1", &Array::update(1));
    bench(criterion, "update-4", &Array::update(4));
    bench(criterion, "read-8-update-2", &Array::mixed());
    bench(criterion, "counter", &Array::counter());
    bench(criterion, "swap-2", &Swaps(2));
    bench(criterion, "record-read", &Boxed::<Record>::read());
    bench(criterion, "record-update", &Boxed::<Record>::update());
    bench(criterion, "load", &Single::Load);
    bench(criterion, "add", &Single::Add);
}

criterion_group!(benches, micro);
criterion_main!(benches);
