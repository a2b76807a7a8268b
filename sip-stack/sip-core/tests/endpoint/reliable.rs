//! Provisional responses that go, and come, reliably because somebody would like that (RFC 3262).

use sip_core::endpoint::{Body, Event, Headers, OfferMethod, Reliability};
use sip_core::flow::Transport;
use sip_core::message::{HeaderName, StatusCode};

use crate::bench::{ANSWER, Bench, OFFER, outgoing, peer};

const UDP: Transport = Transport::Udp;
const BOB: &str = "sip:bob@192.0.2.9";
const CONTACT: &str = "Contact: <sip:bob@192.0.2.9:5060>\r\n";

fn answer() -> Option<Body> {
    Some(Body::sdp(ANSWER))
}

#[test]
fn a_caller_that_supports_reliable_responses_gets_those_that_the_policy_says() {
    for (policy, lines, with_sdp, without) in [
        (Reliability::Supported, "Supported: 100rel\r\n", true, false),
        (Reliability::Required, "Supported: 100rel\r\n", true, true),
        (Reliability::Off, "Supported: 100rel\r\n", false, false),
        (Reliability::Required, "Supported: timer\r\n", false, false),
        (Reliability::Off, "Require: 100rel\r\n", true, true),
    ] {
        for (body, reliable) in [(answer(), with_sdp), (None, without)] {
            let mut bench = Bench::new();
            let usage = bench.called(peer(UDP), lines, OFFER);
            bench.act(|endpoint, now| {
                endpoint.ring_reliably(usage, policy);
                endpoint.ring(
                    now,
                    usage,
                    StatusCode::SESSION_PROGRESS,
                    body.clone(),
                    Headers::new(),
                );
            });
            let progress = bench.last("183");
            assert_eq!(
                (
                    progress.rseq().is_some(),
                    progress.lists(HeaderName::Require, "100rel")
                ),
                (reliable, reliable),
                "{policy:?} {lines} {body:?}"
            );
        }
    }
}

#[test]
fn after_a_reliable_response_all_are_and_the_200_waits_for_the_answer_to_be_acknowledged() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Supported: 100rel\r\n", OFFER);
    bench.act(|endpoint, now| {
        endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new());
        endpoint.ring(now, usage, StatusCode::SESSION_PROGRESS, answer(), Headers::new());
        endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new());
        endpoint.accept(now, usage, answer(), Headers::new());
    });
    bench.secs(1);
    assert_eq!(
        (bench.count("180"), bench.count("183"), bench.count("200")),
        (1, 2, 0),
        "the first could not be told from a copy, and went at once"
    );
    for cseq in [101, 102] {
        let last = if cseq == 101 { "183" } else { "180" };
        let rack = format!("RAck: {} 100 INVITE\r\n", bench.last(last).rseq().unwrap());
        bench.within(usage, "PRACK", cseq, &rack, "");
    }
    assert_eq!(bench.last("200").cseq().method.as_str(), "INVITE");
    bench.within(usage, "ACK", 100, "", "");
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    bench.answer("BYE", StatusCode::OK, "", "", "");
    bench.is_clean_after_a_while();
}

#[test]
fn an_offer_in_the_prack_or_in_an_update_before_the_200_is_answered() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Supported: 100rel\r\nAllow: INVITE, UPDATE\r\n", OFFER);
    bench.act(|endpoint, now| {
        endpoint.ring(now, usage, StatusCode::SESSION_PROGRESS, answer(), Headers::new())
    });
    let rack = format!("RAck: {} 100 INVITE\r\n", bench.last("183").rseq().unwrap());
    bench.within(usage, "PRACK", 101, &rack, OFFER);
    assert!(matches!(bench.event(), Event::Pracked { .. }));
    assert!(matches!(
        bench.event(),
        Event::Offer {
            method: OfferMethod::Prack,
            ..
        }
    ));
    bench.act(|endpoint, now| endpoint.answer_offer(now, usage, Ok(answer()), Headers::new()));
    assert_eq!(bench.last("200").body(), ANSWER.as_bytes());
    bench.within(usage, "UPDATE", 102, "", &format!("{OFFER}a=sendonly\r\n"));
    assert!(matches!(
        bench.event(),
        Event::Offer {
            method: OfferMethod::Update,
            ..
        }
    ));
}

#[test]
fn a_prack_that_says_not_what_it_acknowledges_is_malformed() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Require: 100rel\r\n", OFFER);
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    bench.within(usage, "PRACK", 101, "", "");
    bench.within(usage, "PRACK", 102, "RAck: 1 INVITE\r\n", "");
    assert_eq!((bench.count("400"), bench.count("481")), (2, 0));
    let rack = format!("RAck: {} 100 INVITE\r\n", bench.last("180").rseq().unwrap());
    bench.within(usage, "PRACK", 103, &rack, "");
    assert_eq!(bench.last("200").cseq().method.as_str(), "PRACK");
}

#[test]
fn our_invite_says_what_it_likes_of_provisional_responses() {
    for (reliable, supported, required) in [
        (Reliability::Off, false, false),
        (Reliability::Supported, true, false),
        (Reliability::Required, true, true),
    ] {
        let mut bench = Bench::new();
        bench.invite(sip_core::endpoint::OutgoingInvite {
            reliable,
            ..outgoing(BOB)
        });
        let invite = bench.last("INVITE");
        assert_eq!(
            (
                invite.supports("100rel"),
                invite.lists(HeaderName::Require, "100rel")
            ),
            (supported, required)
        );
        assert!(invite.supports("timer"));
        // Whoever sends one reliably all the same is acknowledged.
        let lines = format!("Require: 100rel\r\nRSeq: 5\r\n{CONTACT}");
        bench.answer("INVITE", StatusCode::SESSION_PROGRESS, "bob", &lines, OFFER);
        assert_eq!(bench.count("PRACK"), 1);
    }
    // The answer to an offer in a reliable response would have to come in the PRACK.
    let mut bench = Bench::new();
    bench.invite(sip_core::endpoint::OutgoingInvite {
        reliable: Reliability::Required,
        body: None,
        ..outgoing(BOB)
    });
    let invite = bench.last("INVITE");
    assert!(!invite.supports("100rel") && !invite.lists(HeaderName::Require, "100rel"));
}
