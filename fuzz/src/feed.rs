//! Feeds one target.

use std::time::Instant;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use crate::corpus::Corpus;
use crate::input::Input;
use crate::quiet::heard;
use crate::shrink::smallest;
use crate::variables::{per_target, seed};
use crate::watchdog::Watchdog;

/// So many inputs are made before anybody looks at the time.
const AT_ONCE: u32 = 64;

/// Feeds a target every input that is kept in `corpus/TARGET`, and then others that are made of them, for as
/// long as `STEPDOWN_FUZZ_SECONDS` says, the same ones again unless `STEPDOWN_FUZZ_SEED` differs. Panics at the first that it panics at, and tells the smallest that was
/// found by then.
#[expect(clippy::panic, reason = "what a target does not bear ends its test")]
pub fn feed(target: &'static str, check: fn(&[u8])) {
    let watchdog = Watchdog::of(target);
    let corpus = Corpus::of(target);
    corpus.replay(|bytes| watchdog.watch(bytes, check));
    let (until, mut fed) = (Instant::now() + per_target(), 0);
    let mut seeds = seed()..;
    let made = corpus.made();
    while Instant::now() < until {
        let mut runner = TestRunner::new(Config {
            rng_seed: seeds.next().map_or(RngSeed::Random, RngSeed::Fixed),
            cases: AT_ONCE,
            failure_persistence: None,
            max_shrink_iters: 2_000,
            ..Config::default()
        });
        let run = runner.run(&made, |input| {
            heard(|| watchdog.watch(&input.bytes, check)).map_err(TestCaseError::fail)
        });
        fed += AT_ONCE;
        match run {
            Ok(()) => {}
            Err(TestError::Fail(reason, input)) => {
                let fails = |bytes: &[u8]| heard(|| watchdog.watch(bytes, check)).is_err();
                let bytes = smallest(input.bytes, fails);
                let input = Input { target, bytes };
                panic!("{reason}, at an input like this:\n{input:?}");
            }
            Err(TestError::Abort(reason)) => panic!("{reason}"),
        }
    }
    println!("{target}: {fed} inputs");
}
