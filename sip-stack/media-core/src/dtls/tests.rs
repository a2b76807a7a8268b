//! Both ends of the association over a network that loses, delays and repeats.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use sans_io::Time;

use super::*;
use crate::transport::tests::network::{AWFUL, Conditions, Network, To};

static IDENTITY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::seeded(1).expect("an identity")));

/// Time that a handshake takes until both ends have keys; `None` if an end gave up.
fn shake(seed: u64, conditions: Conditions) -> Option<Duration> {
    let start = Time::from_secs(1_000_000);
    let clock = Clock::new(start, Instant::now());
    let mut network = Network::new(seed, conditions);
    let mut ends = [
        Handshake::new(start, &IDENTITY, clock),
        Handshake::new(start, &IDENTITY, clock),
    ];
    let towards = [To::Browser, To::Leg];
    let (mut now, mut done) = (start, [false; 2]);
    let first = ends[0].start(now, DtlsRole::Active, |datagram| {
        network.send(now, towards[0], datagram)
    });
    assert!(first.is_none());
    loop {
        let due = ends
            .iter()
            .filter_map(|end| end.poll_timeout())
            .map(|(at, _)| at)
            .min();
        now = [due, network.next()].into_iter().flatten().min()?.max(now);
        let mut progress = [None, None];
        if let Some((to, datagram)) = network.arrive(now) {
            let end = usize::from(to == To::Browser);
            progress[end] = ends[end].handle(now, &datagram, |datagram| {
                network.send(now, towards[end], datagram)
            });
        } else {
            for end in 0..2 {
                progress[end] =
                    ends[end].handle_timeout(now, |datagram| network.send(now, towards[end], datagram));
            }
        }
        for end in 0..2 {
            match progress[end].take() {
                Some(Progress::Complete(_)) => {
                    assert!(ends[end].peer_is(IDENTITY.fingerprint()));
                    done[end] = true;
                }
                Some(_) => return None,
                None => {}
            }
        }
        if done == [true; 2] {
            return Some(now - start);
        }
    }
}

#[test]
fn completes_at_any_loss_that_a_call_could_bear() {
    for (loss_percent, seeds) in [(0, 100), (5, 300), (10, 300), (25, 1_000), (40, 300)] {
        let conditions = Conditions {
            loss_percent,
            ..AWFUL
        };
        let mut took: Vec<Duration> = (0..seeds).filter_map(|seed| shake(seed, conditions)).collect();
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_millis();
        let (whole, median, p95, worst) = (took.len(), at(50), at(95), at(100));
        println!(
            "{loss_percent} %: {whole} of {seeds}, median {median} ms, 95 % in {p95} ms, worst {worst} ms"
        );
        assert!(
            loss_percent > 25 || took.len() as u64 == seeds,
            "{loss_percent} %: {whole} of {seeds}"
        );
    }
}
