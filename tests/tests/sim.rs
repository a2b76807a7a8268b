//! The whole gateway in virtual time. See `cordboard_tests::sim`.

use std::time::Duration;

use cordboard_tests::sim::{Conditions, Outcome, tell, tell_on};

/// So many runs of four calls, each over another network.
fn runs(first: u64, count: u64) -> Outcome {
    let mut sum = Outcome::default();
    // One run alone, for debugging it.
    let (first, count) = match std::env::var("CORDBOARD_SIM_SEED") {
        Ok(seed) => (seed.parse().expect("a seed"), 1),
        Err(_) => (first, count),
    };
    for seed in first..first + count {
        let conditions = match seed % 3 {
            0 => Conditions::perfect(),
            1 => Conditions {
                loss: 5,
                duplicate: 5,
                jitter: Duration::from_millis(30),
            },
            _ => Conditions::bad(),
        };
        let outcome = std::panic::catch_unwind(|| tell(seed, 4, conditions));
        match outcome {
            Ok(outcome) => sum += outcome,
            Err(panic) => {
                eprintln!("seed {seed} failed: CORDBOARD_SIM_SEED={seed} CORDBOARD_SIM_ALOUD=1 draws it");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{count} runs: {sum:?}");
    sum
}

/// 2,500 runs of four calls are 10,000 calls; a fifth of them in each test, so that they run side by side.
fn fifth(number: u64) {
    let sum = runs(500 * number, 500);
    if std::env::var_os("CORDBOARD_SIM_SEED").is_none() {
        assert!(
            sum.calls == 2_000 && sum.sessions > 1_800 && sum.invites > 4_000,
            "{sum:?}"
        );
        assert!(sum.answered > 1_200, "{sum:?}");
        assert!(sum.away > 20 && sum.digits > 100, "{sum:?}");
    }
}

#[test]
fn ten_thousand_calls_1() {
    fifth(0);
}

#[test]
fn ten_thousand_calls_2() {
    fifth(1);
}

#[test]
fn ten_thousand_calls_3() {
    fifth(2);
}

#[test]
fn ten_thousand_calls_4() {
    fifth(3);
}

#[test]
fn ten_thousand_calls_5() {
    fifth(4);
}

#[test]
fn the_number_of_shards_changes_nothing_in_signalling() {
    for seed in 0..150 {
        let conditions = [Conditions::perfect(), Conditions::bad()][seed as usize % 2];
        let one = tell(seed, 4, conditions);
        for shards in 2..4 {
            let several = tell_on(shards, seed, 4, conditions);
            // The shard is named in the user name fragments of browsers' legs.
            let several = Outcome {
                digest: one.digest,
                ..several
            };
            assert_eq!(several, one, "seed {seed}, {shards} shards");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 2, 17] {
        assert_eq!(tell(seed, 4, Conditions::bad()), tell(seed, 4, Conditions::bad()));
    }
    assert_ne!(
        tell(1, 4, Conditions::bad()).digest,
        tell(2, 4, Conditions::bad()).digest
    );
}
