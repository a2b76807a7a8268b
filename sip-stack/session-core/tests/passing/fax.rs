//! Faxes (ITU-T T.38): passed on to the other party, which has one too or refuses it.

use media_core::control::Command;
use media_core::negotiated::Transport;
use session_core::{Access, HoldPolicy};
use sip_core::message::{Method, StatusCode};

use crate::carried::bench::{Bench, CARRIER, OTHER, PAGE, PHONE};

use super::talk::{Side, Talk, sdp};
use super::{OK, carrier, phone};
use crate::carried::bench::config;

/// A description of a fax, at this rate.
fn fax(host: u8, port: u16, rate: u32) -> String {
    let voice = sdp(host, port, "sendrecv");
    let (session, _) = voice.split_once("m=").expect("a section");
    format!(
        "{session}m=image {port} udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:{rate}\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
    )
}

fn text(message: &sip_core::message::Message) -> String {
    String::from_utf8_lossy(message.body()).into_owned()
}

/// Legs whose last agreement is a fax.
fn faxes(talk: &Talk) -> usize {
    let is_fax = |leg: &media_core::control::LegId| {
        let last = talk
            .bench
            .commands
            .iter()
            .rev()
            .find_map(|command| match command {
                Command::Connect { leg: of, media } if of == leg => Some(&media.transport),
                _ => None,
            });
        matches!(last, Some(Transport::Udptl { remote: Some(_) }))
    };
    talk.bench.opened().iter().filter(|leg| is_fax(leg)).count()
}

#[test]
fn a_fax_is_passed_on_with_its_parameters_and_the_call_returns_to_audio() {
    for (asks, asked) in [(Side::Carrier, Side::Phone), (Side::Phone, Side::Carrier)] {
        let mut talk = Talk::new(HoldPolicy::Auto);
        talk.offers(asks, "INVITE", &fax(20, 5_002, 14_400));
        let offer = talk.reinvite(asked).expect("passed on");
        assert!(text(&offer).contains("udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n"));
        talk.respond(asked, &offer, OK, &fax(11, 4_002, 9_600));
        let (code, answer) = talk.final_to(asks).expect("an answer");
        assert_eq!(code, OK);
        assert!(text(&answer).contains("udptl t38\r\n") && text(&answer).contains("T38MaxBitRate:9600"));
        talk.acknowledge(asks);
        assert_eq!(faxes(&talk), 2);
        // The other side ends it.
        talk.offers(asked, "INVITE", &carrier("sendrecv"));
        let offer = talk.reinvite(asks).expect("passed on");
        assert!(text(&offer).contains("m=audio") && !text(&offer).contains("T38"));
        talk.respond(asks, &offer, OK, &phone("sendrecv"));
        assert_eq!(talk.final_to(asked).map(|(code, _)| code), Some(OK));
        talk.acknowledge(asked);
        assert_eq!(faxes(&talk), 0);
        talk.ends();
    }
}

#[test]
fn a_fax_that_the_other_party_refuses_leaves_the_call_with_its_audio() {
    let refusals = [
        (StatusCode::NOT_ACCEPTABLE_HERE, String::new(), false),
        (OK, fax(11, 0, 9_600), true),
        (OK, phone("sendrecv"), true),
    ];
    for (code, body, is_taken_back) in refusals {
        let mut talk = Talk::new(HoldPolicy::Auto);
        talk.offers(Side::Carrier, "INVITE", &fax(20, 5_002, 14_400));
        let offer = talk.reinvite(Side::Phone).expect("passed on");
        talk.respond(Side::Phone, &offer, code, &body);
        let (told, _) = talk.final_to(Side::Carrier).expect("an answer");
        assert_eq!(told, StatusCode::NOT_ACCEPTABLE_HERE, "{body}");
        talk.acknowledge(Side::Carrier);
        assert_eq!(faxes(&talk), 0);
        let back = talk.reinvite(Side::Phone);
        assert_eq!(back.is_some(), is_taken_back, "{body}");
        if let Some(back) = back {
            assert!(text(&back).contains("m=audio"));
            talk.respond(Side::Phone, &back, OK, &phone("sendrecv"));
        }
        talk.ends();
    }
}

#[test]
fn a_party_without_t38_has_faxes_refused_at_once() {
    for (of_trunks, of_users) in [(false, true), (true, false)] {
        let mut settings = config();
        if let Access::Directory { trunks, users } = &mut settings.access {
            trunks.values_mut().for_each(|trunk| trunk.t38 = of_trunks);
            users.values_mut().for_each(|user| user.t38 = of_users);
        }
        let mut talk = Talk::with(settings);
        for side in [Side::Carrier, Side::Phone] {
            talk.offers(side, "INVITE", &fax(20, 5_002, 14_400));
            let (code, _) = talk.final_to(side).expect("an answer");
            assert_eq!(code, StatusCode::NOT_ACCEPTABLE_HERE);
            talk.acknowledge(side);
        }
        assert!(talk.reinvite(Side::Phone).is_none());
        talk.ends();
    }
}

#[test]
fn a_party_with_a_fax_returns_to_audio_when_the_other_one_is_gone() {
    let mut talk = Talk::new(HoldPolicy::Auto);
    talk.offers(Side::Carrier, "INVITE", &fax(20, 5_002, 14_400));
    let offer = talk.reinvite(Side::Phone).expect("passed on");
    talk.respond(Side::Phone, &offer, OK, &fax(11, 4_002, 9_600));
    talk.acknowledge(Side::Carrier);
    talk.refers(Side::Phone, "sip:1002@192.0.2.1");
    talk.transferred();
    let back = talk.reinvite(Side::Carrier).expect("audio again");
    assert!(text(&back).contains("m=audio") && !text(&back).contains("T38"));
}

/// The carrier calls 1001 with a fax alone.
fn calls_with_fax(bench: &mut Bench) {
    let offer = fax(20, 5_002, 14_400);
    bench.request(CARRIER, "INVITE", "sip:+49301234@192.0.2.1", "", &offer);
}

fn with_t38(of_trunks: bool, of_users: bool) -> Bench {
    let mut settings = config();
    if let Access::Directory { trunks, users } = &mut settings.access {
        trunks.values_mut().for_each(|trunk| trunk.t38 = of_trunks);
        users.values_mut().for_each(|user| user.t38 = of_users);
    }
    Bench::with(settings)
}

#[test]
fn a_call_that_begins_with_a_fax_is_offered_and_answered_with_it() {
    let mut bench = with_t38(true, true);
    bench.register(PHONE, "");
    calls_with_fax(&mut bench);
    let invite = bench.invited(PHONE);
    assert!(text(&invite).contains("m=image 2000") && !text(&invite).contains("m=audio"));
    assert!(text(&invite).contains("udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n"));
    // Early media of the callee say nothing to the caller yet.
    bench.respond(
        PHONE,
        &invite,
        StatusCode::SESSION_PROGRESS,
        "p",
        "",
        &fax(11, 4_002, 9_600),
    );
    assert!(text(bench.last_response()).is_empty());
    bench.respond(PHONE, &invite, OK, "p", "", &fax(11, 4_002, 9_600));
    let answer = bench.last_response().clone();
    assert_eq!(answer.status(), Some(OK));
    assert!(text(&answer).contains("m=image") && text(&answer).contains("T38MaxBitRate:9600"));
    let transports = bench.commands.iter().filter(|command| {
        matches!(command, Command::Connect { media, .. } if matches!(media.transport, Transport::Udptl { remote: Some(_) }))
    });
    assert!(transports.count() >= 2);
    let bridged = bench
        .commands
        .iter()
        .any(|command| matches!(command, Command::Bridge { members, .. } if members.len() == 2));
    assert!(bridged);
    assert_eq!(bench.count(&Method::Invite), 1, "nobody is offered audio instead");
    // Where the other party is not there any more, nothing is left.
    let session = bench.act(|gateway, _| gateway.sessions().next()).expect("a call");
    bench.act(|gateway, now| gateway.terminate_session(now, session));
    assert_eq!(
        bench.last(&Method::Bye).map(|bye| bye.is(&Method::Bye)),
        Some(true)
    );
}

#[test]
fn a_call_that_begins_with_a_fax_is_refused_where_nobody_can_have_it() {
    for (of_trunks, of_users) in [(false, true), (true, false)] {
        let mut bench = with_t38(of_trunks, of_users);
        bench.register(PHONE, "");
        calls_with_fax(&mut bench);
        assert_eq!(bench.statuses(), [StatusCode::NOT_ACCEPTABLE_HERE]);
        assert_eq!(bench.count(&Method::Invite), 0);
    }
    // A page has none, whatever it may.
    let mut bench = with_t38(true, true);
    bench.register(PAGE, "");
    let offer = fax(20, 5_002, 14_400);
    bench.request(CARRIER, "INVITE", "sip:1003@192.0.2.1", "", &offer);
    assert_eq!(
        bench.last_response().status(),
        Some(StatusCode::NOT_ACCEPTABLE_HERE)
    );
    // The phone refuses it, or answers with audio.
    for (code, body) in [
        (StatusCode::NOT_ACCEPTABLE_HERE, String::new()),
        (OK, sdp(11, 4_000, "sendrecv")),
    ] {
        let mut bench = with_t38(true, true);
        bench.register(PHONE, "");
        calls_with_fax(&mut bench);
        let invite = bench.invited(PHONE);
        bench.respond(PHONE, &invite, code, "p", "", &body);
        assert_eq!(
            bench.last_response().status(),
            Some(StatusCode::NOT_ACCEPTABLE_HERE),
            "{body}"
        );
    }
    // The application answers: neither an echo nor a queue takes a fax.
    let mut bench = with_t38(true, true);
    bench.leaves_calls = true;
    calls_with_fax(&mut bench);
    let leg = bench.last_leg();
    bench.act(|gateway, now| gateway.answer(now, leg, None));
    assert_eq!(
        bench.last_response().status(),
        Some(StatusCode::NOT_ACCEPTABLE_HERE)
    );
}

#[test]
fn a_phone_sends_a_fax_to_a_trunk_and_to_another_phone() {
    let mut bench = with_t38(true, true);
    bench.register(PHONE, "");
    bench.register(OTHER, "");
    for (uri, callee) in [("sip:0301234@192.0.2.1", CARRIER), ("sip:1002@192.0.2.1", OTHER)] {
        let offer = fax(11, 5_002, 14_400);
        bench.authenticated(PHONE, "INVITE", uri, "", &offer);
        let invite = bench.invited(callee);
        assert!(
            text(&invite).contains("m=image") && !text(&invite).contains("m=audio"),
            "{uri}"
        );
        bench.respond(callee, &invite, OK, "c", "", &fax(20, 4_002, 9_600));
        let answer = bench.last_response();
        assert_eq!(answer.status(), Some(OK), "{uri}");
        assert!(text(answer).contains("m=image"), "{uri}");
    }
}
