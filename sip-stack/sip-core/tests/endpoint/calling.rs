//! Calls that we place.

use std::net::SocketAddr;
use std::time::Duration;

use sip_core::endpoint::{Body, Credentials, Ended, Event, Headers, Input, SessionWish, Target};
use sip_core::flow::{Destination, Transport};
use sip_core::message::{HeaderName, Method, StatusCode};
use sip_core::uri::Uri;

use crate::bench::{ANSWER, Bench, OFFER, outgoing, peer, response};

const BOB: &str = "sip:bob@192.0.2.9";
const CONTACT: &str = "Contact: <sip:bob@192.0.2.9:5060>\r\n";

#[test]
fn ack_for_2xx_has_a_new_branch_the_route_set_and_the_same_cseq_and_comes_again_for_each_copy() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing(BOB));
    let invite = bench.last("INVITE");
    let lines =
        format!("Record-Route: <sip:p2.example.net;lr>\r\nRecord-Route: <sip:192.0.2.9;lr>\r\n{CONTACT}");
    let ok = response(&invite, StatusCode::OK, "bob", &lines, OFFER);
    bench.receive(peer(Transport::Udp), ok.clone());
    let ack = bench.last("ACK");
    assert_ne!(
        ack.top_via().unwrap().branch(),
        invite.top_via().unwrap().branch()
    );
    assert_eq!(ack.cseq().number, invite.cseq().number);
    assert_eq!(ack.cseq().method, Method::Ack);
    assert_eq!(ack.via_count(), 1);
    let routes: Vec<_> = ack.headers(HeaderName::Route).collect();
    assert_eq!(
        routes,
        ["<sip:192.0.2.9;lr>", "<sip:p2.example.net;lr>"],
        "in reverse"
    );
    assert_eq!(ack.request_uri(), Some("sip:bob@192.0.2.9:5060"));
    bench.receive(peer(Transport::Udp), ok.clone());
    bench.secs(1);
    bench.receive(peer(Transport::Udp), ok);
    assert_eq!(bench.count("ACK"), 3);
    let copy = bench.last("ACK");
    assert_eq!(copy.to_bytes(), ack.to_bytes(), "the same ACK");
    assert_eq!(bench.events.len(), 1, "answered once");
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    bench.answer("BYE", StatusCode::OK, "", "", "");
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn ack_for_a_refusal_has_the_same_branch_and_one_via() {
    let mut bench = Bench::new();
    bench.invite(outgoing(BOB));
    let invite = bench.last("INVITE");
    let busy = response(&invite, StatusCode::BUSY_HERE, "bob", "", "");
    bench.receive(peer(Transport::Udp), busy.clone());
    let ack = bench.last("ACK");
    assert_eq!(
        ack.top_via().unwrap().branch(),
        invite.top_via().unwrap().branch()
    );
    assert_eq!(ack.request_uri(), invite.request_uri());
    assert_eq!((ack.via_count(), ack.to().tag()), (1, Some("bob")));
    bench.receive(peer(Transport::Udp), busy);
    assert_eq!(bench.count("ACK"), 2);
    assert_eq!(bench.events.len(), 1);
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn cancel_waits_for_a_provisional_response_and_goes_the_same_way() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing(BOB));
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    assert_eq!(bench.count("CANCEL"), 0);
    bench.sleep(Duration::from_millis(600));
    bench.answer("INVITE", StatusCode::TRYING, "", "", "");
    let (invite, cancel) = (bench.find("INVITE").unwrap(), bench.find("CANCEL").unwrap());
    assert_eq!(invite.to, cancel.to);
    assert_eq!(invite.message.request_uri(), cancel.message.request_uri());
    assert_eq!(
        invite.message.header(HeaderName::Via).map(str::to_owned),
        cancel.message.header(HeaderName::Via).map(str::to_owned)
    );
    assert_eq!(cancel.message.cseq().number, invite.message.cseq().number);
    bench.answer("CANCEL", StatusCode::OK, "bob", "", "");
    bench.answer("INVITE", StatusCode::REQUEST_TERMINATED, "bob", "", "");
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn a_200_that_crosses_our_cancel_is_acknowledged_and_ended_with_bye() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing(BOB));
    bench.answer("INVITE", StatusCode::RINGING, "bob", CONTACT, "");
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
    bench.answer("CANCEL", StatusCode::OK, "bob", "", "");
    assert_eq!((bench.count("ACK"), bench.count("BYE")), (1, 1));
    assert!(bench.last("BYE").cseq().number > bench.last("ACK").cseq().number);
    bench.answer("BYE", StatusCode::OK, "", "", "");
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn a_cancelled_invite_without_final_response_is_forgotten() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing(BOB));
    bench.answer("INVITE", StatusCode::RINGING, "bob", CONTACT, "");
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    bench.is_clean_after_a_while();
}

#[test]
fn forks_are_told_apart_by_tag_in_any_case_and_the_second_answer_is_ended() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing(BOB));
    bench.answer(
        "INVITE",
        StatusCode::RINGING,
        "one",
        "Contact: <sip:one@192.0.2.9>\r\n",
        "",
    );
    bench.answer(
        "INVITE",
        StatusCode::SESSION_PROGRESS,
        "two",
        "Contact: <sip:two@192.0.2.9>\r\n",
        OFFER,
    );
    bench.answer(
        "INVITE",
        StatusCode::OK,
        "TWO",
        "Contact: <sip:two@192.0.2.9>\r\n",
        OFFER,
    );
    assert_eq!(bench.last("ACK").request_uri(), Some("sip:two@192.0.2.9"));
    bench.answer(
        "INVITE",
        StatusCode::OK,
        "one",
        "Contact: <sip:one@192.0.2.9>\r\n",
        OFFER,
    );
    assert_eq!(bench.last("ACK").request_uri(), Some("sip:one@192.0.2.9"));
    assert_eq!(bench.last("BYE").request_uri(), Some("sip:one@192.0.2.9"));
    bench.answer("BYE", StatusCode::OK, "", "", "");
    bench.answer(
        "INVITE",
        StatusCode::OK,
        "one",
        "Contact: <sip:one@192.0.2.9>\r\n",
        OFFER,
    );
    assert_eq!(
        (bench.count("ACK"), bench.count("BYE")),
        (3, 1),
        "a copy: ACK again, no second BYE"
    );
    bench.within(usage, "BYE", 1, "", "");
    assert!(matches!(
        bench.events.last(),
        Some(Event::Ended {
            cause: Ended::Bye { .. },
            ..
        })
    ));
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn a_peer_of_rfc_2543_without_to_tag() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing(BOB));
    bench.answer("INVITE", StatusCode::OK, "", CONTACT, OFFER);
    assert_eq!(bench.last("ACK").to().tag(), None);
    bench.within(usage, "BYE", 1, "", "");
    assert_eq!(bench.count("200"), 1);
    bench.is_clean_after_a_while();
}

#[test]
fn a_strict_router_gets_itself_in_the_request_uri() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing(BOB));
    let lines =
        "Record-Route: <sip:far@192.0.2.20;lr>, <sip:strict@192.0.2.9>\r\nContact: <sip:bob@192.0.2.77>\r\n";
    bench.answer("INVITE", StatusCode::OK, "bob", lines, OFFER);
    let ack = bench.find("ACK").unwrap();
    assert_eq!(ack.message.request_uri(), Some("sip:strict@192.0.2.9"));
    let routes: Vec<_> = ack.message.headers(HeaderName::Route).collect();
    assert_eq!(routes, ["<sip:far@192.0.2.20;lr>", "<sip:bob@192.0.2.77>"]);
    assert!(
        matches!(ack.to, Destination::Address { addr, .. } if addr == SocketAddr::from(([192, 0, 2, 9], 5060)))
    );
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    assert_eq!(bench.last("BYE").request_uri(), Some("sip:strict@192.0.2.9"));
}

#[test]
fn the_route_set_is_that_of_the_2xx_and_no_refresh_changes_it() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing(BOB));
    bench.answer(
        "INVITE",
        StatusCode::RINGING,
        "bob",
        &format!("Record-Route: <sip:early@192.0.2.30;lr>\r\n{CONTACT}"),
        "",
    );
    // A proxy that changes networks records itself twice.
    let double = "Record-Route: <sip:192.0.2.31;r2=on;lr>, <sip:10.0.0.1;r2=on;lr>\r\n";
    bench.answer(
        "INVITE",
        StatusCode::OK,
        "bob",
        &format!("{double}{CONTACT}"),
        OFFER,
    );
    let routes = ["<sip:10.0.0.1;r2=on;lr>", "<sip:192.0.2.31;r2=on;lr>"];
    assert_eq!(
        bench.last("ACK").headers(HeaderName::Route).collect::<Vec<_>>(),
        routes
    );
    bench.within(
        usage,
        "UPDATE",
        1,
        "Contact: <sip:bob@192.0.2.99>\r\nRecord-Route: <sip:new@192.0.2.32;lr>\r\n",
        "",
    );
    assert_eq!(bench.count("200"), 1);
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    let bye = bench.last("BYE");
    assert_eq!(bye.headers(HeaderName::Route).collect::<Vec<_>>(), routes);
    assert_eq!(
        bye.request_uri(),
        Some("sip:bob@192.0.2.99"),
        "the target is refreshed"
    );
}

#[test]
fn the_ringing_limit_starts_anew_with_each_101_to_199() {
    let mut bench = Bench::new();
    bench.invite(outgoing(BOB));
    bench.answer("INVITE", StatusCode::TRYING, "", "", "");
    for _ in 0..3 {
        bench.secs(50);
        bench.answer("INVITE", StatusCode::RINGING, "bob", CONTACT, "");
    }
    bench.secs(59);
    assert_eq!(bench.count("CANCEL"), 0);
    bench.secs(1);
    assert_eq!(bench.count("CANCEL"), 1);
    assert!(matches!(
        bench.events.last(),
        Some(Event::Ended {
            cause: Ended::RingTimeout,
            ..
        })
    ));
    bench.answer("CANCEL", StatusCode::OK, "bob", "", "");
    bench.answer("INVITE", StatusCode::REQUEST_TERMINATED, "bob", "", "");
    bench.is_clean_after_a_while();
}

#[test]
fn a_100_does_not_start_the_ringing_limit_anew() {
    let mut bench = Bench::new();
    bench.invite(outgoing(BOB));
    bench.secs(20);
    bench.answer("INVITE", StatusCode::TRYING, "", "", "");
    bench.secs(41);
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::RingTimeout,
            ..
        }
    ));
}

#[test]
fn silence_is_408_and_a_transport_error_503() {
    let mut bench = Bench::new();
    bench.invite(outgoing(BOB));
    bench.secs(33);
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Timeout,
            ..
        }
    ));
    assert_eq!(bench.count("INVITE"), 7);
    bench.invite(outgoing("sip:bob@192.0.2.10;transport=tcp"));
    let token = bench.find("INVITE").unwrap().token;
    bench.act(|endpoint, now| endpoint.handle_input(now, Input::TransmitFailed { token }));
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Transport,
            ..
        }
    ));
    bench.is_clean_after_a_while();
}

#[test]
fn names_under_invalid_are_never_resolved() {
    let mut bench = Bench::new();
    bench.invite(outgoing("sip:k3o9lrfu@k0u5qe8dq2bo.invalid;transport=ws"));
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Nowhere,
            ..
        }
    ));
    let flow = peer(Transport::Ws);
    let call = outgoing("sip:k3o9lrfu@k0u5qe8dq2bo.INVALID;transport=ws");
    let usage = bench.invite(sip_core::endpoint::OutgoingInvite {
        target: Target::Flow(flow),
        ..call
    });
    let invite = bench.last("INVITE");
    let ok = response(
        &invite,
        StatusCode::OK,
        "bob",
        "Contact: <sip:k3o9lrfu@k0u5qe8dq2bo.invalid;transport=ws>\r\n",
        OFFER,
    );
    bench.receive(flow, ok);
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    assert_eq!(bench.find("BYE").unwrap().to, Destination::Flow(flow));
    assert!(bench.queries.is_empty());
    insta::assert_snapshot!(bench.ladder());
}

fn resolve(bench: &mut Bench, targets: &[(Transport, [u8; 4])]) {
    let (query, _) = bench.queries.pop().expect("a query");
    let targets = targets
        .iter()
        .map(|(transport, ip)| (*transport, SocketAddr::from((*ip, 5060)), None))
        .collect();
    bench.act(|endpoint, now| endpoint.handle_input(now, Input::Resolved { query, targets }));
}

#[test]
fn the_next_target_follows_503_silence_and_transport_errors() {
    let mut bench = Bench::new();
    bench.invite(outgoing("sip:bob@trunk.example.net"));
    assert_eq!(bench.queries[0].1, "sip:bob@trunk.example.net");
    let four = [10, 11, 12, 13].map(|last| (Transport::Udp, [192, 0, 2, last]));
    resolve(&mut bench, &four);
    bench.answer(
        "INVITE",
        StatusCode::SERVICE_UNAVAILABLE,
        "x",
        "Retry-After: 120\r\n",
        "",
    );
    bench.secs(6);
    let token = bench.find("INVITE").unwrap().token;
    bench.act(|endpoint, now| endpoint.handle_input(now, Input::TransmitFailed { token }));
    bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
    assert!(matches!(bench.event(), Event::Answered { .. }));
    let invites: Vec<_> = bench
        .sent
        .iter()
        .filter(|sent| sent.message.is(&Method::Invite))
        .collect();
    let first = invites[0].message.call_id().to_owned();
    assert!(
        invites.iter().all(|sent| sent.message.call_id() == first),
        "one call"
    );
    insta::assert_snapshot!(bench.ladder());
    // The one that said Retry-After is asked last by the next call.
    bench.invite(outgoing("sip:bob@trunk.example.net"));
    resolve(&mut bench, &[four[0], (Transport::Udp, [192, 0, 2, 14])]);
    let to = bench.find("INVITE").unwrap().to;
    assert!(
        matches!(to, Destination::Address { addr, .. } if addr.ip().to_string() == "192.0.2.14"),
        "{to:?}"
    );
}

#[test]
fn a_silent_target_is_left_after_a_few_seconds_and_dismissed_when_it_speaks_late() {
    let two = [10, 11].map(|last| (Transport::Udp, [192, 0, 2, last]));
    for (late, expected) in [(StatusCode::RINGING, "CANCEL"), (StatusCode::OK, "BYE")] {
        let mut bench = Bench::new();
        bench.invite(outgoing("sip:bob@trunk.example.net"));
        resolve(&mut bench, &two);
        let first = bench.last("INVITE");
        bench.sleep(Duration::from_millis(4_990));
        assert_eq!(bench.distinct("INVITE"), 1);
        bench.sleep(Duration::from_millis(20));
        assert_eq!(bench.distinct("INVITE"), 2);
        bench.answer("INVITE", StatusCode::RINGING, "bob", CONTACT, "");
        bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
        bench.receive(
            peer(Transport::Udp),
            response(
                &first,
                late,
                "slow",
                CONTACT,
                if late == StatusCode::OK { OFFER } else { "" },
            ),
        );
        assert_eq!(bench.distinct(expected), 1, "{}", bench.ladder());
        let answered = bench
            .events
            .iter()
            .filter(|event| matches!(event, Event::Answered { .. }));
        assert_eq!(answered.count(), 1);
        // The next call goes to the second at once.
        let to = |bench: &mut Bench| {
            bench.invite(outgoing("sip:bob@trunk.example.net"));
            resolve(bench, &two);
            bench.find("INVITE").unwrap().to
        };
        assert!(
            matches!(to(&mut bench), Destination::Address { addr, .. } if addr.ip().to_string() == "192.0.2.11")
        );
    }
}

#[test]
fn a_trunk_that_says_nothing_is_given_up_when_its_time_is_over() {
    let mut bench = Bench::new();
    let call = || sip_core::endpoint::OutgoingInvite {
        response_timeout: Some(Duration::from_secs(4)),
        ..outgoing(BOB)
    };
    bench.invite(call());
    bench.sleep(Duration::from_millis(4_001));
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Timeout,
            ..
        }
    ));
    bench.is_clean_after_a_while();
    bench.invite(call());
    bench.answer("INVITE", StatusCode::TRYING, "", "", "");
    bench.secs(30);
    assert!(bench.events.is_empty(), "whoever said anything has its time");
}

#[test]
fn an_unreachable_target_is_left_at_once() {
    let mut bench = Bench::new();
    let unreachable = |bench: &mut Bench, addr: &str| {
        let addr = addr.parse().unwrap();
        bench.act(|endpoint, now| endpoint.handle_input(now, Input::Unreachable { addr }));
    };
    bench.invite(outgoing("sip:bob@trunk.example.net"));
    resolve(
        &mut bench,
        &[10, 11].map(|last| (Transport::Udp, [192, 0, 2, last])),
    );
    unreachable(&mut bench, "192.0.2.10:5061");
    assert_eq!(bench.distinct("INVITE"), 1, "another port");
    unreachable(&mut bench, "192.0.2.10:5060");
    assert_eq!(bench.distinct("INVITE"), 2);
    bench.answer("INVITE", StatusCode::TRYING, "", "", "");
    unreachable(&mut bench, "192.0.2.11:5060");
    assert!(
        bench.events.is_empty(),
        "it answered: what else is said of it may be forged"
    );
    bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
    bench.events.clear();

    let usage = bench.invite(sip_core::endpoint::OutgoingInvite {
        target: Target::Flow(peer(Transport::Udp)),
        ..outgoing(BOB)
    });
    unreachable(&mut bench, "192.0.2.9:5060");
    assert!(matches!(
        bench.event(),
        Event::Ended { usage: ended, cause: Ended::Transport } if ended == usage
    ));
}

#[test]
fn a_late_answer_of_a_fork_is_dismissed_with_credentials_too() {
    let mut bench = Bench::new();
    let challenge = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n1\", qop=\"auth\"\r\n";
    bench.invite(sip_core::endpoint::OutgoingInvite {
        credentials: Some(Credentials {
            username: "alice".into(),
            password: "secret".into(),
        }),
        ..outgoing(BOB)
    });
    bench.answer(
        "INVITE",
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        "x",
        challenge,
        "",
    );
    bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
    bench.answer("INVITE", StatusCode::OK, "carol", CONTACT, OFFER);
    assert_eq!(bench.distinct("BYE"), 1);
    bench.answer(
        "BYE",
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        "",
        &challenge.replace("n1", "n2"),
        "",
    );
    assert_eq!(bench.distinct("BYE"), 2);
    assert!(
        bench
            .last("BYE")
            .header(HeaderName::ProxyAuthorization)
            .unwrap()
            .contains("nonce=\"n2\"")
    );
}

#[test]
fn a_name_that_leads_nowhere_and_a_hangup_before_it_is_resolved() {
    let mut bench = Bench::new();
    bench.invite(outgoing("sip:bob@nowhere.example.net"));
    resolve(&mut bench, &[]);
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Nowhere,
            ..
        }
    ));
    let usage = bench.invite(outgoing("sip:bob@slow.example.net"));
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::LocalHangup,
            ..
        }
    ));
    resolve(&mut bench, &[(Transport::Udp, [192, 0, 2, 9])]);
    assert_eq!(bench.count("INVITE"), 0);
    bench.is_clean_after_a_while();
}

#[test]
fn a_request_over_1300_bytes_goes_by_tcp_and_back_to_udp_when_that_is_refused() {
    let mut bench = Bench::new();
    let large = "a=candidate\r\n".repeat(120);
    let call = |uri| sip_core::endpoint::OutgoingInvite {
        body: Some(Body::sdp(large.clone())),
        ..outgoing(uri)
    };
    bench.invite(call(BOB));
    let first = bench.find("INVITE").unwrap();
    assert!(matches!(
        first.to,
        Destination::Address {
            transport: Transport::Tcp,
            ..
        }
    ));
    assert_eq!(first.message.top_via().unwrap().transport, "TCP");
    assert!(
        first
            .message
            .header(HeaderName::Contact)
            .unwrap()
            .contains(";transport=tcp")
    );
    let token = first.token;
    bench.act(|endpoint, now| endpoint.handle_input(now, Input::TransmitFailed { token }));
    let second = bench.find("INVITE").unwrap();
    assert!(matches!(
        second.to,
        Destination::Address {
            transport: Transport::Udp,
            ..
        }
    ));
    assert_eq!(second.message.top_via().unwrap().transport, "UDP");
    bench.invite(call(BOB));
    assert_eq!(
        bench.find("INVITE").unwrap().message.top_via().unwrap().transport,
        "UDP",
        "remembered"
    );
    insta::assert_snapshot!(bench.ladder());
}

#[test]
fn credentials_answer_several_challenges_with_the_next_cseq() {
    let mut bench = Bench::new();
    let credentials = Some(Credentials {
        username: "alice".into(),
        password: "secret".into(),
    });
    let usage = bench.invite(sip_core::endpoint::OutgoingInvite {
        credentials,
        ..outgoing(BOB)
    });
    let first = bench.last("INVITE");
    let challenges = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\r\n\
                      Proxy-Authenticate: Digest realm=\"p\", nonce=\"n2\", qop=\"auth\", algorithm=SHA-256\r\n";
    bench.answer(
        "INVITE",
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        "x",
        challenges,
        "",
    );
    let second = bench.last("INVITE");
    assert_eq!(second.cseq().number, first.cseq().number + 1);
    assert_eq!(
        (second.call_id(), second.from().tag()),
        (first.call_id(), first.from().tag())
    );
    assert_eq!(second.to().tag(), None);
    assert_ne!(
        second.top_via().unwrap().branch(),
        first.top_via().unwrap().branch()
    );
    let proxy = second.header(HeaderName::ProxyAuthorization).unwrap();
    assert!(
        proxy.contains("SHA-256") && proxy.contains("nc=00000001"),
        "{proxy}"
    );
    // Behind the proxy the server asks too; both are answered.
    bench.answer(
        "INVITE",
        StatusCode::UNAUTHORIZED,
        "y",
        "WWW-Authenticate: Digest realm=\"s\", nonce=\"n3\", qop=\"auth\"\r\n",
        "",
    );
    let third = bench.last("INVITE");
    assert!(
        third
            .header(HeaderName::ProxyAuthorization)
            .unwrap()
            .contains("nc=00000002")
    );
    assert!(
        third
            .header(HeaderName::Authorization)
            .unwrap()
            .contains("nc=00000001")
    );
    bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
    assert_eq!(bench.last("ACK").cseq().number, third.cseq().number);
    assert!(matches!(bench.event(), Event::Answered { .. }));
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    assert!(
        bench
            .last("BYE")
            .header(HeaderName::Authorization)
            .unwrap()
            .contains("nc=00000002")
    );
    bench.answer(
        "BYE",
        StatusCode::UNAUTHORIZED,
        "",
        "WWW-Authenticate: Digest realm=\"s\", nonce=\"n4\", stale=TRUE\r\n",
        "",
    );
    assert_eq!(bench.count("BYE"), 2, "a stale nonce is no refusal");
    bench.answer("BYE", StatusCode::OK, "", "", "");
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn a_wrong_password_is_refused_once() {
    let mut bench = Bench::new();
    let credentials = Some(Credentials {
        username: "alice".into(),
        password: "wrong".into(),
    });
    bench.invite(sip_core::endpoint::OutgoingInvite {
        credentials,
        ..outgoing(BOB)
    });
    bench.answer(
        "INVITE",
        StatusCode::UNAUTHORIZED,
        "x",
        "WWW-Authenticate: Digest realm=\"s\", nonce=\"1\", qop=\"auth\"\r\n",
        "",
    );
    bench.answer(
        "INVITE",
        StatusCode::UNAUTHORIZED,
        "x",
        "WWW-Authenticate: Digest realm=\"s\", nonce=\"2\", qop=\"auth\"\r\n",
        "",
    );
    assert_eq!(bench.count("INVITE"), 2);
    assert!(matches!(
        bench.event(),
        Event::Ended {
            cause: Ended::Rejected {
                code: StatusCode::UNAUTHORIZED,
                ..
            },
            ..
        }
    ));
    bench.is_clean_after_a_while();
}

#[test]
fn an_interval_too_small_is_asked_again_with_what_the_peer_wants() {
    let mut bench = Bench::new();
    let session_timer = Some(SessionWish {
        interval: Duration::from_secs(90),
        refresher: None,
    });
    bench.invite(sip_core::endpoint::OutgoingInvite {
        session_timer,
        ..outgoing(BOB)
    });
    bench.answer(
        "INVITE",
        StatusCode::SESSION_INTERVAL_TOO_SMALL,
        "x",
        "Min-SE: 600\r\n",
        "",
    );
    let again = bench.last("INVITE");
    assert_eq!(again.header(HeaderName::SessionExpires), Some("600"));
    assert_eq!(again.header(HeaderName::MinSe), Some("600"));
    bench.answer(
        "INVITE",
        StatusCode::SESSION_INTERVAL_TOO_SMALL,
        "x",
        "Min-SE: 600\r\n",
        "",
    );
    assert!(
        matches!(
            bench.event(),
            Event::Ended {
                cause: Ended::Rejected {
                    code: StatusCode::SESSION_INTERVAL_TOO_SMALL,
                    ..
                },
                ..
            }
        ),
        "no loop"
    );
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut bench = Bench::new();
    let usage = bench.invite(sip_core::endpoint::OutgoingInvite {
        body: None,
        ..outgoing(BOB)
    });
    assert!(
        !bench.last("INVITE").supports("100rel"),
        "its offer could come in a 1xx only to be answered in a PRACK"
    );
    bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
    bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
    assert_eq!(
        (bench.count("ACK"), bench.count("BYE")),
        (0, 0),
        "the answer is not known yet"
    );
    bench.act(|endpoint, now| endpoint.ack(now, usage, Some(Body::sdp(ANSWER))));
    assert_eq!(bench.last("ACK").body(), ANSWER.as_bytes());
    bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
    assert_eq!(bench.count("ACK"), 2);
    insta::assert_snapshot!(bench.ladder());
}

#[test]
fn reliable_provisional_responses_are_acknowledged_in_order_and_once() {
    let mut bench = Bench::new();
    bench.invite(outgoing(BOB));
    let lines = |rseq: u32| format!("Require: 100rel\r\nRSeq: {rseq}\r\n{CONTACT}");
    let invite = bench.last("INVITE");
    let first = response(&invite, StatusCode::SESSION_PROGRESS, "bob", &lines(8), OFFER);
    bench.receive(peer(Transport::Udp), first.clone());
    bench.answer("PRACK", StatusCode::OK, "", "", "");
    bench.receive(peer(Transport::Udp), first);
    bench.receive(
        peer(Transport::Udp),
        response(&invite, StatusCode::RINGING, "bob", &lines(10), ""),
    );
    assert_eq!(
        bench.count("PRACK"),
        1,
        "neither a copy nor one ahead of its turn"
    );
    bench.receive(
        peer(Transport::Udp),
        response(&invite, StatusCode::RINGING, "bob", &lines(9), ""),
    );
    assert_eq!(
        bench.last("PRACK").header(HeaderName::RAck),
        Some(&*format!("9 {} INVITE", invite.cseq().number))
    );
    bench.answer("PRACK", StatusCode::OK, "", "", "");
    bench.receive(
        peer(Transport::Udp),
        response(&invite, StatusCode::OK, "bob", CONTACT, ""),
    );
    assert!(bench.last("ACK").body().is_empty());
    insta::assert_snapshot!(bench.ladder());
}

#[test]
fn responses_that_are_not_for_us_are_dropped() {
    let mut bench = Bench::new();
    bench.invite(outgoing(BOB));
    let invite = bench.last("INVITE");
    let text = String::from_utf8(response(&invite, StatusCode::OK, "bob", CONTACT, OFFER).to_vec()).unwrap();
    let two = text.replacen("From:", "Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKx\r\nFrom:", 1);
    let other = text.replacen("192.0.2.1:5060", "192.0.2.255:5060", 1);
    let branch = text.replacen("branch=z9hG4bK", "branch=z9hG4bK0", 1);
    let method = text.replacen(" INVITE\r\n", " OPTIONS\r\n", 1);
    for wrong in [two, other, branch, method] {
        bench.receive(peer(Transport::Udp), wrong);
    }
    assert!(bench.events.is_empty() && bench.count("ACK") == 0);
    // Without a port it is 5060, and hosts compare without regard to case (§18.1.2, §20.42).
    bench.receive(
        peer(Transport::Udp),
        text.replacen("192.0.2.1:5060;branch", "192.0.2.1;branch", 1),
    );
    assert!(matches!(bench.event(), Event::Answered { .. }));
}

#[test]
fn a_connection_that_closes_ends_the_call_that_is_not_answered() {
    let mut bench = Bench::new();
    let flow = peer(Transport::Ws);
    let call = sip_core::endpoint::OutgoingInvite {
        target: Target::Flow(flow),
        ..outgoing(BOB)
    };
    bench.invite(call);
    bench.receive(
        flow,
        response(&bench.last("INVITE"), StatusCode::RINGING, "bob", CONTACT, ""),
    );
    bench.act(|endpoint, now| endpoint.handle_input(now, Input::FlowClosed { flow: flow.id }));
    assert!(matches!(
        bench.events.last(),
        Some(Event::Ended {
            cause: Ended::Transport,
            ..
        })
    ));
    bench.is_clean_after_a_while();
}

#[test]
fn what_an_application_says_cannot_break_a_line() {
    let mut bench = Bench::new();
    let evil = |text: &str| format!("{text}\r\nEvil: yes");
    bench.invite(sip_core::endpoint::OutgoingInvite {
        contact_user: evil("alice"),
        extra: vec![
            ("X-Good".into(), "1".into()),
            ("X-Bad".into(), evil("1")),
            (evil("X-Worse"), "1".into()),
            ("Via".into(), "mine".into()),
            ("Max-Forwards".into(), "12".into()),
        ],
        body: Some(Body {
            content_type: evil("text/plain"),
            data: "x".into(),
        }),
        ..outgoing(BOB)
    });
    let invite = bench.last("INVITE");
    assert_eq!(invite.header_named("Evil"), None, "{invite}");
    assert_eq!(invite.header_named("X-Good"), Some("1"));
    assert_eq!((invite.header_named("X-Bad"), invite.via_count()), (None, 1));
    assert_eq!(invite.max_forwards(), Some(12));
}

#[test]
fn an_outbound_proxy_leads_the_way() {
    let mut bench = Bench::new();
    let proxy = |text| Target::Uri {
        proxy: Some(Uri::parse(text).unwrap()),
    };
    bench.invite(sip_core::endpoint::OutgoingInvite {
        target: proxy("sip:192.0.2.40;lr;transport=tcp"),
        ..outgoing("sip:bob@far.example.net")
    });
    let invite = bench.find("INVITE").unwrap();
    assert_eq!(
        invite.message.header(HeaderName::Route),
        Some("<sip:192.0.2.40;lr;transport=tcp>")
    );
    assert!(matches!(
        invite.to,
        Destination::Address {
            transport: Transport::Tcp,
            ..
        }
    ));
    bench.invite(sip_core::endpoint::OutgoingInvite {
        target: proxy("sip:192.0.2.41"),
        ..outgoing("sip:bob@far.example.net")
    });
    assert_eq!(bench.last("INVITE").header(HeaderName::Route), None);
    assert_eq!(bench.last("INVITE").body(), ANSWER.as_bytes());
}

#[test]
fn a_2xx_that_comes_again_while_its_next_hop_is_being_resolved_does_no_harm() {
    let mut bench = Bench::new();
    let usage = bench.invite(outgoing(BOB));
    let ok = response(
        &bench.last("INVITE"),
        StatusCode::OK,
        "bob",
        "Contact: <sip:bob@pbx.example.net>\r\n",
        OFFER,
    );
    bench.receive(peer(Transport::Udp), ok.clone());
    bench.receive(peer(Transport::Udp), ok.clone());
    assert_eq!(
        (bench.count("ACK"), bench.count("BYE"), bench.queries.len()),
        (0, 0, 1)
    );
    resolve(&mut bench, &[(Transport::Udp, [192, 0, 2, 60])]);
    assert_eq!(bench.count("ACK"), 1);
    bench.receive(peer(Transport::Udp), ok);
    assert_eq!(
        (bench.count("ACK"), bench.count("BYE"), bench.events.len()),
        (2, 0, 1)
    );
    bench.act(|endpoint, now| endpoint.hangup(now, usage, None, Headers::new()));
    assert_eq!(
        (bench.count("BYE"), bench.queries.len()),
        (1, 0),
        "the name is asked for once"
    );
    bench.answer("BYE", StatusCode::OK, "", "", "");
    bench.is_clean_after_a_while();
}

#[test]
fn forks_that_rang_before_a_challenge_are_forgotten() {
    let mut bench = Bench::new();
    let credentials = Some(Credentials {
        username: "alice".into(),
        password: "secret".into(),
    });
    bench.invite(sip_core::endpoint::OutgoingInvite {
        credentials,
        ..outgoing(BOB)
    });
    let first = bench.last("INVITE");
    bench.answer(
        "INVITE",
        StatusCode::RINGING,
        "early",
        &format!("Record-Route: <sip:old@192.0.2.9;lr>\r\n{CONTACT}"),
        "",
    );
    bench.answer(
        "INVITE",
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        "x",
        "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\", qop=\"auth\"\r\n",
        "",
    );
    assert_eq!(bench.last("INVITE").cseq().number, first.cseq().number + 1);
    bench.answer("INVITE", StatusCode::OK, "bob", CONTACT, OFFER);
    assert_eq!(bench.last("ACK").header(HeaderName::Route), None);
    assert_eq!(bench.last("ACK").cseq().number, first.cseq().number + 1);
}
