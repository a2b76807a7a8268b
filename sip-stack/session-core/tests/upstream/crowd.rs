//! Crowds of lamps: after a restart of the PBX, or of the gateway, all come back, and the PBX gets no more requests than it is to get.

use std::time::Duration;

use bytes::Bytes;
use sans_io::Time;
use sip_core::message::{HeaderName, Message, Method};

use super::bench::{Bench, Client, PBX, browser, respond, status};

const CLIENTS: u64 = 10;
const LAMPS: usize = 100;
const DIALOG: &str = "Event: dialog\r\nAccept: application/dialog-info+xml\r\nExpires: 600\r\n";
const BOB: &str = "sip:bob@pbx.example";
const GRANTED: &str = "Contact: <sip:pbx@192.0.2.50>\r\nExpires: 300\r\n";

/// Clients that are registered at the PBX.
fn registered(bench: &mut Bench) -> Vec<Client> {
    let mut all: Vec<Client> = (1..=CLIENTS)
        .map(|n| Client::new(Box::leak(format!("u{n}").into_boxed_str()), n))
        .collect();
    for client in &mut all {
        client.register(bench, 300);
    }
    bench.pbx.lines = GRANTED;
    bench.pbx.got.clear();
    all
}

/// Every client subscribes to all of its lamps at once: the SUBSCRIBEs that the PBX granted.
fn all_subscribe(bench: &mut Bench, clients: &mut [Client]) -> Vec<Message> {
    for client in &mut *clients {
        for _ in 0..LAMPS {
            client.send(bench, "SUBSCRIBE", BOB, DIALOG, "");
        }
    }
    let mut granted = 0;
    let began = bench.now;
    while granted < clients.len() * LAMPS {
        bench.run(Duration::from_millis(50));
        for client in &mut *clients {
            for answer in bench.take(client.flow) {
                match status(&answer) {
                    407 => {
                        let more = client.credentials(bench, &answer, "SUBSCRIBE", BOB);
                        client.send(bench, "SUBSCRIBE", BOB, &format!("{DIALOG}{more}"), "");
                    }
                    200 => granted += 1,
                    100 => {}
                    code => panic!("{code}"),
                }
            }
        }
        let took = bench.now.since(began);
        assert!(took <= Duration::from_secs(11), "{granted} after {took:?}");
    }
    let got = &bench.pbx.got;
    let with_credentials = |message: &&Message| message.header_named("Proxy-Authorization").is_some();
    let sent = got.iter().map(|(_, message)| message).filter(with_credentials);
    sent.cloned().collect()
}

/// Most requests that the PBX got in a second.
fn most_in_a_second(got: &[(Time, Message)]) -> usize {
    let sent: Vec<Time> = got
        .iter()
        .filter(|(_, message)| message.is(&Method::Subscribe))
        .map(|(at, _)| *at)
        .collect();
    let second = Duration::from_secs(1);
    let from = |begin: &[Time]| begin.iter().take_while(|at| **at < begin[0] + second).count();
    (0..sent.len())
        .map(|n| from(&sent[n..]))
        .max()
        .unwrap_or_default()
}

/// First NOTIFY of a subscription of ours.
fn notify(subscribe: &Message, n: usize, state: &str) -> Bytes {
    let of = |name: HeaderName| subscribe.header(name).unwrap_or_default().to_owned();
    let target = subscribe.contact().expect("a Contact").uri.to_string();
    Bytes::from(format!(
        "NOTIFY {target} SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bKn{n}\r\nMax-Forwards: 70\r\nFrom: {};tag=pbx\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: 1 NOTIFY\r\nContact: <sip:pbx@{PBX}>\r\nEvent: dialog\r\n\
         Subscription-State: {state}\r\nContent-Length: 0\r\n\r\n",
        of(HeaderName::To),
        of(HeaderName::From),
        of(HeaderName::CallId),
    ))
}

#[test]
fn a_thousand_lamps_come_back_without_a_storm() {
    let mut bench = Bench::new();
    let mut clients = registered(&mut bench);
    let sent = all_subscribe(&mut bench, &mut clients);
    assert_eq!(sent.len(), 1_000);
    assert_eq!(bench.pbx.got.len(), 2_000, "each was challenged once");
    assert!(most_in_a_second(&bench.pbx.got) <= 201);
    // The PBX starts again: it takes all lamps away at once, and browsers are to ask again at once.
    for (n, subscribe) in sent.iter().enumerate() {
        bench.pbx_sends(notify(subscribe, n, "terminated;reason=deactivated"));
    }
    for client in &clients {
        for notify in bench.take(client.flow) {
            assert!(notify.is(&Method::Notify));
            bench.receive(browser(client.flow), respond(&notify, 200, "", ""));
        }
    }
    bench.pbx.got.clear();
    assert_eq!(all_subscribe(&mut bench, &mut clients).len(), 1_000);
    assert!(most_in_a_second(&bench.pbx.got) <= 201);
    // The gateway starts again.
    bench.restart();
    bench.pbx.lines = "";
    let mut clients = registered(&mut bench);
    assert_eq!(all_subscribe(&mut bench, &mut clients).len(), 1_000);
    assert!(most_in_a_second(&bench.pbx.got) <= 201);
}

#[test]
fn ends_have_the_same_pace() {
    let mut bench = Bench::new();
    let mut clients = registered(&mut bench);
    let sent = all_subscribe(&mut bench, &mut clients);
    bench.pbx.got.clear();
    let before = bench.coordinator.stats().endpoint.subscriptions;
    assert_eq!(before, 2_000, "of each lamp two sides");
    // The browsers are gone, which shows when all lamps change at once and nobody answers.
    for (n, subscribe) in sent.iter().enumerate() {
        bench.pbx_sends(notify(subscribe, n, "active;expires=280"));
    }
    bench.seconds(60);
    let ends = bench
        .pbx
        .got
        .iter()
        .filter(|(_, message)| message.expires() == Some(0));
    assert_eq!(ends.count(), 1_000);
    assert!(most_in_a_second(&bench.pbx.got) <= 201);
}

#[test]
fn a_browser_that_is_gone_when_its_turn_comes_asks_for_nothing() {
    let mut bench = Bench::new();
    let mut clients = registered(&mut bench);
    for client in &mut clients[..2] {
        for _ in 0..50 {
            client.send(&mut bench, "SUBSCRIBE", BOB, DIALOG, "");
        }
    }
    bench.close(clients[0].flow);
    bench.seconds(2);
    let asked = bench.at_pbx(&Method::Subscribe);
    let of = |user: &str| {
        let from = format!("sip:{user}@pbx.example");
        let is_of = |request: &&Message| request.from().uri.to_string() == from;
        asked.iter().filter(is_of).count()
    };
    assert_eq!((of("u1"), of("u2")), (1, 50), "one had gone at once");
}
