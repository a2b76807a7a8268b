//! The fuzz targets on stable Rust: their seeds and 10,000 inputs each. See `cordboard_tests::fuzz`.

use cordboard_tests::fuzz;
use cordboard_tests::fuzz::memory::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn memory_is_counted() {
    let before = memory::held();
    memory::watch();
    let data = std::hint::black_box(vec![1_u8; 10_000]);
    assert_eq!(memory::held() - before, 10_000);
    drop(data);
    assert_eq!((memory::held(), memory::most()), (before, before + 10_000));
}

#[test]
fn body() {
    fuzz::exercise(&fuzz::body::TARGET);
}

#[test]
fn browser_leg() {
    fuzz::exercise(&fuzz::browser_leg::TARGET);
}

#[test]
fn coordinator() {
    fuzz::exercise(&fuzz::coordinator::TARGET);
}

#[test]
fn endpoint() {
    fuzz::exercise(&fuzz::endpoint::TARGET);
}

#[test]
fn the_seeds_of_the_coordinator_begin_calls() {
    let begun = fuzz::coordinator::reach();
    assert!(begun >= 60, "{begun} sessions");
}

#[test]
fn the_seeds_of_the_endpoint_reach_every_event_of_a_call() {
    let reached = fuzz::endpoint::reach();
    for event in [
        "Invite",
        "Provisional",
        "Answered",
        "Acked",
        "Pracked",
        "Offer",
        "InDialog",
        "Refer",
        "Ended",
        "Subscribe",
        "Resubscribed",
        "Notified",
        "SubscriptionEnded",
        "Request",
    ] {
        assert!(reached.contains(event), "no {event}: {reached:?}");
    }
}

#[test]
fn framing() {
    fuzz::exercise(&fuzz::framing::TARGET);
}

#[test]
fn guard() {
    fuzz::exercise(&fuzz::guard::TARGET);
}

#[test]
fn message() {
    fuzz::exercise(&fuzz::message::TARGET);
}

#[test]
fn registration() {
    fuzz::exercise(&fuzz::registration::TARGET);
}

#[test]
fn summary() {
    fuzz::exercise(&fuzz::summary::TARGET);
}

#[test]
fn passport() {
    fuzz::exercise(&fuzz::passport::TARGET);
}

#[test]
fn pidf() {
    fuzz::exercise(&fuzz::pidf::TARGET);
}

#[test]
fn shard() {
    fuzz::exercise(&fuzz::shard::TARGET);
}

/// Each input has a handshake and a conversation.
#[test]
fn shard_secured() {
    fuzz::exercise_some(&fuzz::shard::secured::TARGET, 300);
}

#[test]
fn sdp() {
    fuzz::exercise(&fuzz::sdp::TARGET);
}

#[test]
fn rtcp() {
    fuzz::exercise(&fuzz::rtcp::TARGET);
}

#[test]
fn rtp() {
    fuzz::exercise(&fuzz::rtp::TARGET);
}

#[test]
fn digits() {
    fuzz::exercise(&fuzz::digits::TARGET);
}

#[test]
fn dtls() {
    fuzz::exercise(&fuzz::dtls::TARGET);
}

#[test]
fn jitter() {
    fuzz::exercise(&fuzz::jitter::TARGET);
}

#[test]
fn latching() {
    fuzz::exercise(&fuzz::latching::TARGET);
}

#[test]
fn playout() {
    fuzz::exercise(&fuzz::playout::TARGET);
}

#[test]
fn recorder() {
    fuzz::exercise(&fuzz::recorder::TARGET);
}

#[test]
fn sdes() {
    fuzz::exercise(&fuzz::sdes::TARGET);
}

#[test]
fn srtp() {
    fuzz::exercise(&fuzz::srtp::TARGET);
}

#[test]
fn targets() {
    fuzz::exercise(&fuzz::targets::TARGET);
}

#[test]
fn upstream() {
    fuzz::exercise(&fuzz::upstream::TARGET);
}
