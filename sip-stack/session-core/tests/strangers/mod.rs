//! Limits on what an unknown peer gets from the gateway.

use std::net::SocketAddr;

use session_core::{Limits, Quota};
use sip_core::endpoint::Counts;

use crate::minute;
use crate::world::{CALLEE, CALLER, GATEWAY, Network, World};

/// An address that belongs to nobody.
fn stranger() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 5060))
}

fn request(method: &str, from: &str, lines: &str) -> String {
    format!(
        "{method} sip:100@192.0.2.11 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK{method}\r\n\
         From: <sip:{from}@192.0.2.11>;tag=1\r\nTo: <sip:100@192.0.2.11>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:{from}@198.51.100.1>\r\n{lines}\r\n"
    )
}

#[test]
fn whoever_has_proved_nothing_gets_one_answer_in_proportion_and_leaves_nothing() {
    let wrong = "Authorization: Digest username=\"agent\", realm=\"test\", nonce=\"x\", uri=\"sip:100@192.0.2.11\", \
                 response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5\r\n";
    for method in [
        "INVITE",
        "REGISTER",
        "OPTIONS",
        "SUBSCRIBE",
        "PUBLISH",
        "MESSAGE",
        "REFER",
        "NOTIFY",
        "BYE",
        "CANCEL",
        "FOO",
    ] {
        for from in ["100", "agent"] {
            for lines in ["", wrong, "Require: x\r\n"] {
                let mut world = World::new(1, Network::perfect());
                let text = request(method, from, lines);
                let first = world.exchange(GATEWAY, stranger(), text.clone());
                let again = world.exchange(GATEWAY, stranger(), text.clone());
                for sent in [first, again] {
                    assert_eq!(sent.len(), 1, "{text}");
                    assert!(
                        sent[0].len() <= 3 * text.len(),
                        "{} octets for\n{text}",
                        sent[0].len()
                    );
                }
                let ack = text
                    .replace(&format!("{method} sip:"), "ACK sip:")
                    .replace(&format!("1 {method}"), "1 ACK");
                assert!(world.exchange(GATEWAY, stranger(), ack).is_empty());
                let stats = world.stats(GATEWAY);
                assert_eq!(stats.endpoint, Counts::default(), "{text}");
                let packets = world.packets;
                world.run(minute());
                assert_eq!(world.packets, packets, "something followed\n{text}");
            }
        }
    }
}

#[test]
fn strangers_without_number_keep_no_call_of_others_away() {
    let mut world = World::new(1, Network::perfect());
    for n in 0..5_000 {
        let text = request("INVITE", "100", "")
            .replace("bKINVITE", &format!("bK{n}"))
            .replace("Call-ID: 1", &format!("Call-ID: {n}"));
        assert_eq!(world.exchange(GATEWAY, stranger(), text).len(), 1);
    }
    assert_eq!(world.stats(GATEWAY).endpoint, Counts::default());
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    assert_eq!(world.bridges(GATEWAY), 1);
    world.hangup(CALLEE);
    world.run(minute());
    world.assert_empty();
}

/// An INVITE with the caller's address as source, which is that of the trunk `left`.
fn from_trunk(number: usize) -> String {
    request("INVITE", "alice", "")
        .replace("bKINVITE", &format!("bKt{number}"))
        .replace("Call-ID: 1", &format!("Call-ID: t{number}"))
}

fn limits(quota: Quota, phone_legs: usize) -> Limits {
    Limits {
        trunks: [("left".to_owned(), quota)].into(),
        phone_legs,
        ..Limits::default()
    }
}

#[test]
fn a_trunk_places_as_many_calls_as_it_may_and_the_others_take_no_port() {
    let quota = Quota {
        calls: Some(2),
        rate: None,
    };
    let mut world = World::new(1, Network::perfect());
    world.verb(GATEWAY, |c, _| c.set_limits(limits(quota, usize::MAX)));
    for number in 0..5 {
        let sent = world.deliver(GATEWAY, CALLER, from_trunk(number));
        let first = String::from_utf8(sent[0].to_vec()).expect("text");
        match number {
            0 | 1 => assert!(first.starts_with("SIP/2.0 100 "), "{first}"),
            _ => {
                assert!(
                    first.starts_with("SIP/2.0 503 ") && first.contains("\r\nRetry-After: "),
                    "{first}"
                );
                assert_eq!(sent.len(), 1);
            }
        }
    }
    let stats = world.stats(GATEWAY);
    assert_eq!((stats.sessions, stats.excess.over_quota), (2, 3));
    assert_eq!(
        world.opened(GATEWAY).len(),
        4,
        "each call has a leg in and a leg out"
    );
}

#[test]
fn calls_each_second_are_counted_exactly() {
    let quota = Quota {
        calls: None,
        rate: Some(5),
    };
    let mut world = World::new(1, Network::perfect());
    world.verb(GATEWAY, |c, _| c.set_limits(limits(quota, usize::MAX)));
    for number in 0..20 {
        world.deliver(GATEWAY, CALLER, from_trunk(number));
    }
    assert_eq!(world.incoming(GATEWAY), 5);
    world.now += std::time::Duration::from_millis(600);
    for number in 20..40 {
        world.deliver(GATEWAY, CALLER, from_trunk(number));
    }
    assert_eq!(world.incoming(GATEWAY), 8, "three more in 0.6 s");
}

#[test]
fn a_flood_of_a_trunk_leaves_ports_for_users() {
    let mut world = World::new(1, Network::perfect());
    world.centre = true;
    world.verb(GATEWAY, |c, _| c.set_limits(limits(Quota::default(), 8)));
    for number in 0..20 {
        world.deliver(GATEWAY, CALLER, from_trunk(number));
    }
    assert_eq!(
        (
            world.incoming(GATEWAY),
            world.stats(GATEWAY).excess.ports_reserved
        ),
        (6, 14)
    );
    world.register(CALLER);
    world.run_until(minute(), |w| w.stats(GATEWAY).contacts == 1);
    world.user = true;
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    assert_eq!(world.answered, 1, "a user's call is taken");
}
