//! Far more threads than processors.
#![forbid(unsafe_code)]

use std::sync::{Arc, Barrier};
use std::thread;

use optimist::{TVar, atomically, snapshot};
use optimist_tests::schedule::without_hanging;

#[test]
fn a_thousand_threads_count_to_ten_thousand() {
    const THREADS: u64 = 1_000;
    const EACH: u64 = 10;
    without_hanging(|| {
        let counters: Arc<[TVar<u64>; 3]> = Arc::new(std::array::from_fn(|_| TVar::new(0)));
        let total = TVar::new("0".to_string());
        let start = Arc::new(Barrier::new(THREADS as usize));
        let threads: Vec<_> = (0..THREADS)
            .map(|index| {
                let (counters, total, start) = (Arc::clone(&counters), total.clone(), Arc::clone(&start));
                let work = move || {
                    start.wait();
                    for round in 0..EACH {
                        let counter = &counters[((index + round) % 3) as usize];
                        atomically(|tx| {
                            counter.modify(tx, |count| *count += 1)?;
                            let sum = counters.iter().map(|counter| counter.read(tx)).sum::<Result<u64, _>>()?;
                            total.write(tx, sum.to_string())
                        });
                    }
                };
                thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap()
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(total.load(), (THREADS * EACH).to_string());
        let sum = snapshot(|tx| counters.iter().map(|counter| counter.read(tx)).sum::<Result<u64, _>>());
        assert_eq!(sum, THREADS * EACH);
    });
}
