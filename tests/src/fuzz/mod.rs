//! Fuzz targets that also run on stable Rust.
//!
//! A target is a module here with a `TARGET`: its seeds, the words worth inserting, and a function that takes any octets and
//! panics when something is wrong. `tests/fuzz` runs the same function under libFuzzer (`cargo +nightly fuzz run message`);
//! `tests/tests/fuzz.rs` runs it over the seeds and 10,000 mutations of them, the same ones every time.
//!
//! To add a target: write `src/fuzz/NAME.rs` after the pattern of [`framing`], declare it below, add one line to
//! `tests/tests/fuzz.rs`, and to `tests/fuzz` a file `fuzz_targets/NAME.rs` with its `[[bin]]`. An input that once failed
//! becomes a seed.

pub mod body;
pub mod browser_leg;
pub mod coordinator;
pub mod digits;
pub mod dtls;
pub mod endpoint;
pub mod framing;
pub mod guard;
pub mod jitter;
pub mod latching;
pub mod memory;
pub mod message;
mod mutate;
pub mod passport;
pub mod pidf;
pub mod playout;
pub mod recorder;
pub mod registration;
pub mod rtcp;
pub mod rtp;
pub mod sdes;
pub mod sdp;
pub mod shard;
pub mod srtp;
pub mod summary;
pub mod targets;
pub mod upstream;

pub use mutate::Mutator;

use sans_io::Rng;

/// Something that takes any octets.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name under which libFuzzer knows it.
    pub name: &'static str,
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words of the format.
    pub words: &'static [&'static str],
    /// Takes one input; panics if an invariant is broken.
    pub run: fn(&[u8]),
}

/// Number of mutated inputs of a run on stable; `CORDBOARD_FUZZ_INPUTS` overrides it.
pub const INPUTS: u64 = 10_000;

/// Runs the seeds and then mutations of them. The input that panicked is printed and kept, so that it can
/// become a seed.
pub fn exercise(target: &Target) {
    exercise_some(target, INPUTS);
}

/// The same with this many mutations, of a target whose inputs take long.
pub fn exercise_some(target: &Target, inputs: u64) {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    for seed in &seeds {
        attempt(target, seed);
    }
    let inputs = std::env::var("CORDBOARD_FUZZ_INPUTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(inputs);
    let mut mutator = Mutator::new(Rng::seeded(0x0c0d_b0a2), target.words);
    for _ in 0..inputs {
        attempt(target, &mutator.input(&seeds));
    }
}

fn attempt(target: &Target, input: &[u8]) {
    let result = std::panic::catch_unwind(|| (target.run)(input));
    if let Err(panic) = result {
        eprintln!(
            "{}: this input failed: b\"{}\"",
            target.name,
            input.escape_ascii()
        );
        std::panic::resume_unwind(panic);
    }
}
