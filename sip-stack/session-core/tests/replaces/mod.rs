//! INVITEs with `Replaces` (RFC 3891): who may take whose place, what the others are told, who hears whom.

use media_core::control::{Command, LegId};
use session_core::{Cause, Event};
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use crate::carried::bench::{Bench, CARRIER, OTHER, PAGE, PHONE, Peer, sdp};

/// `Replaces` as the peer who got this INVITE of ours names its dialog, which it answered under `tag`.
fn replaces(invite: &Message, tag: &str, more: &str) -> String {
    let ours = invite.from().tag().expect("a tag of ours").to_owned();
    format!(
        "Replaces: {};to-tag={ours};from-tag={tag}{more}\r\n",
        invite.call_id()
    )
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

fn takes(bench: &mut Bench, peer: Peer, lines: &str) -> StatusCode {
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

fn bye_reason(bench: &Bench, method: &Method) -> Option<String> {
    let message = bench.last(method)?;
    message.header(HeaderName::Reason).map(str::to_owned)
}

#[test]
fn another_phone_takes_a_call_over_and_the_caller_notices_nothing() {
    let (mut bench, invite) = talks();
    let answered = bench.statuses();
    let legs = bridged(&bench);
    let code = takes(
        &mut bench,
        OTHER,
        &format!("Require: replaces\r\n{}", replaces(&invite, "p", "")),
    );
    assert_eq!(code, StatusCode::OK);
    let taken = bench.last_leg();
    assert_eq!(bridged(&bench), [legs[0], taken], "the caller and the new phone");
    assert_eq!(bench.count(&Method::Bye), 1);
    let bye = bench.last(&Method::Bye).unwrap();
    assert_eq!(bye.call_id(), invite.call_id(), "to the old one");
    assert_eq!(
        bye_reason(&bench, &Method::Bye).as_deref(),
        Some("SIP;cause=200;text=\"Call completed elsewhere\"")
    );
    bench.respond(PHONE, &bye, StatusCode::OK, "", "", "");
    assert_eq!(bench.statuses()[..answered.len()], answered[..]);
    let joined = bench
        .events
        .iter()
        .any(|event| matches!(event, Event::Joined { .. }));
    let given = bench.events.iter().any(
        |event| matches!(event, Event::Transferred { leg, to, .. } if *leg == legs[1] && *to == [taken]),
    );
    assert!(joined && given, "{:?}", bench.events);
    // It is one call with one record, of three legs.
    bench.act(|gateway, now| {
        let session = gateway.session_of_leg(taken).unwrap();
        gateway.terminate_session(now, session);
    });
    for _ in 0..2 {
        let bye = bench.last(&Method::Bye).unwrap();
        bench.respond(OTHER, &bye, StatusCode::OK, "", "", "");
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
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].cause, records[0].from.as_str()),
        (Cause::Local, "carrier")
    );
    let parties: Vec<_> = records[0].legs.iter().map(|leg| leg.party.as_str()).collect();
    assert_eq!(parties.len(), 3, "{parties:?}");
    assert!(parties.contains(&"1002"));
}

#[test]
fn a_call_is_picked_up_while_it_rings_elsewhere() {
    let (mut bench, invite) = rings();
    let code = takes(&mut bench, OTHER, &replaces(&invite, "p", ";early-only"));
    assert_eq!(code, StatusCode::OK);
    let cancel = bench.last(&Method::Cancel).expect("the phone rings no more");
    assert_eq!(cancel.call_id(), invite.call_id());
    let taken = bench.last_leg();
    assert!(bridged(&bench).contains(&taken));
    let answered: Vec<StatusCode> = bench
        .sent
        .iter()
        .filter(|(_, message)| message.call_id() == "call5" || message.cseq().method == Method::Invite)
        .filter_map(|(_, message)| message.status())
        .filter(|code| *code == StatusCode::OK)
        .collect();
    assert_eq!(answered.len(), 2, "the caller is answered as well");
}

#[test]
fn who_may_not_is_told_why_and_the_call_goes_on() {
    let (mut bench, invite) = talks();
    let legs = bridged(&bench);
    let right = replaces(&invite, "p", "");
    let wrong = [
        (replaces(&invite, "q", ""), StatusCode::CALL_DOES_NOT_EXIST),
        (replaces(&invite, "", ""), StatusCode::CALL_DOES_NOT_EXIST),
        (right.replace("to-tag", "no-tag"), StatusCode::BAD_REQUEST),
        (format!("{right}{right}"), StatusCode::BAD_REQUEST),
        (
            format!("{right}Join: a;to-tag=1;from-tag=2\r\n"),
            StatusCode::BAD_REQUEST,
        ),
        (replaces(&invite, "p", ";early-only"), StatusCode::BUSY_HERE),
    ];
    for (lines, expected) in wrong {
        assert_eq!(takes(&mut bench, OTHER, &lines), expected, "{lines}");
        let warned = bench
            .last_response()
            .header(HeaderName::Warning)
            .map(str::to_owned);
        assert!(
            warned.is_some_and(|warning| warning.starts_with("399 ")),
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
    assert_eq!(
        bench.last_response().status(),
        Some(StatusCode::CALL_DOES_NOT_EXIST)
    );
    // Over UDP its address may be forged: it is told once.
    let answered = |bench: &Bench| {
        let refusals = bench
            .sent
            .iter()
            .filter(|(_, message)| message.status() == Some(StatusCode::CALL_DOES_NOT_EXIST));
        refusals.count()
    };
    let before = answered(&bench);
    bench.wait(3);
    assert_eq!(answered(&bench), before);
    assert_eq!((bridged(&bench), bench.count(&Method::Bye)), (legs, 0));
}

#[test]
fn a_carrier_replaces_its_own_side_of_a_call() {
    let mut bench = Bench::new();
    bench.register(PHONE, "");
    bench.authenticated(PHONE, "INVITE", "sip:0301234@192.0.2.1", "", &sdp(11, 4_000, 0));
    let invite = bench.invited(CARRIER);
    bench.respond(CARRIER, &invite, StatusCode::OK, "c", "", &sdp(20, 5_000, 0));
    let lines = replaces(&invite, "c", "");
    // A user has no business with a carrier's side.
    bench.register(OTHER, "");
    assert_eq!(takes(&mut bench, OTHER, &lines), StatusCode::CALL_DOES_NOT_EXIST);
    bench.request(
        CARRIER,
        "INVITE",
        "sip:1001@192.0.2.1",
        &lines,
        &sdp(20, 5_004, 0),
    );
    assert_eq!(bench.last_response().status(), Some(StatusCode::OK));
    assert_eq!(bench.last(&Method::Bye).unwrap().call_id(), invite.call_id());
    assert!(bridged(&bench).contains(&bench.last_leg()));
}

#[test]
fn a_caller_that_is_not_answered_yet_keeps_its_call() {
    let mut bench = Bench::new();
    for peer in [PHONE, OTHER, PAGE] {
        bench.register(peer, "");
    }
    bench.authenticated(PHONE, "INVITE", "sip:1003@192.0.2.1", "", &sdp(11, 4_000, 0));
    let invite = bench.invited(PAGE);
    bench.respond(PAGE, &invite, StatusCode::RINGING, "w", "", "");
    let ringing = bench.last_response().clone();
    assert_eq!(ringing.status(), Some(StatusCode::RINGING));
    let ours = ringing.to().tag().unwrap().to_owned();
    let theirs = ringing.from().tag().unwrap().to_owned();
    let lines = format!(
        "Replaces: {};to-tag={ours};from-tag={theirs}\r\n",
        ringing.call_id()
    );
    assert_eq!(takes(&mut bench, OTHER, &lines), StatusCode::CALL_DOES_NOT_EXIST);
}

#[test]
fn one_dialog_is_replaced_once() {
    let (mut bench, invite) = talks();
    let lines = replaces(&invite, "p", "");
    assert_eq!(takes(&mut bench, OTHER, &lines), StatusCode::OK);
    let again = takes(&mut bench, OTHER, &lines);
    assert!(
        matches!(again, StatusCode::CALL_DOES_NOT_EXIST | StatusCode::DECLINE),
        "{again}"
    );
    assert_eq!(bench.count(&Method::Bye), 1);
}
