//! Running a [`Program`] from its beginning to its end.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use super::{Job, KindSample, Plan, Sample};
use crate::engine::{Engine, Thread};
use crate::workload::{Part, Program, WrongAnswer};

/// A program on an engine. The work is kept from one run to the next with the same seed; the data is not.
pub struct Whole<E, P: Program> {
    program: P,
    input: Option<(u64, P::Input)>,
    engine: PhantomData<fn() -> E>,
}

impl<E, P: Program> fmt::Debug for Whole<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").finish_non_exhaustive()
    }
}

impl<E: Engine, P: Program> Whole<E, P> {
    /// Makes it; the work is made in the first run.
    pub fn new(program: P) -> Self {
        Self { program, input: None, engine: PhantomData }
    }
}

impl<E: Engine, P: Program> Job for Whole<E, P> {
    fn kinds(&self) -> &'static [&'static str] {
        &["operations"]
    }

    fn run(&mut self, plan: &Plan) -> Result<Sample, WrongAnswer> {
        if self.input.as_ref().is_none_or(|(seed, _)| *seed != plan.seed) {
            self.input = Some((plan.seed, self.program.input(plan.seed)));
        }
        let (Some((_, input)), program) = (&self.input, &self.program) else { unreachable!("it was just made") };
        let world = E::world(program.data::<E>(input, plan.threads));
        let barrier = Barrier::new(plan.threads);
        let conflicts_before = E::conflicts();
        let ended: Vec<_> = thread::scope(|scope| {
            let handles: Vec<_> = (0..plan.threads)
                .map(|thread| {
                    let (world, barrier) = (&world, &barrier);
                    scope.spawn(move || {
                        let part = Part::new(thread, plan.threads, plan.seed, barrier);
                        let mut thread = Thread::<E, _>::enter(world);
                        part.barrier(&mut thread);
                        let start = Instant::now();
                        let output = program.run(input, &part, &mut thread);
                        (start, Instant::now(), output)
                    })
                })
                .collect();
            handles.into_iter().map(|handle| handle.join().expect("a worker panicked, as reported above")).collect()
        });
        let conflicts = E::conflicts().zip(conflicts_before).map(|(after, before)| after - before);
        let start = ended.iter().map(|(start, ..)| *start).min().expect("there is a thread");
        let end = ended.iter().map(|(_, end, _)| *end).max().expect("there is a thread");
        let outputs: Vec<_> = ended.into_iter().map(|(.., output)| output).collect();
        let operations = program.check(input, &mut Thread::<E, _>::enter(&world), &outputs)?;
        let throughput = operations as f64 / (end - start).as_secs_f64();
        let kinds = vec![KindSample { throughput, latency: None }];
        Ok(Sample { kinds, processor_time: None, transactions: operations, conflicts })
    }
}
