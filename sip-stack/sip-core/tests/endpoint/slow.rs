//! When a 100 goes out: to an INVITE that is not answered soon, and to another request that its client repeats slowly already.

use std::time::Duration;

use sip_core::endpoint::{Body, Event, Headers};
use sip_core::flow::Transport;
use sip_core::message::{Method, StatusCode};

use crate::bench::{ANSWER, Bench, OFFER, config, peer, request};

const UDP: Transport = Transport::Udp;

#[test]
fn a_reinvite_gets_a_100_only_if_its_answer_takes_longer() {
    for late in [false, true] {
        let mut bench = Bench::new();
        let usage = bench.called(peer(UDP), "", OFFER);
        bench.act(|endpoint, now| endpoint.accept(now, usage, Some(Body::sdp(ANSWER)), Headers::new()));
        bench.within(usage, "ACK", 100, "", "");
        let before = bench.count("100");
        bench.within(usage, "INVITE", 101, "", &format!("{OFFER}a=sendonly\r\n"));
        if late {
            bench.sleep(Duration::from_millis(200));
        }
        bench.act(|endpoint, now| {
            endpoint.answer_offer(now, usage, Ok(Some(Body::sdp(ANSWER))), Headers::new())
        });
        bench.sleep(Duration::from_millis(400));
        assert_eq!(bench.count("100") - before, usize::from(late));
        bench.within(usage, "ACK", 101, "", "");
    }
}

/// RFC 4320 §4.1: no earlier, over UDP.
#[test]
fn a_request_whose_answer_takes_long_gets_a_100() {
    let mut settings = config();
    settings.allow.push(Method::Message);
    let mut bench = Bench::with(settings);
    bench.receive(peer(UDP), request("MESSAGE", "sip:1001@192.0.2.1", "", ""));
    let Event::Request { tx, .. } = bench.event() else {
        panic!("a message")
    };
    bench.sleep(Duration::from_millis(3_499));
    assert_eq!(bench.count("100"), 0);
    bench.sleep(Duration::from_millis(1));
    assert_eq!(bench.count("100"), 1);
    bench.receive(peer(UDP), request("MESSAGE", "sip:1001@192.0.2.1", "", ""));
    assert_eq!(bench.count("100"), 2, "each copy gets it");
    bench.act(|endpoint, now| endpoint.reply(now, tx, StatusCode::OK, Headers::new(), None));
    assert_eq!(bench.count("200"), 1);
    bench.is_clean_after_a_while();
    assert_eq!(bench.count("100"), 2);
}
