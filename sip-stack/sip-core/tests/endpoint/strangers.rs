//! Answers for peers that have proved nothing: one, in proportion, and no place in memory.

use bytes::Bytes;
use sans_io::Rng;
use sip_core::endpoint::{Body, Config, Counts, Endpoint, Event, Headers, Input, Output};
use sip_core::flow::Transport;
use sip_core::message::StatusCode;

use crate::bench::{ANSWER, Bench, OFFER, START, config, peer, request};

const UDP: Transport = Transport::Udp;
const CONTACT: &str = "Contact: <sip:bob@192.0.2.9>\r\n";

fn challenges() -> Headers {
    ["SHA-256", "MD5"]
        .map(|algorithm| {
            let value = format!(
                "Digest realm=\"cordboard\", nonce=\"{}\", algorithm={algorithm}, qop=\"auth\"",
                "0".repeat(64)
            );
            ("WWW-Authenticate".to_owned(), value)
        })
        .to_vec()
}

/// Has the user of the endpoint refuse everything.
fn turn_away(bench: &mut Bench) {
    for event in std::mem::take(&mut bench.events) {
        bench.act(|endpoint, now| match event {
            Event::Invite { usage, .. } => endpoint.turn_away(usage, StatusCode::UNAUTHORIZED, &challenges()),
            Event::Request { tx, .. } => {
                endpoint.reply(now, tx, StatusCode::UNAUTHORIZED, challenges(), None)
            }
            other => panic!("{other:?}"),
        });
    }
}

fn invite() -> String {
    request("INVITE", "sip:1001@192.0.2.1", CONTACT, OFFER)
}

/// An endpoint that drains its answers only when its user has spoken, as a coordinator does.
fn answers_to(config: Config, transport: Transport, data: Bytes) -> (Vec<Bytes>, Endpoint) {
    let mut endpoint = Endpoint::new(config, Rng::seeded(1));
    let flow = peer(transport);
    endpoint.handle_input(START, Input::Message { flow, data });
    let mut sent = Vec::new();
    loop {
        match endpoint.poll_output() {
            Output::Transmit { data, .. } => sent.push(data),
            Output::Event(Event::Invite { usage, .. }) => {
                endpoint.turn_away(usage, StatusCode::UNAUTHORIZED, &challenges())
            }
            Output::Event(Event::Request { tx, request, .. })
                if request.method().unwrap().as_str() == "OPTIONS" =>
            {
                endpoint.reply_once(
                    tx,
                    StatusCode::OK,
                    &vec![("Accept".into(), "application/sdp".into())],
                );
            }
            Output::Event(Event::Request { tx, .. }) => {
                endpoint.reply(START, tx, StatusCode::UNAUTHORIZED, challenges(), None)
            }
            Output::Event(other) => panic!("{other:?}"),
            Output::Resolve { .. } => {}
            Output::Timeout(deadline) => {
                assert_eq!(deadline, None);
                return (sent, endpoint);
            }
        }
    }
}

#[test]
fn an_invite_without_credentials_is_challenged_once_and_forgotten() {
    let (sent, endpoint) = answers_to(config(), UDP, invite().into());
    assert_eq!(sent.len(), 1);
    assert!(sent[0].starts_with(b"SIP/2.0 401 "));
    assert_eq!(endpoint.counts(), Counts::default());
    assert_eq!(endpoint.totals().refused, 1);
}

#[test]
fn nothing_follows_a_challenge_whatever_becomes_of_its_ack() {
    let mut bench = Bench::new();
    bench.act(|endpoint, now| {
        let data = invite().into();
        let flow = peer(UDP);
        endpoint.handle_input(now, Input::Message { flow, data });
        let Output::Event(Event::Invite { usage, .. }) = endpoint.poll_output() else {
            panic!("nobody was told")
        };
        endpoint.turn_away(usage, StatusCode::UNAUTHORIZED, &challenges());
    });
    assert_eq!((bench.count("401"), bench.sent.len()), (1, 1));
    let tag = bench.last("401").to().tag().unwrap().to_owned();
    let to = format!("To: <sip:1001@example.com>;tag={tag}");
    let ack = request("ACK", "sip:1001@192.0.2.1", "", "").replace("To: <sip:1001@example.com>", &to);
    bench.receive(peer(UDP), ack.clone());
    bench.receive(peer(UDP), ack.replace("z9hG4bKpeer1", "z9hG4bKforeign"));
    bench.secs(60);
    assert_eq!(bench.sent.len(), 1, "{}", bench.ladder());
    bench.receive(peer(UDP), request("CANCEL", "sip:1001@192.0.2.1", "", ""));
    assert_eq!((bench.count("481"), bench.sent.len()), (1, 2));
    bench.is_clean_after_a_while();
}

#[test]
fn copies_of_a_request_get_the_same_tag_and_other_requests_another() {
    let mut bench = Bench::new();
    let text = request("REGISTER", "sip:192.0.2.1", CONTACT, "");
    for text in [&text, &text, &text.replace("z9hG4bKpeer1", "z9hG4bKother")] {
        bench.receive(peer(UDP), text.clone());
        turn_away(&mut bench);
    }
    let tags: Vec<String> = bench
        .sent
        .iter()
        .map(|sent| sent.message.to().tag().unwrap().to_owned())
        .collect();
    assert_eq!(tags.len(), 3);
    assert!(tags[0] == tags[1] && tags[1] != tags[2], "{tags:?}");
    let mut other = Bench::new();
    other.endpoint = Endpoint::new(config(), Rng::seeded(2));
    other.receive(peer(UDP), text.clone());
    turn_away(&mut other);
    assert_ne!(
        other.last("401").to().tag(),
        Some(&*tags[0]),
        "nobody can tell it beforehand"
    );
}

#[test]
fn what_is_refused_before_anybody_is_asked_leaves_nothing() {
    let gone = |text: String| {
        text.replace(
            "To: <sip:1001@example.com>",
            "To: <sip:1001@example.com>;tag=gone",
        )
    };
    for (text, code) in [
        (request("PUBLISH", "sip:1001@192.0.2.1", "", ""), "405"),
        (request("NEWMETHOD", "sip:1001@192.0.2.1", "", ""), "501"),
        (request("INVITE", "soap.beep://192.0.2.1", "", ""), "416"),
        (
            request("INVITE", "sip:1001@192.0.2.1", "Require: x-unheard\r\n", ""),
            "420",
        ),
        (request("INVITE", "sip:1001@192.0.2.1", "", "text"), "415"),
        (invite().replace("Max-Forwards: 70", "Max-Forwards: 0"), "483"),
        (request("BYE", "sip:1001@192.0.2.1", "", ""), "481"),
        (gone(request("BYE", "sip:1001@192.0.2.1", "", "")), "481"),
        (gone(request("INVITE", "sip:1001@192.0.2.1", "", "")), "481"),
        (request("CANCEL", "sip:1001@192.0.2.1", "", ""), "481"),
    ] {
        let text = match code {
            "415" => text.replace("application/sdp", "text/plain"),
            _ => text,
        };
        let mut bench = Bench::new();
        bench.receive(peer(UDP), text);
        assert_eq!(bench.count(code), 1, "{}", bench.ladder());
        assert_eq!(bench.endpoint.counts(), Counts::default(), "{code}");
        bench.secs(40);
        assert_eq!(bench.sent.len(), 1, "{code}");
    }
}

/// Small requests of every kind, and octets that are not requests.
fn small() -> Vec<String> {
    let mut all = Vec::new();
    for method in [
        "INVITE",
        "REGISTER",
        "OPTIONS",
        "BYE",
        "CANCEL",
        "SUBSCRIBE",
        "PUBLISH",
        "MESSAGE",
        "FOO",
        "INFO",
        "REFER",
    ] {
        let cseq = format!("CSeq:1 {method}\r\n");
        for from in ["sip:a", "<sip:a@b.example>;tag=1"] {
            for more in ["", "Require:x\r\n", "Max-Forwards:0\r\n"] {
                for id in ["i:1\r\n", ""] {
                    all.push(format!(
                        "{method} sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bK1\r\nf:{from}\r\nt:sip:a\r\n{id}{cseq}{more}\r\n"
                    ));
                }
            }
        }
    }
    all.push("A\r\nv:a\r\n\r\n".into());
    all.push("OPTIONS sip:a SIP/9.0\r\nv:SIP/2.0/UDP a\r\n\r\n".into());
    all
}

#[test]
fn no_answer_over_udp_is_more_than_three_times_its_request() {
    let mut config = config();
    config.user_agent = "Cordboard/0.1.0".into();
    let mut answered = 0;
    let requests = [invite(), request("REGISTER", "sip:192.0.2.1", CONTACT, "")];
    for text in small().into_iter().chain(requests) {
        let data = Bytes::from(text.clone());
        let (sent, endpoint) = answers_to(config.clone(), UDP, data.clone());
        let out: usize = sent.iter().map(Bytes::len).sum();
        assert!(
            sent.len() <= 1 && out <= 3 * data.len(),
            "{out} octets for\n{text}"
        );
        assert_eq!(endpoint.counts(), Counts::default());
        let totals = endpoint.totals();
        assert_eq!(sent.is_empty(), totals.unanswered == 1, "{totals:?}\n{text}");
        answered += sent.len();
        let (sent, _) = answers_to(config.clone(), Transport::Tcp, data);
        assert_eq!(
            sent.len(),
            1,
            "whoever asked over a connection is answered:\n{text}"
        );
    }
    assert!(answered > 20, "{answered}");
}

#[test]
fn the_challenge_that_every_client_can_answer_stays_where_there_is_no_room_for_both() {
    let both = answers_to(config(), UDP, invite().into()).0;
    let text = String::from_utf8(both[0].to_vec()).unwrap();
    assert_eq!(text.matches("WWW-Authenticate:").count(), 2);
    let terse = "INVITE sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bK1\r\nf:<sip:a@b.example>;tag=1\r\nt:sip:a\r\ni:1\r\n\
                 CSeq:1 INVITE\r\n\r\n";
    let one = answers_to(config(), UDP, terse.into()).0;
    let text = String::from_utf8(one.concat()).unwrap();
    assert!(
        text.contains("algorithm=MD5") && !text.contains("SHA-256"),
        "{text}"
    );
}

#[test]
fn with_all_transactions_in_use_strangers_get_503_and_calls_end() {
    let mut bench = Bench::with(Config {
        max_transactions: 4,
        ..config()
    });
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, Some(Body::sdp(ANSWER)), Headers::new()));
    bench.within(usage, "ACK", 100, "", "");
    for n in 0..6 {
        let text = request("REGISTER", "sip:192.0.2.1", CONTACT, "")
            .replace("z9hG4bKpeer1", &format!("z9hG4bKn{n}"));
        bench.receive(peer(UDP), text.replace("peer-call", &format!("call-{n}")));
        if let Some(Event::Request { tx, .. }) =
            bench.events.pop().filter(|e| matches!(e, Event::Request { .. }))
        {
            bench.act(|endpoint, now| endpoint.reply(now, tx, StatusCode::OK, Headers::new(), None));
        }
    }
    assert_eq!(bench.count("503"), 4, "{}", bench.ladder());
    assert_eq!(bench.endpoint.counts().server_transactions, 3);
    assert_eq!(bench.endpoint.totals().too_many, 4);
    bench.within(usage, "BYE", 101, "", "");
    assert!(matches!(bench.events.pop(), Some(Event::Ended { .. })));
    bench.is_clean_after_a_while();
    bench.receive(peer(UDP), request("REGISTER", "sip:192.0.2.1", CONTACT, ""));
    assert!(
        matches!(bench.event(), Event::Request { .. }),
        "there is room again"
    );
}

#[test]
fn octets_of_requests_are_bounded_as_their_number_is() {
    let mut bench = Bench::with(Config {
        max_transaction_octets: 40_000,
        ..config()
    });
    let padding = format!("{CONTACT}X-Padding: {}\r\n", "x".repeat(12_000));
    for n in 0..4 {
        let text = request("REGISTER", "sip:192.0.2.1", &padding, "")
            .replace("z9hG4bKpeer1", &format!("z9hG4bKn{n}"));
        bench.receive(peer(UDP), text.replace("peer-call", &format!("call-{n}")));
    }
    assert_eq!((bench.events.len(), bench.count("503")), (2, 2));
}
