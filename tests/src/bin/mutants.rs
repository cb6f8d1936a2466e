//! Plants faults into the runtime, one at a time, and records which layer of verification notices.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Parser;
use optimist_tests::mutants::layers::{Built, Layer, Places};
use optimist_tests::mutants::table::{SURVIVED, Table};
use optimist_tests::mutants::{Kind, Mutant, all, checks::List, orderings, plant, root};

/// Weakens every ordering of the runtime and leaves out every check, one at a time, and records in tests/mutants.md
/// what turns red.
///
/// Exit status: 0 if each fault that was tried was noticed, 1 if not, 2 if it could not be tried.
#[derive(Parser)]
struct Arguments {
    /// Only mutants whose name contains one of these.
    names: Vec<String>,
    /// Only weaker orderings.
    #[arg(long, conflicts_with = "checks")]
    orderings: bool,
    /// Only checks left out.
    #[arg(long)]
    checks: bool,
    /// Says which mutants there are, and what is known of them.
    #[arg(long)]
    list: bool,
    /// Leaves out what the table says is noticed.
    #[arg(long)]
    resume: bool,
    /// Only these layers; by default those that the kind of fault asks for.
    #[arg(long, value_enum)]
    layer: Vec<Layer>,
    /// Also tries those that are argued to be equivalent.
    #[arg(long)]
    equivalent: bool,
    /// Mutants tried at the same time.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    jobs: usize,
    /// Seconds for a model; one that takes longer is no witness.
    #[arg(long, default_value_t = 120)]
    model_seconds: u64,
    /// Seconds for a test program; one that takes longer hangs.
    #[arg(long, default_value_t = 60)]
    test_seconds: u64,
    /// Where copies and builds go; by default below `target`.
    #[arg(long, env = "OPTIMIST_MUTANTS_DIR")]
    work: Option<PathBuf>,
}

/// What all jobs share.
struct Session<'a> {
    arguments: &'a Arguments,
    places: Places,
    mutants: &'a [Mutant],
    list: &'a List,
    table: Mutex<Table>,
}

impl Session<'_> {
    fn is_picked(&self, mutant: &Mutant, table: &Table) -> bool {
        let arguments = self.arguments;
        let named = arguments.names.is_empty() || arguments.names.iter().any(|name| mutant.name.contains(name));
        let kind = match mutant.kind {
            Kind::Ordering => !arguments.checks,
            Kind::Check => !arguments.orderings,
        };
        let is_new = table.get(&mutant.name).is_none_or(|outcome| outcome == SURVIVED);
        let is_open = self.list.why_equivalent(&mutant.name).is_none() || arguments.equivalent;
        named && kind && is_open && (is_new || !arguments.resume)
    }

    fn limit(&self, layer: Layer) -> Duration {
        let seconds = self.arguments;
        Duration::from_secs(if layer == Layer::Models { seconds.model_seconds } else { seconds.test_seconds })
    }

    fn build(&self, layer: Layer, batch: &[usize]) -> Result<Built, String> {
        let start = Instant::now();
        let tree = self.places.tree(layer);
        plant::plant(&self.places.root, &tree, self.mutants, batch).map_err(|error| error.to_string())?;
        let mut tests = self.list.tests.clone();
        if layer == Layer::Chaos {
            tests.extend(self.list.stress.iter().cloned());
        }
        let built = Built::new(&self.places, layer, &tests)?;
        eprintln!("{} built in {:.0?}", layer.name(), start.elapsed());
        Ok(built)
    }

    /// Tries the mutants of the batch that are wanted in one layer, and returns those that it does not notice.
    fn try_layer(&self, built: &Built, wanted: Vec<usize>) -> Result<Vec<usize>, String> {
        let queue = Mutex::new(VecDeque::from(wanted));
        let left = Mutex::new(Vec::new());
        let job = || -> Result<(), String> {
            loop {
                let Some(number) = queue.lock().unwrap().pop_front() else { return Ok(()) };
                let mutant = &self.mutants[number];
                let start = Instant::now();
                let known = self.table.lock().unwrap().get(&mutant.name).map(str::to_string);
                let hints: Vec<String> = mutant.first.iter().cloned().chain(known).collect();
                let caught = built.catch(number, &hints, self.limit(built.layer))?;
                let said = caught.as_deref().unwrap_or("not noticed").to_string();
                println!("{:6.1} s  {}: {} {said}", start.elapsed().as_secs_f64(), mutant.name, built.layer.name());
                match caught {
                    Some(caught) => self.note(mutant, caught)?,
                    None => left.lock().unwrap().push(number),
                }
            }
        };
        std::thread::scope(|scope| {
            let jobs: Vec<_> = (0..self.arguments.jobs.max(1)).map(|_| scope.spawn(job)).collect();
            jobs.into_iter().try_for_each(|job| job.join().unwrap())
        })?;
        Ok(left.into_inner().unwrap())
    }

    fn note(&self, mutant: &Mutant, outcome: String) -> Result<(), String> {
        let mut table = self.table.lock().unwrap();
        // Another program may have noted something meanwhile.
        *table = Table::read(&self.places.root)?;
        table.set(&mutant.name, outcome);
        let sites = orderings::find(&self.places.root)?;
        table.write(&self.places.root, self.mutants, &sites, self.list)
    }

    fn try_batch(&self, batch: &[usize]) -> Result<usize, String> {
        let table = self.table.lock().unwrap().clone();
        let mut wanted: Vec<usize> =
            batch.iter().copied().filter(|number| self.is_picked(&self.mutants[*number], &table)).collect();
        for layer in [Layer::Tests, Layer::Models, Layer::Chaos] {
            let is_asked = self.arguments.layer.is_empty() || self.arguments.layer.contains(&layer);
            let asks = |number: &usize| is_asked && Layer::of(self.mutants[*number].kind).contains(&layer);
            let (here, rest): (Vec<usize>, Vec<usize>) = wanted.into_iter().partition(asks);
            wanted = rest;
            if !here.is_empty() {
                let built = self.build(layer, batch)?;
                wanted.extend(self.try_layer(&built, here)?);
            }
        }
        for mutant in wanted.iter().map(|number| &self.mutants[*number]) {
            // That one layer does not notice says nothing of the others.
            if self.arguments.layer.is_empty() || table.get(&mutant.name).is_none() {
                self.note(mutant, SURVIVED.to_string())?;
            }
        }
        Ok(wanted.len())
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let root = root();
    let (mutants, list) = all(&root)?;
    let work = arguments.work.clone().unwrap_or_else(|| root.join("target/mutants"));
    std::fs::create_dir_all(&work).map_err(|error| error.to_string())?;
    let work = work.canonicalize().map_err(|error| error.to_string())?;
    let table = Table::read(&root)?;
    let places = Places { root: root.clone(), work };
    let session = Session { arguments, places, mutants: &mutants, list: &list, table: Mutex::new(table.clone()) };
    if arguments.list {
        for mutant in mutants.iter().filter(|mutant| session.is_picked(mutant, &table)) {
            let known = list.why_equivalent(&mutant.name).or(table.get(&mutant.name)).unwrap_or("-");
            println!("{}\n    {} => {}\n    {known}", mutant.name, mutant.code, mutant.change);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut survivors = 0;
    for batch in plant::batches(&mutants) {
        survivors += session.try_batch(&batch)?;
    }
    let table = session.table.lock().unwrap();
    table.write(&root, &mutants, &orderings::find(&root)?, &list)?;
    println!("{survivors} survived");
    Ok(if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn main() -> ExitCode {
    run(&Arguments::parse()).unwrap_or_else(|problem| {
        eprintln!("{problem}");
        ExitCode::from(2)
    })
}
