//! Bodies that hold more than a session description, or something else; and forks with descriptions of their own.

use sip_core::endpoint::{Body, Event, ForkId, Headers, Target};
use sip_core::flow::{Destination, Transport};
use sip_core::message::{HeaderName, Method, StatusCode};

use crate::bench::{ANSWER, Bench, OFFER, outgoing, peer, request, response};

const CONTACT: &str = "Contact: <sip:bob@192.0.2.9:5060>\r\n";
const MULTIPART: &str = "Content-Type: multipart/mixed;boundary=edge\r\n";
const RELIABLE: &str = "Contact: <sip:bob@192.0.2.9:5060>\r\nRequire: 100rel\r\nRSeq: 5\r\n";

/// A description behind a part that is to be ignored.
fn mixed(sdp: &str) -> String {
    format!(
        "--edge\r\nContent-Type: application/isup\r\n\r\n\u{1}\r\n--edge\r\nContent-Type: application/sdp\r\n\r\n\
         {sdp}\r\n--edge--\r\n"
    )
}

fn sdp(text: &str) -> Option<Body> {
    Some(Body::sdp(text.to_owned()))
}

#[test]
fn the_offer_of_an_invite_is_found_in_a_multipart_and_the_answer_to_a_late_one_too() {
    let mut bench = Bench::new();
    let lines = format!("{CONTACT}{MULTIPART}");
    let invite = request("INVITE", "sip:1001@192.0.2.1", &lines, &mixed(OFFER));
    bench.receive(peer(Transport::Udp), invite);
    let Event::Invite { request, .. } = bench.event() else {
        panic!()
    };
    assert_eq!(request.content().session.as_deref(), Some(OFFER.as_bytes()));

    let mut bench = Bench::new();
    let usage = bench.called(peer(Transport::Udp), "", "");
    bench.act(|endpoint, now| endpoint.accept(now, usage, sdp(OFFER), Headers::new()));
    let tag = bench.last("200").to().tag().unwrap().to_owned();
    let ack = request_in_dialog("ACK", 100, &tag, MULTIPART, &mixed(ANSWER));
    bench.receive(peer(Transport::Udp), ack);
    assert!(matches!(bench.event(), Event::Acked { body, .. } if body == sdp(ANSWER)));
    // A re-INVITE and an UPDATE offer like an INVITE.
    for (method, cseq) in [("INVITE", 101), ("UPDATE", 102)] {
        let lines = format!("{CONTACT}{MULTIPART}");
        let changed = OFFER.replace("o=", "o=x");
        let again = request_in_dialog(method, cseq, &tag, &lines, &mixed(&format!("{changed}{cseq}")));
        bench.receive(peer(Transport::Udp), again);
        let Event::Offer { body: Some(body), .. } = bench.event() else {
            panic!()
        };
        assert_eq!(&body.data[..], format!("{changed}{cseq}").as_bytes());
        bench.act(|endpoint, now| endpoint.answer_offer(now, usage, Ok(sdp(ANSWER)), Headers::new()));
        if method == "INVITE" {
            let ack = request_in_dialog("ACK", cseq, &tag, "", "");
            bench.receive(peer(Transport::Udp), ack);
        }
    }
}

/// A request of the caller within the dialog of its INVITE.
fn request_in_dialog(method: &str, cseq: u32, tag: &str, lines: &str, body: &str) -> String {
    request(method, "sip:1001@192.0.2.1", lines, body)
        .replace(
            "To: <sip:1001@example.com>",
            &format!("To: <sip:1001@example.com>;tag={tag}"),
        )
        .replace("CSeq: 100", &format!("CSeq: {cseq}"))
        .replace("z9hG4bKpeer1", &format!("z9hG4bKpeer{method}{cseq}"))
}

#[test]
fn what_must_be_understood_and_is_not_gets_415_with_the_types_that_are() {
    let refused = |lines: &str, body: &str| {
        let mut bench = Bench::new();
        let text = request("INVITE", "sip:1001@192.0.2.1", &format!("{CONTACT}{lines}"), body);
        bench.receive(peer(Transport::Udp), text);
        let code = bench.sent.last().and_then(|sent| sent.message.status());
        let accept = bench
            .sent
            .last()
            .unwrap()
            .message
            .header(HeaderName::Accept)
            .map(str::to_owned);
        (code, accept)
    };
    let must = mixed(OFFER).replace(
        "/isup\r\n",
        "/isup\r\nContent-Disposition: signal;handling=required\r\n",
    );
    let listed = Some("application/sdp, multipart/mixed, multipart/alternative".to_owned());
    assert_eq!(
        refused(MULTIPART, &must),
        (Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), listed.clone())
    );
    assert_eq!(
        refused("Content-Type: application/isup\r\n", "x"),
        (Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), listed.clone())
    );
    assert_eq!(
        refused("Content-Type: multipart/mixed\r\n", &mixed(OFFER)),
        (Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), listed.clone())
    );
    let coded = "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n";
    assert_eq!(
        refused(coded, OFFER),
        (Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), listed)
    );
    let optional = "Content-Type: application/isup\r\nContent-Disposition: signal; Handling=\"optional\"\r\n";
    assert_eq!(refused(optional, "x").0, Some(StatusCode::TRYING), "a late offer");
}

#[test]
fn the_status_of_a_response_stands_without_its_body() {
    let mut bench = Bench::new();
    bench.invite(outgoing("sip:bob@192.0.2.9"));
    let isup = format!("{CONTACT}Content-Type: application/isup\r\n");
    bench.answer("INVITE", StatusCode::RINGING, "bob", &isup, "x");
    assert!(matches!(
        bench.event(),
        Event::Provisional {
            code: StatusCode::RINGING,
            body: None,
            ..
        }
    ));
    bench.answer(
        "INVITE",
        StatusCode::SESSION_PROGRESS,
        "bob",
        &format!("{CONTACT}{MULTIPART}"),
        &mixed(OFFER),
    );
    assert!(
        matches!(bench.event(), Event::Provisional { code: StatusCode::SESSION_PROGRESS, body, .. } if body == sdp(OFFER))
    );
    bench.answer("INVITE", StatusCode::OK, "bob", &isup, "x");
    assert!(matches!(bench.event(), Event::Answered { body: None, .. }));
}

#[test]
fn each_fork_is_named_and_its_reliable_answer_stands_where_its_200_has_none() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing("sip:bob@192.0.2.9"));
    let second = OFFER.replace("o=", "o=second");
    let mut named = Vec::new();
    for (tag, body) in [("one", OFFER), ("two", &second), ("ONE", OFFER)] {
        let lines = if tag == "ONE" { CONTACT } else { RELIABLE };
        bench.answer("INVITE", StatusCode::SESSION_PROGRESS, tag, lines, body);
        let Event::Provisional { fork, body: said, .. } = bench.event() else {
            panic!()
        };
        assert_eq!(said, sdp(body));
        named.push(fork);
        if bench
            .sent
            .last()
            .is_some_and(|sent| sent.message.is(&Method::Prack))
        {
            bench.answer("PRACK", StatusCode::OK, "", "", "");
        }
    }
    assert_eq!(named, [Some(ForkId(0)), Some(ForkId(1)), Some(ForkId(0))]);
    bench.answer("INVITE", StatusCode::RINGING, "", "", "");
    assert!(matches!(bench.event(), Event::Provisional { fork: None, .. }));
    bench.answer("INVITE", StatusCode::OK, "one", CONTACT, "");
    let Event::Answered { fork, body, .. } = bench.event() else {
        panic!()
    };
    assert_eq!((fork, body), (ForkId(0), None));
    let saved = bench.act(|endpoint, _| endpoint.save(usage)).expect("a dialog");
    assert_eq!(saved.remote_sdp.as_deref(), Some(OFFER), "of who answered");
}

#[test]
fn an_update_of_an_early_fork_is_that_forks() {
    let mut bench = Bench::new();
    bench.invite(outgoing("sip:bob@192.0.2.9"));
    for tag in ["one", "two"] {
        bench.answer("INVITE", StatusCode::SESSION_PROGRESS, tag, RELIABLE, OFFER);
        bench.event();
        bench.answer("PRACK", StatusCode::OK, "", "", "");
    }
    let invite = bench.last("INVITE");
    let text = format!(
        "UPDATE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKup\r\nMax-Forwards: 70\r\n\
         From: <sip:bob@192.0.2.9>;tag=two\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 UPDATE\r\n{CONTACT}\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        invite.header(HeaderName::From).unwrap(),
        invite.call_id(),
        ANSWER.len()
    );
    bench.receive(peer(Transport::Udp), text);
    assert!(matches!(
        bench.event(),
        Event::Offer {
            fork: Some(ForkId(1)),
            ..
        }
    ));
}

#[test]
fn a_registered_contact_is_reached_by_its_path() {
    let flow = peer(Transport::Udp);
    let invited = |path: &[&str]| {
        let mut bench = Bench::new();
        let call = outgoing("sip:phn1@10.0.0.7:5060");
        bench.invite(sip_core::endpoint::OutgoingInvite {
            target: Target::Contact {
                flow,
                path: path.iter().map(|one| (*one).to_owned()).collect(),
            },
            ..call
        });
        let sent = bench.find("INVITE").unwrap();
        let routes: Vec<String> = sent
            .message
            .headers(HeaderName::Route)
            .map(str::to_owned)
            .collect();
        let uri = sent.message.request_uri().unwrap().to_owned();
        (sent.to.clone(), uri, routes)
    };
    let contact = "sip:phn1@10.0.0.7:5060".to_owned();
    assert_eq!(
        invited(&[]),
        (Destination::Flow(flow), contact.clone(), Vec::new())
    );
    let edge = ["<sip:192.0.2.9;lr>", "<sip:inner.example.com;lr>"];
    assert_eq!(
        invited(&edge),
        (
            Destination::Flow(flow),
            contact.clone(),
            edge.map(str::to_owned).to_vec()
        )
    );
    let other = invited(&["<sip:192.0.2.77:5070;lr>"]);
    assert!(
        matches!(other.0, Destination::Address { addr, .. } if addr == "192.0.2.77:5070".parse().unwrap()),
        "{other:?}"
    );
    let strict = invited(&["<sip:192.0.2.9>"]);
    assert_eq!(strict.1, "sip:192.0.2.9");
    assert_eq!(strict.2, [format!("<{contact}>")]);
}

#[test]
fn a_contact_that_leads_nowhere_is_answered_where_the_200_came_from() {
    for contact in ["sip:x@10.99.0.1:5060", "sip:x@pbx.local"] {
        let mut bench = Bench::new();
        let usage = bench.invite(outgoing("sip:bob@192.0.2.9"));
        let reached = bench.find("INVITE").unwrap().to.clone();
        let ok = response(
            &bench.last("INVITE"),
            StatusCode::OK,
            "bob",
            &format!("Contact: <{contact}>\r\n"),
            OFFER,
        );
        bench.receive(peer(Transport::Udp), ok);
        let nothing = |bench: &mut Bench| {
            if let Some((query, _)) = bench.queries.pop() {
                let input = sip_core::endpoint::Input::Resolved {
                    query,
                    targets: Vec::new(),
                };
                bench.act(|endpoint, now| endpoint.handle_input(now, input));
            }
        };
        nothing(&mut bench);
        assert_eq!(bench.find("ACK").expect(contact).to, reached);
        assert_eq!(bench.last("ACK").request_uri(), Some(contact));
        bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
        nothing(&mut bench);
        assert_eq!(bench.find("BYE").expect(contact).to, reached);
    }
}
