//! INVITEs with `Join` (RFC 3911): who may come into whose call, who hears whom, and what goes on when one of them leaves.

use media_core::control::{Command, LegId};
use session_core::Event;
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use crate::carried::bench::{Bench, CARRIER, OTHER, PAGE, PHONE, Peer, sdp};

/// `Join` as the peer who got this INVITE of ours names its dialog, which it answered under `tag`.
fn join(invite: &Message, tag: &str) -> String {
    let ours = invite.from().tag().expect("a tag of ours").to_owned();
    format!("Join: {};to-tag={ours};from-tag={tag}\r\n", invite.call_id())
}

/// The carrier calls 1001, whose phone rings: the INVITE that it gets.
fn rings() -> (Bench, Message) {
    let mut bench = Bench::new();
    for peer in [PHONE, OTHER] {
        bench.register(peer, "");
    }
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::RINGING, "p", "", "");
    (bench, invite)
}

/// The same, and 1001 answered.
fn talks() -> (Bench, Message) {
    let (mut bench, invite) = rings();
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    (bench, invite)
}

fn joins(bench: &mut Bench, peer: Peer, lines: &str) -> StatusCode {
    bench.authenticated(peer, "INVITE", "sip:anyone@192.0.2.1", lines, &sdp(12, 6_000, 0))
}

/// The legs that hear each other by the last bridge.
fn bridged(bench: &Bench) -> Vec<LegId> {
    let last = bench.commands.iter().rev().find_map(|command| match command {
        Command::Bridge { members, .. } => Some(members.iter().map(|member| member.leg).collect()),
        _ => None,
    });
    last.unwrap_or_default()
}

#[test]
fn a_third_phone_comes_into_the_call_and_all_hear_each_other() {
    let (mut bench, invite) = talks();
    let two = bridged(&bench);
    let lines = format!("Require: join\r\n{}", join(&invite, "p"));
    assert_eq!(joins(&mut bench, OTHER, &lines), StatusCode::OK);
    let third = bench.last_leg();
    assert_eq!(bridged(&bench), [two[0], two[1], third]);
    assert_eq!(bench.count(&Method::Bye), 0);
    let supported = bench.last_response().header(HeaderName::Supported);
    assert!(supported.is_some_and(|tags| tags.split(", ").any(|tag| tag == "join")));
    let sessions = bench.act(|gateway, _| gateway.sessions().count());
    assert_eq!(sessions, 1, "it is one call");
    // 1001 leaves, and the others talk on.
    let ours = invite.from().tag().unwrap();
    let bye = format!(
        "BYE sip:gw@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKbye\r\nMax-Forwards: 70\r\n\
         From: <sip:1001@192.0.2.1>;tag=p\r\nTo: <sip:x@192.0.2.1>;tag={ours}\r\nCall-ID: {}\r\nCSeq: 5 BYE\r\n\
         Content-Length: 0\r\n\r\n",
        invite.call_id()
    );
    bench.receive(PHONE, bye);
    assert_eq!(bridged(&bench), [two[0], third]);
    assert_eq!(bench.count(&Method::Bye), 0);
    bench.act(|gateway, now| {
        let session = gateway.session_of_leg(third).unwrap();
        gateway.terminate_session(now, session);
    });
    for (_, bye) in bench
        .sent
        .clone()
        .iter()
        .filter(|(_, message)| message.is(&Method::Bye))
    {
        bench.respond(OTHER, bye, StatusCode::OK, "", "", "");
    }
    bench.wait(60);
    let records: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Ended { record, .. } => Some(record),
            _ => None,
        })
        .collect();
    assert_eq!((records.len(), records[0].legs.len()), (1, 3));
}

#[test]
fn who_may_not_is_told_why_and_the_call_goes_on() {
    let (mut bench, invite) = talks();
    let legs = bridged(&bench);
    let right = join(&invite, "p");
    let wrong = [
        (join(&invite, "q"), StatusCode::CALL_DOES_NOT_EXIST),
        (right.replace("to-tag", "no-tag"), StatusCode::BAD_REQUEST),
        (format!("{right}{right}"), StatusCode::BAD_REQUEST),
        (
            format!("{right}Replaces: a;to-tag=1;from-tag=2\r\n"),
            StatusCode::BAD_REQUEST,
        ),
    ];
    for (lines, expected) in wrong {
        assert_eq!(joins(&mut bench, OTHER, &lines), expected, "{lines}");
        let warning = bench.last_response().header(HeaderName::Warning);
        assert!(
            warning.is_some_and(|warning| warning.starts_with("399 ")),
            "{lines}"
        );
    }
    // A carrier knows nothing of the calls of users, however it came by their names.
    bench.request(
        CARRIER,
        "INVITE",
        "sip:+49301234@192.0.2.1",
        &right,
        &sdp(20, 5_002, 0),
    );
    assert_eq!(bench.last_response().status(), Some(StatusCode::FORBIDDEN));
    // Only an INVITE joins.
    let code = bench.authenticated(OTHER, "INVITE", "sip:1003@192.0.2.1", "", &sdp(12, 6_000, 0));
    assert_eq!(code, StatusCode::TEMPORARILY_UNAVAILABLE);
    bench.request(OTHER, "OPTIONS", "sip:192.0.2.1", &right, "");
    assert_eq!(bench.last_response().status(), Some(StatusCode::BAD_REQUEST));
    assert_eq!((bridged(&bench), bench.count(&Method::Bye)), (legs, 0));
}

#[test]
fn a_call_that_rings_or_is_over_is_not_joined() {
    let (mut bench, invite) = rings();
    let lines = join(&invite, "p");
    assert_eq!(joins(&mut bench, OTHER, &lines), StatusCode::CALL_DOES_NOT_EXIST);
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    bench.act(|gateway, now| {
        let session = gateway.sessions().next().unwrap();
        gateway.terminate_session(now, session);
    });
    let code = joins(&mut bench, OTHER, &lines);
    assert!(
        matches!(code, StatusCode::CALL_DOES_NOT_EXIST | StatusCode::DECLINE),
        "{code}"
    );
}

#[test]
fn a_carrier_joins_its_own_call_and_a_user_does_not() {
    let mut bench = Bench::new();
    for peer in [PHONE, PAGE] {
        bench.register(peer, "");
    }
    bench.authenticated(PHONE, "INVITE", "sip:0301234@192.0.2.1", "", &sdp(11, 4_000, 0));
    let invite = bench.invited(CARRIER);
    bench.respond(CARRIER, &invite, StatusCode::OK, "c", "", &sdp(20, 5_000, 0));
    let lines = join(&invite, "c");
    bench.register(OTHER, "");
    assert_eq!(joins(&mut bench, OTHER, &lines), StatusCode::FORBIDDEN);
    bench.request(
        CARRIER,
        "INVITE",
        "sip:1001@192.0.2.1",
        &lines,
        &sdp(20, 5_004, 0),
    );
    assert_eq!(bench.last_response().status(), Some(StatusCode::OK));
    assert_eq!(bridged(&bench).len(), 3);
}
