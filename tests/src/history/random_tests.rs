//! Goal: the checker accepts what is valid and rejects what is not, whatever the history.
//!
//! Method: random valid histories, and the same with one fault. Case n has the seed `OPTIMIST_SEED` + n; the seed is printed.

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::generate::{Fault, valid, valid_of, without_versions};
use super::{Anomaly, History, check};

const CASES: u64 = 300;
/// Each fault finds a place in at least so many of the histories.
const PLACES_MIN: usize = 100;

fn seeds() -> std::ops::Range<u64> {
    let first = std::env::var("OPTIMIST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    println!("OPTIMIST_SEED={first}");
    first..first + CASES
}

#[test]
fn valid_histories_are_accepted() {
    for seed in seeds() {
        let history = valid(seed);
        for history in [without_versions(&history), history] {
            if let Err(finding) = check(&history) {
                panic!("OPTIMIST_SEED={seed}\n{}", finding.report(&history));
            }
        }
    }
}

/// The name of what a fault leads to, if there is but one.
fn name(fault: Fault) -> Option<Anomaly> {
    match fault {
        Fault::UnknownId => Some(Anomaly::UnknownValue),
        Fault::FlippedOutcome => Some(Anomaly::DirtyRead),
        Fault::ReaderTooEarly => Some(Anomaly::FutureRead),
        Fault::OwnWriteMissed => Some(Anomaly::OwnWriteMissed),
        Fault::VersionTwice => Some(Anomaly::VersionTwice),
        Fault::ReadVersionTooNew => Some(Anomaly::NotNewest),
        _ => None,
    }
}

#[test]
fn a_fault_anywhere_is_rejected_and_reported() {
    let (with, without) = (|history| history, |history| without_versions(&history));
    must_be_seen(&Fault::OF_EVENTS, without);
    must_be_seen(&Fault::OF_EVENTS, with);
    must_be_seen(&Fault::OF_VERSIONS, with);
}

fn must_be_seen(faults: &[Fault], prepared: impl Fn(History) -> History) {
    let mut places = vec![0; faults.len()];
    for seed in seeds() {
        let history = prepared(valid(seed));
        for (&fault, places) in faults.iter().zip(&mut places) {
            let Some(broken) = fault.inject(&history, &mut SmallRng::seed_from_u64(seed)) else { continue };
            *places += 1;
            let finding = match check(&broken) {
                Ok(summary) => panic!("OPTIMIST_SEED={seed}: {fault:?} was not seen in {summary}"),
                Err(finding) => finding,
            };
            let report = finding.report(&broken);
            assert!(report.starts_with(&finding.anomaly.to_string()), "OPTIMIST_SEED={seed}\n{report}");
            assert!(finding.members.len() < 12, "{fault:?}, OPTIMIST_SEED={seed}: not a small cycle\n{report}");
            let name = name(fault).unwrap_or(finding.anomaly);
            assert_eq!(finding.anomaly, name, "{fault:?}, OPTIMIST_SEED={seed}\n{report}");
        }
    }
    for (fault, places) in faults.iter().zip(places) {
        println!("{fault:?} in {places} histories");
        assert!(places >= PLACES_MIN, "{fault:?} found a place in {places} histories only");
    }
}

#[test]
fn a_long_history_is_checked_in_a_moment() {
    let history = valid_of(seeds().start, 30_000);
    let summary = check(&history).expect("it is valid");
    assert_eq!(summary.committed + summary.others, 30_000);
    let broken = Fault::LostUpdate.inject(&valid_of(1, 2_000), &mut SmallRng::seed_from_u64(1));
    assert!(check(&broken.expect("there is a place")).is_err());
}
