//! Formats that the gateway can neither decode nor encode, between a carrier and phones that have them.

use media_core::control::{Application, Command, LegId};
use media_core::negotiated::Codec;
use session_core::{Access, Config, Dial, Event, HoldPolicy, Invitation, OnFailure, Party, PassThrough};
use sip_core::message::{HeaderName, Message, Method, StatusCode};
use std::time::Duration;

use super::talk::{Side, Talk, direction};
use crate::carried::bench::{Bench, CARRIER, OTHER, PAGE, PHONE, config};

const OK: StatusCode = StatusCode::OK;
const UNACCEPTABLE: StatusCode = StatusCode::NOT_ACCEPTABLE_HERE;
const BUSY: StatusCode = StatusCode::BUSY_HERE;

/// A description of plain RTP with these formats, and the attributes of them.
fn sdp(host: u8, formats: &str, attributes: &[&str]) -> String {
    let attributes: String = attributes.iter().map(|line| format!("a={line}\r\n")).collect();
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.{host}\r\ns=-\r\nc=IN IP4 192.0.2.{host}\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP {formats}\r\n{attributes}"
    )
}

/// G.729 of a host, with the codecs of ours that are given.
fn g729(host: u8, others: &str) -> String {
    let event = "rtpmap:101 telephone-event/8000";
    sdp(host, &format!("18{others} 101"), &["fmtp:18 annexb=no", event])
}

/// G.729 and iLBC of the carrier.
fn both() -> String {
    sdp(20, "18 97", &["rtpmap:97 iLBC/8000", "fmtp:97 mode=20"])
}

fn ilbc(host: u8) -> String {
    sdp(host, "98", &["rtpmap:98 iLBC/8000", "fmtp:98 mode=30"])
}

/// Payload types of a message's description.
fn formats(message: &Message) -> Vec<u8> {
    let text = String::from_utf8_lossy(message.body()).into_owned();
    let line = text.lines().find(|line| line.starts_with("m=audio"));
    let numbers = line.unwrap_or_default().split(' ').skip(3);
    numbers.filter_map(|number| number.parse().ok()).collect()
}

fn says(message: &Message, line: &str) -> bool {
    String::from_utf8_lossy(message.body()).contains(&format!("{line}\r\n"))
}

/// A call of the carrier with this offer; nobody has answered.
fn called(config: Config, offer: &str) -> Bench {
    let mut bench = Bench::with(config);
    bench.register(PHONE, "");
    bench.request(CARRIER, "INVITE", "sip:+49301234@192.0.2.1", "", offer);
    bench
}

/// Codec that a leg was connected with last.
fn codec(bench: &Bench, leg: LegId) -> Option<Codec> {
    bench.commands.iter().rev().find_map(|command| match command {
        Command::Connect { leg: of, media } if *of == leg => Some(media.audio()?.send.1),
        _ => None,
    })
}

fn names(bench: &Bench) -> Vec<String> {
    let codecs = bench.opened().into_iter().filter_map(|leg| codec(bench, leg));
    codecs.map(|codec| codec.name().to_owned()).collect()
}

/// The gateway sends its users and trunks all that is to be known of holds.
fn telling() -> Config {
    let mut config = config();
    if let Access::Directory { users, trunks } = &mut config.access {
        users.values_mut().for_each(|user| user.hold = HoldPolicy::Pass);
        trunks
            .values_mut()
            .for_each(|trunk| trunk.hold = HoldPolicy::Pass);
    }
    config
}

#[test]
fn two_phones_with_g729_alone_talk_by_it() {
    let mut bench = called(config(), &g729(20, ""));
    let invite = bench.invited(PHONE);
    assert_eq!(formats(&invite), [18, 101]);
    assert!(says(&invite, "a=rtpmap:18 G729/8000") && says(&invite, "a=fmtp:18 annexb=no"));
    let answer = sdp(11, "18", &["fmtp:18 annexb=yes"]);
    bench.respond(PHONE, &invite, OK, "phone", "", &answer);
    let answer = bench.last_response();
    assert_eq!((answer.status(), formats(answer)), (Some(OK), vec![18, 101]));
    assert!(says(answer, "a=fmtp:18 annexb=yes"), "as the phone says it");
    assert_eq!(names(&bench), ["G729", "G729"]);
}

#[test]
fn what_both_speak_and_we_too_goes_first_and_what_only_we_speak_goes_last() {
    let mut with_g722 = config();
    with_g722.phone_codecs = vec![Codec::G722, Codec::Pcmu, Codec::Pcma];
    let mut bench = called(with_g722, &g729(20, " 0"));
    let invite = bench.invited(PHONE);
    assert_eq!(formats(&invite), [0, 18, 8, 9, 101]);
    bench.respond(PHONE, &invite, OK, "phone", "", &sdp(11, "0", &[]));
    assert_eq!(formats(bench.last_response()), [0, 101]);
    assert_eq!(names(&bench), ["PCMU", "PCMU"]);
}

#[test]
fn the_caller_is_answered_with_the_format_that_the_callee_took() {
    let offer = sdp(20, "0 18 97", &["rtpmap:97 iLBC/8000", "fmtp:97 mode=20"]);
    let mut bench = called(config(), &offer);
    let invite = bench.invited(PHONE);
    assert_eq!(formats(&invite), [0, 18, 97, 8, 101]);
    assert!(says(&invite, "a=fmtp:97 mode=20"));
    // Early media already, by a number of its own.
    bench.respond(
        PHONE,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "phone",
        "",
        &ilbc(11),
    );
    let early = bench.last_response().clone();
    assert_eq!(early.status(), Some(StatusCode::SESSION_PROGRESS));
    assert_eq!(formats(&early), [97]);
    assert!(says(&early, "a=fmtp:97 mode=30"));
    bench.respond(PHONE, &invite, OK, "phone", "", &ilbc(11));
    assert_eq!(bench.last_response().body(), early.body());
    assert_eq!(names(&bench), ["iLBC", "iLBC"]);
}

#[test]
fn an_application_refuses_a_caller_whom_it_cannot_talk_with() {
    let mut bench = Bench::with(config());
    bench.leaves_calls = true;
    bench.request(CARRIER, "INVITE", "sip:+49301234@192.0.2.1", "", &g729(20, ""));
    let leg = bench.last_leg();
    bench.act(|gateway, now| gateway.answer(now, leg, Some(Application::Echo)));
    let refusal = bench.last_response();
    assert_eq!(refusal.status(), Some(UNACCEPTABLE));
    let warning = refusal.header(HeaderName::Warning).unwrap_or_default();
    assert!(warning.starts_with("305 "), "{warning}");
    // With a codec of ours beside it is answered with that.
    bench.request(CARRIER, "INVITE", "sip:+49301234@192.0.2.1", "", &g729(20, " 0"));
    let leg = bench.last_leg();
    bench.act(|gateway, now| gateway.answer(now, leg, Some(Application::Echo)));
    assert_eq!(formats(bench.last_response()), [0, 101]);
}

#[test]
fn a_browser_does_not_ring_for_what_it_cannot_have() {
    let mut bench = Bench::with(config());
    bench.register(PAGE, "");
    let uri = format!("sip:{}@192.0.2.1", PAGE.user);
    bench.request(CARRIER, "INVITE", &uri, "", &g729(20, ""));
    assert_eq!(bench.last_response().status(), Some(UNACCEPTABLE));
    let warning = bench.last_response().header(HeaderName::Warning);
    assert!(warning.is_some_and(|warning| warning.starts_with("305 ")));
    assert_eq!(bench.count(&Method::Invite), 0);
}

#[test]
fn what_is_not_to_be_passed_on_is_not() {
    let only_ilbc = PassThrough::Only(vec!["ILBC".into()]);
    for (everywhere, at_carrier, passes) in [
        (PassThrough::All, None, true),
        (PassThrough::off(), None, false),
        (only_ilbc.clone(), None, false),
        (PassThrough::off(), Some(PassThrough::All), false),
        (PassThrough::All, Some(only_ilbc), false),
        (
            PassThrough::Only(vec!["g729".into()]),
            Some(PassThrough::All),
            true,
        ),
    ] {
        let mut config = config();
        config.pass_through = everywhere;
        if let Access::Directory { trunks, .. } = &mut config.access {
            trunks
                .values_mut()
                .for_each(|trunk| trunk.pass_through = at_carrier.clone());
        }
        let bench = called(config, &g729(20, ""));
        assert_eq!(bench.count(&Method::Invite), usize::from(passes));
        if !passes {
            assert_eq!(bench.last_response().status(), Some(UNACCEPTABLE));
        }
    }
}

#[test]
fn a_callee_that_takes_something_else_is_hung_up_on_and_the_caller_refused() {
    let mut bench = called(config(), &g729(20, ""));
    let invite = bench.invited(PHONE);
    bench.respond(PHONE, &invite, OK, "phone", "", &sdp(11, "0", &[]));
    assert_eq!(bench.count(&Method::Bye), 1, "the phone");
    let refusal = bench.last_response();
    assert_eq!(refusal.status(), Some(UNACCEPTABLE));
    let warning = refusal.header(HeaderName::Warning);
    assert!(warning.is_some_and(|warning| warning.starts_with("305 ")));
}

#[test]
fn a_hold_and_a_refresh_keep_the_format() {
    let mut talk = Talk::agreed(telling(), &g729(20, " 0"), &g729(11, ""));
    for (offered, told) in [("sendonly", "recvonly"), ("sendrecv", "sendrecv")] {
        let offer = format!("{}a={offered}\r\n", g729(20, " 0"));
        talk.offers(Side::Carrier, "INVITE", &offer);
        let asked = talk.reinvite(Side::Phone).expect("passed on");
        assert_eq!((direction(&asked), formats(&asked)[0]), (offered, 18));
        assert!(says(&asked, "a=fmtp:18 annexb=no"));
        let answer = format!("{}a={told}\r\n", g729(11, ""));
        talk.respond(Side::Phone, &asked, OK, &answer);
        let (code, answer) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!((code, formats(&answer)), (OK, vec![18, 101]));
        talk.acknowledge(Side::Carrier);
    }
    // The phone names other codecs first, and has the same as before.
    let offer = sdp(11, "0 8 18", &[]);
    talk.offers(Side::Phone, "INVITE", &offer);
    let (code, answer) = talk.final_to(Side::Phone).expect("an answer");
    assert_eq!((code, formats(&answer)), (OK, vec![18]));
    talk.acknowledge(Side::Phone);
    assert!(talk.reinvite(Side::Carrier).is_none());
    talk.ends();
}

#[test]
fn another_format_is_passed_on_and_a_refusal_changes_nothing() {
    let mut talk = Talk::agreed(config(), &both(), &sdp(11, "18", &[]));
    for refuses in [true, false] {
        talk.offers(Side::Carrier, "INVITE", &ilbc(20));
        let asked = talk.reinvite(Side::Phone).expect("passed on");
        // By the number that it had in this call from the beginning.
        assert!(says(&asked, "a=rtpmap:97 iLBC/8000") && says(&asked, "a=fmtp:97 mode=30"));
        assert_eq!(formats(&asked), [97, 101]);
        if refuses {
            talk.respond(Side::Phone, &asked, UNACCEPTABLE, "");
            assert_eq!(
                talk.final_to(Side::Carrier).map(|(code, _)| code),
                Some(UNACCEPTABLE)
            );
            talk.acknowledge(Side::Carrier);
            assert_eq!(names(&talk.bench), ["G729", "G729"]);
            continue;
        }
        talk.respond(Side::Phone, &asked, OK, &ilbc(11));
        let (code, answer) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!((code, formats(&answer)), (OK, vec![98]));
        talk.acknowledge(Side::Carrier);
        assert_eq!(names(&talk.bench), ["iLBC", "iLBC"]);
    }
    talk.ends();
}

#[test]
fn one_who_changes_to_a_codec_of_ours_takes_the_other_along() {
    let mut talk = Talk::agreed(config(), &g729(20, " 0"), &g729(11, ""));
    talk.offers(Side::Phone, "INVITE", &sdp(11, "8", &[]));
    let asked = talk.reinvite(Side::Carrier).expect("passed on");
    assert_eq!(formats(&asked), [0, 8, 101]);
    talk.respond(Side::Carrier, &asked, OK, &sdp(20, "0", &[]));
    let (code, answer) = talk.final_to(Side::Phone).expect("an answer");
    assert_eq!((code, formats(&answer)), (OK, vec![8]));
    talk.acknowledge(Side::Phone);
    assert_eq!(names(&talk.bench), ["PCMU", "PCMA"]);
    talk.ends();
}

#[test]
fn the_target_of_a_transfer_is_offered_what_the_transferred_party_has() {
    let mut talk = Talk::agreed(config(), &g729(20, ""), &g729(11, ""));
    talk.refers(Side::Phone, "sip:1002@192.0.2.1");
    talk.transferred();
    let invite = talk.bench.invited(OTHER);
    assert_eq!(formats(&invite), [18, 101]);
    talk.bench.respond(OTHER, &invite, OK, "other", "", &g729(12, ""));
    assert!(talk.reinvite(Side::Carrier).is_none(), "it has that already");
    let target = talk.bench.last_leg();
    assert_eq!(
        codec(&talk.bench, target).map(|codec| codec.name().to_owned()),
        Some("G729".into())
    );
}

#[test]
fn a_party_with_a_codec_of_ours_beside_is_offered_that_where_the_new_one_has_nothing_else() {
    let mut talk = Talk::agreed(config(), &g729(20, " 0"), &g729(11, ""));
    talk.refers(Side::Phone, "sip:1002@192.0.2.1");
    talk.transferred();
    let invite = talk.bench.invited(OTHER);
    assert_eq!(formats(&invite), [18, 0, 8, 101], "first what need not change");
    talk.bench
        .respond(OTHER, &invite, OK, "other", "", &sdp(12, "8", &[]));
    let asked = talk.reinvite(Side::Carrier).expect("another codec");
    assert_eq!(formats(&asked), [0, 8, 101]);
    talk.respond(Side::Carrier, &asked, OK, &sdp(20, "0", &[]));
    let [carrier, .., target] = talk.bench.opened()[..] else {
        panic!("three legs")
    };
    assert_eq!(codec(&talk.bench, carrier), Some(Codec::Pcmu));
    assert_eq!(codec(&talk.bench, target), Some(Codec::Pcma));
    assert!(talk.reinvite(Side::Carrier).is_none(), "once");
}

#[test]
fn one_who_refuses_another_codec_is_not_asked_for_ever() {
    let mut talk = Talk::agreed(config(), &g729(20, " 0"), &g729(11, ""));
    talk.refers(Side::Phone, "sip:1002@192.0.2.1");
    talk.transferred();
    let invite = talk.bench.invited(OTHER);
    talk.bench
        .respond(OTHER, &invite, OK, "other", "", &sdp(12, "8", &[]));
    let asked = talk.reinvite(Side::Carrier).expect("another codec");
    talk.respond(Side::Carrier, &asked, UNACCEPTABLE, "");
    talk.bench.wait(30);
    assert!(talk.reinvite(Side::Carrier).is_none());
    // What was agreed before stands.
    talk.offers(Side::Carrier, "INVITE", &g729(20, ""));
    let (code, answer) = talk.final_to(Side::Carrier).expect("an answer");
    assert_eq!((code, formats(&answer)), (OK, vec![18, 101]));
    talk.acknowledge(Side::Carrier);
    // Until it names a codec of ours, which the other one has.
    talk.offers(Side::Carrier, "INVITE", &g729(20, " 0"));
    let (code, answer) = talk.final_to(Side::Carrier).expect("an answer");
    assert_eq!((code, formats(&answer)), (OK, vec![0, 101]));
}

#[test]
fn a_second_callee_is_offered_what_the_caller_has_agreed_to() {
    let mut bench = Bench::with(config());
    bench.register(PHONE, "");
    bench.register(OTHER, "");
    bench.leaves_calls = true;
    bench.request(CARRIER, "INVITE", "sip:+49301234@192.0.2.1", "", &both());
    let dial = |user: &str| {
        let parties = vec![Party::User(user.into())];
        Dial::together(parties, Duration::from_secs(30), OnFailure::Reject)
    };
    let mut one_by_one = dial("1001");
    one_by_one.attempts.extend(dial("1002").attempts);
    let session = bench.events.iter().find_map(|event| match event {
        Event::Incoming { session, .. } => Some(*session),
        _ => None,
    });
    bench.act(|gateway, now| gateway.dial(now, session.expect("a call"), one_by_one));
    let invite = bench.invited(PHONE);
    assert_eq!(formats(&invite), [18, 97, 101]);
    bench.respond(
        PHONE,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "phone",
        "",
        &ilbc(11),
    );
    assert_eq!(formats(bench.last_response()), [97]);
    bench.respond(PHONE, &invite, BUSY, "phone", "", "");
    let invite = bench.invited(OTHER);
    assert_eq!(formats(&invite), [97, 101], "the caller has that already");
}

#[test]
fn where_somebody_comes_in_those_who_can_are_offered_a_codec_that_can_be_mixed() {
    let mut talk = Talk::agreed(config(), &g729(20, " 0"), &sdp(11, "18 8", &[]));
    let session = talk.bench.events.iter().find_map(|event| match event {
        Event::Incoming { session, .. } => Some(*session),
        _ => None,
    });
    let session = session.expect("a call");
    let third = Invitation {
        party: Party::User("1002".into()),
        caller: None,
        ring_timeout: Duration::from_secs(30),
        headers: Vec::new(),
        diverted: Vec::new(),
    };
    let leg = talk.bench.act(|gateway, now| gateway.invite(now, session, third));
    let leg = leg.expect("a leg");
    let invite = talk.bench.invited(OTHER);
    assert_eq!(formats(&invite), [0, 8, 101], "it hears several");
    talk.bench
        .respond(OTHER, &invite, OK, "other", "", &sdp(12, "0", &[]));
    assert!(talk.reinvite(Side::Carrier).is_none());
    talk.bench
        .act(|gateway, now| gateway.admit_leg(now, session, leg));
    for (side, answer) in [
        (Side::Carrier, sdp(20, "0", &[])),
        (Side::Phone, sdp(11, "8", &[])),
    ] {
        let asked = talk.reinvite(side).expect("another codec");
        assert_eq!(formats(&asked), [0, 8, 101]);
        talk.respond(side, &asked, OK, &answer);
    }
    assert_eq!(names(&talk.bench), ["PCMU", "PCMA", "PCMU"]);
    assert!(talk.reinvite(Side::Carrier).is_none() && talk.reinvite(Side::Phone).is_none());
}

#[test]
fn whoever_is_held_by_us_keeps_the_format_and_hears_nothing() {
    let mut talk = Talk::agreed(config(), &g729(20, " 0"), &g729(11, ""));
    let carrier = talk.bench.opened()[0];
    for (direction_of, answer) in [("sendonly", "recvonly"), ("sendrecv", "sendrecv")] {
        talk.bench.act(|gateway, now| match direction_of {
            "sendonly" => gateway.hold(now, carrier),
            _ => gateway.resume(now, carrier),
        });
        let asked = talk.reinvite(Side::Carrier).expect("a hold");
        assert_eq!((direction(&asked), formats(&asked)[0]), (direction_of, 18));
        let answer = format!("{}a={answer}\r\n", g729(20, ""));
        talk.respond(Side::Carrier, &asked, OK, &answer);
        assert!(talk.reinvite(Side::Carrier).is_none() && talk.reinvite(Side::Phone).is_none());
    }
    assert_eq!(names(&talk.bench), ["G729", "G729"]);
}

#[test]
fn a_trunk_that_offers_in_its_answer_has_the_format_of_the_caller() {
    let mut config = config();
    if let Access::Directory { trunks, .. } = &mut config.access {
        trunks.values_mut().for_each(|trunk| trunk.late_offer = true);
    }
    let mut bench = Bench::with(config);
    let number = "sip:+49409876@192.0.2.1";
    bench.register(PHONE, "");
    bench.authenticated(PHONE, "INVITE", number, "", &g729(11, ""));
    let invite = bench.invited(CARRIER);
    assert!(invite.body().is_empty());
    bench.respond(CARRIER, &invite, OK, "carrier", "", &g729(20, " 0"));
    let ack = bench.last(&Method::Ack).expect("an ACK");
    assert_eq!(formats(&ack), [18, 101]);
    assert_eq!(names(&bench), ["G729", "G729"]);
}
