//! Calls that come in.

use std::net::SocketAddr;
use std::time::Duration;

use sip_core::endpoint::{Body, Ended, Event, Headers, Input, OfferMethod, Reason};
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, StatusCode};

use crate::bench::{ANSWER, Bench, OFFER, config, peer, request};

const UDP: Transport = Transport::Udp;

fn answer() -> Option<Body> {
    Some(Body::sdp(ANSWER))
}

#[test]
fn ring_answer_ack_and_bye() {
    let mut bench = Bench::new();
    let usage = bench.called(
        peer(UDP),
        "Record-Route: <sip:192.0.2.9;lr>\r\nRecord-Route: <sip:p1.example.net;lr>\r\n",
        OFFER,
    );
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    bench.secs(2);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), vec![("X-Call".into(), "7".into())]));
    let (ringing, ok) = (bench.last("180"), bench.last("200"));
    assert_eq!(ringing.to().tag(), ok.to().tag());
    let routes: Vec<_> = ok.headers(HeaderName::RecordRoute).collect();
    assert_eq!(
        routes,
        ["<sip:192.0.2.9;lr>", "<sip:p1.example.net;lr>"],
        "as they came"
    );
    assert_eq!(ok.header(HeaderName::Contact), Some("<sip:1001@192.0.2.1:5060>"));
    assert_eq!(ok.header_named("X-Call"), Some("7"));
    bench.within(usage, "ACK", 100, "", "");
    assert!(matches!(bench.event(), Event::Acked { body: None, .. }));
    bench.secs(40);
    assert_eq!(bench.count("200"), 1);
    bench.act(|endpoint, now| {
        let reason = Reason {
            protocol: "Q.850".into(),
            cause: Some(16),
            text: Some("bye".into()),
        };
        endpoint.hangup(now, usage, Some(reason), Headers::new());
    });
    let bye = bench.last("BYE");
    assert_eq!(
        bye.headers(HeaderName::Route).collect::<Vec<_>>(),
        routes,
        "the callee keeps the order"
    );
    assert_eq!(
        bye.header(HeaderName::Reason),
        Some("Q.850;cause=16;text=\"bye\"")
    );
    assert_eq!(
        bench.queries.pop().map(|(_, uri)| uri),
        None,
        "the first route has an address"
    );
    insta::assert_snapshot!(bench.ladder());
}

#[test]
fn a_2xx_is_repeated_until_its_ack_over_connections_too() {
    for transport in [UDP, Transport::Tcp, Transport::Ws] {
        let mut bench = Bench::new();
        let usage = bench.called(peer(transport), "", OFFER);
        bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
        bench.secs(8);
        assert_eq!(bench.count("200"), 5, "at 0, 0.5, 1.5, 3.5, 7.5");
        bench.within(usage, "ACK", 100, "", "");
        bench.secs(60);
        assert_eq!(bench.count("200"), 5);
    }
}

#[test]
fn a_2xx_without_ack_ends_in_bye() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.secs(31);
    assert_eq!(bench.count("BYE"), 0);
    bench.secs(2);
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::NoAck,
            ..
        }
    ));
    bench.answer("BYE", StatusCode::CALL_DOES_NOT_EXIST, "", "", "");
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn no_bye_before_the_ack() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::LocalHangup,
            ..
        }
    ));
    bench.secs(1);
    assert_eq!(bench.count("BYE"), 0);
    bench.within(usage, "ACK", 100, "", "");
    assert_eq!(bench.count("BYE"), 1);
    bench.answer("BYE", StatusCode::OK, "", "", "");
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn a_cancelled_call_gets_487_and_the_cancel_200_with_the_same_tag() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    let cancel = request(
        "CANCEL",
        "sip:1001@192.0.2.1",
        "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n",
        "",
    );
    bench.receive(peer(UDP), cancel.clone());
    let Event::Ended {
        cause: Ended::Cancelled { reason: Some(reason) },
        ..
    } = bench.event()
    else {
        panic!()
    };
    assert_eq!(
        (reason.cause, reason.text.as_deref()),
        (Some(200), Some("Call completed elsewhere"))
    );
    assert_eq!(bench.last("200").to().tag(), bench.last("487").to().tag());
    bench.receive(peer(UDP), cancel);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    assert_eq!(
        (bench.count("200"), bench.count("487")),
        (2, 1),
        "too late to accept"
    );
    bench.receive(peer(UDP), request("ACK", "sip:1001@192.0.2.1", "", ""));
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn a_cancel_after_the_200_changes_nothing_and_one_of_nothing_gets_481() {
    let mut bench = Bench::new();
    bench.receive(peer(UDP), request("CANCEL", "sip:1001@192.0.2.1", "", ""));
    assert_eq!(bench.count("481"), 1);
    bench.is_clean_after_a_while();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.receive(peer(UDP), request("CANCEL", "sip:1001@192.0.2.1", "", ""));
    assert!(bench.events.is_empty());
    assert!(bench.last("200").cseq().method.as_str() == "CANCEL" && bench.count("487") == 0);
}

/// RFC 3261 §9.1 wants the branch of the INVITE, and test tools write one for each request.
#[test]
fn a_cancel_with_a_branch_of_its_own_is_taken_from_the_same_host_alone() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    let cancel =
        |branch: &str| request("CANCEL", "sip:1001@192.0.2.1", "", "").replace("z9hG4bKpeer1", branch);
    let stranger = Flow {
        id: FlowId(8),
        remote: SocketAddr::from(([192, 0, 2, 66], 5060)),
        ..peer(UDP)
    };
    bench.receive(stranger, cancel("z9hG4bKother"));
    bench.receive(peer(UDP), cancel("z9hG4bKpeer7").replace("bobtag", "another"));
    bench.receive(peer(UDP), cancel("z9hG4bKpeer8").replace("CSeq: 100", "CSeq: 99"));
    assert_eq!((bench.count("481"), bench.count("487")), (3, 0));
    bench.receive(peer(UDP), cancel("z9hG4bKpeer9"));
    assert_eq!((bench.count("200"), bench.count("487")), (1, 1));
    bench.receive(peer(UDP), request("ACK", "sip:1001@192.0.2.1", "", ""));
    bench.is_clean_after_a_while();
}

/// RFC 3261 §8.1.1.7 wants a branch for each request, and not every client heeds that. An ACK could mean either INVITE.
#[test]
fn an_invite_with_the_branch_of_another_one_is_refused_and_other_requests_are_told_apart_by_number() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.within(usage, "ACK", 100, "", "");
    let reinvite = bench.within_text(usage, "INVITE", 101, "", OFFER);
    bench.receive(peer(UDP), reinvite.replace("z9hG4bKINVITE101", "z9hG4bKpeer1"));
    let refusal = bench.last("400");
    assert_eq!(
        (refusal.cseq().number, refusal.header(HeaderName::To)),
        (101, bench.last("200").header(HeaderName::To))
    );
    let offers = |event: &Event| matches!(event, Event::Offer { .. });
    assert!(!bench.events.iter().any(offers));
    for number in [102, 103, 103] {
        let options = bench.within_text(usage, "OPTIONS", number, "", "");
        let branch = format!("z9hG4bKOPTIONS{number}");
        bench.receive(peer(UDP), options.replace(&branch, "z9hG4bKsame"));
        assert_eq!(bench.last("200").cseq().number, number);
    }
    assert_eq!(bench.count("200"), 4, "a copy gets a copy");
}

#[test]
fn a_bye_ends_the_call_whatever_its_number_is() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.within(usage, "ACK", 100, "", "");
    bench.events.clear();
    bench.within(usage, "INFO", 99, "", "");
    assert_eq!(bench.count("500"), 1, "RFC 3261 §12.2.2");
    bench.within(usage, "BYE", 99, "", "");
    assert_eq!(bench.last("200").cseq().method.as_str(), "BYE");
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Bye { .. },
            ..
        }
    ));
}

/// An empty list is none by the grammar; there are clients that write it all the same.
#[test]
fn an_empty_route_is_no_route() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Route: \r\nRecord-Route:\r\n", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.within(usage, "ACK", 100, "Route:\r\n", "");
    bench.within(usage, "BYE", 101, "Route: \r\n", "");
    assert_eq!(bench.last("200").cseq().method.as_str(), "BYE");
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| {
        endpoint.reject(
            now,
            usage,
            StatusCode::BUSY_HERE,
            vec![("Retry-After".into(), "5".into())],
        )
    });
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::LocalHangup,
            ..
        }
    ));
    bench.secs(2);
    assert_eq!(bench.count("486"), 3);
    bench.receive(peer(UDP), request("ACK", "sip:1001@192.0.2.1", "", ""));
    bench.is_clean_after_a_while();
    assert_eq!(bench.count("486"), 3);
}

#[test]
fn a_late_180_cannot_undo_the_200() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    bench.secs(1);
    assert_eq!((bench.count("180"), bench.count("200")), (0, 2));
}

#[test]
fn a_caller_of_rfc_2543_without_branch_and_tag() {
    let mut bench = Bench::new();
    let plain = |method: &str, to: &str, body: &str| {
        format!(
            "{method} sip:1001@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9\r\nFrom: <sip:old@example.net>\r\n\
             To: <sip:1001@example.com>{to}\r\nCall-ID: old\r\nCSeq: 1 {method}\r\nContact: sip:old@192.0.2.9\r\n\r\n{body}"
        )
    };
    let invite =
        plain("INVITE", "", "").replace("\r\n\r\n", "\r\nContent-Type: application/sdp\r\n\r\n") + OFFER;
    bench.receive(peer(UDP), invite.clone());
    let Event::Invite { usage, .. } = bench.event() else {
        panic!()
    };
    bench.receive(peer(UDP), invite);
    assert!(bench.events.is_empty(), "a copy is recognised without branch");
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    let tag = format!(";tag={}", bench.last("200").to().tag().unwrap());
    bench.receive(peer(UDP), plain("ACK", &tag, ""));
    assert!(matches!(bench.event(), Event::Acked { .. }));
    bench.receive(
        peer(UDP),
        plain("BYE", &tag.to_uppercase(), "").replace("1 BYE", "2 BYE"),
    );
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Bye { .. },
            ..
        }
    ));
    bench.is_clean_after_a_while();
}

#[test]
fn replies_go_to_the_source_with_received_and_rport() {
    let mut bench = Bench::new();
    let nat = Flow {
        remote: SocketAddr::from(([203, 0, 113, 5], 61_000)),
        ..peer(UDP)
    };
    let private = request("OPTIONS", "sip:192.0.2.1", "", "").replace("192.0.2.9:5060", "10.0.0.5");
    bench.receive(nat, private.clone());
    let Event::Request { tx, .. } = bench.event() else {
        panic!()
    };
    bench.act(|endpoint, now| endpoint.reply(now, tx, StatusCode::OK, Headers::new(), None));
    let sent = bench.find("200").unwrap();
    assert_eq!(sent.to, Destination::Flow(nat));
    let via = sent.message.top_via().unwrap();
    assert_eq!(
        (via.received(), via.rport()),
        (Some(nat.remote.ip()), Some(Some(61_000)))
    );
    // Without rport: the source address, but the port of the Via (§18.2.2).
    bench.receive(
        nat,
        private
            .replace(";rport", "")
            .replace("peer1", "peer2")
            .replace("peer-call", "other"),
    );
    let Event::Request { tx, .. } = bench.event() else {
        panic!()
    };
    bench.act(|endpoint, now| endpoint.reply(now, tx, StatusCode::OK, Headers::new(), None));
    let Destination::Flow(to) = bench.find("200").unwrap().to else {
        panic!()
    };
    assert_eq!(to.remote, SocketAddr::from(([203, 0, 113, 5], 5060)));
}

#[test]
fn a_browser_is_reached_over_its_connection_and_then_over_the_next_one() {
    let mut bench = Bench::new();
    let flow = peer(Transport::Ws);
    let contact = "Contact: <sip:k3o9lrfu@k0u5qe8dq2bo.invalid;transport=ws;ob>\r\n";
    let usage = bench.called(flow, contact, OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.within(usage, "ACK", 100, "", "");
    bench.act(|endpoint, now| endpoint.handle_input(now, Input::FlowClosed { flow: flow.id }));
    assert!(
        bench.endpoint.usage(usage).is_some(),
        "a dialog is not owned by a socket"
    );
    let next = Flow {
        id: FlowId(8),
        remote: SocketAddr::from(([192, 0, 2, 9], 5099)),
        ..flow
    };
    bench.act(|endpoint, now| endpoint.move_flow(now, usage, next));
    bench.act(|endpoint, now| {
        endpoint.info(
            now,
            usage,
            Body {
                content_type: "text/plain".into(),
                data: "x".into(),
            },
        )
    });
    assert_eq!(bench.find("INFO").unwrap().to, Destination::Flow(next));
    assert!(bench.queries.is_empty());
}

#[test]
fn a_caller_that_requires_reliable_responses_gets_them_one_by_one() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Require: 100rel\r\nSupported: 100rel\r\n", OFFER);
    bench.act(|endpoint, now| {
        endpoint.ring(now, usage, StatusCode::SESSION_PROGRESS, answer(), Headers::new())
    });
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    bench.act(|endpoint, now| endpoint.accept(now, usage, None, Headers::new()));
    bench.secs(1);
    assert_eq!(
        (bench.count("183"), bench.count("180"), bench.count("200")),
        (2, 0, 0),
        "no 2xx may overtake an answer"
    );
    let rseq = bench.last("183").rseq().unwrap();
    bench.within(
        usage,
        "PRACK",
        101,
        &format!("RAck: {} 100 INVITE\r\n", rseq + 7),
        "",
    );
    assert_eq!(bench.count("481"), 1);
    bench.within(usage, "PRACK", 102, &format!("RAck: {rseq} 100 INVITE\r\n"), "");
    assert_eq!(
        (bench.count("180"), bench.last("180").rseq()),
        (1, Some(rseq + 1))
    );
    bench.within(
        usage,
        "PRACK",
        103,
        &format!("RAck: {} 100 INVITE\r\n", rseq + 1),
        "",
    );
    assert_eq!(bench.last("200").cseq().method.as_str(), "INVITE");
    bench.within(usage, "ACK", 100, "", "");
    insta::assert_snapshot!(bench.ladder());
}

#[test]
fn a_prack_that_the_200_overtook_is_answered() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Require: 100rel\r\n", OFFER);
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    let rack = format!("RAck: {} 100 INVITE\r\n", bench.last("180").rseq().unwrap());
    bench.within(usage, "PRACK", 101, &rack, "");
    assert_eq!(bench.last("200").cseq().method.as_str(), "PRACK");
    bench.within(usage, "ACK", 100, "", "");
    bench.within(usage, "PRACK", 102, &rack, "");
    assert_eq!(bench.count("481"), 1, "once");
    assert!(bench.endpoint.usage(usage).unwrap().confirmed);
}

#[test]
fn who_offers_nothing_and_requires_reliable_responses_gets_our_offer_in_the_first() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", "");
    assert!(!bench.endpoint.offers_first(usage), "the 200 can bring it");
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Require: 100rel\r\n", "");
    assert!(bench.endpoint.offers_first(usage));
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, answer(), Headers::new()));
    assert!(!bench.endpoint.offers_first(usage) && bench.endpoint.offered_early(usage));
    bench.act(|endpoint, now| endpoint.accept(now, usage, None, Headers::new()));
    assert_eq!(bench.count("200"), 0, "the answer is still to come");
    let rack = format!("RAck: {} 100 INVITE\r\n", bench.last("180").rseq().unwrap());
    bench.within(usage, "PRACK", 101, &rack, OFFER);
    assert!(matches!(bench.event(), Event::Pracked { .. }));
    let Event::Acked { body: Some(body), .. } = bench.event() else {
        panic!()
    };
    assert_eq!(&body.data[..], OFFER.as_bytes());
    let ok = bench.last("200");
    assert_eq!((ok.cseq().method.as_str(), ok.body()), ("INVITE", &b""[..]));
    bench.within(usage, "ACK", 100, "", "");
    assert!(matches!(bench.event(), Event::Acked { body: None, .. }));
}

#[test]
fn an_invitation_expires_when_its_caller_said() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Expires: 3\r\n", OFFER);
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    bench.sleep(Duration::from_millis(2_999));
    assert!(bench.events.is_empty() && bench.count("487") == 0);
    bench.sleep(Duration::from_millis(2));
    assert_eq!(bench.count("487"), 1);
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Expired,
            ..
        }
    ));
    // Answered in time, it stands.
    let usage = {
        bench = Bench::new();
        bench.called(peer(UDP), "Expires: 3\r\n", OFFER)
    };
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.within(usage, "ACK", 100, "", "");
    bench.secs(10);
    assert_eq!(bench.count("487"), 0);
    assert!(bench.endpoint.usage(usage).is_some());
}

#[test]
fn a_response_whose_connection_is_gone_goes_to_the_address_of_via() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(Transport::Tcp), "", OFFER);
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    bench.act(|endpoint, now| endpoint.handle_input(now, Input::FlowClosed { flow: FlowId(7) }));
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    let lost = bench.find("200").unwrap();
    assert!(matches!(lost.to, Destination::Flow(_)));
    let fail = |bench: &mut Bench, token| {
        bench.act(|endpoint, now| endpoint.handle_input(now, Input::TransmitFailed { token }));
    };
    fail(&mut bench, lost.token);
    let there = Destination::Address {
        transport: Transport::Tcp,
        addr: "192.0.2.9:5060".parse().unwrap(),
        server_name: None,
    };
    let again = bench.find("200").unwrap();
    assert_eq!(
        (&again.to, again.message.to_bytes()),
        (&there, lost.message.to_bytes())
    );
    bench.secs(1);
    assert_eq!(bench.find("200").unwrap().to, there, "copies too");
    bench.within(usage, "ACK", 100, "", "");
    assert!(matches!(bench.event(), Event::Acked { .. }));

    // Nobody listens there either.
    let mut bench = Bench::new();
    let usage = bench.called(peer(Transport::Tcp), "", OFFER);
    bench.act(|endpoint, now| endpoint.reject(now, usage, StatusCode::BUSY_HERE, Headers::new()));
    for _ in 0..2 {
        let token = bench.find("486").unwrap().token;
        fail(&mut bench, token);
    }
    assert_eq!(bench.count("486"), 2);
    bench.is_clean_after_a_while();
    // Nobody can connect to a browser.
    let mut bench = Bench::new();
    let usage = bench.called(peer(Transport::Ws), "", OFFER);
    bench.act(|endpoint, now| endpoint.reject(now, usage, StatusCode::BUSY_HERE, Headers::new()));
    let token = bench.find("486").unwrap().token;
    fail(&mut bench, token);
    assert_eq!(bench.count("486"), 1);
}

#[test]
fn a_reliable_response_without_prack_ends_the_call() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Require: 100rel\r\n", OFFER);
    bench.act(|endpoint, now| {
        endpoint.ring(now, usage, StatusCode::SESSION_PROGRESS, answer(), Headers::new())
    });
    bench.secs(33);
    assert!(matches!(bench.event(), Event::Ended { .. }));
    assert!(bench.count("504") > 0);
    bench.is_clean_after_a_while();
}

#[test]
fn a_prack_may_offer() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "Require: 100rel\r\n", OFFER);
    bench.act(|endpoint, now| {
        endpoint.ring(now, usage, StatusCode::SESSION_PROGRESS, answer(), Headers::new())
    });
    let rseq = bench.last("183").rseq().unwrap();
    bench.within(
        usage,
        "PRACK",
        101,
        &format!("RAck: {rseq} 100 INVITE\r\n"),
        "v=0\r\ns=new\r\n",
    );
    assert!(matches!(bench.event(), Event::Pracked { .. }));
    assert!(matches!(
        bench.event(),
        Event::Offer {
            method: OfferMethod::Prack,
            body: Some(_),
            ..
        }
    ));
    bench.act(|endpoint, now| endpoint.answer_offer(now, usage, Ok(answer()), Headers::new()));
    assert_eq!(bench.last("200").body(), ANSWER.as_bytes());
}

#[test]
fn an_invite_without_offer_gets_ours_and_the_ack_answers() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", "");
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.within(usage, "ACK", 100, "", OFFER);
    let Event::Acked { body: Some(body), .. } = bench.event() else {
        panic!()
    };
    assert_eq!(&body.data[..], OFFER.as_bytes());
}

#[test]
fn more_calls_than_agreed_get_503() {
    let mut bench = Bench::with(sip_core::endpoint::Config {
        max_usages: 1,
        ..config()
    });
    bench.called(peer(UDP), "", OFFER);
    let second = request(
        "INVITE",
        "sip:1002@192.0.2.1",
        "Contact: <sip:b@192.0.2.9>\r\n",
        OFFER,
    );
    bench.receive(
        peer(UDP),
        second.replace("peer1", "peer2").replace("peer-call", "second"),
    );
    assert_eq!(bench.last("503").header(HeaderName::RetryAfter), Some("10"));
    assert!(bench.events.is_empty());
}

#[test]
fn hanging_up_before_answering_refuses() {
    for (cause, code) in [(None, "603"), (Some(487), "487"), (Some(16), "603")] {
        let mut bench = Bench::new();
        let usage = bench.called(peer(UDP), "", OFFER);
        let reason = cause.map(|cause| Reason {
            protocol: "SIP".into(),
            cause: Some(cause),
            text: None,
        });
        bench.act(|endpoint, now| endpoint.hangup(now, usage, reason, Headers::new()));
        assert_eq!(bench.count(code), 1);
        bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
        assert_eq!(bench.events.len(), 1, "one end");
        bench.sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_phone_whose_connection_closed_is_looked_for_at_its_contact() {
    let mut bench = Bench::new();
    let flow = Flow {
        remote: SocketAddr::from(([192, 0, 2, 9], 33_000)),
        ..peer(Transport::Tcp)
    };
    let usage = bench.called(flow, "Contact: <sip:bob@192.0.2.9:5060;transport=tcp>\r\n", OFFER);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.within(usage, "ACK", 100, "", "");
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    let first = bench.find("BYE").unwrap();
    assert_eq!(first.to, Destination::Flow(flow));
    bench.act(|endpoint, now| endpoint.handle_input(now, Input::TransmitFailed { token: first.token }));
    let second = bench.find("BYE").unwrap().to;
    let address = SocketAddr::from(([192, 0, 2, 9], 5060));
    assert!(
        matches!(second, Destination::Address { transport: Transport::Tcp, addr, .. } if addr == address)
    );
    bench.answer("BYE", StatusCode::OK, "", "", "");
    bench.is_clean_after_a_while();
}

#[test]
fn a_long_ringing_is_repeated_every_minute() {
    let mut bench = Bench::new();
    let usage = bench.called(peer(UDP), "", OFFER);
    bench.act(|endpoint, now| endpoint.ring(now, usage, StatusCode::RINGING, None, Headers::new()));
    bench.secs(125);
    assert_eq!(bench.count("180"), 3);
    bench.act(|endpoint, now| endpoint.accept(now, usage, answer(), Headers::new()));
    bench.within(usage, "ACK", 100, "", "");
    bench.secs(125);
    assert_eq!(bench.count("180"), 3);
}

#[test]
fn a_cancel_whose_via_leaves_the_default_port_out_is_that_of_the_invite() {
    for (there, here) in [(":5060", ""), ("", ":5060"), ("", "")] {
        let mut bench = Bench::new();
        let invite = request(
            "INVITE",
            "sip:1001@192.0.2.1",
            "Contact: <sip:bob@192.0.2.9>\r\n",
            OFFER,
        );
        let cancel = request("CANCEL", "sip:1001@192.0.2.1", "", "");
        for (text, port) in [(invite, there), (cancel, here)] {
            let text = text.replace("UDP 192.0.2.9:5060;", &format!("UDP 192.0.2.9{port};"));
            bench.receive(peer(Transport::Udp), text);
        }
        assert_eq!(
            (bench.count("487"), bench.count("481")),
            (1, 0),
            "{there:?} {here:?}"
        );
    }
}
