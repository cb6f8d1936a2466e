//! A process with one thread, which waits for what no other thread is there to do.
//!
//! `waits-alone try` reports the error; `waits-alone` runs into the panic; `waits-alone timed` waits with a time limit.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use optimist::{Atomically, Cancel, Limit, Stm, TVar, TryError, Tx, atomically, try_atomically};

fn main() -> ExitCode {
    let door = TVar::new(false);
    let wait = |tx: &mut Tx<'_>| -> Stm<()> {
        let open = door.read(tx)?;
        tx.check(open)
    };
    let limit = match std::env::args().nth(1).as_deref() {
        Some("try") => match try_atomically(|tx| Ok::<_, Cancel<()>>(wait(tx)?)) {
            Err(TryError::Stopped(stopped)) => stopped.limit(),
            Ok(()) | Err(TryError::Cancelled(())) => return ExitCode::from(2),
        },
        Some("run") => Atomically::new().run(wait).unwrap_err().limit(),
        Some("timed") => Atomically::new().timeout(Duration::from_millis(50)).run(wait).unwrap_err().limit(),
        _ => {
            atomically(wait);
            return ExitCode::from(2);
        }
    };
    println!("{limit:?}");
    if limit == Limit::Abandoned || limit == Limit::Time { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
